//! Plane's own paths. (Stub)
pub(crate) fn configure(_cfg: &mut actix_web::web::ServiceConfig) {}
