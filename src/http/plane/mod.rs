//! The asset API: everything under `/api`, in Plane's own words.
//!
//! Its rooms, each of which imports only from the later ones: `dispatch` (the checks in their one order, then the route's
//! handler), `endpoints` (a handler for each route and method), `upload` and `download` (what several handlers do),
//! `request` (one request: `Accept`, CORS, the fields of the body), then `routes`, `error`, `dto` and `answer`. `openapi`
//! describes the API and imports only `routes`, `error` and `dto`. It refuses to know how assets, tokens and bytes are
//! stored.
mod answer;
mod dispatch;
mod download;
mod dto;
mod endpoints;
mod error;
pub(in crate::http) mod openapi;
mod request;
pub(in crate::http) mod routes;
mod upload;

#[cfg(test)]
mod tests;

pub(crate) use dispatch::configure;
