//! Upload requests: the asset's row, and the policy by which the client uploads its bytes. Plane contract, sections 1.8
//! and 3.
//!
//! Guarantees: the row is recorded before the policy is given out; a request reads nothing where no external id must be
//! unique.
use crate::assets::catalog::Assets;
use crate::assets::entity::EntityType;
use crate::assets::error::AssetError;
use crate::assets::key::asset_key_in;
use crate::assets::model::{Asset, Bindings};
use crate::assets::name::AssetName;
use crate::assets::rows::effects;
use crate::assets::rows::reading;
use crate::assets::within::UniqueIn;
use crate::clock::Timestamp;
use crate::s3::policy::{PostPolicy, PresignedPost};
use crate::s3::sigv4::{Credential, Scope, SigningKey, presign_query};
use crate::s3::{time, uri};
use crate::store::{Decision, RecordError, StoreError};
use uuid::Uuid;

/// The region in hangar's own policies where none is configured.
const DEFAULT_REGION: &str = "us-east-1";
/// A request for an upload. `size` is clamped already.
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
    /// The assets among which the external id must be unique, where both id and source are given.
    pub unique_in: Option<UniqueIn>,
    pub created_by: Uuid,
}
/// A recorded asset and the policy by which the client uploads its bytes.
#[derive(Debug)]
pub struct RequestedUpload {
    pub asset: Asset,
    pub post: PresignedPost,
}

impl Assets {
    /// Makes an asset and the policy for its bytes. The row is recorded when this returns.
    /// # Errors
    /// When the row cannot be stored.
    pub async fn request_upload(
        &self,
        request: UploadRequest,
    ) -> Result<RequestedUpload, AssetError> {
        let id = Uuid::new_v4();
        let name = request.name.as_str();
        let key = asset_key_in(id, request.entity_type, &request.bindings, name)?;
        let now = self.inner.clock.now();
        let attributes = serde_json::json!({
            "name": request.name.as_str(),
            "type": request.content_type,
            "size": request.size,
        });
        let asset = Asset {
            id,
            entity_type: request.entity_type,
            bucket: self.inner.config.bucket.clone(),
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

    /// The writer checks only where an external id must be unique.
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
            self.inner
                .store
                .record_new(effects::requested(&asset))
                .await?;
            return Ok(asset);
        };
        let rows = vec![
            effects::asset_row(asset.id),
            effects::external_id_row(workspace_id, &id, &source),
        ];
        let recording = self.inner.store.record(rows, move |view| {
            Box::pin(async move {
                let known = reading::with_external_id(view, workspace_id, &id, &source).await?;
                let taken = known
                    .into_iter()
                    .find(|known| unique_in.is_shared_by(known, &asset));
                match taken {
                    Some(known) => Err(AssetError::Exists(Box::new(known))),
                    None => Ok(Decision {
                        effect: Some(effects::requested(&asset)),
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
            expires_at: now.plus(self.inner.config.signed_url_expiration),
            credential: &credential,
        };
        Ok(policy.sign(&key))
    }

    /// An absolute presigned URL of an asset's object. `origin`: `https://host[:port]`.
    /// Plane contract, section 1.8, has its form.
    /// # Errors
    /// When there is no root key.
    pub fn presigned_url(
        &self,
        asset: &Asset,
        origin: &str,
        disposition: &str,
    ) -> Result<String, StoreError> {
        let now = self.inner.clock.now();
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
            self.inner.config.signed_url_expiration.as_secs(),
        );
        Ok(format!("{origin}{path}?{query}"))
    }

    /// The root key's signing key for this day and hangar's own region.
    fn signer(&self, now: Timestamp) -> Result<(Credential, SigningKey), StoreError> {
        let inner = &self.inner;
        let region = match inner.config.region.as_str() {
            "" => DEFAULT_REGION,
            region => region,
        };
        let amz_date = time::amz_date(now);
        let day = amz_date.split('T').next().unwrap_or_default();
        let credential = Credential {
            access_key: inner.keys.root().id.clone(),
            scope: Scope {
                day: day.to_owned(),
                region: region.to_owned(),
            },
        };
        let key = inner
            .keys
            .signing_key(&credential.access_key, &credential.scope)
            .ok_or_else(|| StoreError::Unavailable("the root key is gone".into()))?;
        Ok((credential, key))
    }
}
