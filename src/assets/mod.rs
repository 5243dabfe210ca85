//! Plane's domain: assets, from the ask to the bytes.
use crate::auth::AccessKeys;
use crate::clock::Clock;
use crate::s3::{BucketName, ObjectKey, S3Error};
use crate::store::{EffectKind, Store};
use std::time::Duration;

#[derive(Debug, Clone)]
pub struct AssetsConfig {
    pub bucket: BucketName,
    /// `AWS_REGION`; may be empty (then `us-east-1` in hangar's own policies)
    pub region: String,
    /// `FILE_SIZE_LIMIT`, bytes
    pub file_size_limit: u64,
    /// `SIGNED_URL_EXPIRATION`
    pub signed_url_expiration: Duration,
    /// `HANGAR_VERIFY_CONTENT`
    pub verify_content: bool,
}
#[must_use]
pub fn effects() -> Vec<EffectKind> {
    todo!()
}
/// Cheap to clone.
#[derive(Clone)]
pub struct Assets {}
impl Assets {
    #[must_use]
    pub fn new(_config: AssetsConfig, _store: Store, _keys: AccessKeys, _clock: Clock) -> Self {
        todo!()
    }
    /// Judges the first bytes of what is about to be stored at a key: DESIGN section 4, *What an asset's bytes may be*.
    /// A key that belongs to no asset takes any bytes.
    /// # Errors
    /// `InvalidRequest`, "The file is not a JPEG, PNG, WebP or GIF image."; `ServiceUnavailable` when the index does not answer.
    pub async fn check_content(
        &self,
        _bucket: &BucketName,
        _key: &ObjectKey,
        _head: &[u8],
    ) -> Result<(), S3Error> {
        todo!()
    }
}
