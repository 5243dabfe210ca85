//! Replaces damaged bytes by the same bytes from elsewhere: from another body with the same checksums, or from a backup.
//!
//! Guarantees: only bytes that match the damaged body's own checksums replace its bytes.

use crate::s3::checksum::CRC_BLOCK_BYTES;
use crate::store::content::{Body, Place};
use crate::store::folder::Places;
use crate::store::progress::Progress;
use crate::store::record::segments;
use crate::store::upkeep::verify::verify_body;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

fn is_whole(body: &Body, places: &Places) -> bool {
    verify_body(body, places, &Progress::default()).is_ok()
}

fn open(place: &Place, places: &Places) -> io::Result<(File, u64)> {
    match place {
        Place::Log { segment, offset } => {
            Ok((places.log.read(&segments::segment_name(*segment))?, *offset))
        }
        Place::Blob { id } => Ok((places.blobs.read(&id.to_string())?, 0)),
    }
}

/// Tries to repair the body from `sources`, places where the same bytes should be. Returns whether it is whole now.
pub(in crate::store) fn mend(
    body: &Body,
    home: &Places,
    sources: &[(Places, Place)],
) -> io::Result<bool> {
    for (at, place) in sources {
        let source = Body {
            place: *place,
            ..body.clone()
        };
        if is_whole(&source, at) {
            write_over(body, home, &open(place, at)?)?;
            return Ok(is_whole(body, home));
        }
    }
    Ok(false)
}

fn write_over(body: &Body, home: &Places, source: &(File, u64)) -> io::Result<()> {
    match &body.place {
        Place::Log { segment, offset } => {
            let file = home.log.write(&segments::segment_name(*segment))?;
            copy(source, &file, *offset, body.size_bytes)?;
            file.sync_data()
        }
        Place::Blob { id } => {
            let new = format!("{id}.new");
            let file = home.blobs.make_anew(&new)?;
            copy(source, &file, 0, body.size_bytes)?;
            file.sync_data()?;
            home.blobs.rename(&new, &home.blobs, &id.to_string())?;
            home.blobs.sync()
        }
    }
}

fn copy((source, start): &(File, u64), to: &File, at: u64, size_bytes: u64) -> io::Result<()> {
    let mut buffer = vec![0; CRC_BLOCK_BYTES];
    let mut done = 0;
    while done < size_bytes {
        let length = (size_bytes - done).min(CRC_BLOCK_BYTES as u64);
        let block = &mut buffer[..usize::try_from(length).expect("at most a MiB")];
        source.read_exact_at(block, start + done)?;
        to.write_all_at(block, at + done)?;
        done += length;
    }
    Ok(())
}
