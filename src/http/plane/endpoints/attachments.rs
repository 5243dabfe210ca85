//! Attachments of issues, by v1 and v2. Plane contract, sections 3.4 and 3.9.
//!
//! All path families have one set of rows; an attachment is found under its own issue only.
use crate::assets::{
    AssetError, Bindings, Change, EntityType, Permission, UniqueIn, UploadRequest, Within,
};
use crate::auth::{Role, Workspace};
use crate::http::plane::answer::{answer, answer_with_link};
use crate::http::plane::download::{self, Disposition};
use crate::http::plane::dto::Attachment;
use crate::http::plane::error::{
    ATTACHMENT_NOT_UPLOADED, INVALID_REQUEST, MAY_NOT_DELETE, MAY_NOT_DOWNLOAD, MAY_NOT_UPLOAD,
    NO_RIGHTS, PlaneError,
};
use crate::http::plane::request::body::Fields;
use crate::http::plane::request::plane_request::Asked;
use crate::http::plane::routes::table::Version;
use crate::http::plane::upload::{self, CleanedName, External};
use actix_web::HttpResponse;
use serde_json::Value;
use std::sync::Arc;

/// The gate: by v1 each method refuses outsiders in words of its own.
async fn gate(
    asked: &Asked<'_>,
    outsider_v1: PlaneError,
) -> Result<(Arc<Workspace>, Role), PlaneError> {
    match asked.version {
        Version::V1 => asked.workspace(asked.not_found(), outsider_v1).await,
        Version::V2 => asked.workspace(NO_RIGHTS, NO_RIGHTS).await,
    }
}

fn within(asked: &Asked<'_>, workspace: &Workspace) -> Within {
    Within::Issue {
        workspace_id: workspace.id,
        project_id: asked.names.project_id,
        issue_id: asked.names.issue_id,
    }
}

/// POST: 200 with the policy and the attachment.
pub(in crate::http) async fn request_upload(
    mut asked: Asked<'_>,
) -> Result<HttpResponse, PlaneError> {
    let (workspace, _) = gate(&asked, MAY_NOT_UPLOAD).await?;
    let fields = asked.fields().await?;
    let wanted = Wanted::parse(&fields, asked.version, asked.limit_bytes())?;
    let request = UploadRequest {
        entity_type: EntityType::IssueAttachment,
        name: upload::name_or_unnamed(wanted.name)?,
        content_type: wanted.content_type,
        size: wanted.size,
        bindings: Bindings {
            workspace_id: Some(workspace.id),
            project_id: asked.names.project_id,
            issue_id: asked.names.issue_id,
            ..Bindings::default()
        },
        unique_in: wanted.external.is_pair().then_some(UniqueIn::Issue),
        external_id: wanted.external.id,
        external_source: wanted.external.source,
        created_by: asked.user_id(),
    };
    let (asset, mut answer) = upload::open(&asked, request, Some(&workspace.slug)).await?;
    match asked.version {
        Version::V1 => {
            answer.attachment = Some(Attachment::new(&asset, None, None));
            answer.id = Some(asset.id);
            answer.asset = Some(asset.key.as_str().to_owned());
        }
        Version::V2 => {
            let asset_url = answer.asset_url.clone();
            answer.attachment = Some(Attachment::new(&asset, None, asset_url));
        }
    }
    Ok(answer_with_link(&answer))
}

/// What a body asks for.
struct Wanted {
    size: u64,
    content_type: String,
    name: CleanedName,
    external: External,
}
impl Wanted {
    fn parse(fields: &Fields, version: Version, limit_bytes: u64) -> Result<Self, PlaneError> {
        let name = upload::name(fields)?;
        if version == Version::V1 && (name == Ok(None) || is_nothing(fields, "size")) {
            return Err(INVALID_REQUEST);
        }
        Ok(Self {
            size: upload::size(fields, limit_bytes)?,
            content_type: upload::attachment_type(fields)?,
            name,
            external: match version {
                Version::V1 => External::read(fields)?,
                Version::V2 => External::default(),
            },
        })
    }
}

/// Absent, or what Python takes for nothing.
fn is_nothing(fields: &Fields, field: &str) -> bool {
    let Some(sent) = fields.get(field) else {
        return true;
    };
    match serde_json::from_str(sent.get()) {
        Ok(Value::Null | Value::Bool(false)) => true,
        Ok(Value::Number(number)) => number.as_f64() == Some(0.0),
        Ok(Value::String(text)) => text.is_empty(),
        Ok(Value::Array(list)) => list.is_empty(),
        Ok(Value::Object(object)) => object.is_empty(),
        Ok(Value::Bool(true)) | Err(_) => false,
    }
}

/// GET of all: those of the issue that are uploaded, the newest first.
pub(in crate::http) async fn list(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (workspace, _) = gate(&asked, PlaneError::Forbidden).await?;
    let within = within(&asked, &workspace);
    let found = asked.state.assets.attachments(&within).await;
    let found = found.map_err(PlaneError::of_asset(asked.not_found()))?;
    let shown = found.iter().map(|(asset, object)| {
        let asset_url = match asked.version {
            Version::V1 => None,
            Version::V2 => asset.asset_url(Some(&workspace.slug)),
        };
        Attachment::new(asset, Some(object), asset_url)
    });
    Ok(answer(&shown.collect::<Vec<_>>()))
}

