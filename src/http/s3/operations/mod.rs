//! The operations of S3, each with its permission in hand: parse, call the vault, respond.

pub(crate) mod acl;
pub(crate) mod buckets;
pub(crate) mod copy_object;
pub(crate) mod delete_object;
pub(crate) mod delete_objects;
pub(crate) mod get_attributes;
pub(crate) mod get_object;
pub(crate) mod list;
pub(crate) mod multipart;
pub(crate) mod post_object;
pub(crate) mod put_object;
pub(crate) mod settings;
pub(crate) mod tagging;
