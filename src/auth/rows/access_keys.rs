//! The rows of access keys.
use crate::auth::access_key::KeyLimits;
use crate::auth::rows::people::{effect, time_of};
use crate::auth::seal::StoredSecret;
use crate::clock::Timestamp;
use crate::s3::BucketName;
use crate::store::{Effect, EffectKind};
use futures_util::future::BoxFuture;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

pub(super) const EFFECTS: [EffectKind; 3] = [
    EffectKind {
        kind: AccessKeyCreated::KIND,
        apply: apply_created,
    },
    EffectKind {
        kind: AccessKeySealed::KIND,
        apply: apply_sealed,
    },
    EffectKind {
        kind: AccessKeyRevoked::KIND,
        apply: apply_revoked,
    },
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
        effect(Self::KIND, vec![access_key_lock(&self.id)], self)
    }
}

/// Its secret lies otherwise from now on: sealed, or sealed by a newer key.
#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct AccessKeySealed {
    pub(in crate::auth) id: String,
    pub(in crate::auth) secret: StoredSecret,
}
impl AccessKeySealed {
    const KIND: &str = "access_key.sealed";

    pub(in crate::auth) fn effect(&self) -> Effect {
        effect(Self::KIND, vec![access_key_lock(&self.id)], self)
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
        effect(Self::KIND, vec![access_key_lock(&self.id)], self)
    }
}

pub(in crate::auth) fn access_key_lock(id: &str) -> String {
    format!("access-key:{id}")
}

fn apply_created<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "INSERT INTO access_keys (id, name, secret, read_only, bucket, prefix, created_at)
             SELECT value ->> '$.data.id', value ->> '$.data.name', value -> '$.data.secret',
                    value ->> '$.data.limits.read_only', value ->> '$.data.limits.bucket',
                    value ->> '$.data.limits.prefix', value ->> '$.data.created_at'
             FROM json_each(?1)",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

fn apply_sealed<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "UPDATE access_keys SET secret = sealed.secret
             FROM (SELECT value ->> '$.data.id' AS id, value -> '$.data.secret' AS secret
                   FROM json_each(?1)) AS sealed
             WHERE access_keys.id = sealed.id AND access_keys.revoked_at IS NULL",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

fn apply_revoked<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "UPDATE access_keys SET revoked_at = revoked.at, secret = NULL
             FROM (SELECT value ->> '$.data.id' AS id, value ->> '$.data.revoked_at' AS at
                   FROM json_each(?1)) AS revoked
             WHERE access_keys.id = revoked.id AND access_keys.revoked_at IS NULL",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

/// A key that is not revoked, as it lies in the index.
#[derive(Debug, Clone)]
pub(in crate::auth) struct StoredAccessKey {
    pub(in crate::auth) id: String,
    pub(in crate::auth) secret: StoredSecret,
    pub(in crate::auth) limits: KeyLimits,
}

pub(in crate::auth) async fn live_access_keys(
    connection: &mut SqliteConnection,
) -> Result<Vec<StoredAccessKey>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, secret, read_only, bucket, prefix FROM access_keys WHERE revoked_at IS NULL",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(StoredAccessKey {
                id: row.try_get("id")?,
                // The parser's words may quote what it read.
                secret: serde_json::from_str(row.try_get("secret")?)
                    .map_err(|_| sqlx::Error::Decode("a secret is not readable".into()))?,
                limits: limits_of(row)?,
            })
        })
        .collect()
}

/// An access key as a list shows it.
#[derive(Debug, Clone)]
pub struct AccessKeyListing {
    pub id: String,
    /// Empty where it has none.
    pub name: String,
    pub limits: KeyLimits,
    pub created_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// All access keys, the oldest first.
pub(in crate::auth) async fn access_keys(
    connection: &mut SqliteConnection,
) -> Result<Vec<AccessKeyListing>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT id, name, read_only, bucket, prefix, created_at, revoked_at
         FROM access_keys ORDER BY created_at, id",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AccessKeyListing {
                id: row.try_get("id")?,
                name: row.try_get("name")?,
                limits: limits_of(row)?,
                created_at: Timestamp::from_millis(row.try_get("created_at")?),
                revoked_at: time_of(row, "revoked_at")?,
            })
        })
        .collect()
}

