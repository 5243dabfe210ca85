//! One request, before its handler: whether its client accepts JSON, CORS, and the fields of its body.
pub(in crate::http) mod accept;
pub(in crate::http) mod body;
pub(in crate::http) mod cors;
pub(in crate::http) mod plane_request;
