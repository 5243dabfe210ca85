//! Files of published projects, by the anchor of each. Plane contract, section 3.11.
//!
//! Anybody reads them. A signed-in visitor may add files to comments and change what is his; only members change the rest.
use crate::assets::{Binding, Bindings, Change, EntityType, Permission, Within};
use crate::auth::{Anchor, Role};
use crate::http::app_state::AppState;
use crate::http::plane::answer::answer_with_link;
use crate::http::plane::download::{self, Disposition};
use crate::http::plane::endpoints::bulk;
use crate::http::plane::error::{
    INVALID_IMAGE_TYPE, NO_ANCHOR, NOT_FOUND_V2, NOT_PUBLISHED, NOT_UPLOADED, PlaneError,
};
use crate::http::plane::request::plane_request::Asked;
use crate::http::plane::routes::path::Names;
use crate::http::plane::upload::{self, PictureRules};
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

async fn published(asked: &Asked<'_>) -> Result<Arc<Anchor>, PlaneError> {
    let anchor = asked.state.auth.anchor(&asked.names.place).await?;
    anchor.ok_or(NOT_PUBLISHED)
}

/// The published project, and the caller's role in its workspace; `None`: no member.
async fn with_role(asked: &Asked<'_>) -> Result<(Arc<Anchor>, Option<Role>), PlaneError> {
    let anchor = published(asked).await?;
    let role = asked.state.auth.role(asked.who, &anchor.workspace).await?;
    Ok((anchor, role))
}

/// The published project, and which of its assets the caller may change: members all, others what they created.
async fn changeable(asked: &Asked<'_>) -> Result<(Arc<Anchor>, Permission), PlaneError> {
    let (anchor, role) = with_role(asked).await?;
    let permission = match role {
        Some(_) => Permission::All,
        None => Permission::CreatedBy(asked.user_id()),
    };
    Ok((anchor, permission))
}

/// GET: 302 to the bytes, for anybody.
pub(in crate::http) async fn show(
    req: &HttpRequest,
    state: &AppState,
    names: &Names,
) -> Result<HttpResponse, PlaneError> {
    let anchor = state.auth.anchor(&names.place).await?.ok_or(NO_ANCHOR)?;
    let asset = download::found(state, names.asset_id, &within(&anchor), NOT_FOUND_V2).await?;
    if !is_published(asset.entity_type) {
        return Err(NOT_FOUND_V2);
    }
    if state.assets.object(&asset).await?.is_none() {
        return Err(NOT_UPLOADED);
    }
    download::redirect(req, state, &asset, Disposition::InlineUnnamed)
}

/// POST: 200 with the policy, for anybody with a token.
pub(in crate::http) async fn request_upload(
    mut asked: Asked<'_>,
) -> Result<HttpResponse, PlaneError> {
    let anchor = published(&asked).await?;
    let fields = asked.fields().await?;
    let rules = PictureRules {
        takes: is_published,
        wrong_type: INVALID_IMAGE_TYPE,
    };
    let user_id = asked.user_id();
    let request = upload::picture(&fields, asked.limit_bytes(), user_id, rules, |_| {
        Ok(Bindings {
            workspace_id: Some(anchor.workspace.id),
            project_id: Some(anchor.project_id),
            // Plane: whatever the type.
            comment_id: upload::identifier(&fields, "entity_identifier")?,
            ..Bindings::default()
        })
    })?;
    let (_, answer) = upload::open(&asked, request, Some(&anchor.workspace.slug)).await?;
    Ok(answer_with_link(&answer))
}

/// PATCH: 204, again and again.
pub(in crate::http) async fn change(mut asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (anchor, permission) = changeable(&asked).await?;
    let fields = asked.fields().await?;
    let change = Change {
        attributes: upload::attributes(&fields)?,
        updated_by: asked.user_id(),
        moves_pointer: false,
        takes_over: false,
    };
    let (assets, id) = (&asked.state.assets, asked.names.asset_id);
    let changing = assets.change(id, within(&anchor), change, permission).await;
    changing.map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}

/// DELETE: 204; a second one is a 404.
pub(in crate::http) async fn delete(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (anchor, role) = with_role(&asked).await?;
    let permission = asked.permission_to_delete(role);
    let (assets, id) = (&asked.state.assets, asked.names.asset_id);
    let deleting = assets.delete(id, within(&anchor), false, permission).await;
    deleting.map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}

/// POST: 204, also where the asset is not deleted; the body is not read.
pub(in crate::http) async fn restore(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (anchor, permission) = changeable(&asked).await?;
    let (assets, id) = (&asked.state.assets, asked.names.asset_id);
    let restoring = assets.restore(id, within(&anchor), permission).await;
    restoring.map_err(PlaneError::of_asset(NOT_FOUND_V2))?;
    Ok(HttpResponse::NoContent().finish())
}

/// POST: 204. Comments' files are bound, and nothing else.
pub(in crate::http) async fn bind(mut asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (anchor, permission) = changeable(&asked).await?;
    let binding = Binding {
        workspace_id: anchor.workspace.id,
        project_id: anchor.project_id,
        entity_id: asked.names.entity_id,
        is_public: true,
        permission,
    };
    bulk::bind_by(&mut asked, binding).await
}
