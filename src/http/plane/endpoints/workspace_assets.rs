//! Assets of a workspace or of one of its projects, by v2. Plane contract, sections 3.6, 3.8 and 3.10.
use crate::assets::{Asset, AssetError, Change, EntityType, Permission, Within};
use crate::auth::Workspace;
use crate::http::plane::answer::{answer, answer_with_link};
use crate::http::plane::download::{self, Disposition};
use crate::http::plane::dto::Exists;
use crate::http::plane::error::{
    INVALID_IMAGE_TYPE, NO_RIGHTS, NOT_FOUND_V2, NOT_UPLOADED, PlaneError,
};
use crate::http::plane::request::plane_request::Asked;
use crate::http::plane::upload::{self, PictureRules, Place};
use actix_web::HttpResponse;

/// Whether a path names a project beside the workspace; it may name one as `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Level {
    Workspace,
    Project,
}
impl Level {
    fn within(self, asked: &Asked<'_>, workspace: &Workspace) -> Within {
        let workspace_id = workspace.id;
        match self {
            Self::Workspace => Within::Workspace { workspace_id },
            Self::Project => Within::Project {
                workspace_id,
                project_id: asked.names.project_id,
            },
        }
    }

    /// Whether a PATCH or DELETE of this asset moves or empties the pointer of its kind.
    // Plane: a logo's and a cover's, by the workspace route only; an avatar is its owner's business.
    fn concerns_pointer(self, asset: &Asset) -> bool {
        let kind = asset.entity_type;
        self == Self::Workspace
            && matches!(kind, EntityType::WorkspaceLogo | EntityType::ProjectCover)
    }
}

/// POST: 200 with the policy.
pub(in crate::http) async fn request_upload(
    mut asked: Asked<'_>,
    level: Level,
) -> Result<HttpResponse, PlaneError> {
    let workspace = asked.own_workspace().await?;
    let fields = asked.fields().await?;
    let place = Place {
        workspace_id: workspace.id,
        project_id: asked.names.project_id,
        user_id: asked.user_id(),
        binds_drafts: level == Level::Project,
    };
    let rules = PictureRules {
        takes: |_| true,
        wrong_type: INVALID_IMAGE_TYPE,
    };
    let user_id = asked.user_id();
    let request = upload::picture(
        &fields,
        asked.limit_bytes(),
        user_id,
        rules,
        |entity_type| {
            let identifier = upload::identifier(&fields, "entity_identifier")?;
            place.bindings(entity_type, identifier)
        },
    )?;
    let (_, answer) = upload::open(&asked, request, Some(&workspace.slug)).await?;
    Ok(answer_with_link(&answer))
}

/// One asset: GET is 302 to the bytes; PATCH and DELETE are 204.
pub(in crate::http) async fn item(
    asked: Asked<'_>,
    level: Level,
) -> Result<HttpResponse, PlaneError> {
    match asked.req.method().as_str() {
        "PATCH" => change(asked, level).await,
        "DELETE" => delete(asked, level).await,
        _ => redirect(asked, level, NOT_FOUND_V2).await,
    }
}

/// GET of the form that is made for downloads: 302 too.
pub(in crate::http) async fn download(
    asked: Asked<'_>,
    level: Level,
) -> Result<HttpResponse, PlaneError> {
    redirect(asked, level, NOT_UPLOADED).await
}

async fn redirect(
    asked: Asked<'_>,
    level: Level,
    missing: PlaneError,
) -> Result<HttpResponse, PlaneError> {
    let workspace = asked.own_workspace().await?;
    let within = level.within(&asked, &workspace);
    let (state, id) = (asked.state, asked.names.asset_id);
    let (asset, _) = download::uploaded(state, id, &within, missing, NOT_UPLOADED).await?;
    download::redirect(asked.req, state, &asset, Disposition::Attachment)
}

/// 204, again and again.
async fn change(mut asked: Asked<'_>, level: Level) -> Result<HttpResponse, PlaneError> {
    let workspace = asked.own_workspace().await?;
    let fields = asked.fields().await?;
    let attributes = upload::attributes(&fields)?;
    let within = level.within(&asked, &workspace);
    let (state, id) = (asked.state, asked.names.asset_id);
    let asset = download::found(state, id, &within, NOT_FOUND_V2).await?;
    let change = Change {
        attributes,
        updated_by: asked.user_id(),
        moves_pointer: level.concerns_pointer(&asset),
        takes_over: false,
    };
    let changing = state.assets.change(id, within, change, Permission::All);
    changing.await.map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}

/// 204; a second one is a 404. An issue attachment only by its creator and by admins.
async fn delete(asked: Asked<'_>, level: Level) -> Result<HttpResponse, PlaneError> {
    let (workspace, role) = asked.workspace(NO_RIGHTS, NO_RIGHTS).await?;
    let within = level.within(&asked, &workspace);
    let (state, id) = (asked.state, asked.names.asset_id);
    let asset = download::found(state, id, &within, NOT_FOUND_V2).await?;
    let empties = level.concerns_pointer(&asset);
    let permission = asked.permission_to_delete(Some(role));
    let deleting = state.assets.delete(id, within, empties, permission);
    deleting.await.map_err(|error| match error {
        AssetError::NotAllowed => NO_RIGHTS,
        error => PlaneError::of_asset(NOT_FOUND_V2)(error),
    })?;
    Ok(HttpResponse::NoContent().finish())
}

/// GET: whether the asset is in the workspace, uploaded or not.
pub(in crate::http) async fn check(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let workspace = asked.own_workspace().await?;
    let within = Level::Workspace.within(&asked, &workspace);
    let exists = match asked.state.assets.find(asked.names.asset_id, &within).await {
        Ok(_) => true,
        Err(AssetError::Store(error)) => return Err(error.into()),
        Err(_) => false,
    };
    Ok(answer(&Exists { exists }))
}

/// POST: 204, also where the asset is not deleted; the body is not read.
pub(in crate::http) async fn restore(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let workspace = asked.own_workspace().await?;
    let within = Level::Workspace.within(&asked, &workspace);
    let (assets, id) = (&asked.state.assets, asked.names.asset_id);
    let restoring = assets.restore(id, within, Permission::All);
    restoring
        .await
        .map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}
