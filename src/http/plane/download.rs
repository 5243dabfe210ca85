//! Downloads that are redirects to a presigned URL. Plane contract, section 1.8.
use crate::assets::{Asset, Within};
use crate::http::app_state::AppState;
use crate::http::plane::error::PlaneError;
use crate::http::plane::request::plane_request::link_origin;
use crate::s3::uri::encode_path;
use crate::store::Object;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};
use uuid::Uuid;

/// How a browser treats a download, and the file name that it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Disposition {
    /// It saves the file under the name in `attributes`.
    Attachment,
    /// It shows the file; the name is that in `attributes`.
    Inline,
    /// It shows the file; the name is random.
    InlineUnnamed,
}
impl Disposition {
    /// `attachment; filename*=UTF-8''…`
    fn header_value(self, attributes: &Map<String, Value>) -> String {
        let (word, name) = match self {
            Self::Attachment => ("attachment", text_of(attributes, "name")),
            Self::Inline => ("inline", text_of(attributes, "name")),
            Self::InlineUnnamed => ("inline", None),
        };
        match name {
            Some("") => word.to_owned(),
            Some(name) => format!("{word}; filename*=UTF-8''{}", encode_path(name)),
            None => format!("{word}; filename*=UTF-8''{}", Uuid::new_v4().simple()),
        }
    }
}

/// The stored `attributes` of an asset: a JSON object.
pub(in crate::http) fn attributes_of(asset: &Asset) -> Map<String, Value> {
    serde_json::from_str(&asset.attributes).unwrap_or_default()
}
pub(in crate::http) fn text_of<'a>(
    attributes: &'a Map<String, Value>,
    name: &str,
) -> Option<&'a str> {
    attributes.get(name).and_then(Value::as_str)
}

/// Finds an asset with its bytes, among the assets that the route may find.
///
/// # Errors
/// `missing` where there is no such asset, `not_uploaded` where it has no bytes yet.
pub(in crate::http) async fn find_uploaded(
    state: &AppState,
    id: Uuid,
    within: &Within,
    missing: PlaneError,
    not_uploaded: PlaneError,
) -> Result<(Asset, Object), PlaneError> {
    let asset = find(state, id, within, missing).await?;
    let object = state.assets.object(&asset).await?;
    Ok((asset, object.ok_or(not_uploaded)?))
}
/// Finds an asset, uploaded or not.
///
/// # Errors
/// `missing` where there is no such asset.
pub(in crate::http) async fn find(
    state: &AppState,
    id: Uuid,
    within: &Within,
    missing: PlaneError,
) -> Result<Asset, PlaneError> {
    let finding = state.assets.find(id, within).await;
    finding.map_err(PlaneError::of_asset(missing))
}

/// A presigned URL of the bytes, with scheme and host.
pub(in crate::http) fn presigned_url(
    req: &HttpRequest,
    state: &AppState,
    asset: &Asset,
    disposition: Disposition,
) -> Result<String, PlaneError> {
    let origin = link_origin(req, state)?.to_string();
    let disposition = disposition.header_value(&attributes_of(asset));
    Ok(state.assets.presigned_url(asset, &origin, &disposition)?)
}

// Plane: the Python SDK and the live server read `Location`; the body is empty.
pub(in crate::http) fn redirect(
    req: &HttpRequest,
    state: &AppState,
    asset: &Asset,
    disposition: Disposition,
) -> Result<HttpResponse, PlaneError> {
    let location = presigned_url(req, state, asset, disposition)?;
    Ok(HttpResponse::Found()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .content_type("text/html; charset=utf-8")
        .finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(
        Disposition::Attachment,
        "notes ą (1).txt",
        "attachment; filename*=UTF-8''notes%20%C4%85%20%281%29.txt"
    )]
    #[case(
        Disposition::Inline,
        "a/b~c_d-e.'*!",
        "inline; filename*=UTF-8''a/b~c_d-e.%27%2A%21"
    )]
    #[case(Disposition::Attachment, "", "attachment")]
    #[case(Disposition::Inline, "", "inline")]
    fn a_file_is_named_by_its_attributes(
        #[case] disposition: Disposition,
        #[case] name: &str,
        #[case] header_value: &str,
    ) {
        let attributes = json!({"name": name});
        assert_eq!(
            disposition.header_value(attributes.as_object().unwrap()),
            header_value
        );
    }

    #[rstest]
    #[case(Disposition::InlineUnnamed, json!({"name": "secret.pdf"}), "inline; filename*=UTF-8''")]
    #[case(Disposition::Attachment, json!({}), "attachment; filename*=UTF-8''")]
    #[case(Disposition::Inline, json!({"name": 5}), "inline; filename*=UTF-8''")]
    fn a_file_without_a_name_gets_a_random_one(
        #[case] disposition: Disposition,
        #[case] attributes: Value,
        #[case] start: &str,
    ) {
        let attributes = attributes.as_object().unwrap();
        let (one, other) = (
            disposition.header_value(attributes),
            disposition.header_value(attributes),
        );
        assert_ne!(one, other);
        let digits = one.strip_prefix(start).unwrap();
        assert_eq!(digits.len(), 32);
        assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
