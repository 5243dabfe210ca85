//! The answers of an operation: its success, with an example, and all of its refusals by status.
use crate::http::limits::BodyError;
use crate::http::plane::error::PlaneError;
use crate::http::plane::openapi::operations::{Operation, Success};
use crate::http::plane::openapi::prose;
use crate::http::plane::openapi::request_bodies::RequestBody;
use crate::http::plane::openapi::schemas::{JSON, reference};
use crate::http::plane::openapi::successes::successes;
use crate::http::plane::routes::table::{Route, Version};
use crate::store::StoreError;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

pub(in crate::http) fn responses(route: &Route, method: &str, operation: &Operation) -> Value {
    let mut responses = successes(route, method, operation.success);
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    let common = common_refusals(route, method, operation);
    for refusal in common.iter().chain(&operation.refusals) {
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
                .map(|(at, text)| example(at, text, operation.request_body))
                .collect();
            json!({JSON: {"schema": reference("Refusal"), "examples": examples}})
        };
        let status = status.to_string();
        responses.insert(
            status.clone(),
            json!({"description": prose::status(&status), "content": content}),
        );
    }
    Value::Object(responses)
}

/// The example of one refusal. Plane's texts often do not name the wrong field: the summary does.
fn example(at: usize, text: &str, body: Option<RequestBody>) -> (String, Value) {
    let value: Value = serde_json::from_str(text).expect("a refusal is JSON");
    let mut example = json!({"value": value});
    if let Some(summary) = prose::refusal(text, body) {
        example["summary"] = json!(summary);
    }
    ((at + 1).to_string(), example)
}

/// What every route refusals alike, in the order of checks.
fn common_refusals(route: &Route, method: &str, operation: &Operation) -> Vec<PlaneError> {
    let mut refusals = vec![
        PlaneError::BodyTooLarge,
        PlaneError::Body(BodyError::TooSlow),
        PlaneError::Body(BodyError::Incomplete),
        PlaneError::Body(BodyError::NoRoom),
        PlaneError::Store(StoreError::Damaged("a body".into())),
    ];
    if route.path.contains('<') {
        refusals.push(PlaneError::PageNotFound);
    }
    if !route.answers_with_file(method) {
        refusals.push(PlaneError::NotAcceptable);
    }
    if !route.allows_anonymous(method) {
        refusals.extend([PlaneError::NoCredentials, PlaneError::InvalidToken]);
    }
    if route.scopes(method).is_some() {
        refusals.push(PlaneError::Forbidden);
    }
    if route.version() == Version::V1 {
        refusals.push(PlaneError::RateLimited {
            retry_after_seconds: 12,
        });
    }
    if operation.request_body.is_some() {
        refusals.extend([
            PlaneError::UnsupportedMediaType("text/plain".to_owned()),
            PlaneError::NotAnObject,
            PlaneError::Unparsable {
                syntax: "JSON",
                reason: "expected value at line 1 column 1".to_owned(),
            },
        ]);
    }
    if matches!(
        operation.success,
        Success::Upload | Success::Redirect | Success::Asset
    ) {
        refusals.push(PlaneError::UnusableHost);
    }
    if matches!(method, "POST" | "PATCH" | "DELETE") {
        refusals.push(PlaneError::Store(StoreError::Full));
    }
    refusals
}
