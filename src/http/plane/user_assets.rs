//! A user's own avatars and covers, v1. Plane contract, sections 3.1 and 3.2: both forms, and the alias of 3.12.
use super::body::{Fields, Text};
use super::dto::{UploadAnswer, UploadData};
use super::error::{
    INVALID_ENTITY_TYPE, INVALID_IMAGE_TYPE_V1, NAME_TOO_LONG, PlaneError, UNUSABLE_SIZE,
    json_answer,
};
use crate::assets::content::is_image_type;
use crate::assets::{AskedSize, AssetName, Bindings, EntityType, RequestedUpload, UploadRequest};
use crate::auth::Principal;
use crate::http::Rooms;
use crate::http::origin::Origin;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Bytes of JSON that `attributes` may take.
const LARGEST_ATTRIBUTES_BYTES: usize = 16 * 1024;

/// POST: 200 with the policy.
pub(super) async fn request_upload(
    req: &HttpRequest,
    rooms: &Rooms,
    who: &Principal,
    fields: &Fields,
) -> Result<HttpResponse, PlaneError> {
    let request = parse_request(fields, rooms.assets.file_size_limit(), who.user_id)?;
    let origin = Origin::of(req, &rooms.config).map_err(|_| PlaneError::UnusableHost)?;
    let upload = rooms
        .assets
        .request_upload(request)
        .await
        .map_err(PlaneError::of_asset_v1)?;
    let body =
        serde_json::to_string(&upload_answer(upload, &origin)).expect("texts and ids are JSON");
    Ok(json_answer(StatusCode::OK)
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body))
}

/// In the order in which the contract judges: size, entity type, type, name.
fn parse_request(
    fields: &Fields,
    limit_bytes: u64,
    user_id: Uuid,
) -> Result<UploadRequest, PlaneError> {
    let size = AskedSize::read(fields.get("size"))
        .clamped(limit_bytes)
        .ok_or(UNUSABLE_SIZE)?;
    let entity_type = match fields.text("entity_type")? {
        Text::Given(text) => EntityType::parse(&text).filter(|kind| kind.is_of_a_user()),
        Text::Absent | Text::OtherType => None,
    }
    .ok_or(INVALID_ENTITY_TYPE)?;
    let content_type = match fields.text("type")? {
        Text::Absent => "image/jpeg".to_owned(),
        Text::Given(text) if is_image_type(&text) => text,
        Text::Given(_) | Text::OtherType => return Err(INVALID_IMAGE_TYPE_V1),
    };
    let name = match fields.text("name")? {
        Text::Given(text) => AssetName::clean(&text).map_err(|_| NAME_TOO_LONG)?,
        Text::Absent | Text::OtherType => None,
    };
    Ok(UploadRequest {
        entity_type,
        name: name.unwrap_or_else(AssetName::unnamed),
        content_type,
        size,
        bindings: Bindings {
            user_id: Some(user_id),
            ..Bindings::default()
        },
        external_id: None,
        external_source: None,
        unique_in: None,
        created_by: user_id,
    })
}

fn upload_answer(upload: RequestedUpload, origin: &Origin) -> UploadAnswer {
    UploadAnswer {
        upload_data: UploadData {
            url: format!("{origin}/{}", upload.asset.bucket),
            fields: upload.post.fields,
        },
        asset_id: upload.asset.id,
        asset_url: upload.asset.asset_url(None),
    }
}

/// PATCH: 204, again and again. `attributes` replaces the stored object; all else is ignored.
pub(super) async fn change(
    rooms: &Rooms,
    who: &Principal,
    id: Uuid,
    fields: &Fields,
) -> Result<HttpResponse, PlaneError> {
    let attributes = parse_attributes(fields)?;
    rooms
        .assets
        .change_own(id, who.user_id, attributes)
        .await
        .map_err(PlaneError::of_asset_v1)?;
    Ok(HttpResponse::NoContent().finish())
}

