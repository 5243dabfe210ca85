//! The answers of an operation: its success, with an example, and all of its refusals by status.
use crate::http::limits::BodyError;
use crate::http::plane::error::PlaneError;
use crate::http::plane::openapi::naming::{operation_id, parameters};
use crate::http::plane::openapi::operations::{Gives, Operation};
use crate::http::plane::openapi::request_bodies::Takes;
use crate::http::plane::openapi::schemas::{JSON, reference};
use crate::http::plane::openapi::{examples, prose};
use crate::http::plane::routes::table::{Endpoint, ROUTES, Route, Version};
use crate::store::StoreError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(in crate::http) fn responses(route: &Route, method: &str, operation: &Operation) -> Value {
    let mut responses = successes(route, method, operation.gives);
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    let common = common_refusals(route, method, operation);
    for refusal in common.iter().chain(&operation.refuses) {
        let texts = by_status.entry(refusal.status().as_u16()).or_default();
        let text = refusal.body().into_owned();
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    for (status, texts) in by_status {
        let content = if method == "HEAD" {
            json!({})
        } else {
            let examples: Map<_, _> = texts
                .iter()
                .enumerate()
                .map(|(at, text)| example(at, text, operation.takes))
                .collect();
            json!({JSON: {"schema": reference("Refusal"), "examples": examples}})
        };
        let status = status.to_string();
        responses.insert(
            status.clone(),
            json!({"description": meaning(&status), "content": content}),
        );
    }
    Value::Object(responses)
}

/// One refusal. Plane's texts often do not name the field that is wrong: the summary does.
fn example(at: usize, text: &str, takes: Option<Takes>) -> (String, Value) {
    let value: Value = serde_json::from_str(text).expect("a refusal is JSON");
    let mut example = json!({"value": value});
    if let Some(summary) = prose::refusal(text, takes) {
        example["summary"] = json!(summary);
    }
    ((at + 1).to_string(), example)
}

/// What every route refuses alike, in the order of checks.
fn common_refusals(route: &Route, method: &str, operation: &Operation) -> Vec<PlaneError> {
    let mut refuses = vec![
        PlaneError::BodyTooLarge,
        PlaneError::BodyBroken(BodyError::TooSlow),
        PlaneError::BodyBroken(BodyError::Incomplete),
        PlaneError::BodyBroken(BodyError::NoRoom),
        PlaneError::Store(StoreError::Damaged("a body".to_owned())),
    ];
    if route.path.contains('<') {
        refuses.push(PlaneError::PageNotFound);
    }
    if !route.gives_a_file(method) {
        refuses.push(PlaneError::NotAcceptable);
    }
    if !route.is_open(method) {
        refuses.extend([PlaneError::NoCredentials, PlaneError::InvalidToken]);
    }
    if route.scopes(method).is_some() {
        refuses.push(PlaneError::Forbidden);
    }
    if route.version() == Version::V1 {
        refuses.push(PlaneError::RateLimited {
            retry_after_seconds: 12,
        });
    }
    if operation.takes.is_some() {
        refuses.extend([
            PlaneError::UnsupportedMediaType("text/plain".to_owned()),
            PlaneError::NotAnObject,
            PlaneError::Unparsable {
                syntax: "JSON",
                reason: "expected value at line 1 column 1".to_owned(),
            },
        ]);
    }
    if matches!(
        operation.gives,
        Gives::Upload | Gives::Redirect | Gives::Asset
    ) {
        refuses.push(PlaneError::UnusableHost);
    }
    if matches!(method, "POST" | "PATCH" | "DELETE") {
        refuses.push(PlaneError::Store(StoreError::Full));
    }
    refuses
}

fn successes(route: &Route, method: &str, gives: Gives) -> Map<String, Value> {
    let json_of = |name: &str, is_list: bool, example: Value| {
        let schema = if is_list {
            json!({"type": "array", "items": reference(name)})
        } else {
            reference(name)
        };
        match method {
            "HEAD" => json!({}),
            _ => json!({JSON: {"schema": schema, "example": example}}),
        }
    };
    let (status, content) = match gives {
        Gives::Upload => (
            "200",
            json_of("UploadAnswer", false, examples::upload(route)),
        ),
        Gives::Attachments => (
            "200",
            json_of("Attachment", true, examples::attachments(route)),
        ),
        Gives::Asset => ("200", json_of("AssetV1", false, examples::workspace_file())),
        Gives::Me => ("200", json_of("Me", false, examples::me())),
        Gives::Exists => ("200", json_of("Exists", false, examples::exists())),
        Gives::Duplicate => ("200", json_of("Duplicate", false, examples::duplicate())),
        Gives::Nothing => ("204", json!({})),
        Gives::Redirect => ("302", json!({})),
        Gives::Methods => ("200", json!({})),
        Gives::File => (
            "200",
            json!({"image/*": {}, "application/octet-stream": {}}),
        ),
    };
    let mut answer = json!({"description": meaning(status), "content": content});
    let header = |schema: &str| json!({"schema": {"type": schema}});
    let mut headers = Map::new();
    if route.version() == Version::V1 {
        headers.insert("X-RateLimit-Remaining".to_owned(), header("integer"));
        headers.insert("X-RateLimit-Reset".to_owned(), header("integer"));
    }
    if gives == Gives::Redirect {
        headers.insert("Location".to_owned(), header("string"));
    }
    answer["headers"] = Value::Object(headers);
    if matches!(gives, Gives::Upload | Gives::Duplicate) {
        answer["links"] = links(route);
    }
    let mut successes = Map::from_iter([(status.to_owned(), answer)]);
    if gives == Gives::File {
        for status in ["206", "304"] {
            let content = if status == "206" && method == "GET" {
                json!({"image/*": {}, "application/octet-stream": {}, "multipart/byteranges": {}})
            } else {
                json!({})
            };
            successes.insert(
                status.to_owned(),
                json!({"description": meaning(status), "content": content}),
            );
        }
    }
    successes
}

/// What can be done with an asset that was asked for: the paths beneath this one that name an asset and no more.
fn links(from: &Route) -> Value {
    let known = parameters(from);
    let mut links = Map::new();
    for route in &ROUTES {
        let is_static = route.endpoint == Endpoint::Static && from.endpoint == Endpoint::UserAssets;
        if !(is_static || route.path.starts_with(from.path)) || route.path == from.path {
            continue;
        }
        let named = parameters(route).into_iter().map(|(name, _)| match name {
            "asset_id" | "attachment_id" => {
                Some((name.to_owned(), "$response.body#/asset_id".to_owned()))
            }
            _ if known.iter().any(|(one, _)| *one == name) => {
                Some((name.to_owned(), format!("$request.path.{name}")))
            }
            _ => None,
        });
        let Some(named) = named.collect::<Option<BTreeMap<_, _>>>() else {
            continue;
        };
        for method in route
            .allow
            .split(", ")
            .filter(|method| *method != "OPTIONS")
        {
            let id = operation_id(route, method);
            links.insert(id.clone(), json!({"operationId": id, "parameters": named}));
        }
    }
    Value::Object(links)
}

fn meaning(status: &str) -> &'static str {
    match status {
        "200" => "Done.",
        "204" => "Done. There is no body.",
        "206" => "The range that was asked for.",
        "302" => "The bytes are at the presigned URL in `Location`.",
        "304" => "The client's copy is current.",
        "400" => "The request is wrong.",
        "401" => "No token.",
        "403" => "The token is not valid, or does not allow this.",
        "404" => "It does not exist, or not for this caller.",
        "406" => "Only JSON is answered.",
        "408" => "The body came too slowly.",
        "409" => "It exists already.",
        "412" => "A precondition does not hold.",
        "413" => "The body is too large.",
        "415" => "Bodies are JSON or forms.",
        "416" => "The range lies outside the file.",
        "429" => "Too many requests. `Retry-After` says when to try again.",
        "500" => "The stored bytes are damaged.",
        "503" => "Not available now. `Retry-After` says when to try again.",
        _ => "The disk is full.",
    }
}
