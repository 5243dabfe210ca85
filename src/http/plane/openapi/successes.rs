//! The answers of an operation that succeeds, with their examples, headers and links.
use crate::http::plane::openapi::naming::{operation_id, parameters};
use crate::http::plane::openapi::operations::Success;
use crate::http::plane::openapi::schemas::{JSON, reference};
use crate::http::plane::openapi::{examples, prose};
use crate::http::plane::routes::table::{Endpoint, ROUTES, Route, Version};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// By status.
pub(in crate::http) fn successes(
    route: &Route,
    method: &str,
    success: Success,
) -> Map<String, Value> {
    let status = match success {
        Success::NoContent => "204",
        Success::Redirect => "302",
        _ => "200",
    };
    let content = match json_content(route, success) {
        Some(content) if method != "HEAD" => json!({JSON: content}),
        None if success == Success::File => {
            json!({"image/*": {}, "application/octet-stream": {}})
        }
        _ => json!({}),
    };
    let mut answer = json!({"description": prose::status(status), "content": content});
    answer["headers"] = headers(route, success);
    if matches!(success, Success::Upload | Success::Duplicate) {
        answer["links"] = links(route);
    }
    let mut successes = Map::from_iter([(status.to_owned(), answer)]);
    if success == Success::File {
        for status in ["206", "304"] {
            let content = if status == "206" && method == "GET" {
                json!({"image/*": {}, "application/octet-stream": {}, "multipart/byteranges": {}})
            } else {
                json!({})
            };
            successes.insert(
                status.to_owned(),
                json!({"description": prose::status(status), "content": content}),
            );
        }
    }
    successes
}

/// The schema and the example of an answer in JSON. `None`: the answer is not JSON.
fn json_content(route: &Route, success: Success) -> Option<Value> {
    let (schema, example) = match success {
        Success::Upload => (reference("UploadAnswer"), examples::upload(route)),
        Success::Attachments => {
            let list = json!({"type": "array", "items": reference("Attachment")});
            (list, examples::attachments(route))
        }
        Success::Asset => (reference("AssetV1"), examples::workspace_file()),
        Success::Me => (reference("Me"), examples::me()),
        Success::Exists => (reference("Exists"), examples::exists()),
        Success::Duplicate => (reference("Duplicate"), examples::duplicate()),
        Success::NoContent | Success::Redirect | Success::Methods | Success::File => return None,
    };
    Some(json!({"schema": schema, "example": example}))
}

fn headers(route: &Route, success: Success) -> Value {
    let header = |schema: &str| json!({"schema": {"type": schema}});
    let mut headers = Map::new();
    if route.version() == Version::V1 {
        headers.insert("X-RateLimit-Remaining".to_owned(), header("integer"));
        headers.insert("X-RateLimit-Reset".to_owned(), header("integer"));
    }
    if success == Success::Redirect {
        headers.insert("Location".to_owned(), header("string"));
    }
    Value::Object(headers)
}

/// The operations on the asset of an answer: those of the longer paths that need no other id than the asset's.
fn links(from: &Route) -> Value {
    let known = parameters(from);
    let mut links = Map::new();
    for route in &ROUTES {
        let is_static = route.endpoint == Endpoint::Static && from.endpoint == Endpoint::UserAssets;
        if !(is_static || route.path.starts_with(from.path)) || route.path == from.path {
            continue;
        }
        let values = parameters(route).into_iter().map(|(name, _)| match name {
            "asset_id" | "attachment_id" => {
                Some((name.to_owned(), "$response.body#/asset_id".to_owned()))
            }
            _ if known.iter().any(|(one, _)| *one == name) => {
                Some((name.to_owned(), format!("$request.path.{name}")))
            }
            _ => None,
        });
        let Some(values) = values.collect::<Option<BTreeMap<_, _>>>() else {
            continue;
        };
        for method in route
            .allow
            .split(", ")
            .filter(|method| *method != "OPTIONS")
        {
            let id = operation_id(route, method);
            links.insert(id.clone(), json!({"operationId": id, "parameters": values}));
        }
    }
    Value::Object(links)
}