/// The text of an object, or nothing where none was sent.
fn parse_attributes(fields: &Fields) -> Result<Option<String>, PlaneError> {
    let Some(sent) = fields.get("attributes") else {
        return Ok(None);
    };
    let attributes: Map<String, Value> =
        serde_json::from_str(sent.get()).map_err(|_| PlaneError::InvalidPayload)?;
    let text = Value::Object(attributes).to_string();
    if text.len() > LARGEST_ATTRIBUTES_BYTES {
        return Err(PlaneError::InvalidPayload);
    }
    Ok(Some(text))
}

/// DELETE: 204; a second one is a 404.
pub(super) async fn delete(
    rooms: &Rooms,
    who: &Principal,
    id: Uuid,
) -> Result<HttpResponse, PlaneError> {
    rooms
        .assets
        .delete_own(id, who.user_id)
        .await
        .map_err(PlaneError::of_asset_v1)?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;
    use serde_json::value::to_raw_value;

    fn fields(body: &Value) -> Fields {
        let object = body.as_object().unwrap();
        object
            .iter()
            .map(|(name, value)| (name.clone(), to_raw_value(value).unwrap()))
            .collect()
    }
    fn parsed(body: &Value) -> Result<UploadRequest, String> {
        parse_request(&fields(body), 5000, Uuid::from_u128(1)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_request_needs_an_entity_type_only() {
        let request = parsed(&json!({"entity_type": "USER_COVER"})).unwrap();
        assert_eq!(request.entity_type, EntityType::UserCover);
        assert_eq!(request.content_type, "image/jpeg");
        assert_eq!(request.name.as_str(), "unnamed");
        assert_eq!(request.size, 5000);
        assert_eq!(request.bindings.user_id, Some(request.created_by));
    }

    #[rstest]
    #[case(json!({"size": 0, "entity_type": "X", "type": "X"}), "Size must be a positive whole number of bytes.")]
    #[case(json!({"entity_type": "WORKSPACE_LOGO", "type": "X"}), "Invalid entity type.")]
    #[case(json!({"entity_type": "user_avatar"}), "Invalid entity type.")]
    #[case(json!({"entity_type": null}), "Invalid entity type.")]
    #[case(json!({"entity_type": ["USER_AVATAR"]}), "Invalid entity type.")]
    #[case(json!({}), "Invalid entity type.")]
    #[case(json!({"entity_type": "USER_AVATAR", "type": "image/svg+xml", "name": "x".repeat(256)}), "Invalid file type. Only JPEG and PNG files are allowed.")]
    #[case(json!({"entity_type": "USER_AVATAR", "type": "image/PNG"}), "Invalid file type. Only JPEG and PNG files are allowed.")]
    #[case(json!({"entity_type": "USER_AVATAR", "type": null}), "Invalid file type. Only JPEG and PNG files are allowed.")]
    #[case(json!({"entity_type": "USER_AVATAR", "type": ""}), "Invalid file type. Only JPEG and PNG files are allowed.")]
    #[case(json!({"entity_type": "USER_AVATAR", "name": "x".repeat(256)}), "Name must not be longer than 255 bytes.")]
    fn the_first_wrong_field_decides(#[case] body: Value, #[case] told: &str) {
        assert_eq!(parsed(&body).unwrap_err(), told);
    }

    #[rstest]
    #[case(json!({}), Ok(None))]
    #[case(json!({"attributes": {"b": 1, "a": "x"}}), Ok(Some(r#"{"a":"x","b":1}"#)))]
    #[case(json!({"attributes": {}}), Ok(Some("{}")))]
    #[case(json!({"attributes": null}), Err(()))]
    #[case(json!({"attributes": []}), Err(()))]
    #[case(json!({"attributes": "{}"}), Err(()))]
    #[case(json!({"attributes": {"a": "x".repeat(16 * 1024)}}), Err(()))]
    fn attributes_are_a_small_object_or_not_sent(
        #[case] body: Value,
        #[case] kept: Result<Option<&str>, ()>,
    ) {
        let parsed = parse_attributes(&fields(&body));
        assert_eq!(parsed.as_ref().map(Option::as_deref).map_err(|_| ()), kept);
    }
}
