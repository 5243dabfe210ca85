//! The assets of a workspace or of one of its projects, by v2. Plane contract, sections 3.6, 3.8 and 3.10.
use crate::assets::{Asset, AssetError, Change, EntityType, Permission, Within};
use crate::auth::Workspace;
use crate::http::plane::answer::{answer, answer_with_link};
use crate::http::plane::download::{self, Disposition};
use crate::http::plane::dto::Exists;
use crate::http::plane::error::{
    INVALID_IMAGE_TYPE, NO_RIGHTS, NOT_FOUND_V2, NOT_UPLOADED, PlaneError,
};
use crate::http::plane::request::plane_request::PlaneRequest;
use crate::http::plane::upload::{self, ImageRules, Place};
use actix_web::HttpResponse;

/// Whether a path names only a workspace, or a project too, which may be `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Level {
    Workspace,
    Project,
}
impl Level {
    fn within(self, request: &PlaneRequest<'_>, workspace: &Workspace) -> Within {
        let workspace_id = workspace.id;
        match self {
            Self::Workspace => Within::Workspace { workspace_id },
            Self::Project => Within::Project {
                workspace_id,
                project_id: request.parameters.project_id,
            },
        }
    }

    /// Whether a PATCH makes this asset the current one of its kind, and a DELETE leaves its kind without one.
    // Plane: a logo or a cover, only by the workspace route; an avatar only by its owner's routes.
    fn moves_pointer(self, asset: &Asset) -> bool {
        let kind = asset.entity_type;
        self == Self::Workspace
            && matches!(kind, EntityType::WorkspaceLogo | EntityType::ProjectCover)
    }
}

/// POST: 200 with the policy.
pub(in crate::http) async fn request_upload(
    mut request: PlaneRequest<'_>,
    level: Level,
) -> Result<HttpResponse, PlaneError> {
    let workspace = request.own_workspace().await?;
    let fields = request.fields().await?;
    let place = Place {
        workspace_id: workspace.id,
        project_id: request.parameters.project_id,
        user_id: request.user_id(),
        binds_drafts: level == Level::Project,
    };
    let rules = ImageRules {
        accepts: |_| true,
        wrong_type: INVALID_IMAGE_TYPE,
    };
    let user_id = request.user_id();
    let upload_request = upload::parse_image(
        &fields,
        request.limit_bytes(),
        user_id,
        rules,
        |entity_type| {
            let identifier = upload::optional_id(&fields, "entity_identifier")?;
            place.bindings(entity_type, identifier)
        },
    )?;
    let (_, answer) =
        upload::request_upload(&request, upload_request, Some(&workspace.slug)).await?;
    Ok(answer_with_link(&answer))
}

/// One asset: GET is 302 to the bytes; PATCH and DELETE are 204.
pub(in crate::http) async fn item(
    request: PlaneRequest<'_>,
    level: Level,
) -> Result<HttpResponse, PlaneError> {
    match request.req.method().as_str() {
        "PATCH" => change(request, level).await,
        "DELETE" => delete(request, level).await,
        _ => redirect(request, level, NOT_FOUND_V2).await,
    }
}

/// GET of the path for downloads: 302 to the bytes too.
pub(in crate::http) async fn download(
    request: PlaneRequest<'_>,
    level: Level,
) -> Result<HttpResponse, PlaneError> {
    redirect(request, level, NOT_UPLOADED).await
}

async fn redirect(
    request: PlaneRequest<'_>,
    level: Level,
    missing: PlaneError,
) -> Result<HttpResponse, PlaneError> {
    let workspace = request.own_workspace().await?;
    let within = level.within(&request, &workspace);
    let (state, id) = (request.state, request.parameters.asset_id);
    let (asset, _) = download::find_uploaded(state, id, &within, missing, NOT_UPLOADED).await?;
    download::redirect(request.req, state, &asset, Disposition::Attachment)
}

/// PATCH: 204, also when it is repeated.
async fn change(mut request: PlaneRequest<'_>, level: Level) -> Result<HttpResponse, PlaneError> {
    let workspace = request.own_workspace().await?;
    let fields = request.fields().await?;
    let attributes = upload::attributes(&fields)?;
    let within = level.within(&request, &workspace);
    let (state, id) = (request.state, request.parameters.asset_id);
    let asset = download::find(state, id, &within, NOT_FOUND_V2).await?;
    let change = Change {
        attributes,
        updated_by: request.user_id(),
        moves_pointer: level.moves_pointer(&asset),
        takes_over: false,
    };
    let changing = state.assets.change(id, within, change, Permission::All);
    changing.await.map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}

/// DELETE: 204, and 404 when it is repeated. Only its creator and admins may delete an issue attachment.
async fn delete(request: PlaneRequest<'_>, level: Level) -> Result<HttpResponse, PlaneError> {
    let (workspace, role) = request.workspace(NO_RIGHTS, NO_RIGHTS).await?;
    let within = level.within(&request, &workspace);
    let (state, id) = (request.state, request.parameters.asset_id);
    let asset = download::find(state, id, &within, NOT_FOUND_V2).await?;
    let clears_pointer = level.moves_pointer(&asset);
    let permission = request.permission_to_delete(Some(role));
    let deleting = state.assets.delete(id, within, clears_pointer, permission);
    deleting.await.map_err(|error| match error {
        AssetError::NotAllowed => NO_RIGHTS,
        error => PlaneError::of_asset(NOT_FOUND_V2)(error),
    })?;
    Ok(HttpResponse::NoContent().finish())
}

/// GET: whether the asset is in the workspace, uploaded or not.
pub(in crate::http) async fn check(request: PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let workspace = request.own_workspace().await?;
    let within = Level::Workspace.within(&request, &workspace);
    let exists = match request
        .state
        .assets
        .find(request.parameters.asset_id, &within)
        .await
    {
        Ok(_) => true,
        Err(AssetError::Store(error)) => return Err(error.into()),
        Err(_) => false,
    };
    Ok(answer(&Exists { exists }))
}

/// POST: 204, also for an asset that is not deleted. The body is not read.
pub(in crate::http) async fn restore(
    request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let workspace = request.own_workspace().await?;
    let within = Level::Workspace.within(&request, &workspace);
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let restoring = assets.restore(id, within, Permission::All);
    restoring
        .await
        .map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}
