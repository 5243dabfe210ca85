//! The format of one record of the log.
//!
//! ```text
//! offset bytes
//!      0     8  magic
//!      8     2  format version, now 2
//!     10     2  kind (see Change::kind)
//!     12     4  length of the statement, bytes
//!     16     8  length of the body that the record holds, bytes; 0: none
//!     24    16  id of the log, random, so that no uploaded body can be taken for a record
//!     40     8  sequence, without gaps
//!     48     8  the highest sequence known to be on disk when this was written
//!     56     8  time, milliseconds since 1970
//!     64     8  CRC64-NVME of the body
//!     72     8  CRC64-NVME of the 72 bytes above and the statement
//!     80        the statement: JSON, {"change":…,"effect":…}
//!               the body
//! ```
//!
//! Numbers are little-endian. A record begins at a multiple of 8. A record whose body is a page (4096 bytes) or longer
//! begins and ends at a multiple of 4096, so that holes can be punched for the body's pages. The bytes between records
//! are zero. Version 1 differs in one thing: there a record with any body begins and ends at a multiple of 4096.

use crate::clock::Timestamp;
use crate::store::content::{BlobId, Place};
use crate::store::effect::Effect;
use crate::store::record::change::{BodyPlace, Change};
use crate::store::record::effect::StoredEffect;
use crate::store::record::log_id::LogId;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub(in crate::store) const MAGIC: [u8; 8] = *b"hangarL\n";
pub(in crate::store) const FORMAT_VERSION: u16 = 2;
pub(in crate::store) const HEAD_BYTES: usize = 80;
/// Bodies of up to this size lie in their record.
pub(in crate::store) const INLINE_LIMIT_BYTES: usize = 256 * 1024;
/// A statement longer than this is damage, not a statement.
pub(in crate::store) const STATEMENT_LIMIT_BYTES: usize = 16 << 20;
const RECORD_ALIGNMENT: u64 = 8;
const PAGE_BYTES: u64 = 4096;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Statement {
    change: Change,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    effect: Option<StoredEffect>,
}

/// A record that is not written yet, and has no sequence.
#[derive(Debug, Clone)]
pub(in crate::store) struct Draft {
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) change: Change,
    pub(in crate::store) effect: Option<StoredEffect>,
    /// The body, if its place is [`BodyPlace::Here`]; else empty.
    pub(in crate::store) body: BodyHere,
}

/// Bytes that lie in the log, and their CRC64-NVME.
#[derive(Debug, Clone, Default)]
pub(in crate::store) struct BodyHere {
    pub(in crate::store) bytes: Bytes,
    pub(in crate::store) crc: u64,
}

impl Draft {
    /// A draft of a change that adds no bytes.
    pub(in crate::store) fn new(at: Timestamp, change: Change, effect: Option<Effect>) -> Self {
        Self {
            at,
            change,
            effect: effect.map(StoredEffect::from),
            body: BodyHere::default(),
        }
    }
}

/// A record as the log holds it, without its body.
#[derive(Debug, Clone)]
pub(in crate::store) struct Record {
    pub(in crate::store) sequence: u64,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) change: Change,
    pub(in crate::store) effect: Option<StoredEffect>,
    /// The first sequence of its segment.
    pub(in crate::store) segment: u64,
    /// Where its body begins in the segment, bytes.
    pub(in crate::store) body_offset: u64,
}

impl Record {
    /// The place of the body that this record brought, for the index.
    pub(in crate::store) fn place(&self, body: &BodyPlace) -> Option<Place> {
        match body {
            BodyPlace::Empty => None,
            BodyPlace::Here => Some(Place::Log {
                segment: self.segment,
                offset: self.body_offset,
            }),
            BodyPlace::Blob { id } => Some(Place::Blob { id: *id }),
        }
    }
}

/// The fixed part of a record.
#[derive(Debug, Clone, Copy)]
pub(in crate::store) struct Head {
    version: u16,
    pub(in crate::store) kind: u16,
    pub(in crate::store) statement_bytes: usize,
    pub(in crate::store) body_bytes: u64,
    pub(in crate::store) sequence: u64,
    pub(in crate::store) synced: u64,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) body_crc: u64,
    head_crc: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum BadHead {
    /// No record begins here.
    NotARecord,
    /// A record of a later format.
    Newer(u16),
}

impl Head {
    /// Reads a head. It is valid only if [`Head::verifies`] then accepts it with the statement.
    pub(in crate::store) fn parse(bytes: &[u8; HEAD_BYTES], log: LogId) -> Result<Self, BadHead> {
        if bytes[..8] != MAGIC || bytes[24..40] != log.0 {
            return Err(BadHead::NotARecord);
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version > FORMAT_VERSION {
            return Err(BadHead::Newer(version));
        }
        let statement_bytes = u32_at(bytes, 12) as usize;
        let body_bytes = u64_at(bytes, 16);
        if version == 0
            || statement_bytes > STATEMENT_LIMIT_BYTES
            || body_bytes > INLINE_LIMIT_BYTES as u64
        {
            return Err(BadHead::NotARecord);
        }
        Ok(Self {
            version,
            kind: u16::from_le_bytes([bytes[10], bytes[11]]),
            statement_bytes,
            body_bytes,
            sequence: u64_at(bytes, 40),
            synced: u64_at(bytes, 48),
            at: Timestamp::from_millis(u64_at(bytes, 56).cast_signed()),
            body_crc: u64_at(bytes, 64),
            head_crc: u64_at(bytes, 72),
        })
    }

    /// The id of the log that a head states, if the log is not known yet.
    pub(in crate::store) fn log_id(bytes: &[u8; HEAD_BYTES]) -> Option<LogId> {
        if bytes[..8] != MAGIC {
            return None;
        }
        bytes[24..40].try_into().ok().map(LogId)
    }

    pub(in crate::store) fn verifies(&self, bytes: &[u8; HEAD_BYTES], statement: &[u8]) -> bool {
        self.head_crc == head_crc(&bytes[..72], statement)
    }

    /// The number of bytes from the record's start to its end, padding included.
    pub(in crate::store) fn span(&self) -> u64 {
        span_in(self.version, self.statement_bytes, self.body_bytes)
    }

    pub(in crate::store) fn body_offset(&self, start: u64) -> u64 {
        start + HEAD_BYTES as u64 + self.statement_bytes as u64
    }
}

/// Why a whole statement cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum UnreadStatement {
    #[error("record {sequence} (kind {kind}) was written by a newer hangar")]
    Newer {
        sequence: u64,
        kind: u16,
        #[source]
        source: serde_json::Error,
    },
    /// No version of hangar writes this.
    #[error("record {sequence} names a file of blobs by what is not an id")]
    NotAnId { sequence: u64 },
}

