//! Files of published projects, by the anchor of each. Plane contract, section 3.11.
//!
//! Reading needs no token. A visitor with a token may add files to comments and change the files that they created; only
//! members change the others.
use crate::assets::{Binding, Bindings, Change, EntityType, Permission, Within};
use crate::auth::{Anchor, Role};
use crate::http::app_state::AppState;
use crate::http::plane::answer::answer_with_link;
use crate::http::plane::download::{self, Disposition};
use crate::http::plane::endpoints::bulk;
use crate::http::plane::error::{
    INVALID_IMAGE_TYPE, NO_ANCHOR, NOT_FOUND_V2, NOT_PUBLISHED, NOT_UPLOADED, PlaneError,
};
use crate::http::plane::request::plane_request::PlaneRequest;
use crate::http::plane::routes::path::PathParameters;
use crate::http::plane::upload::{self, ImageRules};
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;

fn is_published(entity_type: EntityType) -> bool {
    matches!(
        entity_type,
        EntityType::IssueDescription | EntityType::CommentDescription
    )
}

fn within(anchor: &Anchor) -> Within {
    Within::Project {
        workspace_id: anchor.workspace.id,
        project_id: Some(anchor.project_id),
    }
}

async fn published(request: &PlaneRequest<'_>) -> Result<Arc<Anchor>, PlaneError> {
    let anchor = request
        .state
        .auth
        .anchor(&request.parameters.slug_or_anchor)
        .await?;
    anchor.ok_or(NOT_PUBLISHED)
}

/// The published project, and the caller's role in its workspace. `None`: the caller is not a member.
async fn with_role(request: &PlaneRequest<'_>) -> Result<(Arc<Anchor>, Option<Role>), PlaneError> {
    let anchor = published(request).await?;
    let role = request
        .state
        .auth
        .role(request.caller, &anchor.workspace)
        .await?;
    Ok((anchor, role))
}

/// The published project, and the assets in it that the caller may change: a member all of them, others those that they
/// created.
async fn changeable(request: &PlaneRequest<'_>) -> Result<(Arc<Anchor>, Permission), PlaneError> {
    let (anchor, role) = with_role(request).await?;
    let permission = match role {
        Some(_) => Permission::All,
        None => Permission::CreatedBy(request.user_id()),
    };
    Ok((anchor, permission))
}

/// GET without a token: 302 to the bytes.
pub(in crate::http) async fn show(
    req: &HttpRequest,
    state: &AppState,
    parameters: &PathParameters,
) -> Result<HttpResponse, PlaneError> {
    let anchor = state
        .auth
        .anchor(&parameters.slug_or_anchor)
        .await?
        .ok_or(NO_ANCHOR)?;
    let asset = download::find(state, parameters.asset_id, &within(&anchor), NOT_FOUND_V2).await?;
    if !is_published(asset.entity_type) {
        return Err(NOT_FOUND_V2);
    }
    if state.assets.object(&asset).await?.is_none() {
        return Err(NOT_UPLOADED);
    }
    download::redirect(req, state, &asset, Disposition::InlineUnnamed)
}

/// POST with any token: 200 with the policy.
pub(in crate::http) async fn request_upload(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let anchor = published(&request).await?;
    let fields = request.fields().await?;
    let rules = ImageRules {
        accepts: is_published,
        wrong_type: INVALID_IMAGE_TYPE,
    };
    let user_id = request.user_id();
    let upload_request =
        upload::parse_image(&fields, request.limit_bytes(), user_id, rules, |_| {
            Ok(Bindings {
                workspace_id: Some(anchor.workspace.id),
                project_id: Some(anchor.project_id),
                // Plane: for each entity type.
                comment_id: upload::optional_id(&fields, "entity_identifier")?,
                ..Bindings::default()
            })
        })?;
    let (_, answer) =
        upload::request_upload(&request, upload_request, Some(&anchor.workspace.slug)).await?;
    Ok(answer_with_link(&answer))
}

/// PATCH: 204, also when it is repeated.
pub(in crate::http) async fn change(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let (anchor, permission) = changeable(&request).await?;
    let fields = request.fields().await?;
    let change = Change {
        attributes: upload::attributes(&fields)?,
        updated_by: request.user_id(),
        moves_pointer: false,
        takes_over: false,
    };
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let changing = assets.change(id, within(&anchor), change, permission).await;
    changing.map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}

/// DELETE: 204, and 404 when it is repeated.
pub(in crate::http) async fn delete(request: PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let (anchor, role) = with_role(&request).await?;
    let permission = request.permission_to_delete(role);
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let deleting = assets.delete(id, within(&anchor), false, permission).await;
    deleting.map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}

/// POST: 204, also for an asset that is not deleted. The body is not read.
pub(in crate::http) async fn restore(
    request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let (anchor, permission) = changeable(&request).await?;
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let restoring = assets.restore(id, within(&anchor), permission).await;
    restoring.map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}

/// POST: 204. It binds only files of comments.
pub(in crate::http) async fn bind(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let (anchor, permission) = changeable(&request).await?;
    let binding = Binding {
        workspace_id: anchor.workspace.id,
        project_id: anchor.project_id,
        entity_id: request.parameters.entity_id,
        is_public: true,
        permission,
    };
    bulk::bind_sent_ids(&mut request, binding).await
}
