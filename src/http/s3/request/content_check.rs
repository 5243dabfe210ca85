//! The check of a file's first bytes against the type that its asset was asked for.
//!
//! Guarantees: an upload is judged once, as soon as its first 512 bytes are there, or when it is whole where it is shorter:
//! a refused file is not received to its end first. Knows no format: [`crate::assets`] does.

use crate::http::s3::access::Permitted;
use crate::s3::{ObjectKey, S3Error};
use crate::store::{Sealed, Staging};

/// A check that is still to be made, or none.
pub(crate) struct ContentCheck {
    key: Option<ObjectKey>,
}

impl ContentCheck {
    /// For a file that becomes the object of `key`.
    pub(crate) fn of(key: &ObjectKey) -> Self {
        let key = Some(key.clone());
        Self { key }
    }

    /// For a part of an upload: its first bytes may be from the middle of a file.
    pub(crate) fn none() -> Self {
        Self { key: None }
    }

    /// Judges what has come so far, once that is enough.
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

    /// Judges a file that was too short to be judged before.
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
