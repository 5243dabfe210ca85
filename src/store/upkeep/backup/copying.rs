//! Copying one blob or one segment of the log, and verifying blobs and bodies that the copy has already.

use crate::s3::checksum::{CRC_BLOCK_BYTES, crc64_nvme};
use crate::store::content::{BlobId, Body};
use crate::store::dir::Dir;
use crate::store::folder::Places;
use crate::store::progress::Progress;
use crate::store::record::segments;
use crate::store::upkeep::backup::copies::Verify;
use crate::store::upkeep::findings::Damage;
use crate::store::upkeep::mend;
use crate::store::upkeep::verify::verify_body;
use std::io::{self, Read, Seek, SeekFrom, Write};

const PIECE_BYTES: usize = 1 << 20;

/// What happens to a damaged blob of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OnDamage {
    /// It is not copied: the copy may have a whole one already, or get one with a later backup.
    Skip,
    /// It is copied as it is: if it were missing, a start would treat its key as one whose bytes were never copied.
    Copy,
}

pub(super) enum Outcome {
    Copied,
    Kept,
    /// It existed, had rotted, and was copied again.
    Renewed,
    /// It existed, and its length is right.
    Unverified,
    /// The damage of the source, and its offset in the body.
    Damaged(Damage, u64),
}

pub(super) fn check_in_log(
    body: &Body,
    from: &Places,
    to: &Places,
    was_there: bool,
) -> io::Result<Outcome> {
    let unseen = Progress::default();
    let Err((damage, at)) = verify_body(body, to, &unseen) else {
        return Ok(if was_there {
            Outcome::Kept
        } else {
            Outcome::Copied
        });
    };
    if was_there && mend::mend(body, to, &[(from.clone(), body.place)])? {
        return Ok(Outcome::Renewed);
    }
    Ok(Outcome::Damaged(damage, at))
}

/// Copies a blob. It gets its final name only when it is completely on disk and verified.
pub(super) fn copy_blob(
    id: BlobId,
    body: &Body,
    (from, to): (&Places, &Places),
    verify: Verify,
    on_damage: OnDamage,
) -> io::Result<Outcome> {
    let (name, new) = (id.to_string(), format!("{id}.new"));
    let was_there = to
        .blobs
        .length(&name)
        .is_ok_and(|length| length == Some(body.size_bytes));
    if was_there && verify == Verify::New {
        return Ok(Outcome::Unverified);
    }
    if was_there && verify_body(body, to, &Progress::default()).is_ok() {
        return Ok(Outcome::Kept);
    }
    let mut source = match from.blobs.read(&name) {
        Ok(source) => source,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(Outcome::Damaged(Damage::Missing, 0));
        }
        Err(_) => return Ok(Outcome::Damaged(Damage::Unreadable, 0)),
    };
    let mut file = to.blobs.make_anew(&new)?;
    let mut block = vec![0; CRC_BLOCK_BYTES];
    let (mut done, mut damage) = (0, None);
    for crc in &body.block_crcs {
        let length = (body.size_bytes - done).min(CRC_BLOCK_BYTES as u64);
        let block = &mut block[..usize::try_from(length).expect("at most a MiB")];
        match source.read_exact(block) {
            Ok(()) if crc64_nvme(block) == *crc => {}
            Ok(()) => damage = damage.or(Some((Damage::Changed, done))),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                damage = Some((Damage::Truncated, done));
                break;
            }
            Err(_) => {
                damage = Some((Damage::Unreadable, done));
                break;
            }
        }
        file.write_all(block)?;
        done += length;
    }
    if done < body.size_bytes {
        damage = damage.or(Some((Damage::Changed, done)));
    }
    let is_taken = match damage {
        None => true,
        Some((damage, _)) => damage == Damage::Changed && on_damage == OnDamage::Copy,
    };
    if is_taken {
        file.sync_data()?;
        to.blobs.rename(&new, &to.blobs, &name)?;
    } else {
        to.blobs.remove(&new)?;
    }
    if let Some((damage, at)) = damage {
        return Ok(Outcome::Damaged(damage, at));
    }
    Ok(if was_there {
        Outcome::Renewed
    } else {
        Outcome::Copied
    })
}

/// Continues a segment whose first `whole` bytes were copied before, if the copy has that many. Returns how many bytes
/// it copied.
pub(super) fn copy_segment(
    from: &Dir,
    to: &Dir,
    segment: u64,
    whole: u64,
    until: Option<u64>,
) -> io::Result<u64> {
    let name = segments::segment_name(segment);
    let mut source = from.read(&name)?;
    let until = until.map_or_else(|| source.metadata().map(|file| file.len()), Ok)?;
    let whole = whole.min(until);
    // Earlier backups may share files with this one as hard links (`cp -al`): they must not change.
    let is_shared = to.stat(&name)?.is_some_and(|file| file.st_nlink > 1);
    let mut copy = if is_shared {
        to.make_anew(&name)?
    } else {
        to.make(&name)?
    };
    let whole = if copy.metadata()?.len() < whole {
        0
    } else {
        whole
    };
    copy.set_len(whole)?;
    source.seek(SeekFrom::Start(whole))?;
    copy.seek(SeekFrom::Start(whole))?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut left = until.saturating_sub(whole);
    let copied = left;
    while left > 0 {
        let length = usize::try_from(left).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        source.read_exact(&mut piece[..length])?;
        copy.write_all(&piece[..length])?;
        left -= length as u64;
    }
    copy.sync_data()?;
    Ok(copied)
}
