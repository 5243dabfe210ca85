//! `/minio`: the health addresses that compose files and charts probe.

use crate::http::app_state::AppState;
use crate::http::health::reason_not_ready;
use crate::http::s3::error;
use crate::s3::{ErrorCode, S3Error};
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse, web};

fn health(is_well: bool) -> HttpResponse {
    if is_well {
        HttpResponse::Ok().finish()
    } else {
        HttpResponse::ServiceUnavailable().finish()
    }
}

/// `/minio`: the health addresses that compose files and charts probe; MinIO's administration is not here.
pub(crate) async fn minio(req: HttpRequest, state: web::Data<AppState>) -> HttpResponse {
    let reads = [Method::GET, Method::HEAD].contains(req.method());
    match req.uri().path() {
        "/minio/health/live" if reads => HttpResponse::Ok().finish(),
        // MinIO: `cluster/read` checks the quorum of reads alone.
        "/minio/health/cluster/read" if reads => {
            health(state.store.upkeep().index_is_reachable().await)
        }
        "/minio/health/ready" | "/minio/health/cluster" if reads => {
            health(reason_not_ready(&state.store.upkeep()).await.is_none())
        }
        _ => error::answer(
            &req,
            "",
            S3Error::with_message(
                ErrorCode::NotImplemented,
                "hangar does not offer MinIO's administration API.",
            ),
        ),
    }
}
