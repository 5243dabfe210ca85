//! The rows of access keys.
use crate::auth::access_key::KeyLimits;
use crate::auth::rows::people::time_of;
use crate::auth::seal::StoredSecret;
use crate::clock::Timestamp;
use crate::s3::BucketName;
use crate::store::{Effect, EffectKind, ReadView, Row, StoreError, unreadable};
use serde::Serialize;

pub(super) const EFFECTS: [EffectKind; 3] = [
    EffectKind::new(AccessKeyCreated::KIND, INSERT_KEYS),
    EffectKind::new(AccessKeySealed::KIND, SEAL_KEYS),
    EffectKind::new(AccessKeyRevoked::KIND, REVOKE_KEYS),
];

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct AccessKeyCreated {
    pub(in crate::auth) id: String,
    pub(in crate::auth) name: String,
    pub(in crate::auth) secret: StoredSecret,
    pub(in crate::auth) limits: KeyLimits,
    pub(in crate::auth) created_at: Timestamp,
}
impl AccessKeyCreated {
    const KIND: &str = "access_key.created";

    pub(in crate::auth) fn effect(&self) -> Effect {
        Effect::new(Self::KIND, vec![access_key_row(&self.id)], self)
    }
}

/// Its secret is stored in another form from now on: sealed, or sealed by a newer key.
#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct AccessKeySealed {
    pub(in crate::auth) id: String,
    pub(in crate::auth) secret: StoredSecret,
}
impl AccessKeySealed {
    const KIND: &str = "access_key.sealed";

    pub(in crate::auth) fn effect(&self) -> Effect {
        Effect::new(Self::KIND, vec![access_key_row(&self.id)], self)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct AccessKeyRevoked {
    pub(in crate::auth) id: String,
    pub(in crate::auth) revoked_at: Timestamp,
}
impl AccessKeyRevoked {
    const KIND: &str = "access_key.revoked";

    pub(in crate::auth) fn effect(&self) -> Effect {
        Effect::new(Self::KIND, vec![access_key_row(&self.id)], self)
    }
}

pub(in crate::auth) fn access_key_row(id: &str) -> String {
    format!("access-key:{id}")
}

const INSERT_KEYS: &[&str] = &[
    "INSERT INTO access_keys (id, name, secret, read_only, bucket, prefix, created_at)
     SELECT value ->> '$.data.id', value ->> '$.data.name', value -> '$.data.secret',
            value ->> '$.data.limits.read_only', value ->> '$.data.limits.bucket',
            value ->> '$.data.limits.prefix', value ->> '$.data.created_at'
     FROM json_each(?1)",
];

const SEAL_KEYS: &[&str] = &["UPDATE access_keys SET secret = sealed.secret
     FROM (SELECT value ->> '$.data.id' AS id, value -> '$.data.secret' AS secret
           FROM json_each(?1)) AS sealed
     WHERE access_keys.id = sealed.id AND access_keys.revoked_at IS NULL"];

const REVOKE_KEYS: &[&str] = &[
    "UPDATE access_keys SET revoked_at = revoked.at, secret = NULL
     FROM (SELECT value ->> '$.data.id' AS id, value ->> '$.data.revoked_at' AS at
           FROM json_each(?1)) AS revoked
     WHERE access_keys.id = revoked.id AND access_keys.revoked_at IS NULL",
];

/// A key that is not revoked, as the index has it.
#[derive(Debug, Clone)]
pub(in crate::auth) struct StoredAccessKey {
    pub(in crate::auth) id: String,
    pub(in crate::auth) secret: StoredSecret,
    pub(in crate::auth) limits: KeyLimits,
}

pub(in crate::auth) async fn live_access_keys(
    view: &mut ReadView,
) -> Result<Vec<StoredAccessKey>, StoreError> {
    let rows = view.rows("SELECT id, secret, read_only, bucket, prefix FROM access_keys WHERE revoked_at IS NULL", [])
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StoredAccessKey {
                id: row.text("id")?.to_owned(),
                // The parser's message may quote the secret.
                secret: serde_json::from_str(row.text("secret")?)
                    .map_err(|_| unreadable("a secret is not readable"))?,
                limits: limits_of(row)?,
            })
        })
        .collect()
}

