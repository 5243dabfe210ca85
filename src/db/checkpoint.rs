//! Checkpoints: the journal's pages are moved into the database when the journal is long, never by SQLite itself.
//!
//! SQLite recovers as much of a journal as is whole, and says nothing of the rest. Where a checkpoint had moved pages of
//! that rest into the database already, old pages and new ones would make one index, and no page of it would be wrong. So
//! before each checkpoint a note is put on disk that says which journal it moves, and how much of it; a start trusts the
//! index only where the journal can still be recovered as far as the note says, or where the checkpoint was done.

use crate::db::journal::{self, Index, Recoverable, Salts, Standing};
use crate::telemetry::with_causes;
use rustix::fs::OFlags;
use sqlx::{Row, SqliteConnection};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A journal of so many pages is moved into the database.
const LONG: u32 = 8000;
/// Where readers kept it from being moved, or from beginning anew: how many pages later it is tried again.
const PAUSE: u32 = 1000;
const MAGIC: &[u8; 8] = b"HGRckpt1";
const NOTE_BYTES: usize = 64;
const SUM_AT: usize = NOTE_BYTES - 8;
/// What tells the folder of a note from a copy of it.
pub(crate) type Owner = [u8; 16];

/// Whether a checkpoint that was noted has moved all that it was to move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Begun = 1,
    Done = 2,
}

/// Of which folder a start took an index to be that it began to make. A start that finds that index half made goes by it:
/// what a half-made index says of itself is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The folder is its own.
    Own = 1,
    /// The folder was copied.
    Copy = 2,
    Unknown = 3,
    /// The folder had no log: nothing was ever answered from it.
    New = 4,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Note {
    phase: Phase,
    /// The index is being made and is not whole yet.
    making: Option<Origin>,
    /// The log's sequence that the database may hold.
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

/// What a note says of the database and the journal that lie beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trust {
    /// They make one index, which holds the log at least up to here. `is_under_way`: a checkpoint was stopped, and the
    /// journal holds all that it was to move.
    Whole { sequence: u64, is_under_way: bool },
    /// There is no note.
    NoNote,
    /// They do not, or it cannot be known.
    Broken(&'static str),
}

/// What a note says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Noted {
    pub(crate) trust: Trust,
    /// Of which folder the note is.
    pub(crate) owner: Option<Owner>,
    /// The index is half made.
    pub(crate) making: Option<Origin>,
}

/// Judges before SQLite opens the database, for opening it changes the journal.
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
        trust: judge(note, journal::recoverable(database)?),
        owner: Some(note.owner),
        making: note.making,
    })
}

/// `None`: there is none; `Some(None)`: it is damaged.
#[expect(clippy::option_option, reason = "missing and damaged are two things")]
fn read(note: &Path) -> io::Result<Option<Option<Note>>> {
    let mut bytes = Vec::new();
    match File::open(note) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?.take(NOTE_BYTES as u64 + 1).read_to_end(&mut bytes)?,
    };
    Ok(Some(Note::parse(&bytes)))
}

fn judge(note: Note, journal: Option<Recoverable>) -> Trust {
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
        // A journal begins anew only once all of the former is in the database.
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
    /// As it is: it begins anew with the next change.
    Journal,
    /// Empty, its room given back.
    Nothing,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckpointError {
    #[error("the note of a checkpoint cannot be written")]
    Note(#[source] io::Error),
    #[error("the journal cannot be moved into the database")]
    Sql(#[from] sqlx::Error),
}

/// One for each database that is open. While it is borrowed no other checkpoint is made.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    database: PathBuf,
    note: PathBuf,
    owner: Owner,
    /// Until [`Checkpoints::is_made`].
    making: Option<Origin>,
    file: Option<File>,
    index: Option<Index>,
    /// How long the journal was at the last try, until it begins anew.
    tried: u32,
}

impl Checkpoints {
    /// `note`: where notes are kept.
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

    /// For a database that is about to be made, or put there from a snapshot: it needs no journal. `making`: it is not
    /// whole before [`Checkpoints::is_made`].
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

    /// The database holds all that it is to hold, and says so itself.
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

    /// From here on the note names this owner.
    pub(crate) fn set_owner(&mut self, owner: Owner) -> io::Result<()> {
        self.owner = owner;
        match read(&self.note)? {
            Some(Some(note)) if note.owner != owner => self.write(Note { owner, ..note }),
            _ => Ok(()),
        }
    }

    /// Makes a checkpoint where the journal is long. `connection` is the one that writes, outside of a transaction;
    /// `sequence` is what it has committed.
    pub(crate) async fn after_commit(&mut self, connection: &mut SqliteConnection, sequence: u64) {
        let standing = match self.standing() {
            Ok(standing) => standing,
            Err(error) => {
                tracing::debug!(%error, "the length of the index's journal is not known");
                return;
            }
        };
        let Some(standing) = standing else { return };
        if standing.frames < self.tried {
            self.tried = 0;
        }
        if standing.frames < LONG || standing.frames < self.tried.saturating_add(PAUSE) {
            return;
        }
        // The journal begins anew with the next change, unless readers keep it.
        self.tried = standing.frames;
        let made = self.checkpoint(connection, sequence, Leaves::Journal);
        if let Err(error) = made.await {
            let error = with_causes(&error);
            tracing::warn!(
                error,
                "the index's journal could not be moved into the index, and stays long until the next try"
            );
        }
    }

    /// Moves what the journal holds into the database, as much as readers allow. Answers whether that was all.
    pub(crate) async fn checkpoint(
        &mut self,
        connection: &mut SqliteConnection,
        sequence: u64,
        leaves: Leaves,
    ) -> Result<bool, CheckpointError> {
        let standing = self.standing().map_err(CheckpointError::Note)?;
        let Some(Standing { salts, frames }) = standing else {
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
            // A note that a power cut leaves without what it names would look like damage.
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
                // Before the journal goes that a checkpoint under way would need.
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

    fn standing(&mut self) -> io::Result<Option<Standing>> {
        let index = match self.index.take() {
            Some(index) => index,
            None => Index::open(&self.database)?,
        };
        self.index.insert(index).standing()
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
