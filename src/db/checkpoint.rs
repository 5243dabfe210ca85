//! Checkpoints: when the journal is long, this module moves its pages into the database. SQLite itself makes no
//! checkpoints.
//!
//! SQLite recovers as much of a journal as is whole, and does not report the rest. If a checkpoint had already moved
//! pages of that rest into the database, the index would mix old pages and new ones, each with a correct checksum. So
//! before each checkpoint a note is synced that states which journal it moves, and how much of it. A start trusts the
//! index only if the journal can still be recovered as far as the note states, or if the checkpoint was completed.

use crate::db::journal::{self, Index, JournalState, Recoverable, Salts};
use crate::telemetry::with_causes;
use rustix::fs::OFlags;
use sqlx::{Row, SqliteConnection};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A journal of this many pages is moved into the database.
const CHECKPOINT_AT_PAGES: u32 = 8000;
/// If readers blocked a checkpoint, or the restart of the journal, the checkpoint is retried when the journal is this
/// many pages longer.
const RETRY_AFTER_PAGES: u32 = 1000;
const MAGIC: &[u8; 8] = b"HGRckpt1";
const NOTE_BYTES: usize = 64;
const SUM_AT: usize = NOTE_BYTES - 8;
/// Distinguishes the folder of a note from a copy of that folder.
pub(crate) type Owner = [u8; 16];

/// Whether a noted checkpoint has moved everything that it was to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begun = 1,
    Done = 2,
}

/// What a start knew of its folder when it began to make an index. A later start that finds the index unfinished relies
/// on this note: an unfinished index does not state enough about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The folder was not copied.
    Own = 1,
    /// The folder was copied.
    Copy = 2,
    Unknown = 3,
    /// The folder had no log: no client ever got a response from it.
    New = 4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Note {
    phase: Phase,
    /// `Some`: the index is being made and is not complete yet.
    making: Option<Origin>,
    /// The last sequence of the log that the database may hold.
    sequence: u64,
    salts: Salts,
    frames: u32,
    owner: Owner,
}

impl Note {
    fn to_bytes(self) -> [u8; NOTE_BYTES] {
        let mut bytes = [0; NOTE_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8] = self.phase as u8;
        bytes[9] = self.making.map_or(0, |origin| origin as u8);
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.salts);
        bytes[32..36].copy_from_slice(&self.frames.to_le_bytes());
        bytes[40..SUM_AT].copy_from_slice(&self.owner);
        let sum = sum_of(&bytes).to_le_bytes();
        bytes[SUM_AT..].copy_from_slice(&sum);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; NOTE_BYTES] = bytes.try_into().ok()?;
        let is_whole = bytes[..8] == *MAGIC && bytes[SUM_AT..] == sum_of(bytes).to_le_bytes();
        let phase = match bytes[8] {
            1 => Phase::Begun,
            2 => Phase::Done,
            _ => return None,
        };
        let making = match bytes[9] {
            0 => None,
            1 => Some(Origin::Own),
            2 => Some(Origin::Copy),
            3 => Some(Origin::Unknown),
            4 => Some(Origin::New),
            _ => return None,
        };
        is_whole.then(|| Self {
            phase,
            making,
            sequence: u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes")),
            salts: bytes[24..32].try_into().expect("eight bytes"),
            frames: u32::from_le_bytes(bytes[32..36].try_into().expect("four bytes")),
            owner: bytes[40..SUM_AT].try_into().expect("sixteen bytes"),
        })
    }
}

fn sum_of(note: &[u8; NOTE_BYTES]) -> u64 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &note[..SUM_AT])
}

/// Whether the database and its journal can be trusted, according to the note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// They belong together, and hold the log at least up to `sequence`. `is_under_way`: a checkpoint was interrupted,
    /// and the journal still holds everything that it was to move.
    Whole { sequence: u64, is_under_way: bool },
    /// There is no note.
    NoNote,
    /// They do not belong together, or that cannot be known.
    Broken(&'static str),
}

/// The content of a note, and whether the database can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) trust: Trust,
    /// The folder that the note was written in.
    pub(crate) owner: Option<Owner>,
    /// `Some`: the index is unfinished.
    pub(crate) making: Option<Origin>,
}

