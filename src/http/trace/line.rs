//! The log line of a request.

use crate::http::face::Face;
use crate::http::trace::note::{Note, Waited};
use crate::http::trace::request_id::RequestId;
use crate::s3::S3Error;
use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use std::time::Duration;

/// An answer that took us longer to begin is worth a line: what we waited for the client does not count.
const SLOW: Duration = Duration::from_secs(2);

/// The log line of a request that cannot be parsed.
pub(crate) fn refused_unparsed(id: &RequestId, status: &str, refusal: &S3Error) {
    tracing::info!(
        id = id.as_str(),
        status,
        code = refusal.code.as_str(),
        "rejected a request that cannot be parsed"
    );
}

pub(super) fn log(answer: &ServiceResponse<BoxBody>, face: Face, took: Duration) {
    let request = answer.request();
    let note = request
        .extensions()
        .get::<Note>()
        .cloned()
        .unwrap_or_default();
    let status = answer.status().as_u16();
    let waited = request
        .extensions()
        .get::<Waited>()
        .map_or(Duration::ZERO, |waited| waited.0);
    let took = took.saturating_sub(waited);
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let peer = request
        .peer_addr()
        .map(|peer| peer.ip().to_string())
        .unwrap_or_default();
    // One macro call for each level: a level is part of a line's static description.
    macro_rules! line {
        ($level:ident, $text:literal) => {
            tracing::$level!(
                method = %request.method(),
                path = request.uri().path(),
                face = face.name(),
                operation = note.operation,
                status,
                code = note.code,
                took_ms,
                peer,
                detail = note.detail.as_deref().unwrap_or_default(),
                $text
            )
        };
    }
    match status {
        // Asked for what is not there: the client's matter.
        501 => line!(info, "refused"),
        // Overload, and a full disk: what is to be done about them, their own warnings say.
        503 | 507 => line!(warn, "failed"),
        500.. => line!(error, "failed"),
        400.. => line!(info, "refused"),
        _ if took > SLOW => line!(warn, "slow"),
        _ => line!(debug, "answered"),
    }
}
