//! `GET /` in a browser: a page that explains what this server is.

use crate::http::s3::exchange::Exchange;
use actix_web::HttpResponse;
use actix_web::http::{Method, header};

/// Whether a browser asks for `/` without a signature: every other `GET /` lists the buckets.
pub(crate) fn is_asked_for(exchange: &Exchange<'_>) -> bool {
    let req = exchange.req;
    [Method::GET, Method::HEAD].contains(req.method())
        && req.uri().path() == "/"
        && exchange.virtual_bucket.is_none()
        && exchange.header("authorization").is_none()
        && !exchange
            .query
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("X-Amz-Signature") || name == "Signature")
        && exchange
            .header("accept")
            .is_some_and(|accept| accept.contains("text/html"))
}

pub(crate) fn answer() -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .body(PAGE)
}

const PAGE: &str = "<!doctype html>
<html lang=\"en\">
<title>hangar</title>
<h1>hangar</h1>
<p>This is the file storage of a Plane: its asset API under <code>/api</code>, and an S3 endpoint for everything else.
<p>There is nothing to see here without an access key. Whether it is well: <a href=\"/-/health/ready\">/-/health/ready</a>.
</html>
";
