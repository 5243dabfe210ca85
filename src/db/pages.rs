//! The checksums of a database's pages: making them, verifying a file against them, and reporting damage.

use page_checksums::{APPLICATION_ID, Hole, Pages, Protection, VFS_NAME};
use sqlx::sqlite::LockedSqliteHandle;
use sqlx::{AssertSqlSafe, SqliteConnection};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub(crate) use page_checksums::{Damage, Watch};

/// The result of verifying a file's pages against their checksums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verified {
    Whole,
    /// The file was written by a version of hangar that made no checksums.
    WithoutChecksums,
    /// The first page that differs from what was written; if only the length of the file is wrong, the page past its end.
    Damaged {
        page: u32,
    },
}

/// Where a damaged page begins, in bytes.
pub(crate) fn offset_of(page: u32) -> u64 {
    u64::from(page.saturating_sub(1)) * PAGE_BYTES
}

/// The size of a page: hangar makes all databases with SQLite's default.
const PAGE_BYTES: u64 = 4096;
/// The number of pages that are verified before a pause.
const PAGES_PER_BATCH: u32 = 256;
/// How often a damaged page is read again, because a checkpoint may be writing it.
const REREADS: u32 = 5;

/// Registers the VFS with SQLite, and returns its name.
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

/// Turns checksums on for a database that has no page yet.
pub(super) async fn begin(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    reserve(&mut connection.lock_handle().await?)?;
    mark(connection).await
}

/// States in the header that pages have checksums.
pub(super) async fn mark(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let statement = format!("PRAGMA application_id = {APPLICATION_ID}");
    sqlx::query(AssertSqlSafe(statement))
        .execute(connection)
        .await
        .map(drop)
}

/// Reports damage that connections to this database meet. The thread that reads a damaged page calls `report` at once.
pub(crate) fn watch(
    database: &Path,
    report: impl Fn(Damage) + Send + Sync + 'static,
) -> io::Result<Watch> {
    Ok(page_checksums::watch(resolved(database)?, report))
}

/// The path of the database as SQLite resolves it: without links.
fn resolved(database: &Path) -> io::Result<PathBuf> {
    let folder = database.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    let name = database.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    let whole = folder.canonicalize()?.join(name);
    Ok(whole.canonicalize().unwrap_or(whole))
}

/// Verifies a file that no connection is writing: its pages against their checksums, and its length against its header.
///
/// If connections of this process have the file open, the caller keeps it open until they are closed: closing it
/// anywhere in the process releases SQLite's locks on it.
/// <https://sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>
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

/// Verifies a database that is in use against its checksums, with `pause` after each MiB. Pages that are only in the
/// journal are not verified. For how long the caller keeps `file` open, see [`verify`].
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
        from = from.saturating_add(PAGES_PER_BATCH);
        tokio::time::sleep(pause).await;
    }
    Ok(Verified::Whole)
}

/// The first damaged page of a batch. A page that looks damaged is read again, because a checkpoint may be writing it.
fn first_damaged(pages: &Pages, from: u32) -> io::Result<Option<u32>> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut begin = from;
    let end = from.saturating_add(PAGES_PER_BATCH);
    for _ in 0..REREADS {
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

/// Adds the checksums of pages that SQLite left as holes in a copy, and verifies all pages.
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

/// Whether `quick_check` finds no fault, and the schema has only tables and indexes: a stored trigger or view, of which
/// hangar makes none, would run statements of its own.
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
