//! The handlers: one file for each family of routes. A handler parses, asks `assets` and `auth`, and answers.
pub(in crate::http) mod anchors;
pub(in crate::http) mod attachments;
pub(in crate::http) mod bulk;
pub(in crate::http) mod duplicate;
pub(in crate::http) mod static_assets;
pub(in crate::http) mod user_assets;
pub(in crate::http) mod users;
pub(in crate::http) mod workspace_assets;
pub(in crate::http) mod workspace_assets_v1;
