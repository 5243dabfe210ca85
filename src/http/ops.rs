//! Operations: `/-/…`, for whoever watches over the server. All answers are JSON.
//!
//! *Live* means that this process answers at all. *Ready* means that the database answers and no sync has failed; a low
//! disk is a warning in the body, not a failure. It tells strangers nothing beyond that. DESIGN, section 2.
use crate::http::Rooms;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Value, json};

/// Takes every request of the face [`Operations`](crate::http::Face::Operations).
pub(crate) fn configure(cfg: &mut web::ServiceConfig) {
    cfg.default_service(web::to(answer));
}

async fn answer(req: HttpRequest, rooms: web::Data<Rooms>) -> HttpResponse {
    let path = req.uri().path();
    if !matches!(path, "/-/health/live" | "/-/health/ready") {
        return json_answer(StatusCode::NOT_FOUND, &json!({"error": "Page not found."}));
    }
    if !matches!(*req.method(), Method::GET | Method::HEAD) {
        let refusal = json!({"error": "Only GET and HEAD are allowed here."});
        let mut answer = json_answer(StatusCode::METHOD_NOT_ALLOWED, &refusal);
        let allow = header::HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(header::ALLOW, allow);
        return answer;
    }
    if path == "/-/health/live" {
        return json_answer(StatusCode::OK, &json!({"status": "live"}));
    }
    ready(&rooms).await
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
