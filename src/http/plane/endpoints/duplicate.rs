//! Copies of assets, also from one workspace to another. Plane contract, section 3.10.
use crate::assets::Asset;
use crate::http::plane::answer::answer;
use crate::http::plane::dto::Duplicate;
use crate::http::plane::error::{INVALID_ENTITY, NO_ASSET, PlaneError};
use crate::http::plane::request::plane_request::Asked;
use crate::http::plane::upload::{self, Place};
use actix_web::HttpResponse;
use std::sync::Arc;

/// POST: 200 once the copy is there. The path's workspace is where it goes.
pub(in crate::http) async fn duplicate(mut asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (limits, source) = (&asked.state.rate_limits, asked.names.asset_id);
    limits.count_duplicate(source)?;
    let workspace = asked.own_workspace().await?;
    let fields = asked.fields().await?;
    let entity_type = upload::entity_type(&fields)?.ok_or(INVALID_ENTITY)?;
    let place = Place {
        workspace_id: workspace.id,
        project_id: upload::identifier(&fields, "project_id")?,
        user_id: asked.user_id(),
        binds_drafts: false,
    };
    let source = find_source(&asked).await?;
    let bindings = place.bindings(entity_type, upload::identifier(&fields, "entity_id")?)?;
    let assets = &asked.state.assets;
    let copying = assets.duplicate(&source, entity_type, bindings, asked.user_id());
    let copy = copying.await.map_err(PlaneError::of_asset(NO_ASSET))?;
    Ok(answer(&Duplicate { asset_id: copy.id }))
}

/// The source, in any workspace where the caller is a member. That it is uploaded is judged when it is copied.
async fn find_source(asked: &Asked<'_>) -> Result<Arc<Asset>, PlaneError> {
    let state = asked.state;
    let source = state.assets.asset(asked.names.asset_id).await?;
    let source = source.ok_or(NO_ASSET)?;
    let workspace_id = source.bindings.workspace_id.ok_or(NO_ASSET)?;
    let workspace = state.auth.workspace_by_id(workspace_id).await?;
    let workspace = workspace.ok_or(NO_ASSET)?;
    let role = state.auth.role(asked.who, &workspace).await?;
    role.ok_or(NO_ASSET)?;
    if state.assets.object(&source).await?.is_none() {
        return Err(NO_ASSET);
    }
    Ok(source)
}
