//! Assets of a workspace by v1, as Plane documents them. Plane contract, section 3.3.
use super::asked::Asked;
use super::body::Fields;
use super::download::{self, Disposition, attributes_of, text_of};
use super::dto::AssetV1;
use super::error::{
    INVALID_DETAIL, INVALID_PAYLOAD, NAME_AND_SIZE_REQUIRED, NO_ASSET, NO_WORKSPACE, NOT_FOUND_V1,
    NOT_YET_UPLOADED, PlaneError, answer_with_link,
};
use super::upload::{self, External};
use crate::assets::{AskedSize, Bindings, Change, EntityType, UniqueIn, UploadRequest, Within};
use crate::auth::Workspace;
use actix_web::HttpResponse;
use serde_json::Value;
use uuid::Uuid;

/// POST: 200 with the policy; 409 where the pair of external id and source is taken.
pub(super) async fn request_upload(mut asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let gate = asked.workspace(NOT_FOUND_V1, PlaneError::Forbidden).await;
    let (workspace, _) = gate?;
    let fields = asked.fields().await?;
    let request = parse_request(&fields, asked.limit_bytes(), &workspace, asked.user_id())?;
    let (_, answer) = upload::open(&asked, request, Some(&workspace.slug)).await?;
    Ok(answer_with_link(&answer))
}

fn parse_request(
    fields: &Fields,
    limit_bytes: u64,
    workspace: &Workspace,
    created_by: Uuid,
) -> Result<UploadRequest, PlaneError> {
    let is_empty = AskedSize::read(fields.get("size")) == AskedSize::Bytes(0);
    let size = upload::size(fields, limit_bytes);
    let name = upload::name(fields)?;
    let size = match size {
        Err(_) if is_empty => return Err(NAME_AND_SIZE_REQUIRED),
        Ok(_) if name == Ok(None) => return Err(NAME_AND_SIZE_REQUIRED),
        size => size?,
    };
    let content_type = upload::attachment_type(fields)?;
    let external = External::read(fields)?;
    let project_id = match fields.get("project_id") {
        None => None,
        Some(sent) if sent.get() == "null" => None,
        Some(_) => Some(upload::given_id(fields, "project_id")?),
    };
    Ok(UploadRequest {
        entity_type: EntityType::IssueAttachment,
        name: upload::name_or_unnamed(name)?,
        content_type,
        size,
        bindings: Bindings {
            workspace_id: Some(workspace.id),
            project_id,
            ..Bindings::default()
        },
        unique_in: external.is_pair().then_some(UniqueIn::Workspace),
        external_id: external.id,
        external_source: external.source,
        created_by,
    })
}

/// GET: 200 with a presigned URL, of any asset of the workspace.
pub(super) async fn show(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let gate = asked.workspace(NO_WORKSPACE, PlaneError::Forbidden).await;
    let within = within(&*gate?.0);
    let (rooms, id) = (asked.rooms, asked.names.asset_id);
    let (asset, _) = download::uploaded(rooms, id, &within, NO_ASSET, NOT_YET_UPLOADED).await?;
    let attributes = attributes_of(&asset);
    let text = |name| text_of(&attributes, name).unwrap_or_default().to_owned();
    let (name, content_type) = (text("name"), text("type"));
    Ok(answer_with_link(&AssetV1 {
        asset_id: id,
        asset_url: download::presigned(asked.req, rooms, &asset, Disposition::Inline)?,
        asset_name: name.clone(),
        asset_type: content_type.clone(),
        id,
        name,
        content_type,
        attributes,
    }))
}

/// PATCH: 204. What it says of the upload is judged and then ignored, for the store knows.
pub(super) async fn change(mut asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let gate = asked.workspace(NO_ASSET, PlaneError::Forbidden).await;
    let (workspace, _) = gate?;
    judge_is_uploaded(&asked.fields().await?)?;
    let change = Change {
        attributes: None,
        updated_by: asked.user_id(),
        moves_pointer: false,
        takes_over: false,
    };
    let (assets, id) = (&asked.rooms.assets, asked.names.asset_id);
    let changing = assets.change(id, within(&workspace), change, None).await;
    changing.map_err(PlaneError::of_asset(NO_ASSET))?;
    Ok(HttpResponse::NoContent().finish())
}

// Plane: what Django takes for a boolean.
fn judge_is_uploaded(fields: &Fields) -> Result<(), PlaneError> {
    let Some(sent) = fields.get("is_uploaded") else {
        return Ok(());
    };
    match serde_json::from_str(sent.get()) {
        Ok(Value::Null) => Err(INVALID_PAYLOAD),
        Ok(Value::Bool(_)) => Ok(()),
        Ok(Value::Number(number)) if matches!(number.as_f64(), Some(0.0 | 1.0)) => Ok(()),
        Ok(Value::String(text)) if matches!(&*text, "True" | "False" | "t" | "f" | "1" | "0") => {
            Ok(())
        }
        _ => Err(INVALID_DETAIL),
    }
}

fn within(workspace: &Workspace) -> Within {
    Within::Workspace {
        workspace_id: workspace.id,
    }
}
