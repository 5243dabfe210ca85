//! Notes that handlers leave for the log line of their request.

use actix_web::HttpMessage;
use std::time::Duration;

/// The note of a handler. The last note of a request counts.
#[derive(Debug, Clone, Default)]
pub(crate) struct Note {
    /// `PutObject`; empty where the path says it all
    pub(crate) operation: &'static str,
    /// The code of an error answer: `NoSuchKey`
    pub(crate) code: &'static str,
    /// What the administrator may do about it. Never a secret, never sent.
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

/// Takes this time off what the line says of a request.
pub(crate) fn waited_for_client(req: &actix_web::HttpRequest, waited: Duration) {
    req.extensions_mut().insert(Waited(waited));
}
