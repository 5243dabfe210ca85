//! Frees the bytes of bodies: punches holes in the log and removes blobs.

use crate::store::content::{BlobId, Place};
use crate::store::dir::Dir;
use crate::store::folder::Places;
use crate::store::record::{Unreferenced, segments};
use std::io;

/// Frees the bytes of bodies whose record says that they may be freed. A body that is already gone is no error.
pub(in crate::store) fn free_bytes(places: &Places, bodies: &[Unreferenced]) {
    for free in bodies {
        match &free.place {
            Place::Log { segment, offset } => {
                if let Err(error) = segments::punch(&places.log, *segment, *offset, free.size_bytes)
                    && error.kind() != io::ErrorKind::NotFound
                {
                    tracing::warn!(%error, body = free.body, "could not free a body in the log");
                }
            }
            Place::Blob { id } => drop(remove(&places.blobs, *id)),
        }
    }
}

/// Removes a blob. Returns whether it is gone.
pub(in crate::store) fn remove(blobs: &Dir, id: BlobId) -> bool {
    match blobs.remove(&id.to_string()) {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, blob = %id, "could not remove a blob");
            false
        }
    }
}
