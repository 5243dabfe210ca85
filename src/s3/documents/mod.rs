//! The documents of buckets and objects, in XML: each one's parser, its rules and its writer.

pub mod acl;
pub mod attributes;
pub mod copy;
pub mod delete_objects;
pub mod lifecycle;
pub mod tagging;
