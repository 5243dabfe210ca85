//! The middleware that gives each request its id, logs it, and adds the headers that every response has.

use crate::http::config::HttpConfig;
use crate::http::face::Face;
use crate::http::trace::line::{log, span};
use crate::http::trace::request_id::{
    HOST_ID, RequestId, X_AMZ_ID_2, X_AMZ_REQUEST_ID, X_REQUEST_ID,
};
use actix_web::HttpMessage;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use std::time::Instant;
use tracing::Instrument;

/// The middleware that gives the request its id, logs it, and adds the headers that every response has.
pub(crate) async fn observe(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let id = RequestId::new();
    let config = req.app_data::<actix_web::web::Data<HttpConfig>>();
    let face = config.map_or(Face::S3, |config| Face::of(req.head(), config));
    let span = span(&id);
    req.extensions_mut().insert(id.clone());
    let began = Instant::now();
    let mut answer = next
        .call(req)
        .instrument(span.clone())
        .await?
        .map_into_boxed_body();
    span.in_scope(|| log(&answer, face, began.elapsed()));
    add_headers(&mut answer, face, &id);
    Ok(answer)
}

fn add_headers(answer: &mut ServiceResponse<BoxBody>, face: Face, id: &RequestId) {
    let headers = answer.headers_mut();
    let id = HeaderValue::from_str(id.as_str()).expect("hex digits are a header value");
    headers.insert(header::SERVER, HeaderValue::from_static("hangar"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    match face {
        Face::S3 | Face::Minio => {
            headers.insert(X_AMZ_REQUEST_ID, id);
            headers.insert(X_AMZ_ID_2, HeaderValue::from_static(HOST_ID));
        }
        Face::Api | Face::Operations => {
            headers.insert(X_REQUEST_ID, id);
        }
    }
}
