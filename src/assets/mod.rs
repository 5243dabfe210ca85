//! Plane's domain: assets, from the ask to the bytes.
//!
//! Guarantees: an asset's row is recorded before its policy is given out; asking for an upload reads nothing and records
//! once; changes of one asset are judged one after the other, in the writer's order. It refuses to know HTTP, and who may
//! do what. Rules: Plane contract, sections 1, 3 and 4.
mod ageing;
mod changes;
pub mod content;
pub mod entity;
pub mod model;
pub mod name;
mod pointers;
mod repo;
pub mod size;
pub mod within;

pub use ageing::{AssetAges, PurgedAssets, purge};
pub use entity::{EntityType, Pointer, PointerKind};
pub use model::{Asset, Bindings};
pub use name::AssetName;
pub use size::AskedSize;
pub use within::{Binding, Change, Permission, UniqueIn, Within};

use crate::auth::AccessKeys;
use crate::cache::{TwoGenerationCache, VersionStamp, VersionedCache};
use crate::clock::{Clock, Timestamp};
use crate::s3::policy::{PostPolicy, PresignedPost};
use crate::s3::range::ByteRange;
use crate::s3::sigv4::{Credential, Scope, SigningKey, presign_query};
use crate::s3::{BucketName, ErrorCode, ObjectKey, S3Error, time, uri};
use crate::store::{EffectKind, Judged, Object, RecordError, Store, StoreError, with_causes};
use content::{ImageFormat, MAGIC_BYTES};
use pointers::Waiting;
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// The region of hangar's own policies where none is configured.
const DEFAULT_REGION: &str = "us-east-1";
/// What rows of assets may take in memory, and what one usually takes.
const HOT_ROWS_BYTES: usize = 8 << 20;
const HOT_ROW_BYTES: usize = 1024;
/// Objects whose format is remembered: at most twice as many.
const FORMATS: usize = 16_384;

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

/// Why a change of an asset did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AssetError {
    /// Unknown, deleted, or somebody else's.
    #[error("there is no such asset")]
    NotFound,
    /// Another has the same external id and source.
    #[error("an asset with the same external id and source exists")]
    Exists(Box<Asset>),
    #[error("this asset is not the caller's to change")]
    NotAllowed,
    #[error("storage did not take or give it")]
    Store(#[source] StoreError),
}
impl From<StoreError> for AssetError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for AssetError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What an upload is asked for. `size` is clamped already.
#[derive(Debug, Clone)]
pub struct UploadRequest {
    pub entity_type: EntityType,
    pub name: AssetName,
    pub content_type: String,
    /// Bytes, at least one
    pub size: u64,
    pub bindings: Bindings,
    pub external_id: Option<String>,
    pub external_source: Option<String>,
    /// Where the external id is judged, if both of the pair are there.
    pub unique_in: Option<UniqueIn>,
    pub created_by: Uuid,
}
/// A recorded asset and the policy that its bytes come by.
#[derive(Debug)]
pub struct RequestedUpload {
    pub asset: Asset,
    pub post: PresignedPost,
}

