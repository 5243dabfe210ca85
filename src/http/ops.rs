//! Operations: `/-/…`, for whoever watches over the server, and the description of the asset API.
//!
//! *Live* means that this process answers at all. *Ready* means that the database answers and no sync has failed; a low
//! disk is a warning in the body, not a failure. It tells strangers nothing beyond that. DESIGN, section 2.
use crate::http::{Rooms, docs};
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

const PATHS: [&str; 4] = [
    "/-/health/live",
    "/-/health/ready",
    "/-/openapi.json",
    "/-/docs",
];

/// Takes every request of the face [`Operations`](crate::http::Face::Operations).
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.default_service(web::to(answer));
}

async fn answer(req: HttpRequest, rooms: web::Data<Rooms>) -> HttpResponse {
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
        "/-/health/ready" => ready(&rooms).await,
        "/-/openapi.json" => described("application/json", docs::DOCUMENT.as_str()),
        _ => described("text/html; charset=utf-8", docs::PAGE.as_str()),
    }
}

/// What is the same for everybody, until the next release.
fn described(content_type: &str, body: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(content_type)
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, docs::POLICY.as_str()))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(body)
}

async fn ready(rooms: &Rooms) -> HttpResponse {
    let health = rooms.store.health();
    let failed = match health.failed {
        Some(reason) => Some(reason),
        None if rooms.store.answers().await => None,
        None => Some("The database does not answer.".to_owned()),
    };
    match failed {
        None => json_answer(
            StatusCode::OK,
            &json!({"status": "ready", "warnings": health.warnings}),
        ),
        Some(reason) => json_answer(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({"status": "failed", "reason": reason, "warnings": health.warnings}),
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
