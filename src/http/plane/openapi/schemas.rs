//! The schemas of the document: of answers, made from their types; of request bodies; and of a refusal.
use crate::http::plane::dto::{self, UploadAnswer};
use crate::http::plane::openapi::request_bodies::RequestBody;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// The media type of bodies and of answers.
pub(in crate::http) const JSON: &str = "application/json";

pub(in crate::http) fn schemas() -> Map<String, Value> {
    let mut settings = SchemaSettings::draft2020_12().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    let mut generator = settings.into_generator();
    generator.subschema_for::<UploadAnswer>();
    generator.subschema_for::<dto::AssetV1>();
    generator.subschema_for::<dto::Me>();
    generator.subschema_for::<dto::Exists>();
    generator.subschema_for::<dto::Duplicate>();
    let mut schemas = generator.take_definitions(true);
    for body in RequestBody::ALL {
        schemas.insert(body.name().to_owned(), body.schema());
    }
    let text = || json!({"type": "string"});
    let texts = ["detail", "error", "message", "error_message"];
    let one_of_them = texts.map(|name| json!({"required": [name]}));
    let refusal = json!({
        "type": "object",
        "description": "Why not: `detail` or `error`, as Plane words it for this route.",
        "properties": {
            "detail": text(), "error": text(), "message": text(), "error_message": text(),
            "error_code": {"type": "integer"}, "status": {"const": false},
            "asset_id": {"type": "string", "format": "uuid"}, "id": {"type": "string", "format": "uuid"},
            "asset_url": {"type": ["string", "null"]},
        },
        "anyOf": one_of_them,
    });
    schemas.insert("Refusal".to_owned(), refusal);
    schemas
}

/// A reference to the schema of this name.
pub(in crate::http) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}