/// GET: 302 to the bytes.
pub(in crate::http) async fn show(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (workspace, _) = gate(&asked, MAY_NOT_DOWNLOAD).await?;
    let (asset, _) = download::uploaded(
        asked.state,
        asked.names.asset_id,
        &within(&asked, &workspace),
        asked.not_found(),
        ATTACHMENT_NOT_UPLOADED,
    )
    .await?;
    download::redirect(asked.req, asked.state, &asset, Disposition::Attachment)
}

/// PATCH: 204; the body is not read. Who does it first becomes the creator.
pub(in crate::http) async fn change(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (workspace, _) = gate(&asked, MAY_NOT_UPLOAD).await?;
    let change = Change {
        attributes: None,
        updated_by: asked.user_id(),
        moves_pointer: false,
        takes_over: true,
    };
    let (assets, id) = (&asked.state.assets, asked.names.asset_id);
    let changing = assets
        .change(id, within(&asked, &workspace), change, Permission::All)
        .await;
    changing.map_err(PlaneError::of_asset(asked.not_found()))?;
    Ok(HttpResponse::NoContent().finish())
}

/// DELETE: 204. For its creator, for admins, and by v1 for members too.
pub(in crate::http) async fn delete(asked: Asked<'_>) -> Result<HttpResponse, PlaneError> {
    let (workspace, role) = gate(&asked, MAY_NOT_DELETE).await?;
    let permission = match (asked.version, role) {
        (_, Role::Admin) | (Version::V1, Role::Member) => Permission::All,
        _ => Permission::CreatedBy(asked.user_id()),
    };
    let (assets, id) = (&asked.state.assets, asked.names.asset_id);
    let deleting = assets
        .delete(id, within(&asked, &workspace), false, permission)
        .await;
    deleting.map_err(|error| match (error, asked.version) {
        (AssetError::NotAllowed, Version::V1) => MAY_NOT_DELETE,
        // Plane: by v2 the refusal does not tell whether the attachment exists.
        (AssetError::NotFound | AssetError::NotAllowed, Version::V2)
            if permission != Permission::All =>
        {
            NO_RIGHTS
        }
        (error, _) => PlaneError::of_asset(asked.not_found())(error),
    })?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    const PDF: &str = "application/pdf";
    const INVALID: &str = "Invalid request.";
    const SIZE: &str = "Size must be a positive whole number of bytes.";
    const TYPE: &str = "Invalid file type.";
    const DETAIL: &str = "Please provide valid detail";

    fn judged(body: &Value, version: Version) -> Result<u64, String> {
        Wanted::parse(&Fields::of(body), version, 5000)
            .map(|wanted| wanted.size)
            .map_err(|error| error.to_string())
    }

    #[rstest]
    #[case(json!({"size": 1, "type": PDF}), INVALID)]
    #[case(json!({"name": "a/", "size": 1, "type": PDF}), INVALID)]
    #[case(json!({"name": "", "size": "x", "type": "x"}), INVALID)]
    #[case(json!({"name": "a", "type": PDF}), INVALID)]
    #[case(json!({"name": "a", "size": null}), INVALID)]
    #[case(json!({"name": "a", "size": 0}), INVALID)]
    #[case(json!({"name": "a", "size": 0.0}), INVALID)]
    #[case(json!({"name": "a", "size": ""}), INVALID)]
    #[case(json!({"name": "a", "size": []}), INVALID)]
    #[case(json!({"name": "a", "size": {}}), INVALID)]
    #[case(json!({"name": "a", "size": false}), INVALID)]
    #[case(json!({"name": "a", "size": true}), SIZE)]
    #[case(json!({"name": "a", "size": -1}), SIZE)]
    #[case(json!({"name": "a", "size": "0"}), SIZE)]
    #[case(json!({"name": "a", "size": 0.5}), SIZE)]
    #[case(json!({"name": "a", "size": [1]}), SIZE)]
    #[case(json!({"name": "a", "size": "abc", "type": "x"}), SIZE)]
    #[case(json!({"name": "a", "size": 1}), TYPE)]
    #[case(json!({"name": "a", "size": 1, "type": "text/html", "external_id": 5}), TYPE)]
    #[case(json!({"name": "a", "size": 1, "type": PDF, "external_id": 5}), DETAIL)]
    fn by_v1_the_first_wrong_field_decides(#[case] body: Value, #[case] told: &str) {
        assert_eq!(judged(&body, Version::V1).unwrap_err(), told);
    }

    #[rstest]
    #[case(json!({"size": 0, "type": "x"}), Err(SIZE))]
    #[case(json!({"size": null}), Err(SIZE))]
    #[case(json!({"name": "a", "size": 1}), Err(TYPE))]
    #[case(json!({"type": PDF}), Ok(5000))]
    #[case(json!({"type": PDF, "size": 9999, "external_id": 5}), Ok(5000))]
    fn by_v2_only_the_type_is_required(#[case] body: Value, #[case] expected: Result<u64, &str>) {
        let judged = judged(&body, Version::V2);
        assert_eq!(judged.as_ref().copied().map_err(String::as_str), expected);
    }
}
