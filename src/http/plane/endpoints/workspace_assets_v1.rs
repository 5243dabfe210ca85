//! The assets of a workspace by v1, as Plane documents them. Plane contract, section 3.3.
use crate::assets::{
    AskedSize, Bindings, Change, EntityType, Permission, UniqueIn, UploadRequest, Within,
};
use crate::auth::Workspace;
use crate::http::plane::answer::answer_with_link;
use crate::http::plane::download::{self, Disposition, attributes_of, text_of};
use crate::http::plane::dto::AssetV1;
use crate::http::plane::error::{
    INVALID_DETAIL, INVALID_PAYLOAD, NAME_AND_SIZE_REQUIRED, NO_ASSET, NO_WORKSPACE, NOT_FOUND_V1,
    NOT_YET_UPLOADED, PlaneError,
};
use crate::http::plane::request::body::Fields;
use crate::http::plane::request::plane_request::PlaneRequest;
use crate::http::plane::upload::{self, External};
use actix_web::HttpResponse;
use serde_json::Value;
use uuid::Uuid;

/// POST: 200 with the policy; 409 where another asset has the pair of external id and source.
pub(in crate::http) async fn request_upload(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let found = request.workspace(NOT_FOUND_V1, PlaneError::Forbidden).await;
    let (workspace, _) = found?;
    let fields = request.fields().await?;
    let upload_request = parse_request(
        &fields,
        request.limit_bytes(),
        &workspace,
        request.user_id(),
    )?;
    let (_, answer) =
        upload::request_upload(&request, upload_request, Some(&workspace.slug)).await?;
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
        Some(_) => Some(upload::required_id(fields, "project_id")?),
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
pub(in crate::http) async fn show(request: PlaneRequest<'_>) -> Result<HttpResponse, PlaneError> {
    let found = request.workspace(NO_WORKSPACE, PlaneError::Forbidden).await;
    let within = within(&found?.0);
    let (state, id) = (request.state, request.parameters.asset_id);
    let (asset, _) =
        download::find_uploaded(state, id, &within, NO_ASSET, NOT_YET_UPLOADED).await?;
    let attributes = attributes_of(&asset);
    let text = |name| text_of(&attributes, name).unwrap_or_default().to_owned();
    let (name, content_type) = (text("name"), text("type"));
    Ok(answer_with_link(&AssetV1 {
        asset_id: id,
        asset_url: download::presigned_url(request.req, state, &asset, Disposition::Inline)?,
        asset_name: name.clone(),
        asset_type: content_type.clone(),
        id,
        name,
        content_type,
        attributes,
    }))
}

/// PATCH: 204. `is_uploaded` is checked and then ignored: the store knows whether the bytes are there.
pub(in crate::http) async fn change(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let found = request.workspace(NO_ASSET, PlaneError::Forbidden).await;
    let (workspace, _) = found?;
    check_is_uploaded(&request.fields().await?)?;
    let change = Change {
        attributes: None,
        updated_by: request.user_id(),
        moves_pointer: false,
        takes_over: false,
    };
    let (assets, id) = (&request.state.assets, request.parameters.asset_id);
    let changing = assets.change(id, within(&workspace), change, Permission::All);
    changing.await.map_err(PlaneError::of_asset(NO_ASSET))?;
    Ok(HttpResponse::NoContent().finish())
}

// Plane: the values that Django reads as a boolean.
fn check_is_uploaded(fields: &Fields) -> Result<(), PlaneError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    const PDF: &str = "application/pdf";
    const REQUIRED: &str = "Name and size are required fields.";
    const SIZE: &str = "Size must be a positive whole number of bytes.";
    const TYPE: &str = "Invalid file type.";
    const DETAIL: &str = "Please provide valid detail";
    const NAME: &str = "Name must not be longer than 255 bytes.";

    fn parsed(body: &Value) -> Result<UploadRequest, String> {
        let workspace = Workspace {
            id: Uuid::from_u128(7),
            slug: "acme".to_owned(),
        };
        parse_request(&Fields::of(body), 5000, &workspace, Uuid::from_u128(1))
            .map_err(|error| error.to_string())
    }

    #[rstest]
    #[case(json!({"size": "abc"}), SIZE)]
    #[case(json!({"size": -1, "name": "a"}), SIZE)]
    #[case(json!({"size": null, "name": "a"}), SIZE)]
    #[case(json!({"size": 0, "name": "a", "type": "x"}), REQUIRED)]
    #[case(json!({"size": "0", "name": "a"}), REQUIRED)]
    #[case(json!({"size": 1, "type": "x"}), REQUIRED)]
    #[case(json!({"name": " / ", "type": "x"}), REQUIRED)]
    #[case(json!({"name": 5, "type": "x"}), REQUIRED)]
    #[case(json!({"name": "a"}), TYPE)]
    #[case(json!({"name": "a", "type": "image/jpg", "project_id": "x"}), TYPE)]
    #[case(json!({"name": "a", "type": PDF, "external_id": []}), DETAIL)]
    #[case(json!({"name": "a", "type": PDF, "external_source": "x".repeat(256)}), DETAIL)]
    #[case(json!({"name": "a", "type": PDF, "project_id": ""}), DETAIL)]
    #[case(json!({"name": "x".repeat(256), "type": PDF, "project_id": 5}), DETAIL)]
    #[case(json!({"name": "x".repeat(256), "type": PDF}), NAME)]
    fn the_first_wrong_field_is_refused(#[case] body: Value, #[case] expected: &str) {
        assert_eq!(parsed(&body).unwrap_err(), expected);
    }

    #[test]
    fn a_request_is_for_an_attachment_of_no_issue() {
        let project = Uuid::from_u128(9);
        let body = json!({"name": "a", "type": PDF, "project_id": project, "external_id": "x"});
        let request = parsed(&body).unwrap();
        assert_eq!(request.entity_type, EntityType::IssueAttachment);
        assert_eq!(request.size, 5000);
        let bindings = Bindings {
            workspace_id: Some(Uuid::from_u128(7)),
            project_id: Some(project),
            ..Bindings::default()
        };
        assert_eq!(request.bindings, bindings);
        assert_eq!(request.external_id.as_deref(), Some("x"));
        assert_eq!(request.unique_in, None);
    }

    #[rstest]
    #[case("x", "y", Some(UniqueIn::Workspace))]
    #[case("x", "", None)]
    #[case("", "y", None)]
    fn only_a_pair_of_external_id_and_source_must_be_unique(
        #[case] id: &str,
        #[case] source: &str,
        #[case] unique_in: Option<UniqueIn>,
    ) {
        let body = json!({"name": "a", "type": PDF, "external_id": id, "external_source": source});
        assert_eq!(parsed(&body).unwrap().unique_in, unique_in);
    }

    #[rstest]
    #[case(json!({}), "")]
    #[case(json!({"is_uploaded": true}), "")]
    #[case(json!({"is_uploaded": false}), "")]
    #[case(json!({"is_uploaded": 1}), "")]
    #[case(json!({"is_uploaded": 0}), "")]
    #[case(json!({"is_uploaded": "True"}), "")]
    #[case(json!({"is_uploaded": "False"}), "")]
    #[case(json!({"is_uploaded": "t"}), "")]
    #[case(json!({"is_uploaded": "f"}), "")]
    #[case(json!({"is_uploaded": "1"}), "")]
    #[case(json!({"is_uploaded": "0"}), "")]
    #[case(json!({"is_uploaded": null}), "The payload is not valid")]
    #[case(json!({"is_uploaded": "yes"}), DETAIL)]
    #[case(json!({"is_uploaded": "true"}), DETAIL)]
    #[case(json!({"is_uploaded": ""}), DETAIL)]
    #[case(json!({"is_uploaded": 2}), DETAIL)]
    #[case(json!({"is_uploaded": []}), DETAIL)]
    #[case(json!({"is_uploaded": {}}), DETAIL)]
    fn is_uploaded_is_a_boolean_as_django_reads_it(#[case] body: Value, #[case] expected: &str) {
        let checked = check_is_uploaded(&Fields::of(&body));
        assert_eq!(
            checked
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default(),
            expected
        );
    }
}