/// Checks whether the database and its journal can be trusted. Call it before SQLite opens the database, because opening
/// changes the journal.
pub(crate) fn trust(database: &Path, note: &Path) -> io::Result<Noted> {
    let nothing = |trust| Noted {
        trust,
        owner: None,
        making: None,
    };
    let Some(note) = read(note)? else {
        return Ok(nothing(Trust::NoNote));
    };
    let Some(note) = note else {
        let why = "the note of its last checkpoint is damaged";
        return Ok(nothing(Trust::Broken(why)));
    };
    Ok(Noted {
        trust: trust_of(note, journal::recoverable(database)?),
        owner: Some(note.owner),
        making: note.making,
    })
}

/// Reads a note. `None`: there is none; `Some(None)`: it is damaged.
#[expect(clippy::option_option, reason = "missing and damaged are two things")]
fn read(note: &Path) -> io::Result<Option<Option<Note>>> {
    let mut bytes = Vec::new();
    match File::open(note) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?.take(NOTE_BYTES as u64 + 1).read_to_end(&mut bytes)?,
    };
    Ok(Some(Note::parse(&bytes)))
}

fn trust_of(note: Note, journal: Option<Recoverable>) -> Trust {
    let whole = Trust::Whole {
        sequence: note.sequence,
        is_under_way: false,
    };
    match journal {
        Some(journal) if journal.salts == note.salts && journal.frames >= note.frames => {
            Trust::Whole {
                sequence: note.sequence,
                is_under_way: note.phase == Phase::Begun,
            }
        }
        // SQLite restarts a journal only once all of its previous content is in the database.
        Some(journal) if journal.salts != note.salts => whole,
        Some(Recoverable { frames: 1.., .. }) => {
            Trust::Broken("its journal (-wal) is damaged where it was in the database already")
        }
        Some(_) | None if note.phase == Phase::Done => whole,
        Some(_) | None => {
            Trust::Broken("its journal (-wal) is damaged, or missing, in the midst of a checkpoint")
        }
    }
}

/// How a checkpoint leaves the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leaves {
    /// The journal stays as long as it is. SQLite restarts it with the next change.
    Journal,
    /// The journal is empty, and its space is freed.
    Nothing,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error("the note of a checkpoint cannot be written")]
    Note(#[source] io::Error),
    #[error("the journal cannot be moved into the database")]
    Sql(#[from] sqlx::Error),
}

/// Makes the checkpoints of one open database. While it is borrowed, no other checkpoint is made.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    database: PathBuf,
    note: PathBuf,
    owner: Owner,
    /// `Some` until [`Checkpoints::is_made`].
    making: Option<Origin>,
    file: Option<File>,
    index: Option<Index>,
    /// The length of the journal at the last try, in frames; 0 after the journal was restarted.
    tried: u32,
}

impl Checkpoints {
    /// `note`: the path of the note.
    pub(crate) fn of(database: PathBuf, note: PathBuf, owner: Owner) -> Self {
        Self {
            database,
            note,
            owner,
            making: None,
            file: None,
            index: None,
            tried: 0,
        }
    }

    /// Writes the note of a database that is about to be made, or restored from a snapshot, and needs no journal.
    /// `making`: the database is not complete before [`Checkpoints::is_made`].
    pub(crate) fn begin_anew(&mut self, making: Option<Origin>) -> io::Result<()> {
        self.index = None;
        self.tried = 0;
        self.making = making;
        self.write(Note {
            phase: Phase::Done,
            making,
            sequence: 0,
            salts: Salts::default(),
            frames: 0,
            owner: self.owner,
        })
    }

    /// Notes that the database is complete. From then on the database itself states what it holds.
    pub(crate) fn is_made(&mut self) -> io::Result<()> {
        self.making = None;
        match read(&self.note)? {
            Some(Some(note)) if note.making.is_some() => self.write(Note {
                making: None,
                ..note
            }),
            _ => Ok(()),
        }
    }

