//! What can go wrong at the vault's door.

use crate::s3::checksum::ChecksumAlgorithm;

/// Why the vault cannot be opened: each text is one sentence for the administrator which says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("{0}")]
    Refused(String),
    /// Another hangar holds the folder's lock.
    #[error("{0}")]
    Locked(String),
    /// There is no room on the disk, and no reserve left to let go.
    #[error("{0}")]
    Full(String),
}

/// Why a change or a read did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    #[error("there is no such bucket")]
    NoSuchBucket,
    #[error("the bucket holds objects")]
    BucketNotEmpty,
    #[error("there is no such object")]
    NoSuchKey,
    #[error("there is no such upload")]
    NoSuchUpload,
    /// A part was replaced between looking and completing, or an object while it was looked at: look again.
    #[error("what was looked at has changed")]
    UploadChanged,
    /// An object is made of at most 100,000 runs of bytes.
    #[error("the parts are copied from too many pieces")]
    TooManyPieces,
    #[error("the precondition does not hold")]
    PreconditionFailed,
    /// 507: the disk is full.
    #[error("the disk is full")]
    Full,
    /// 503 with Retry-After: overload, a failed sync, a folder that cannot be written.
    #[error("storage is unavailable: {0}")]
    Unavailable(String),
    /// 500: the stored bytes are not what was stored.
    #[error("stored bytes are damaged: {0}")]
    Damaged(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if crate::db::is_full(&error) {
            return Self::Full;
        }
        Self::Unavailable(format!("the index does not answer: {error}"))
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// More than the limit: nothing of it is kept.
    #[error("the body is longer than {limit_bytes} bytes")]
    TooLong { limit_bytes: u64 },
    #[error("the body has {actual_bytes} bytes, fewer than {min_bytes}")]
    TooShort { actual_bytes: u64, min_bytes: u64 },
    #[error("the body has {actual_bytes} bytes, not {expected_bytes}")]
    WrongLength {
        actual_bytes: u64,
        expected_bytes: u64,
    },
    #[error("the body's SHA-256 is another")]
    Sha256Mismatch,
    #[error("the body's MD5 is another")]
    Md5Mismatch,
    #[error("the body's {0:?} checksum is another")]
    ChecksumMismatch(ChecksumAlgorithm),
    #[error(transparent)]
    Store(#[from] StoreError),
}
#[derive(Debug, thiserror::Error)]
pub enum RecordError<E> {
    #[error("refused")]
    Refused(E),
    #[error(transparent)]
    Store(StoreError),
}
impl<E: From<StoreError>> RecordError<E> {
    /// The caller's own error, which knows the store's.
    pub fn into_refusal(self) -> E {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Store(error) => error.into(),
        }
    }
}

pub(in crate::store) fn overloaded() -> StoreError {
    StoreError::Unavailable("more changes are waiting than can be taken".to_owned())
}

pub(in crate::store) fn stopped() -> StoreError {
    StoreError::Unavailable("the server is stopping".to_owned())
}

/// The work on a body ended before its result came.
pub(in crate::store) fn given_up() -> StageError {
    StoreError::Unavailable("the upload was given up".to_owned()).into()
}

/// A full disk is 507; all other trouble of the disk is 503.
pub(in crate::store) fn unavailable(error: &std::io::Error) -> StoreError {
    if is_full(error) {
        StoreError::Full
    } else {
        StoreError::Unavailable(error.to_string())
    }
}

/// ENOSPC, EDQUOT, EFBIG
pub(in crate::store) fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
