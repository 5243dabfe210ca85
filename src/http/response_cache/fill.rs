//! The middleware that fills the cache: it keeps each response that a handler offered, as the response is sent.
//!
//! It has to be the outermost middleware, so that the head that is kept has all headers.

use crate::http::config::HttpConfig;
use crate::http::response_cache::cache::ResponseCache;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web;

/// Keeps each response that a handler [offered](crate::http::response_cache::offer).
pub(crate) async fn fill(
    cache: web::Data<ResponseCache>,
    config: web::Data<HttpConfig>,
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let answer = next.call(req).await?.map_into_boxed_body();
    cache.keep(&answer, &config);
    Ok(answer)
}
