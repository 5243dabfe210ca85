//! The errors of the vault.
//!
//! The text of an error does not contain its cause, which is its source. [`with_causes`] joins both where a person reads
//! them.

use crate::s3::checksum::ChecksumAlgorithm;
use crate::telemetry::with_causes;
use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::sync::Arc;

/// Why the vault cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Refused(Refusal),
    /// Another hangar holds the folder's lock.
    #[error(transparent)]
    Locked(Refusal),
    /// The disk is full, and there is no reserve left to free.
    #[error(transparent)]
    Full(Refusal),
}

impl OpenError {
    /// One sentence for the administrator, with the cause and what to do.
    #[must_use]
    pub fn sentence(&self) -> String {
        let (Self::Refused(refusal) | Self::Locked(refusal) | Self::Full(refusal)) = self;
        refusal.sentence()
    }
}

/// The operation that failed on a data folder, why it failed, and what the administrator can do about it.
#[derive(Debug, Default, thiserror::Error)]
#[error("{what}{}", .way_out.as_ref().map(|way_out| format!("; {way_out}")).unwrap_or_default())]
pub struct Refusal {
    what: String,
    #[source]
    cause: Option<Box<dyn Error + Send + Sync>>,
    way_out: Option<Cow<'static, str>>,
}

impl Refusal {
    pub(in crate::store) fn because(
        what: impl Into<String>,
        cause: impl Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            what: what.into(),
            cause: Some(Box::new(cause)),
            way_out: None,
        }
    }

    #[must_use]
    pub(in crate::store) fn way_out(mut self, way_out: impl Into<Cow<'static, str>>) -> Self {
        self.way_out = Some(way_out.into());
        self
    }

    /// One sentence for the administrator, with the cause and what to do.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self {
            what,
            cause,
            way_out,
        } = self;
        let cause = cause.as_deref().map(|cause| with_causes(cause));
        let cause = cause.map(|cause| format!(": {cause}"));
        let way_out = way_out.as_ref().map(|way_out| format!("; {way_out}"));
        [Some(what.clone()), cause, way_out]
            .into_iter()
            .flatten()
            .collect()
    }
}

impl From<String> for Refusal {
    fn from(what: String) -> Self {
        Self {
            what,
            ..Self::default()
        }
    }
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
    /// A part was replaced between its look-up and the completion, or an object while it was read: the caller looks it
    /// up again.
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
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// 500: the bytes on the disk differ from what was stored.
    #[error(transparent)]
    Damaged(#[from] DamagedBytes),
}

/// A cause that the callers of one group share.
type Cause = Arc<dyn Error + Send + Sync>;

/// Why nothing can be read or written for now.
#[derive(Debug, Clone, thiserror::Error)]
#[error("storage is unavailable: {what}")]
pub struct Unavailable {
    what: Cow<'static, str>,
    #[source]
    cause: Option<Cause>,
}

/// The bytes on the disk that differ from what was stored.
#[derive(Debug, Clone, thiserror::Error)]
#[error("stored bytes are damaged: {what}")]
pub struct DamagedBytes {
    what: Cow<'static, str>,
    #[source]
    cause: Option<Cause>,
}

macro_rules! with_a_cause {
    ($error:ident) => {
        impl $error {
            /// `what` went wrong because of `cause`.
            pub(in crate::store) fn because(
                what: impl Into<Cow<'static, str>>,
                cause: impl Error + Send + Sync + 'static,
            ) -> Self {
                Self {
                    what: what.into(),
                    cause: Some(Arc::new(cause)),
                }
            }
        }

        impl From<String> for $error {
            fn from(what: String) -> Self {
                Self {
                    what: what.into(),
                    cause: None,
                }
            }
        }

        impl From<&'static str> for $error {
            fn from(what: &'static str) -> Self {
                Self {
                    what: what.into(),
                    cause: None,
                }
            }
        }
    };
}

with_a_cause!(Unavailable);
with_a_cause!(DamagedBytes);

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if crate::db::is_full(&error) {
            return Self::Full;
        }
        Unavailable::because("the index does not answer", error).into()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The body exceeds the limit, and nothing of it is kept.
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
    /// Converts into the caller's own error type.
    pub fn into_refusal(self) -> E {
        match self {
            Self::Refused(refusal) => refusal,
            Self::Store(error) => error.into(),
        }
    }
}

pub(in crate::store) fn overloaded() -> StoreError {
    Unavailable::from("more changes are waiting than can be taken").into()
}

pub(in crate::store) fn stopped() -> StoreError {
    Unavailable::from("the server is stopping").into()
}

/// The work on a body ended before its result came.
pub(in crate::store) fn given_up() -> StageError {
    StoreError::from(Unavailable::from("the upload was given up")).into()
}

/// A full disk is 507; every other error of the disk is 503.
pub(in crate::store) fn unavailable(error: &io::Error) -> StoreError {
    if is_full(error) {
        StoreError::Full
    } else {
        let what = "a file of the data folder cannot be read or written";
        Unavailable::because(what, copy_of(error)).into()
    }
}

/// A copy of an error: an error of the system by its number, any other by its kind and text.
pub(in crate::store) fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

/// ENOSPC, EDQUOT, EFBIG
pub(in crate::store) fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind;
    matches!(
        error.kind(),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
    )
}
