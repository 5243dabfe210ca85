//! The index file: connections, pragmas, migrations, checksums and checkpoints.
//!
//! The log is the source of truth, and this database is its index, so `synchronous=NORMAL` is enough: changes that a
//! power cut takes from it are applied again from the log. One connection writes; the others only read.
//!
//! Each page has a checksum. A page that differs from what was written is an error ([`is_damage`]) and never read as rows
//! (`pages`). This module makes all checkpoints, which move the journal (SQLite's write-ahead log, `-wal`) into the
//! database; SQLite itself makes none (`checkpoint`).

mod checkpoint;
mod connection;
mod copy;
mod error;
mod journal;
mod migrations;
mod pages;
mod tables;
#[cfg(test)]
mod tests;

pub(crate) use checkpoint::{
    CheckpointError, Checkpoints, Leaves, Noted, Origin, Owner, Trust, trust,
};
pub use connection::Readers;
pub(crate) use connection::{
    open_as_it_is, open_copy, open_durable, open_main_file, open_main_file_readers, open_reader,
    open_readers, open_writer, set_checkpoint_on_close,
};
#[cfg(test)]
pub(crate) use copy::make_without_checksums;
pub(crate) use copy::{copy_whole, copy_with_checksums};
pub use error::DatabaseError;
pub(crate) use error::{is_damage, is_full};
pub(crate) use journal::is_empty as is_journal_empty;
pub(crate) use pages::{
    Damage, Verified, Watch, has_checksums, is_whole, offset_of, verify, verify_in_use, watch,
};
pub(crate) use tables::{Tables, bring_up_to_date, tables};
