//! The edge: the only module that knows actix. The route table is on this screen.

pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod limits;
pub(crate) mod ops;
pub(crate) mod origin;
pub(crate) mod plane;
pub(crate) mod serve;
