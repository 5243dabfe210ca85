//! The vault: objects in buckets, kept in an append-only log with SQLite as its index.
//!
//! **A successful result means that the change is on the disk.** Every change is one record of the log (`record`). One
//! writer appends and syncs records in groups (`journal`), and then each group is applied to the `index` in one
//! transaction. A crash, a power cut or a broken connection leaves the old state or the new one. A start replays the log
//! from the position of the index on (`recovery`).
//!
//! What it refuses to know: assets, users, tokens. Their changes are [`Effect`]s in the same records, and are applied by
//! the statements that their modules registered.
//!
//! Its rooms import one way: `door` → `upkeep` → `parts` → `recovery` → `journal` → `index` → `bodies` →
//! `record`. All rooms may import the files of this folder, which import no room.

mod blocking;
mod bodies;
mod bucket;
mod content;
mod dir;
mod door;
mod effect;
mod error;
mod folder;
mod index;
mod journal;
mod object;
mod parts;
mod progress;
mod record;
mod recovery;
#[cfg(test)]
mod tests;
mod upkeep;
mod upload;

pub use bodies::read::Reading;
pub use bodies::small::{SmallBody, SmallBytes};
pub use bodies::staging::{Sealed, Staging};
pub use bucket::Bucket;
pub use dir::Dir;
pub use door::store::Store;
pub use effect::{Decision, Effect, EffectKind};
pub use error::{
    DamagedBytes, OpenError, RecordError, Refusal, StageError, StoreError, Unavailable,
};
#[cfg(test)]
pub(crate) use index::bare::BareIndex;
pub use index::view::{ReadView, Row, Value, unreadable};
pub use journal::hook::{CommitHook, Registered};
pub use object::{
    BucketCreation, Committed, Deletion, Expected, ListRequest, Object, ObjectMeta, Target,
};
pub use parts::config::StoreConfig;
pub use progress::Progress;
pub use recovery::data_folder::holds_data;
pub use recovery::salvage::Salvaged;
pub use recovery::source::{Rebuilt, Source};
pub use upkeep::backup::check::{BackupCheckError, check_backup};
pub use upkeep::backup::copies::{Copies, Verify};
pub use upkeep::backup::error::BackupError;
pub use upkeep::backup::restore::restore;
pub use upkeep::findings::{Checked, Damage, Finding, Remedy, Repair};
pub use upkeep::folder::folder_warnings;
pub use upkeep::freeing::Freed;
pub use upkeep::handle::Upkeep;
pub use upkeep::health::Health;
pub use upkeep::janitor::{Janitor, Mode, Swept};
pub use upkeep::scrub::Scrub;
pub use upload::{
    Completion, NewUpload, ObjectPart, ObjectParts, Part, PartPage, Upload, UploadChecksum,
    UploadId, UploadListPage, UploadListRequest,
};
