//! The data folder: its layout, its lock, the free space on its disk, and whether it is the folder that the index records.
//!
//! hangar writes only to `DATA/@hangar/`, a name that no bucket can have and that a shell's `*` matches. `DATA` and
//! `@hangar` may be symbolic links; nothing in `@hangar` may be one ([`crate::store::dir::Dir`]).

mod filesystem;
mod identity;
mod layout;
mod locked;
mod making;
mod refusal;
pub(in crate::store) mod space;

pub(in crate::store) use identity::{Identity, identity};
pub(in crate::store) use layout::{
    ASIDE_LOG, BACKUP, CHECKPOINT_NOTE, DATABASE, Places, RESTORING, remove_database,
    remove_journals,
};
pub(in crate::store) use locked::{Folder, LogState, MadeFolder};
pub(in crate::store) use making::make_private;
pub(in crate::store) use refusal::{unusable, way_out};
