//! The description of the asset API for programs: an `OpenAPI` document made from the table of routes, the types of the
//! answers and the refusals themselves. <https://spec.openapis.org/oas/v3.1.0>
//!
//! Its files import in this order: `document`, `responses`, `successes`, then `operations`, `prose`, `schemas` and `request_bodies`,
//! then `examples` and `naming`.
mod document;
mod examples;
mod naming;
mod operations;
mod prose;
mod request_bodies;
mod responses;
mod schemas;
mod successes;

#[cfg(test)]
mod tests;

pub(in crate::http) use document::document;
pub(in crate::http) use prose::INTRODUCTION;
