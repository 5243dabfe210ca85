//! The index: all SQL of objects, buckets, bodies and uploads, and the handling of damage of its file.
//!
//! `apply` holds all statements that change these rows, and `effects` applies the statements of other modules to
//! theirs. The other files look up what the log said.

mod apply;
#[cfg(test)]
pub(in crate::store) mod bare;
mod bodies;
mod buckets;
mod check;
mod columns;
pub(in crate::store) mod damage;
mod effects;
pub(in crate::store) mod listing;
mod objects;
mod open;
mod position;
mod row_changes;
pub(in crate::store) mod upload_listing;
mod uploads;
pub(in crate::store) mod view;

pub(in crate::store) use apply::{apply, prepare};
pub(in crate::store) use bodies::{has_blobs, known_blobs, still_unreferenced, unreferenced};
pub(in crate::store) use buckets::buckets;
pub(in crate::store) use check::{
    bodies_after, has_body, object_sums, objects_of_bodies, parts_of_bodies, stored, twins_of_body,
    users_of_bodies,
};
pub(in crate::store) use columns::{crcs_from_hex, crcs_to_hex};
pub(in crate::store) use objects::{current, has_objects, object, objects};
pub(in crate::store) use open::open;
pub(in crate::store) use position::{identities, position, set_identities};
pub(in crate::store) use uploads::{are_unchanged, object_parts, parts, upload, uploads_before};
