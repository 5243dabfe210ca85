//! The assets of one vault, and the cache of their rows.
//!
//! Changes are made elsewhere: `upload` makes assets, `changes` changes existing ones.
use crate::assets::content::{self, ImageFormat, MAGIC_BYTES};
use crate::assets::key::asset_id_in;
use crate::assets::model::Asset;
use crate::assets::pointer::Pointer;
use crate::assets::pointer_hook::PointerHook;
use crate::assets::rows::effects;
use crate::assets::rows::reading;
use crate::auth::AccessKeys;
use crate::cache::TwoGenerationCache;
use crate::cache::{VersionStamp, VersionedCache};
use crate::clock::Clock;
use crate::s3::range::ByteRange;
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error};
use crate::store::{Object, ReadView, Store, StoreError};
use crate::telemetry::with_causes;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The memory that cached rows of assets may take, and what one row usually takes.
const CACHED_ROWS_BYTES: usize = 8 << 20;
const CACHED_ROW_BYTES: usize = 1024;
/// The format is cached for this many objects, or at most twice as many.
const CACHED_FORMATS: usize = 16_384;

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

/// Cheap to clone.
#[derive(Clone)]
pub struct Assets {
    pub(super) inner: Arc<Inner>,
}
pub(super) struct Inner {
    pub(super) config: AssetsConfig,
    pub(super) store: Store,
    pub(super) keys: AccessKeys,
    pub(super) clock: Clock,
    pub(super) rows: Arc<VersionedCache<Uuid, Arc<Asset>>>,
    /// Keyed by the record that stored the bytes; the bytes never change after it.
    formats: TwoGenerationCache<u64, Option<ImageFormat>>,
    pub(super) pointer_hook: Arc<PointerHook>,
}

impl Assets {
    /// `pointer_hook`: the commit hook that the store was opened with.
    /// # Errors
    /// When the index does not answer.
    pub async fn new(
        mut config: AssetsConfig,
        store: Store,
        keys: AccessKeys,
        clock: Clock,
        pointer_hook: Arc<PointerHook>,
    ) -> Result<Self, StoreError> {
        // A row's integers are signed.
        config.file_size_limit = config.file_size_limit.min(i64::MAX.unsigned_abs());
        let formats = TwoGenerationCache::new(CACHED_FORMATS);
        let rows = store.cache(
            CACHED_ROWS_BYTES,
            CACHED_ROW_BYTES,
            |_, asset: &Arc<Asset>| {
                size_of::<Asset>() + asset.key.as_str().len() + asset.attributes.len() + 256
            },
        );
        pointer_hook.load(&mut store.read_view().await?).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                store,
                keys,
                clock,
                rows,
                formats,
                pointer_hook,
            }),
        })
    }

    /// `FILE_SIZE_LIMIT`, bytes.
    #[must_use]
    pub fn file_size_limit(&self) -> u64 {
        self.inner.config.file_size_limit
    }

    /// An asset that is not deleted.
    /// # Errors
    /// When the index does not answer.
    pub async fn asset(&self, id: Uuid) -> Result<Option<Arc<Asset>>, StoreError> {
        if let Some(asset) = self.inner.rows.get(&id) {
            return Ok(Some(asset));
        }
        let stamp = self.stamp(id);
        let mut view = self.view().await?;
        let asset = reading::asset(&mut view, id).await?.map(Arc::new);
        if let Some(asset) = &asset {
            self.inner.rows.keep(id, stamp, asset.clone());
        }
        Ok(asset)
    }

    /// The version stamp for responses that are made from an asset's row.
    #[must_use]
    pub fn stamp(&self, id: Uuid) -> VersionStamp {
        self.inner.store.stamp_of_row(&effects::asset_row(id))
    }

    /// The bytes of an asset; `None`: it is not uploaded.
    /// # Errors
    /// When the index does not answer.
    pub async fn object(&self, asset: &Asset) -> Result<Option<Object>, StoreError> {
        match self.inner.store.object(&asset.bucket, &asset.key).await {
            Err(StoreError::NoSuchBucket) => Ok(None),
            answer => answer,
        }
    }

    /// The asset that a pointer names now.
    /// # Errors
    /// When the index does not answer.
    pub async fn current(&self, pointer: Pointer) -> Result<Option<Uuid>, StoreError> {
        let mut view = self.view().await?;
        reading::pointed_to(&mut view, pointer).await
    }

    /// The image format of an object's bytes; `None`: they are no image that may be shown.
    /// # Errors
    /// When they cannot be read.
    pub async fn image_format(&self, object: &Object) -> Result<Option<ImageFormat>, StoreError> {
        if let Some(format) = self.inner.formats.get(&object.sequence) {
            return Ok(format);
        }
        let end = object.size_bytes.min(MAGIC_BYTES as u64);
        let format = if end == 0 {
            None
        } else {
            let range = ByteRange { start: 0, end };
            let reading = self.inner.store.read(object, Some(range)).await?;
            ImageFormat::of(&reading.first)
        };
        self.inner.formats.insert(object.sequence, format);
        Ok(format)
    }

    /// Checks the first bytes of a file that is about to be stored at a key: those of an image's asset must be of some
    /// image format. A key that belongs to no such asset takes any bytes.
    /// # Errors
    /// `InvalidRequest`, "The file is not a JPEG, PNG, WebP or GIF image."; `ServiceUnavailable` when the index does not answer.
    pub async fn check_content(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        head: &[u8],
    ) -> Result<(), S3Error> {
        if !self.inner.config.verify_content || ImageFormat::of(head).is_some() {
            return Ok(());
        }
        let Some(id) = asset_id_in(key.as_str()) else {
            return Ok(());
        };
        let no_answer = |error: String| S3Error::new(ErrorCode::ServiceUnavailable).logged(error);
        let mut view = self
            .view()
            .await
            .map_err(|error| no_answer(with_causes(&error)))?;
        let asked = reading::content_type_at(&mut view, id, bucket.as_str(), key.as_str())
            .await
            .map_err(|error| no_answer(with_causes(&error)))?;
        if asked.is_some_and(|asked| content::is_image_type(&asked)) {
            return Err(S3Error::with_message(
                ErrorCode::InvalidRequest,
                "The file is not a JPEG, PNG, WebP or GIF image.",
            ));
        }
        Ok(())
    }

    pub(super) async fn view(&self) -> Result<ReadView, StoreError> {
        self.inner.store.read_view().await
    }
}
