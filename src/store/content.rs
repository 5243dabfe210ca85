//! Content: the places of an object's bytes, as runs of bodies, one after the other.

use crate::s3::range::ByteRange;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `length` bytes of a body from `start` on. Records and rows store it as `[body, start, length]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(u64, u64, u64)", into = "(u64, u64, u64)")]
pub(in crate::store) struct Extent {
    /// The sequence of the record that brought the body.
    pub(in crate::store) body: u64,
    pub(in crate::store) start: u64,
    /// Never 0.
    pub(in crate::store) length: u64,
}

/// The limit of offsets and lengths: sums of thousands of them do not overflow.
const FARTHEST: u64 = 1 << 48;

#[derive(Debug, thiserror::Error)]
#[error("{0} bytes are more than any file has")]
pub(in crate::store) struct TooFar(u64);

fn within_reach(number: u64) -> Result<u64, TooFar> {
    (number <= FARTHEST).then_some(number).ok_or(TooFar(number))
}

impl TryFrom<(u64, u64, u64)> for Extent {
    type Error = TooFar;

    fn try_from((body, start, length): (u64, u64, u64)) -> Result<Self, TooFar> {
        Ok(Self {
            body,
            start: within_reach(start)?,
            length: within_reach(length)?,
        })
    }
}

impl From<Extent> for (u64, u64, u64) {
    fn from(extent: Extent) -> Self {
        (extent.body, extent.start, extent.length)
    }
}

impl Extent {
    /// The extent that covers a whole body; `None`: the body has no bytes.
    pub(in crate::store) fn whole(body: u64, length: u64) -> Option<Self> {
        (length > 0).then_some(Self {
            body,
            start: 0,
            length,
        })
    }
}

/// Where a body lies, as the index stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::store) enum Place {
    Log {
        segment: u64,
        #[serde(deserialize_with = "read_offset")]
        offset: u64,
    },
    Blob {
        id: BlobId,
    },
}

fn read_offset<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    within_reach(u64::deserialize(from)?).map_err(serde::de::Error::custom)
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Body {
    pub(in crate::store) size_bytes: u64,
    pub(in crate::store) place: Place,
    /// CRC64-NVME of each MiB.
    pub(in crate::store) block_crcs: Vec<u64>,
}

/// The name of a blob: exactly 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "std::borrow::Cow<'_, str>", into = "String")]
pub(in crate::store) struct BlobId(u128);

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blob's id is not 32 lower-case hex digits")]
pub(in crate::store) struct NotABlobId;

impl BlobId {
    pub(in crate::store) fn random() -> Self {
        Self(uuid::Uuid::new_v4().as_u128())
    }

    pub(in crate::store) fn parse(text: &str) -> Result<Self, NotABlobId> {
        let is_id = text.len() == 32
            && text
                .bytes()
                .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_id);
        number.map(Self).ok_or(NotABlobId)
    }
}

impl std::fmt::Display for BlobId {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(text, "{:032x}", self.0)
    }
}

impl TryFrom<std::borrow::Cow<'_, str>> for BlobId {
    type Error = NotABlobId;

    fn try_from(text: std::borrow::Cow<'_, str>) -> Result<Self, NotABlobId> {
        Self::parse(&text)
    }
}

impl From<BlobId> for String {
    fn from(id: BlobId) -> Self {
        id.to_string()
    }
}

/// The extents of an object, and everything that a reader needs to read their bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Content {
    pub(in crate::store) extents: Vec<Extent>,
    /// Each body that an extent names.
    pub(in crate::store) bodies: BTreeMap<u64, Body>,
}

/// The parts of these extents that a range covers.
pub(in crate::store) fn cut(extents: &[Extent], range: ByteRange) -> Vec<Extent> {
    let mut position = 0;
    let mut within = Vec::new();
    for extent in extents {
        let from = range.start.max(position);
        let to = range.end.min(position + extent.length);
        if from < to {
            within.push(Extent {
                start: extent.start + (from - position),
                length: to - from,
                ..*extent
            });
        }
        position += extent.length;
    }
    within
}

/// Joins adjacent extents of one body: ranges of one source that were copied part by part become one extent again.
pub(in crate::store) fn joined(extents: impl IntoIterator<Item = Extent>) -> Vec<Extent> {
    let mut joined: Vec<Extent> = Vec::new();
    for extent in extents {
        match joined.last_mut() {
            Some(last) if last.body == extent.body && last.start + last.length == extent.start => {
                last.length += extent.length;
            }
            _ => joined.push(extent),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// For each byte, its body and its offset in the body.
    fn bytes(extents: &[Extent]) -> Vec<(u64, u64)> {
        let each = |extent: &Extent| {
            (extent.start..extent.start + extent.length)
                .map(|at| (extent.body, at))
                .collect::<Vec<_>>()
        };
        extents.iter().flat_map(each).collect()
    }

    proptest! {
        #[test]
        fn a_range_cut_and_joined_is_that_range(
            extents in prop::collection::vec((0..3_u64, 0..4_u64, 1..5_u64), 1..8),
            ends in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        ) {
            let extents: Vec<Extent> = extents.into_iter().map(|it| Extent::try_from(it).unwrap()).collect();
            let all = bytes(&extents);
            let (one, other) = (ends.0.index(all.len()), ends.1.index(all.len()));
            let (start, end) = (one.min(other), one.max(other) + 1);
            let range = ByteRange { start: start as u64, end: end as u64 };
            let cut = cut(&extents, range);
            prop_assert_eq!(bytes(&cut), &all[start..end]);
            let joined = joined(cut.iter().copied());
            prop_assert_eq!(bytes(&joined), &all[start..end]);
            prop_assert!(joined.len() <= cut.len());
        }
    }
}
