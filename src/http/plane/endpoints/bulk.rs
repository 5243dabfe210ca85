//! Binds many assets at once to the item that they were uploaded for. Plane contract, sections 3.10 and 3.11.
use crate::assets::{Binding, Permission};
use crate::http::plane::error::{INVALID_DETAIL, NO_ASSET_IDS, NOT_UPLOADED, PlaneError};
use crate::http::plane::request::body::Fields;
use crate::http::plane::request::plane_request::PlaneRequest;
use actix_web::HttpResponse;
use serde_json::Value;
use uuid::Uuid;

/// The most ids in one request.
const MAX_IDS: usize = 1000;

/// POST: 204. Ids without an asset are ignored.
pub(in crate::http) async fn bind(
    mut request: PlaneRequest<'_>,
) -> Result<HttpResponse, PlaneError> {
    let workspace = request.own_workspace().await?;
    let binding = Binding {
        workspace_id: workspace.id,
        project_id: request.parameters.project_id.unwrap_or_default(),
        entity_id: request.parameters.entity_id,
        is_public: false,
        permission: Permission::All,
    };
    bind_sent_ids(&mut request, binding).await
}

/// Binds the assets whose ids are in the body.
pub(in crate::http) async fn bind_sent_ids(
    request: &mut PlaneRequest<'_>,
    binding: Binding,
) -> Result<HttpResponse, PlaneError> {
    let ids = parse_ids(&request.fields().await?)?;
    let binding = request.state.assets.bind(ids, binding).await;
    binding.map_err(PlaneError::of_asset(NOT_UPLOADED))?;
    Ok(HttpResponse::NoContent().finish())
}

/// `asset_ids`, in their order.
// Plane: a value that is false in Python is refused as no ids; any other that is not a list of UUIDs fails in the query.
fn parse_ids(fields: &Fields) -> Result<Vec<Uuid>, PlaneError> {
    let sent = fields.get("asset_ids").ok_or(NO_ASSET_IDS)?;
    let list = match serde_json::from_str(sent.get()).map_err(|_| INVALID_DETAIL)? {
        Value::Null | Value::Bool(false) => return Err(NO_ASSET_IDS),
        Value::String(text) if text.is_empty() => return Err(NO_ASSET_IDS),
        Value::Array(list) => list,
        _ => return Err(INVALID_DETAIL),
    };
    if list.is_empty() {
        return Err(NO_ASSET_IDS);
    }
    if list.len() > MAX_IDS {
        return Err(INVALID_DETAIL);
    }
    let ids = list.iter().map(|id| Uuid::try_parse(id.as_str()?).ok());
    ids.collect::<Option<_>>().ok_or(INVALID_DETAIL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    const ID: &str = "3999b15f-7a97-486e-b06b-d08ce45c00c9";
    const NO_IDS: &str = "No asset ids provided.";
    const DETAIL: &str = "Please provide valid detail";

    #[rstest]
    #[case(json!({}), Err(NO_IDS))]
    #[case(json!({"asset_ids": null}), Err(NO_IDS))]
    #[case(json!({"asset_ids": []}), Err(NO_IDS))]
    #[case(json!({"asset_ids": ""}), Err(NO_IDS))]
    #[case(json!({"asset_ids": false}), Err(NO_IDS))]
    #[case(json!({"asset_ids": ID}), Err(DETAIL))]
    #[case(json!({"asset_ids": {"id": ID}}), Err(DETAIL))]
    #[case(json!({"asset_ids": 5}), Err(DETAIL))]
    #[case(json!({"asset_ids": [ID, "x"]}), Err(DETAIL))]
    #[case(json!({"asset_ids": [ID, null]}), Err(DETAIL))]
    #[case(json!({"asset_ids": [[ID]]}), Err(DETAIL))]
    #[case(json!({"asset_ids": vec![ID; 1001]}), Err(DETAIL))]
    #[case(json!({"asset_ids": vec![ID; 1000]}), Ok(1000))]
    #[case(json!({"asset_ids": [ID.to_uppercase(), ID.replace('-', "")]}), Ok(2))]
    fn ids_are_a_list_of_at_most_a_thousand_uuids(
        #[case] body: Value,
        #[case] expected: Result<usize, &str>,
    ) {
        let parsed = parse_ids(&Fields::of(&body));
        let actual = parsed
            .map(|ids| ids.len())
            .map_err(|error| error.to_string());
        assert_eq!(actual.as_ref().copied().map_err(String::as_str), expected);
    }
}
