//! The log line of a request.

use crate::http::face::Face;
use crate::http::trace::note::{Note, Waited};
use crate::http::trace::request_id::RequestId;
use crate::s3::S3Error;
use actix_web::HttpMessage;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceResponse;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tracing::Span;

/// A response that the server took longer to begin gets a log line.
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

/// The log line of an answered request.
pub(super) struct Line<'a> {
    method: &'a str,
    path: &'a str,
    face: Face,
    note: &'a Note,
    status: u16,
    /// How long the server took to begin the response, without the time that it waited for the client.
    took: Duration,
    peer: Option<IpAddr>,
}

impl Line<'_> {
    fn write(&self) {
        let status = self.status;
        // One macro call for each level: a level is part of a line's static description.
        macro_rules! line {
            ($level:ident, $text:literal) => {
                tracing::$level!(
                    method = %self.method,
                    path = self.path,
                    face = self.face.name(),
                    operation = self.note.operation,
                    status,
                    code = self.note.code,
                    took_ms = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
                    peer = self.peer.map(|peer| peer.to_string()).unwrap_or_default(),
                    detail = self.note.detail.as_deref().unwrap_or_default(),
                    $text
                )
            };
        }
        match status {
            // The client asked for something that hangar does not implement: the operator need not act.
            501 => line!(info, "refused"),
            // Overload, and a full disk: their own warnings say what the operator can do.
            503 | 507 => line!(warn, "failed"),
            500.. => line!(error, "failed"),
            400.. => line!(info, "refused"),
            _ if self.took > SLOW => line!(warn, "slow"),
            _ => line!(debug, "answered"),
        }
    }
}

/// The span of a request, which adds its id to each line.
pub(super) fn span(id: &RequestId) -> Span {
    tracing::info_span!("request", id = %id.as_str())
}

/// Writes the line of a response that a handler made. `took`: with the time that the handler waited for the client.
pub(super) fn log(answer: &ServiceResponse<BoxBody>, face: Face, took: Duration) {
    let request = answer.request();
    let extensions = request.extensions();
    let waited = extensions.get::<Waited>();
    let waited = waited.map_or(Duration::ZERO, |waited| waited.0);
    let line = Line {
        method: request.method().as_str(),
        path: request.uri().path(),
        face,
        note: extensions.get::<Note>().unwrap_or(&Note::NONE),
        status: answer.status().as_u16(),
        took: took.saturating_sub(waited),
        peer: request.peer_addr().map(|peer| peer.ip()),
    };
    line.write();
}

/// The part of a cached response's line that is the same for each request that it answers.
#[derive(Debug, Clone)]
pub(crate) struct CachedLine {
    face: Face,
    note: Note,
    status: u16,
}

impl CachedLine {
    /// The line of a handler's response.
    pub(crate) fn of(answer: &ServiceResponse<BoxBody>, face: Face) -> Self {
        let note = answer.request().extensions().get::<Note>().cloned();
        Self {
            face,
            note: note.unwrap_or(Note::NONE),
            status: answer.status().as_u16(),
        }
    }

    /// The time at which a cached response began. `None`: the log level hides the lines of cached responses.
    pub(crate) fn begin() -> Option<Instant> {
        tracing::enabled!(tracing::Level::DEBUG).then(Instant::now)
    }

    /// Writes the line of a request that the cache answered. `target`: path and query, as they were sent.
    pub(crate) fn write(
        &self,
        id: &RequestId,
        (method, target): (&str, &str),
        peer: Option<IpAddr>,
        began: Instant,
    ) {
        let line = Line {
            method,
            path: target.split('?').next().unwrap_or_default(),
            face: self.face,
            note: &self.note,
            status: self.status,
            took: began.elapsed(),
            peer,
        };
        span(id).in_scope(|| line.write());
    }
}
