//! The routes of the asset API: `table` has them, `path` finds the one of a request. Plane contract, sections 2.2 and 3.0.
pub(in crate::http) mod path;
pub(in crate::http) mod table;

#[cfg(test)]
mod tests;

#[cfg(test)]
pub(in crate::http) use table::ROUTES;
