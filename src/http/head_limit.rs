//! The limit on the size of request heads.
//!
//! Guarantees: no face sees a head over [`HEAD_BYTES`]; the refusal has the form of the face that it was for; and the
//! head of a long request keeps no more memory than it needs.

use crate::http::app_state::AppState;
use crate::http::face::Face;
use crate::http::limits::{declared_bytes, is_chunked};
use crate::http::s3;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};

/// The request line's target and all header names and values together.
const HEAD_BYTES: usize = 16 * 1024;
/// Requests with longer bodies count as long.
const LONG_BODY_BYTES: u64 = 64 * 1024;

/// The middleware that refuses a head over [`HEAD_BYTES`] with 431, and bounds the memory of the heads of long requests.
pub(crate) async fn bound_head(
    mut req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let head = req.head();
    let target = head
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let headers: usize = head
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum();
    if target + headers > HEAD_BYTES {
        let is_s3 = req
            .app_data::<web::Data<AppState>>()
            .is_some_and(|state| Face::of(req.head(), &state.config) == Face::S3);
        let mut answer = if is_s3 {
            s3::head_too_large(req.request())
        } else {
            HttpResponse::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        };
        answer.head_mut().set_connection_type(ConnectionType::Close);
        return Ok(req.into_response(answer));
    }
    if is_chunked(req.headers()) || declared_bytes(req.headers()) > Some(LONG_BODY_BYTES) {
        let own = copy_values(req.headers());
        *req.headers_mut() = own;
    }
    Ok(next.call(req).await?.map_into_boxed_body())
}

/// A copy of the headers. The values that actix reads are slices of a buffer of up to 128 KiB, which would stay in memory
/// for as long as the request.
fn copy_values(headers: &HeaderMap) -> HeaderMap {
    let mut own = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let copy = HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone());
        own.append(name.clone(), copy);
    }
    own
}
