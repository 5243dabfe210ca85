//! Answers the requests of `/-/…`.

use crate::http::app_state::AppState;
use crate::http::health::reason_not_ready;
use crate::http::operations::docs;
use crate::warnings::in_public;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

const PATHS: [&str; 4] = [
    "/-/health/live",
    "/-/health/ready",
    "/-/openapi.json",
    "/-/docs",
];

/// Handles every request of the face [`Operations`](crate::http::face::Face::Operations).
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.default_service(web::to(answer));
}

async fn answer(req: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let path = req.uri().path();
    if !PATHS.contains(&path) {
        return json_answer(StatusCode::NOT_FOUND, &json!({"error": "Page not found."}));
    }
    if !matches!(*req.method(), Method::GET | Method::HEAD) {
        let refusal = json!({"error": "Only GET and HEAD are allowed here."});
        let mut answer = json_answer(StatusCode::METHOD_NOT_ALLOWED, &refusal);
        let allow = header::HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(header::ALLOW, allow);
        return answer;
    }
    match path {
        "/-/health/live" => json_answer(StatusCode::OK, &json!({"status": "live"})),
        "/-/health/ready" => ready(&state).await,
        "/-/openapi.json" => described("application/json", docs::DOCUMENT.as_str()),
        _ => described("text/html; charset=utf-8", docs::PAGE.as_str()),
    }
}

/// A response that is the same for all clients until the next release.
fn described(content_type: &str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, docs::POLICY.as_str()))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(body)
}

async fn ready(state: &AppState) -> HttpResponse {
    let upkeep = state.store.upkeep();
    let reason = reason_not_ready(&upkeep).await;
    let warnings = in_public(
        &state
            .watch
            .standing(&upkeep, state.tls.as_ref(), state.clock.now()),
    );
    match reason {
        None => json_answer(
            StatusCode::OK,
            &json!({"status": "ready", "warnings": warnings}),
        ),
        Some(reason) => json_answer(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({"status": "failed", "reason": reason, "warnings": warnings}),
        ),
    }
}

fn json_answer(status: StatusCode, body: &Value) -> HttpResponse {
    HttpResponse::build(status)
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(body.to_string())
}
