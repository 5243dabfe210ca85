//! The errors of the index's file. A full disk and damage are distinguished from all other errors.

use sqlx::migrate::MigrateError;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database was written by a newer hangar")]
    Newer,
    #[error("the database could not be migrated")]
    Migrate(#[source] MigrateError),
    #[error("the database does not answer")]
    Sql(#[from] sqlx::Error),
}

impl From<std::io::Error> for DatabaseError {
    fn from(error: std::io::Error) -> Self {
        Self::Sql(error.into())
    }
}

impl DatabaseError {
    pub(crate) fn is_full(&self) -> bool {
        match self {
            Self::Sql(error) | Self::Migrate(MigrateError::Execute(error)) => is_full(error),
            _ => false,
        }
    }

    /// Whether the file is damaged. Else it may only be inaccessible for now.
    pub(crate) fn is_damage(&self) -> bool {
        let (Self::Sql(error) | Self::Migrate(MigrateError::Execute(error))) = self else {
            return false;
        };
        is_damage(error)
    }
}

/// Whether the file differs from what was written.
pub(crate) fn is_damage(error: &sqlx::Error) -> bool {
    /// A page whose checksum does not match.
    const SQLITE_IOERR_DATA: u32 = 8202;
    // SQLITE_CORRUPT and SQLITE_NOTADB, in the low byte of extended codes. <https://sqlite.org/rescode.html>
    code(error).is_some_and(|code| matches!(code & 0xff, 11 | 26) || code == SQLITE_IOERR_DATA)
}

fn code(error: &sqlx::Error) -> Option<u32> {
    let error = error.as_database_error()?;
    error.code()?.parse::<u32>().ok()
}

/// Whether there was no room on the disk. The statement is rolled back, and may be tried again.
pub(crate) fn is_full(error: &sqlx::Error) -> bool {
    use std::io::ErrorKind;
    const SQLITE_FULL: u32 = 13;
    /// The `-shm` could not be made longer.
    const SQLITE_IOERR_SHMSIZE: u32 = 4874;
    if let sqlx::Error::Io(error) = error {
        return matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded
        );
    }
    code(error).is_some_and(|code| code & 0xff == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE)
}
