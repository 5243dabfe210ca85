//! The check of a file's first bytes against the content type that its asset was requested with.
//!
//! Guarantees: an upload is checked once, as soon as its first 512 bytes have arrived, or at its end where it is
//! shorter: a refused file is not received to its end first. Knows no format: [`crate::assets`] does.

use crate::http::s3::access::Permitted;
use crate::s3::{ObjectKey, S3Error};
use crate::store::{Sealed, Staging};

/// A check that is still pending, or none.
pub(crate) struct ContentCheck {
    key: Option<ObjectKey>,
}

impl ContentCheck {
    /// The check of a file that becomes the object of `key`.
    pub(crate) fn of(key: &ObjectKey) -> Self {
        let key = Some(key.clone());
        Self { key }
    }

    /// No check, for a part of an upload: its first bytes may be from the middle of a file.
    pub(crate) fn none() -> Self {
        Self { key: None }
    }

    /// Checks the bytes so far, once there are enough.
    ///
    /// # Errors
    /// As [`Assets::check_content`](crate::assets::Assets::check_content).
    pub(crate) async fn see(
        &mut self,
        permitted: &Permitted<'_>,
        staging: &Staging,
    ) -> Result<(), S3Error> {
        match staging.whole_head() {
            Some(head) => self.judge(permitted, head).await,
            None => Ok(()),
        }
    }

    /// Checks a file that was too short to be checked before.
    ///
    /// # Errors
    /// As [`ContentCheck::see`].
    pub(crate) async fn finish(
        mut self,
        permitted: &Permitted<'_>,
        sealed: &Sealed,
    ) -> Result<(), S3Error> {
        self.judge(permitted, sealed.head()).await
    }

    async fn judge(&mut self, permitted: &Permitted<'_>, head: &[u8]) -> Result<(), S3Error> {
        let Some(key) = self.key.take() else {
            return Ok(());
        };
        let bucket = &permitted.bucket()?.name;
        let assets = &permitted.state().assets;
        assets.check_content(bucket, &key, head).await
    }
}