#[must_use]
pub fn effects() -> Vec<EffectKind> {
    repo::EFFECTS.to_vec()
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Assets {
    held: Arc<Held>,
}
struct Held {
    config: AssetsConfig,
    store: Store,
    keys: AccessKeys,
    clock: Clock,
    rows: Arc<VersionedCache<Uuid, Arc<Asset>>>,
    /// By the record that stored the bytes, which never change after it.
    formats: TwoGenerationCache<u64, Option<ImageFormat>>,
    waiting: Arc<Waiting>,
}

impl Assets {
    /// From here on pointers follow the objects that come into the store.
    /// # Errors
    /// When the index does not answer.
    pub async fn new(
        mut config: AssetsConfig,
        store: Store,
        keys: AccessKeys,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        // A row's integers are signed.
        config.file_size_limit = config.file_size_limit.min(i64::MAX.unsigned_abs());
        let formats = TwoGenerationCache::new(FORMATS);
        let rows = store.cache(HOT_ROWS_BYTES, HOT_ROW_BYTES, |_, asset: &Arc<Asset>| {
            size_of::<Asset>() + asset.key.as_str().len() + asset.attributes.len() + 256
        });
        let mut connection = store.readers().acquire().await?;
        let waiting = Arc::new(Waiting::read(&mut connection, clock.clone()).await?);
        drop(connection);
        store.accompany(waiting.clone());
        Ok(Self {
            held: Arc::new(Held {
                config,
                store,
                keys,
                clock,
                rows,
                formats,
                waiting,
            }),
        })
    }

    /// `FILE_SIZE_LIMIT`, bytes.
    #[must_use]
    pub fn file_size_limit(&self) -> u64 {
        self.held.config.file_size_limit
    }

    /// Makes an asset and the policy for its bytes. The row is recorded when this answers.
    /// # Errors
    /// When it cannot be stored.
    pub async fn request_upload(
        &self,
        request: UploadRequest,
    ) -> Result<RequestedUpload, AssetError> {
        let id = Uuid::new_v4();
        let name = request.name.as_str();
        let key = asset_key_in(id, request.entity_type, &request.bindings, name)?;
        let now = self.held.clock.now();
        let attributes = serde_json::json!({
            "name": request.name.as_str(),
            "type": request.content_type,
            "size": request.size,
        });
        let asset = Asset {
            id,
            entity_type: request.entity_type,
            bucket: self.held.config.bucket.clone(),
            key,
            content_type: request.content_type,
            attributes: attributes.to_string(),
            size: request.size,
            bindings: request.bindings,
            external_id: request.external_id,
            external_source: request.external_source,
            created_by: request.created_by,
            updated_by: None,
            created_at: now.into(),
            updated_at: now.into(),
            deleted_at: None,
            pointer_wanted: false,
        };
        let post = self.presign(&asset, now)?;
        let asset = self.record_request(asset, request.unique_in).await?;
        Ok(RequestedUpload { asset, post })
    }

    /// Judged only where an external id must be the only one.
    async fn record_request(
        &self,
        asset: Asset,
        unique_in: Option<UniqueIn>,
    ) -> Result<Asset, AssetError> {
        let wanted = (
            unique_in,
            asset.bindings.workspace_id,
            asset.external_id.clone(),
            asset.external_source.clone(),
        );
        let (Some(unique_in), Some(workspace_id), Some(id), Some(source)) = wanted else {
            self.held.store.record_new(repo::requested(&asset)).await?;
            return Ok(asset);
        };
        let names = vec![
            repo::asset_lock(asset.id),
            repo::external_lock(workspace_id, &id, &source),
        ];
        let recording = self.held.store.record(names, move |connection| {
            Box::pin(async move {
                let known = repo::with_external_id(connection, workspace_id, &id, &source).await?;
                let taken = known
                    .into_iter()
                    .find(|known| unique_in.is_shared_by(known, &asset));
                match taken {
                    Some(known) => Err(AssetError::Exists(Box::new(known))),
                    None => Ok(Judged {
                        effect: Some(repo::requested(&asset)),
                        answer: asset,
                    }),
                }
            })
        });
        recording.await.map_err(RecordError::into_refusal)
    }

    fn presign(&self, asset: &Asset, now: Timestamp) -> Result<PresignedPost, AssetError> {
        let (credential, key) = self.signer(now)?;
        let policy = PostPolicy {
            bucket: &asset.bucket,
            key: &asset.key,
            content_type: &asset.content_type,
            length: 1..=asset.size,
            now,
            expires_at: now.plus(self.held.config.signed_url_expiration),
            credential: &credential,
        };
        Ok(policy.sign(&key))
    }

    /// An absolute presigned URL of an asset's object. `origin`: `https://host[:port]`.
    /// Plane contract, section 1.8, has its form.
    /// # Errors
    /// When the root key is gone.
    pub fn presigned_url(
        &self,
        asset: &Asset,
        origin: &str,
        disposition: &str,
    ) -> Result<String, StoreError> {
        let now = self.held.clock.now();
        let (credential, key) = self.signer(now)?;
        let host = origin.split_once("://").map_or(origin, |(_, host)| host);
        let path = uri::encode_path(&format!("/{}/{}", asset.bucket, asset.key));
        let query = presign_query(
            "GET",
            host,
            &path,
            &[("response-content-disposition", disposition)],
            &credential,
            &key,
            now,
            self.held.config.signed_url_expiration.as_secs(),
        );
        Ok(format!("{origin}{path}?{query}"))
    }

    /// The root key, for this day and hangar's own region.
    fn signer(&self, now: Timestamp) -> Result<(Credential, SigningKey), StoreError> {
        let held = &self.held;
        let region = match held.config.region.as_str() {
            "" => DEFAULT_REGION,
            region => region,
        };
        let amz_date = time::amz_date(now);
        let day = amz_date.split('T').next().unwrap_or_default();
        let credential = Credential {
            access_key: held.keys.root().id.clone(),
            scope: Scope {
                day: day.to_owned(),
                region: region.to_owned(),
            },
        };
        let key = held
            .keys
            .signing_key(&credential.access_key, &credential.scope)
            .ok_or_else(|| StoreError::Unavailable("the root key is gone".into()))?;
        Ok((credential, key))
    }

    /// An asset that is not deleted.
    /// # Errors
    /// When the index does not answer.
    pub async fn asset(&self, id: Uuid) -> Result<Option<Arc<Asset>>, StoreError> {
        if let Some(asset) = self.held.rows.get(&id) {
            return Ok(Some(asset));
        }
        let stamp = self.stamp(id);
        let mut connection = self.readers().await?;
        let asset = repo::asset(&mut connection, id).await?.map(Arc::new);
        if let Some(asset) = &asset {
            self.held.rows.keep(id, stamp, asset.clone());
        }
        Ok(asset)
    }

    /// For answers that are made of an asset's row.
    #[must_use]
    pub fn stamp(&self, id: Uuid) -> VersionStamp {
        self.held.store.stamp_of_row(&repo::asset_lock(id))
    }

    /// The bytes of an asset; `None`: it is not uploaded.
    /// # Errors
    /// When the index does not answer.
    pub async fn object(&self, asset: &Asset) -> Result<Option<Object>, StoreError> {
        match self.held.store.object(&asset.bucket, &asset.key).await {
            Err(StoreError::NoSuchBucket) => Ok(None),
            answer => answer,
        }
    }

    /// The asset that a pointer names now.
    /// # Errors
    /// When the index does not answer.
    pub async fn current(&self, pointer: Pointer) -> Result<Option<Uuid>, StoreError> {
        let mut connection = self.readers().await?;
        repo::pointed_to(&mut connection, pointer)
            .await
            .map_err(StoreError::from)
    }

    /// What an object's bytes are; `None`: no image that may be shown.
    /// # Errors
    /// When they cannot be read.
    pub async fn image_format(&self, object: &Object) -> Result<Option<ImageFormat>, StoreError> {
        if let Some(format) = self.held.formats.get(&object.sequence) {
            return Ok(format);
        }
        let end = object.size_bytes.min(MAGIC_BYTES as u64);
        let format = if end == 0 {
            None
        } else {
            let range = ByteRange { start: 0, end };
            let reading = self.held.store.read(object, Some(range)).await?;
            ImageFormat::of(&reading.first)
        };
        self.held.formats.insert(object.sequence, format);
        Ok(format)
    }

    /// Judges the first bytes of what is about to be stored at a key: DESIGN section 4, *What an asset's bytes may be*.
    /// A key that belongs to no asset takes any bytes.
    /// # Errors
    /// `InvalidRequest`, "The file is not a JPEG, PNG, WebP or GIF image."; `ServiceUnavailable` when the index does not answer.
    pub async fn check_content(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        head: &[u8],
    ) -> Result<(), S3Error> {
        if !self.held.config.verify_content || ImageFormat::of(head).is_some() {
            return Ok(());
        }
        let Some(id) = asset_id_in(key.as_str()) else {
            return Ok(());
        };
        let no_answer = |error: String| S3Error::new(ErrorCode::ServiceUnavailable).logged(error);
        let mut connection = self
            .readers()
            .await
            .map_err(|error| no_answer(with_causes(&error)))?;
        let asked = repo::content_type_at(&mut connection, id, bucket.as_str(), key.as_str())
            .await
            .map_err(|error| no_answer(error.to_string()))?;
        if asked.is_some_and(|asked| content::is_image_type(&asked)) {
            return Err(S3Error::with_message(
                ErrorCode::InvalidRequest,
                "The file is not a JPEG, PNG, WebP or GIF image.",
            ));
        }
        Ok(())
    }

    async fn readers(&self) -> Result<sqlx::pool::PoolConnection<sqlx::Sqlite>, StoreError> {
        self.held
            .store
            .readers()
            .acquire()
            .await
            .map_err(StoreError::from)
    }
}

/// `user-assets/<id>/<name>`, or `<workspace>/<id>/<name>`.
fn asset_key_in(
    id: Uuid,
    entity_type: EntityType,
    bindings: &Bindings,
    name: &str,
) -> Result<ObjectKey, StoreError> {
    let key = match bindings.workspace_id {
        Some(workspace_id) if !entity_type.is_of_a_user() => {
            format!("{workspace_id}/{id}/{name}")
        }
        _ => format!("user-assets/{id}/{name}"),
    };
    ObjectKey::parse(&key).map_err(|error| StoreError::Unavailable(error.to_string().into()))
}

/// The id in a key that is shaped as an asset's; of any other key no row needs to be read.
fn asset_id_in(key: &str) -> Option<Uuid> {
    let mut segments = key.splitn(3, '/');
    let (_, id, _) = (segments.next()?, segments.next()?, segments.next()?);
    parse_id(id)
}

/// An id as hangar writes it: lower case, with dashes.
#[must_use]
pub fn parse_id(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let mut written = Uuid::encode_buffer();
    (id.hyphenated().encode_lower(&mut written) == text).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_key_with_an_id_in_its_middle_can_be_an_assets() {
        let id = "3999b15f-7a97-486e-b06b-d08ce45c00c9";
        assert!(asset_id_in(&format!("user-assets/{id}/me.png")).is_some());
        for key in [
            format!("user-assets/{id}"),
            format!("{id}/me.png"),
            format!("user-assets/{}/me.png", id.to_uppercase()),
            format!("user-assets/{}/me.png", id.replace('-', "")),
            "photos/2026/me.png".to_owned(),
        ] {
            assert_eq!(asset_id_in(&key), None, "{key}");
        }
    }
}
