//! The asset API described for programs: an `OpenAPI` document made from the table of routes, from the types that are
//! answered and from the refusals themselves. <https://spec.openapis.org/oas/v3.1.0>
mod document;
mod examples;
mod naming;
mod operations;
mod prose;
mod request_bodies;
mod responses;
mod schemas;

#[cfg(test)]
mod tests;

pub(in crate::http) use document::document;
pub(in crate::http) use prose::INTRODUCTION;
