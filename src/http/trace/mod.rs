//! The log line of a request, and the id by which a client can refer to it.
//!
//! Guarantees: each response has an id; each 4xx, each 5xx and each slow response has one line, others have one at
//! `debug`, whether a handler gave the response or the response cache. A line never holds a query string, a header or a
//! form's field: the path alone, as it was sent.

mod line;
mod note;
mod observe;
mod request_id;

pub(crate) use line::{CachedLine, refused_unparsed};
pub(crate) use note::{Note, note, waited_for_client};
pub(crate) use observe::observe;
pub(crate) use request_id::{HOST_ID, RequestId, X_AMZ_REQUEST_ID, X_REQUEST_ID};