/// Whether a key is there, and since when it is revoked.
pub(in crate::auth) async fn access_key_revocation(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Option<Option<Timestamp>>, sqlx::Error> {
    sqlx::query("SELECT revoked_at FROM access_keys WHERE id = ?1")
        .bind(id)
        .fetch_optional(connection)
        .await?
        .map(|row| time_of(&row, "revoked_at"))
        .transpose()
}

pub(in crate::auth) async fn holds_sealed_secrets(
    connection: &mut SqliteConnection,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM access_keys WHERE json_type(secret) = 'object')",
    )
    .fetch_one(connection)
    .await
}

fn limits_of(row: &SqliteRow) -> Result<KeyLimits, sqlx::Error> {
    let bucket: Option<String> = row.try_get("bucket")?;
    let bucket = bucket
        .map(|name| BucketName::parse(&name))
        .transpose()
        .map_err(|error| sqlx::Error::Decode(error.into()))?;
    Ok(KeyLimits {
        read_only: row.try_get("read_only")?,
        bucket,
        prefix: row.try_get("prefix")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Connection;

    async fn index() -> SqliteConnection {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql(include_str!("../../../migrations/0004_access_keys.sql"))
            .execute(&mut connection)
            .await
            .unwrap();
        connection
    }
    /// What the store hands to an applying function.
    fn rows(effect: &Effect) -> String {
        serde_json::json!([{"sequence": 1, "at": 0, "data": effect.data}]).to_string()
    }
    async fn created(index: &mut SqliteConnection, id: &str, at: i64, limits: KeyLimits) {
        let created = AccessKeyCreated {
            id: id.to_owned(),
            name: "backup".to_owned(),
            secret: StoredSecret::Plain("hunter2".to_owned()),
            limits,
            created_at: Timestamp::from_secs(at),
        };
        apply_created(index, &rows(&created.effect()))
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_created_key_lies_there_with_its_limits_until_it_is_revoked_for_good() {
        let mut index = index().await;
        let limits = KeyLimits {
            read_only: true,
            bucket: BucketName::parse("uploads").ok(),
            prefix: Some("a/".to_owned()),
        };
        created(&mut index, "SECOND", 2, KeyLimits::default()).await;
        created(&mut index, "FIRST", 1, limits.clone()).await;
        let listed = access_keys(&mut index).await.unwrap();
        assert_eq!(listed[0].id, "FIRST");
        assert_eq!(listed[0].limits, limits);
        assert_eq!(listed[1].limits, KeyLimits::default());

        for at in [4, 5] {
            let revoked = AccessKeyRevoked {
                id: "FIRST".to_owned(),
                revoked_at: Timestamp::from_secs(at),
            };
            apply_revoked(&mut index, &rows(&revoked.effect()))
                .await
                .unwrap();
        }
        let first = Some(Some(Timestamp::from_secs(4)));
        assert_eq!(
            access_key_revocation(&mut index, "FIRST").await.unwrap(),
            first
        );
        assert_eq!(
            access_key_revocation(&mut index, "THIRD").await.unwrap(),
            None
        );
        let live = live_access_keys(&mut index).await.unwrap();
        assert_eq!(live.len(), 1);
        assert_eq!(live[0].id, "SECOND");
        let kept: i64 =
            sqlx::query_scalar("SELECT count(*) FROM access_keys WHERE secret IS NOT NULL")
                .fetch_one(&mut index)
                .await
                .unwrap();
        assert_eq!(kept, 1, "a revoked key's secret leaves the index");
    }

    #[tokio::test]
    async fn a_secret_that_was_sealed_later_is_told_from_a_plain_one() {
        let mut index = index().await;
        created(&mut index, "ID", 1, KeyLimits::default()).await;
        assert!(!holds_sealed_secrets(&mut index).await.unwrap());
        let sealed = AccessKeySealed {
            id: "ID".to_owned(),
            secret: StoredSecret::Sealed {
                sealed: "b64".to_owned(),
            },
        };
        apply_sealed(&mut index, &rows(&sealed.effect()))
            .await
            .unwrap();
        assert!(holds_sealed_secrets(&mut index).await.unwrap());
        let live = live_access_keys(&mut index).await.unwrap();
        assert!(
            matches!(&live[0].secret, StoredSecret::Sealed { sealed } if sealed.as_str() == "b64")
        );
    }
}