/// Whether a statement contains a blob's name that is not an id.
fn has_invalid_blob_id(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::Object(fields) => fields.iter().any(|(name, value)| {
            let id = (name == "blob").then(|| value.get("id")).flatten();
            let is_wrong =
                id.is_some_and(|id| id.as_str().is_none_or(|text| BlobId::parse(text).is_err()));
            is_wrong || has_invalid_blob_id(value)
        }),
        Value::Array(values) => values.iter().any(has_invalid_blob_id),
        _ => false,
    }
}

/// Reads a record from its verified head and statement.
pub(in crate::store) fn read(
    head: &Head,
    statement: &[u8],
    segment: u64,
    start: u64,
) -> Result<Record, UnreadStatement> {
    let statement: Statement = serde_json::from_slice(statement).map_err(|source| {
        let sequence = head.sequence;
        match serde_json::from_slice(statement) {
            Ok(value) if has_invalid_blob_id(&value) => UnreadStatement::NotAnId { sequence },
            _ => UnreadStatement::Newer {
                sequence,
                kind: head.kind,
                source,
            },
        }
    })?;
    Ok(Record {
        sequence: head.sequence,
        at: head.at,
        change: statement.change,
        effect: statement.effect,
        segment,
        body_offset: head.body_offset(start),
    })
}

/// Writes the head and statement of a draft, which precede its body.
pub(in crate::store) fn write(draft: &Draft, log: LogId, sequence: u64, synced: u64) -> Vec<u8> {
    let mut bytes = vec![0; HEAD_BYTES];
    let statement = StatementRef {
        change: &draft.change,
        effect: draft.effect.as_ref(),
    };
    serde_json::to_writer(&mut bytes, &statement).expect("a statement has only text keys");
    let statement_bytes =
        u32::try_from(bytes.len() - HEAD_BYTES).expect("statements are bounded by their makers");
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes[10..12].copy_from_slice(&draft.change.kind().to_le_bytes());
    bytes[12..16].copy_from_slice(&statement_bytes.to_le_bytes());
    bytes[16..24].copy_from_slice(&(draft.body.bytes.len() as u64).to_le_bytes());
    bytes[24..40].copy_from_slice(&log.0);
    bytes[40..48].copy_from_slice(&sequence.to_le_bytes());
    bytes[48..56].copy_from_slice(&synced.to_le_bytes());
    bytes[56..64].copy_from_slice(&draft.at.as_millis().to_le_bytes());
    bytes[64..72].copy_from_slice(&draft.body.crc.to_le_bytes());
    let crc = head_crc(&bytes[..72], &bytes[HEAD_BYTES..]);
    bytes[72..80].copy_from_slice(&crc.to_le_bytes());
    bytes
}

#[derive(Serialize)]
struct StatementRef<'a> {
    change: &'a Change,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'a StoredEffect>,
}

/// The number of bytes that a record takes, padding included.
pub(in crate::store) fn span(statement_bytes: usize, body_bytes: u64) -> u64 {
    span_in(FORMAT_VERSION, statement_bytes, body_bytes)
}

fn span_in(version: u16, statement_bytes: usize, body_bytes: u64) -> u64 {
    let length = HEAD_BYTES as u64 + statement_bytes as u64 + body_bytes;
    length.next_multiple_of(alignment(version, body_bytes))
}

/// Where a record with a body of this length begins if it follows bytes that end at `end`. The gap belongs to no record.
pub(in crate::store) fn start_after(end: u64, body_bytes: u64) -> u64 {
    end.next_multiple_of(alignment(FORMAT_VERSION, body_bytes))
}

/// The two offsets at which a record may begin if it follows bytes that end at `end`.
pub(in crate::store) fn starts_after(end: u64) -> [u64; 2] {
    [RECORD_ALIGNMENT, PAGE_BYTES].map(|alignment| end.next_multiple_of(alignment))
}

fn alignment(version: u16, body_bytes: u64) -> u64 {
    // A shorter body has no page of its own that could be freed.
    let least_bytes = if version == 1 { 1 } else { PAGE_BYTES };
    if body_bytes < least_bytes {
        RECORD_ALIGNMENT
    } else {
        PAGE_BYTES
    }
}

fn head_crc(fixed: &[u8], statement: &[u8]) -> u64 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc64Nvme);
    digest.update(fixed);
    digest.update(statement);
    digest.finalize()
}

fn u32_at(bytes: &[u8; HEAD_BYTES], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8; HEAD_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
