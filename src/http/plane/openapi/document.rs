//! The whole document: its paths, and each operation of them.
use crate::http::plane::openapi::naming::{operation_id, parameters, path};
use crate::http::plane::openapi::operations::Operation;
use crate::http::plane::openapi::responses::responses;
use crate::http::plane::openapi::schemas::{JSON, reference, schemas};
use crate::http::plane::openapi::{examples, prose};
use crate::http::plane::routes::table::{ROUTES, Route, Version};
use serde_json::{Map, Value, json};

/// The whole document.
pub(in crate::http) fn document() -> Value {
    let mut paths = Map::new();
    for route in &ROUTES {
        paths.insert(path(route), path_item(route));
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "hangar",
            "version": env!("CARGO_PKG_VERSION"),
            "description": prose::introduction(),
            "license": {"name": env!("CARGO_PKG_LICENSE")},
        },
        "tags": prose::tags(),
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "ApiKey": {
                    "type": "apiKey", "in": "header", "name": "X-API-Key",
                    "description": "A token, as `hangar token create` makes it.",
                },
                "Bearer": {
                    "type": "http", "scheme": "bearer",
                    "description": "The same token. Where both headers are sent, `X-API-Key` counts.",
                },
            },
        },
    })
}

fn path_item(route: &Route) -> Value {
    let parameters: Vec<_> = parameters(route).into_iter().map(parameter).collect();
    let mut item = Map::new();
    for method in route.allow.split(", ") {
        item.insert(method.to_ascii_lowercase(), operation(route, method));
    }
    if !parameters.is_empty() {
        item.insert("parameters".to_owned(), json!(parameters));
    }
    Value::Object(item)
}

fn parameter((name, may_be_none): (&str, bool)) -> Value {
    let id = json!({
        "type": "string",
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    });
    let schema = match name {
        "slug" => json!({"type": "string", "pattern": "^[a-z0-9_-]{1,48}$"}),
        "anchor" => json!({"type": "string", "pattern": "^[0-9a-f]{32}$"}),
        _ if may_be_none => json!({"anyOf": [id, {"const": "None"}]}),
        _ => id,
    };
    let mut parameter = json!({
        "name": name, "in": "path", "required": true,
        "schema": schema, "example": examples::path_parameter(name),
    });
    if let Some(description) = prose::parameter(name, may_be_none) {
        parameter["description"] = json!(description);
    }
    parameter
}

fn operation(route: &Route, method: &str) -> Value {
    let operation = Operation::of(route, method);
    let mut described = json!({
        "operationId": operation_id(route, method),
        "summary": operation.summary,
        "tags": [tag(route)],
        "security": security(route, method),
        "responses": responses(route, method, &operation),
    });
    if let Some(description) = prose::description(route, method) {
        described["description"] = json!(description);
    }
    if let Some(body) = operation.request_body {
        let schema = json!({"schema": reference(body.name())});
        described["requestBody"] = json!({
            "required": body.is_required(),
            "content": {JSON: schema},
        });
    }
    described
}

fn tag(route: &Route) -> &'static str {
    match route.version() {
        Version::V1 => prose::PUBLIC_API,
        Version::V2 if route.path.contains("<anchor>") => prose::PUBLISHED,
        Version::V2 => prose::APP_API,
    }
}

/// The tokens that the operation accepts: one of these, each with its scopes.
fn security(route: &Route, method: &str) -> Value {
    if route.allows_anonymous(method) {
        return json!([]);
    }
    let either = |scopes: Vec<&str>| [json!({"ApiKey": scopes}), json!({"Bearer": scopes})];
    match route.scopes(method) {
        None => json!(either(vec![])),
        Some(scopes) => scopes
            .iter()
            .flat_map(|scope| either(vec![scope]))
            .collect(),
    }
}
