//! Copies an asset, also from one workspace to another. Plane contract, section 3.10.
use crate::assets::Asset;
use crate::http::plane::answer::answer;
use crate::http::plane::dto::Duplicate;
use crate::http::plane::error::{INVALID_ENTITY, NO_ASSET, PlaneError};
use crate::http::plane::request::plane_request::PlaneRequest;
use crate::http::plane::upload::{self, Place};
use actix_web::HttpResponse;
use std::sync::Arc;

/// POST: 200 once the copy is stored. It belongs to the workspace of the path.
pub(in crate::http) async fn duplicate(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let (limits, source) = (&request.state.rate_limits, request.parameters.asset_id);
    limits.count_duplicate(source)?;
    let workspace = request.own_workspace().await?;
    let fields = request.fields().await?;
    let entity_type = upload::entity_type(&fields)?.ok_or(INVALID_ENTITY)?;
    let place = Place {
        workspace_id: workspace.id,
        project_id: upload::optional_id(&fields, "project_id")?,
        user_id: request.user_id(),
        binds_drafts: false,
    };
    let source = find_source(&request).await?;
    let bindings = place.bindings(entity_type, upload::optional_id(&fields, "entity_id")?)?;
    let assets = &request.state.assets;
    let copying = assets.duplicate(&source, entity_type, bindings, request.user_id());
    let copy = copying.await.map_err(PlaneError::of_asset(NO_ASSET))?;
    Ok(answer(&Duplicate { asset_id: copy.id }))
}

/// The source, in any workspace of which the caller is a member. The copy checks again that it is uploaded.
async fn find_source(request: &PlaneRequest<'_>) -> Result<Arc<Asset>, PlaneError> {
    let state = request.state;
    let source = state.assets.asset(request.parameters.asset_id).await?;
    let source = source.ok_or(NO_ASSET)?;
    let workspace_id = source.bindings.workspace_id.ok_or(NO_ASSET)?;
    let workspace = state.auth.workspace_by_id(workspace_id).await?;
    let workspace = workspace.ok_or(NO_ASSET)?;
    let role = state.auth.role(request.caller, &workspace).await?;
    role.ok_or(NO_ASSET)?;
    if state.assets.object(&source).await?.is_none() {
        return Err(NO_ASSET);
    }
    Ok(source)
}
