//! One request, before its handler: whether its client accepts JSON, CORS, the fields of its body, and what the handler
//! gets of it.
pub(in crate::http) mod accept;
pub(in crate::http) mod body;
pub(in crate::http) mod cors;
pub(in crate::http) mod plane_request;
