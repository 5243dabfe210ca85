//! The routes of the asset API.
pub(in crate::http) mod table;

#[cfg(test)]
pub(in crate::http) use table::ROUTES;