    /// From now on the note names this owner.
    pub(crate) fn set_owner(&mut self, owner: Owner) -> io::Result<()> {
        self.owner = owner;
        match read(&self.note)? {
            Some(Some(note)) if note.owner != owner => self.write(Note { owner, ..note }),
            _ => Ok(()),
        }
    }

    /// Makes a checkpoint if the journal is long. `connection` is the one that writes, outside of a transaction;
    /// `sequence` is the last sequence that it has committed.
    pub(crate) async fn after_commit(&mut self, connection: &mut SqliteConnection, sequence: u64) {
        let state = match self.state() {
            Ok(state) => state,
            Err(error) => {
                tracing::debug!(%error, "the length of the index's journal is not known");
                return;
            }
        };
        let Some(state) = state else { return };
        if state.frames < self.tried {
            self.tried = 0;
        }
        if state.frames < CHECKPOINT_AT_PAGES
            || state.frames < self.tried.saturating_add(RETRY_AFTER_PAGES)
        {
            return;
        }
        // SQLite restarts the journal with the next change, unless readers block that.
        self.tried = state.frames;
        let made = self.checkpoint(connection, sequence, Leaves::Journal);
        if let Err(error) = made.await {
            let error = with_causes(&error);
            tracing::warn!(
                error,
                "the index's journal could not be moved into the index, and stays long until the next try"
            );
        }
    }

    /// Moves the content of the journal into the database, as far as readers allow. Returns whether all of it was moved.
    pub(crate) async fn checkpoint(
        &mut self,
        connection: &mut SqliteConnection,
        sequence: u64,
        leaves: Leaves,
    ) -> Result<bool, CheckpointError> {
        let state = self.state().map_err(CheckpointError::Note)?;
        let Some(JournalState { salts, frames }) = state else {
            return Ok(false);
        };
        let (owner, making) = (self.owner, self.making);
        let note = |phase| Note {
            phase,
            making,
            sequence,
            salts,
            frames,
            owner,
        };
        if frames > 0 {
            // The journal is synced first: if a power cut left the note without the journal that it names, that would
            // look like damage.
            journal::sync(&self.database)
                .and_then(|()| self.write(note(Phase::Begun)))
                .map_err(CheckpointError::Note)?;
            crate::faults::step("checkpoint-noted");
            let moved = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
                .fetch_one(&mut *connection)
                .await?;
            crate::faults::step("checkpoint-made");
            let (busy, all, done): (i64, i64, i64) = (moved.get(0), moved.get(1), moved.get(2));
            if busy != 0 || done < all {
                return Ok(false);
            }
            self.put(note(Phase::Done)).map_err(CheckpointError::Note)?;
        }
        if leaves == Leaves::Nothing {
            if frames > 0 {
                // The note is synced before the journal is emptied, which an unfinished checkpoint would need.
                self.file()
                    .and_then(File::sync_data)
                    .map_err(CheckpointError::Note)?;
            }
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .execute(connection)
                .await?;
            crate::faults::step("journal-emptied");
        }
        Ok(true)
    }

    fn state(&mut self) -> io::Result<Option<JournalState>> {
        let index = match self.index.take() {
            Some(index) => index,
            None => Index::open(&self.database)?,
        };
        self.index.insert(index).state()
    }

    fn write(&mut self, note: Note) -> io::Result<()> {
        crate::faults::call("checkpoint-note")?;
        self.put(note)?;
        self.file()?.sync_data()
    }

    fn put(&mut self, note: Note) -> io::Result<()> {
        self.file()?.write_all_at(&note.to_bytes(), 0)
    }

    fn file(&mut self) -> io::Result<&File> {
        let file = if let Some(file) = self.file.take() {
            file
        } else {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(
                    OFlags::NOFOLLOW
                        .union(OFlags::NONBLOCK)
                        .bits()
                        .cast_signed(),
                )
                .open(&self.note)?;
            crate::owner::follow_at(&self.note);
            if file.metadata()?.len() != NOTE_BYTES as u64 {
                file.set_len(NOTE_BYTES as u64)?;
                file.sync_all()?;
                let folder = self.note.parent().unwrap_or(Path::new("."));
                File::open(folder)?.sync_all()?;
            }
            file
        };
        Ok(self.file.insert(file))
    }
}
