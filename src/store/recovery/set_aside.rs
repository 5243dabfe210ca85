//! What a start sets aside, so that hangar never uses it again: an index, snapshots, or the rest of a log.

use crate::clock::Clock;
use crate::db::Origin;
use crate::store::error::{OpenError, is_full};
use crate::store::folder::{ASIDE_LOG, Folder};
use crate::store::index::damage::{self, IndexFile};
use crate::store::record::segments;
use crate::store::recovery::refusal::database_trouble;

/// Moves the index aside, so that the next index that is opened is a new one.
pub(in crate::store) fn set_index_aside(
    folder: &Folder,
    clock: &Clock,
    file: &mut IndexFile,
    was_damaged: bool,
    origin: Origin,
) -> Result<(), OpenError> {
    let mut set_aside = || {
        if let Some(mut aside) = folder.set_index_aside(clock.now().as_millis())? {
            if was_damaged {
                aside = damage::keep_aside(folder.home(), &aside)?;
            }
            tracing::warn!(aside = %folder.home().path_of(&aside).display(), "the database was set aside");
        }
        file.checkpoints.begin_anew(Some(origin))
    };
    set_aside().map_err(|error| database_trouble(&error, is_full(&error)))
}

/// Sets aside snapshots that the log does not reach. Once the log has grown, it would reach them with other records.
pub(in crate::store) fn set_snapshots_aside(
    folder: &Folder,
    clock: &Clock,
    names: &[String],
) -> std::io::Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let home = folder.home();
    let aside = folder.make_aside(&format!("aside-snapshots-{}", clock.now().as_millis()))?;
    for name in names {
        home.rename(name, &aside, name)?;
    }
    aside.sync()?;
    home.sync()
}

/// Sets aside the part of a copied log after its end: copies the segment in which it ends, and moves later ones.
pub(in crate::store) fn set_rest_aside(
    folder: &Folder,
    clock: &Clock,
    last: u64,
) -> std::io::Result<()> {
    let aside = folder.make_aside(&format!("{ASIDE_LOG}{}", clock.now().as_millis()))?;
    let log = folder.log();
    for first in segments::segments(log)? {
        let name = segments::segment_name(first);
        match first.cmp(&last) {
            std::cmp::Ordering::Less => {}
            std::cmp::Ordering::Equal => drop(log.copy(&name, &aside, &name)?),
            std::cmp::Ordering::Greater => log.rename(&name, &aside, &name)?,
        }
    }
    aside.sync()?;
    folder.home().sync()?;
    log.sync()
}