/// An access key as a list shows it.
#[derive(Debug, Clone)]
pub struct AccessKeyListing {
    pub id: String,
    /// Empty where the key has no name.
    pub name: String,
    pub limits: KeyLimits,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// All access keys, the oldest first.
pub(in crate::auth) async fn access_keys(
    view: &mut ReadView,
) -> Result<Vec<AccessKeyListing>, StoreError> {
    let rows = view
        .rows(
            "SELECT id, name, read_only, bucket, prefix, created_at, revoked_at
         FROM access_keys ORDER BY created_at, id",
            [],
        )
        .await?;
    rows.iter()
        .map(|row| {
            Ok(AccessKeyListing {
                id: row.text("id")?.to_owned(),
                name: row.text("name")?.to_owned(),
                limits: limits_of(row)?,
                created_at: Timestamp::from_millis(row.integer("created_at")?),
                revoked_at: time_of(row, "revoked_at")?,
            })
        })
        .collect()
}

/// Whether a key exists, and since when it is revoked.
pub(in crate::auth) async fn access_key_revocation(
    view: &mut ReadView,
    id: &str,
) -> Result<Option<Option<Timestamp>>, StoreError> {
    view.row(
        "SELECT revoked_at FROM access_keys WHERE id = ?1",
        [id.into()],
    )
    .await?
    .map(|row| time_of(&row, "revoked_at"))
    .transpose()
}

pub(in crate::auth) async fn holds_sealed_secrets(view: &mut ReadView) -> Result<bool, StoreError> {
    view.finds(
        "SELECT 1 FROM access_keys WHERE json_type(secret) = 'object' LIMIT 1",
        [],
    )
    .await
}

fn limits_of(row: &Row) -> Result<KeyLimits, StoreError> {
    let bucket = row.optional_text("bucket")?;
    let bucket = bucket
        .map(BucketName::parse)
        .transpose()
        .map_err(unreadable)?;
    Ok(KeyLimits {
        read_only: row.flag("read_only")?,
        bucket,
        prefix: row.optional_text("prefix")?.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::BareIndex;

    async fn index() -> BareIndex {
        BareIndex::with_tables(include_str!("../../../migrations/0004_access_keys.sql")).await
    }
    async fn apply(index: &mut BareIndex, effect: &Effect) {
        index.apply(&EFFECTS, &[effect]).await;
    }
    async fn created(index: &mut BareIndex, id: &str, at: i64, limits: KeyLimits) {
        let created = AccessKeyCreated {
            id: id.to_owned(),
            name: "backup".to_owned(),
            secret: StoredSecret::Plain("hunter2".to_owned()),
            limits,
            created_at: Timestamp::from_secs(at),
        };
        apply(index, &created.effect()).await;
    }

    #[tokio::test]
    async fn a_created_key_is_stored_with_its_limits_until_it_is_revoked_for_good() {
        let mut index = index().await;
        let limits = KeyLimits {
            read_only: true,
            bucket: BucketName::parse("uploads").ok(),
            prefix: Some("a/".to_owned()),
        };
        created(&mut index, "SECOND", 2, KeyLimits::default()).await;
        created(&mut index, "FIRST", 1, limits.clone()).await;
        let listed = access_keys(index.view()).await.unwrap();
        assert_eq!(listed[0].id, "FIRST");
        assert_eq!(listed[0].limits, limits);
        assert_eq!(listed[1].limits, KeyLimits::default());

        for at in [4, 5] {
            let revoked = AccessKeyRevoked {
                id: "FIRST".to_owned(),
                revoked_at: Timestamp::from_secs(at),
            };
            apply(&mut index, &revoked.effect()).await;
        }
        let first = Some(Some(Timestamp::from_secs(4)));
        assert_eq!(
            access_key_revocation(index.view(), "FIRST").await.unwrap(),
            first
        );
        assert_eq!(
            access_key_revocation(index.view(), "THIRD").await.unwrap(),
            None
        );
        let live = live_access_keys(index.view()).await.unwrap();
        assert_eq!(live.len(), 1);
        assert_eq!(live[0].id, "SECOND");
        let kept = "SELECT id FROM access_keys WHERE secret IS NOT NULL";
        let kept = index.view().rows(kept, []).await.unwrap();
        assert_eq!(kept.len(), 1, "a revoked key's secret leaves the index");
    }

    #[tokio::test]
    async fn a_secret_that_was_sealed_later_is_distinguished_from_a_plain_one() {
        let mut index = index().await;
        created(&mut index, "ID", 1, KeyLimits::default()).await;
        assert!(!holds_sealed_secrets(index.view()).await.unwrap());
        let sealed = AccessKeySealed {
            id: "ID".to_owned(),
            secret: StoredSecret::Sealed {
                sealed: "b64".to_owned(),
            },
        };
        apply(&mut index, &sealed.effect()).await;
        assert!(holds_sealed_secrets(index.view()).await.unwrap());
        let live = live_access_keys(index.view()).await.unwrap();
        assert!(
            matches!(&live[0].secret, StoredSecret::Sealed { sealed } if sealed.as_str() == "b64")
        );
    }
}
