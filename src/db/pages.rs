//! The checksums of a database's pages: where they are made, how a file is held against them, and what hears of damage.

use page_checksums::{APPLICATION_ID, Hole, Pages, Protection, VFS_NAME};
use sqlx::sqlite::LockedSqliteHandle;
use sqlx::{AssertSqlSafe, SqliteConnection};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use page_checksums::{Damage, Watch};

/// A file's pages held against their checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verified {
    Whole,
    /// It was written by a hangar that knew no checksums.
    WithoutChecksums,
    /// The first page that is not what was written; where the file has the wrong length, the one past its end.
    Damaged {
        page: u32,
    },
}

/// Where a damaged page begins, in bytes.
pub(crate) fn offset_of(page: u32) -> u64 {
    u64::from(page.saturating_sub(1)) * PAGE_BYTES
}

/// All databases that hangar makes have SQLite's default.
const PAGE_BYTES: u64 = 4096;
/// Pages that are looked at before other work has its turn.
const TOGETHER: u32 = 256;
/// How often a page is read again that a checkpoint may be writing.
const READINGS: u32 = 5;

/// The name of the VFS, made known to SQLite.
pub(super) fn vfs() -> Result<&'static str, sqlx::Error> {
    page_checksums::register().map_err(|code| failed("the VFS is not taken", code))?;
    Ok(VFS_NAME)
}

pub(super) fn failed(what: &str, code: i32) -> sqlx::Error {
    sqlx::Error::Configuration(format!("{what}: SQLite answers {code}").into())
}

pub(super) fn reserve(handle: &mut LockedSqliteHandle<'_>) -> Result<(), sqlx::Error> {
    page_checksums::reserve_bytes(handle).map_err(|code| failed("pages have no room", code))
}

/// Has a database that has no page yet get checksums.
pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    reserve(&mut connection.lock_handle().await?)?;
    mark(connection).await
}

/// Says in the header that pages have checksums.
pub(super) async fn mark(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let statement = format!("PRAGMA application_id = {APPLICATION_ID}");
    sqlx::query(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map(drop)
}

/// Reports damage that connections to this database meet, at once and by the thread that reads.
pub(crate) fn watch(
    database: &Path,
    report: impl Fn(Damage) + Send + Sync + 'static,
) -> io::Result<Watch> {
    Ok(page_checksums::watch(resolved(database)?, report))
}

/// As SQLite knows it: without links.
fn resolved(database: &Path) -> io::Result<PathBuf> {
    let folder = database.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let name = database.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let whole = folder.canonicalize()?.join(name);
    Ok(whole.canonicalize().unwrap_or(whole))
}

/// Holds a file at rest against its checksums, and its length against its header.
///
/// A file that connections of this process have open is to be kept open until they are closed: closing it anywhere in the
/// process lets go of SQLite's locks on it. <https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>
pub(crate) fn verify(file: impl Into<Arc<File>>) -> io::Result<Verified> {
    let pages = Pages::of(file)?;
    if pages.protection() != Protection::Checksums {
        return Ok(Verified::WithoutChecksums);
    }
    if let Some(page) = pages.first_damaged(1, u32::MAX, Hole::Damage)? {
        return Ok(Verified::Damaged { page });
    }
    let page = pages.count() + 1;
    Ok(if pages.has_its_length() {
        Verified::Whole
    } else {
        Verified::Damaged { page }
    })
}

/// Holds a database that is in use against its checksums, with `pause` after each MiB. Pages that are in the journal alone
/// are not looked at. As to its file see [`verify`].
pub(crate) async fn verify_in_use(file: Arc<File>, pause: Duration) -> io::Result<Verified> {
    let opened = tokio::task::spawn_blocking(move || Pages::of(file));
    let mut pages = opened.await.map_err(io::Error::other)??;
    if pages.protection() != Protection::Checksums {
        return Ok(Verified::WithoutChecksums);
    }
    let mut from = 1;
    while from <= pages.count() {
        let look = move || {
            let damaged = first_damaged(&pages, from)?;
            Ok::<_, io::Error>((pages, damaged))
        };
        let looked = tokio::task::spawn_blocking(look).await;
        let (looked_at, damaged) = looked.map_err(io::Error::other)??;
        pages = looked_at;
        if let Some(page) = damaged {
            return Ok(Verified::Damaged { page });
        }
        from = from.saturating_add(TOGETHER);
        tokio::time::sleep(pause).await;
    }
    Ok(Verified::Whole)
}

/// A page that is written at this moment is whole in the next.
fn first_damaged(pages: &Pages, from: u32) -> io::Result<Option<u32>> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut begin = from;
    let end = from.saturating_add(TOGETHER);
    for _ in 0..READINGS {
        match pages.first_damaged(begin, end - begin, Hole::Allowed)? {
            None => return Ok(None),
            Some(page) => begin = page,
        }
        std::thread::sleep(PAUSE);
    }
    pages.first_damaged(begin, 1, Hole::Allowed)
}

/// Whether a file's pages have checksums, or had them.
pub(crate) fn has_checksums(path: &Path) -> io::Result<bool> {
    let pages = Pages::of(File::open(path)?)?;
    Ok(pages.protection() == Protection::Checksums)
}

/// Gives what SQLite left as holes in a copy its checksum, and holds all of it against them.
pub(super) async fn complete(path: &Path) -> Result<(), sqlx::Error> {
    let path = path.to_owned();
    let filled = tokio::task::spawn_blocking(move || {
        let file = std::fs::OpenOptions::new();
        let file = file.clone().read(true).write(true).open(&path)?;
        page_checksums::fill_unwritten(file)
    });
    match filled.await.map_err(io::Error::other)?? {
        None => Ok(()),
        Some(page) => Err(sqlx::Error::Io(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("page {page} of a copy is not what was written"),
        ))),
    }
}

/// Whether its pages and rows are what SQLite left, and it does nothing by itself: we keep no triggers and no views.
pub(crate) async fn is_whole(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    let acting = "SELECT count(*) FROM sqlite_schema WHERE type NOT IN ('table', 'index')";
    let acting: i64 = sqlx::query_scalar(acting)
        .fetch_one(&mut *connection)
        .await?;
    if acting > 0 {
        return Ok(false);
    }
    let said: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(connection)
        .await?;
    Ok(said == "ok")
}
