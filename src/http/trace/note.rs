//! Notes that handlers leave for the log line of their request.

use actix_web::HttpMessage;
use std::time::Duration;

/// The note of a handler. The last note of a request counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note {
    /// `PutObject`; empty where the path says enough
    pub(crate) operation: &'static str,
    /// The code of an error response: `NoSuchKey`
    pub(crate) code: &'static str,
    /// The cause, or what the operator can do about it. Never a secret, never sent.
    pub(crate) detail: Option<String>,
}

impl Note {
    pub(super) const NONE: Self = Self {
        operation: "",
        code: "",
        detail: None,
    };
}

/// Leaves a note for the line of this request.
pub(crate) fn note(req: &actix_web::HttpRequest, note: Note) {
    req.extensions_mut().insert(note);
}

/// How long a request's handler waited for bytes of its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waited(pub(super) Duration);

/// Subtracts this time from the duration in the line of a request.
pub(crate) fn waited_for_client(req: &actix_web::HttpRequest, waited: Duration) {
    req.extensions_mut().insert(Waited(waited));
}
