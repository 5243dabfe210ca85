//! Attachments of issues, by v1 and v2. Plane contract, sections 3.4 and 3.9.
//!
//! All paths name the same attachments. An attachment is found only under its own issue.
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
use crate::http::plane::request::plane_request::PlaneRequest;
use crate::http::plane::routes::table::Version;
use crate::http::plane::upload::{self, CleanedName, External};
use actix_web::HttpResponse;
use serde_json::Value;
use std::sync::Arc;

/// The workspace of the path, and the caller's role in it. By v1 each method has its own refusal, `not_a_member_v1`.
async fn workspace_and_role(
    request: &PlaneRequest<'_>,
    not_a_member_v1: PlaneError,
) -> Result<(Arc<Workspace>, Role), PlaneError> {
    match request.version {
        Version::V1 => {
            request
                .workspace(request.not_found(), not_a_member_v1)
                .await
        }
        Version::V2 => request.workspace(NO_RIGHTS, NO_RIGHTS).await,
    }
}

fn within(request: &PlaneRequest<'_>, workspace: &Workspace) -> Within {
    Within::Issue {
        workspace_id: workspace.id,
        project_id: request.parameters.project_id,
        issue_id: request.parameters.issue_id,
    }
}

/// POST: 200 with the policy and the attachment.
pub(in crate::http) async fn request_upload(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let (workspace, _) = workspace_and_role(&request, MAY_NOT_UPLOAD).await?;
    let fields = request.fields().await?;
    let sent = AttachmentFields::parse(&fields, request.version, request.limit_bytes())?;
    let upload_request = UploadRequest {
        entity_type: EntityType::IssueAttachment,
        name: upload::name_or_unnamed(sent.name)?,
        content_type: sent.content_type,
        size: sent.size,
        bindings: Bindings {
            workspace_id: Some(workspace.id),
            project_id: request.parameters.project_id,
            issue_id: request.parameters.issue_id,
            ..Bindings::default()
        },
        unique_in: sent.external.is_pair().then_some(UniqueIn::Issue),
        external_id: sent.external.id,
        external_source: sent.external.source,
        created_by: request.user_id(),
    };
    let (asset, mut answer) =
        upload::request_upload(&request, upload_request, Some(&workspace.slug)).await?;
    match request.version {
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

/// The fields of a request for an upload.
struct AttachmentFields {
    size: u64,
    content_type: String,
    name: CleanedName,
    external: External,
}
impl AttachmentFields {
    fn parse(fields: &Fields, version: Version, limit_bytes: u64) -> Result<Self, PlaneError> {
        let name = upload::name(fields)?;
        if version == Version::V1 && (name == Ok(None) || is_falsy(fields, "size")) {
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

/// Whether the field is absent, or false in Python.
fn is_falsy(fields: &Fields, field: &str) -> bool {
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

/// GET of the list: the uploaded attachments of the issue, the newest first.
pub(in crate::http) async fn list(request: PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let (workspace, _) = workspace_and_role(&request, PlaneError::Forbidden).await?;
    let within = within(&request, &workspace);
    let found = request.state.assets.attachments(&within).await;
    let found = found.map_err(PlaneError::of_asset(request.not_found()))?;
    let shown = found.iter().map(|(asset, object)| {
        let asset_url = match request.version {
            Version::V1 => None,
            Version::V2 => asset.asset_url(Some(&workspace.slug)),
        };
        Attachment::new(asset, Some(object), asset_url)
    });
    Ok(answer(&shown.collect::<Vec<_>>()))
}

/// GET: 302 to the bytes.
pub(in crate::http) async fn show(request: PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let (workspace, _) = workspace_and_role(&request, MAY_NOT_DOWNLOAD).await?;
    let (asset, _) = download::find_uploaded(
        request.state,
        request.parameters.asset_id,
        &within(&request, &workspace),
        request.not_found(),
        ATTACHMENT_NOT_UPLOADED,
    )
    .await?;
    download::redirect(request.req, request.state, &asset, Disposition::Attachment)
}

/// PATCH: 204. The body is not read. The first caller becomes the creator.
pub(in crate::http) async fn change(request: PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let (workspace, _) = workspace_and_role(&request, MAY_NOT_UPLOAD).await?;
    let change = Change {
        attributes: None,
        updated_by: request.user_id(),
        moves_pointer: false,
        takes_over: true,
    };
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let changing = assets
        .change(id, within(&request, &workspace), change, Permission::All)
        .await;
    changing.map_err(PlaneError::of_asset(request.not_found()))?;
    Ok(HttpResponse::NoContent().finish())
}

/// DELETE: 204. Its creator and admins may, and by v1 members too.
pub(in crate::http) async fn delete(request: PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let (workspace, role) = workspace_and_role(&request, MAY_NOT_DELETE).await?;
    let permission = match (request.version, role) {
        (_, Role::Admin) | (Version::V1, Role::Member) => Permission::All,
        _ => Permission::CreatedBy(request.user_id()),
    };
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let deleting = assets
        .delete(id, within(&request, &workspace), false, permission)
        .await;
    deleting.map_err(|error| match (error, request.version) {
        (AssetError::NotAllowed, Version::V1) => MAY_NOT_DELETE,
        // Plane: by v2 the refusal does not show whether the attachment exists.
        (AssetError::NotFound | AssetError::NotAllowed, Version::V2)
            if permission != Permission::All =>
        {
            NO_RIGHTS
        }
        (error, _) => PlaneError::of_asset(request.not_found())(error),
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

    fn parsed_size(body: &Value, version: Version) -> Result<u64, String> {
        AttachmentFields::parse(&Fields::of(body), version, 5000)
            .map(|sent| sent.size)
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
    fn by_v1_the_first_wrong_field_is_refused(#[case] body: Value, #[case] expected: &str) {
        assert_eq!(parsed_size(&body, Version::V1).unwrap_err(), expected);
    }

    #[rstest]
    #[case(json!({"size": 0, "type": "x"}), Err(SIZE))]
    #[case(json!({"size": null}), Err(SIZE))]
    #[case(json!({"name": "a", "size": 1}), Err(TYPE))]
    #[case(json!({"type": PDF}), Ok(5000))]
    #[case(json!({"type": PDF, "size": 9999, "external_id": 5}), Ok(5000))]
    fn by_v2_only_the_type_is_required(#[case] body: Value, #[case] expected: Result<u64, &str>) {
        let parsed = parsed_size(&body, Version::V2);
        assert_eq!(parsed.as_ref().copied().map_err(String::as_str), expected);
    }
}
