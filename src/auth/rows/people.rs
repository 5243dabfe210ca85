//! The rows of users and tokens.
use crate::auth::token::SecretDigest;
use crate::auth::user::{Email, User};
use crate::clock::Timestamp;
use crate::store::{Effect, EffectKind};
use futures_util::future::BoxFuture;
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use std::borrow::Cow;
use uuid::Uuid;

pub(super) const EFFECTS: [EffectKind; 3] = [
    EffectKind {
        kind: UserCreated::KIND,
        apply: apply_user_created,
    },
    EffectKind {
        kind: TokenCreated::KIND,
        apply: apply_token_created,
    },
    EffectKind {
        kind: TokenRevoked::KIND,
        apply: apply_token_revoked,
    },
];

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct UserCreated {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) email: String,
    pub(in crate::auth) display_name: String,
    pub(in crate::auth) created_at: Timestamp,
}
impl UserCreated {
    const KIND: &str = "user.created";

    pub(in crate::auth) fn effect(&self) -> Effect {
        effect(
            Self::KIND,
            vec![user_lock(self.id), self.email_lock()],
            self,
        )
    }
    fn email_lock(&self) -> String {
        email_lock(&self.email)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct TokenCreated {
    pub(in crate::auth) id: Uuid,
    pub(in crate::auth) user_id: Uuid,
    pub(in crate::auth) secret_sha256: String,
    pub(in crate::auth) name: String,
    pub(in crate::auth) hint: String,
    pub(in crate::auth) scopes: Vec<String>,
    pub(in crate::auth) any_workspace: bool,
    pub(in crate::auth) created_at: Timestamp,
    pub(in crate::auth) expires_at: Option<Timestamp>,
}
impl TokenCreated {
    const KIND: &str = "token.created";

    pub(in crate::auth) fn effect(&self) -> Effect {
        let touches = vec![token_lock(&self.id.to_string()), user_lock(self.user_id)];
        effect(Self::KIND, touches, self)
    }
}

#[derive(Debug, Clone, Serialize)]
pub(in crate::auth) struct TokenRevoked {
    pub(in crate::auth) id: String,
    pub(in crate::auth) revoked_at: Timestamp,
}
impl TokenRevoked {
    const KIND: &str = "token.revoked";

    pub(in crate::auth) fn effect(&self) -> Effect {
        effect(Self::KIND, vec![token_lock(&self.id)], self)
    }
}

pub(in crate::auth) fn user_lock(id: Uuid) -> String {
    format!("user:{id}")
}
/// Two people asking for one new email wait for one another, not for the unique index.
pub(in crate::auth) fn email_lock(email: &str) -> String {
    format!("user-email:{email}")
}
pub(in crate::auth) fn token_lock(id: &str) -> String {
    format!("token:{id}")
}

pub(super) fn effect(kind: &'static str, touches: Vec<String>, data: &impl Serialize) -> Effect {
    Effect {
        kind: Cow::Borrowed(kind),
        touches,
        data: serde_json::to_value(data).expect("a record of texts, numbers and ids is JSON"),
    }
}

fn apply_user_created<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "INSERT INTO users (id, email, display_name, created_at)
             SELECT value ->> '$.data.id', value ->> '$.data.email',
                    value ->> '$.data.display_name', value ->> '$.data.created_at'
             FROM json_each(?1)",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

fn apply_token_created<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "INSERT INTO tokens (id, user_id, secret_sha256, name, hint, scopes, any_workspace,
                                 created_at, expires_at)
             SELECT value ->> '$.data.id', value ->> '$.data.user_id',
                    value ->> '$.data.secret_sha256', value ->> '$.data.name',
                    value ->> '$.data.hint', value -> '$.data.scopes',
                    value ->> '$.data.any_workspace', value ->> '$.data.created_at',
                    value ->> '$.data.expires_at'
             FROM json_each(?1)",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

fn apply_token_revoked<'c>(
    connection: &'c mut SqliteConnection,
    rows: &'c str,
) -> BoxFuture<'c, Result<(), sqlx::Error>> {
    Box::pin(async move {
        sqlx::query(
            "UPDATE tokens SET revoked_at = revoked.at
             FROM (SELECT value ->> '$.data.id' AS id, value ->> '$.data.revoked_at' AS at
                   FROM json_each(?1)) AS revoked
             WHERE tokens.id = revoked.id AND tokens.revoked_at IS NULL",
        )
        .bind(rows)
        .execute(connection)
        .await?;
        Ok(())
    })
}

/// A token beside its user, as authentication needs them.
#[derive(Debug, Clone)]
pub(in crate::auth) struct StoredToken {
    pub(in crate::auth) id: String,
    pub(in crate::auth) secret_sha256: String,
    pub(in crate::auth) user_id: Uuid,
    pub(in crate::auth) email: String,
    pub(in crate::auth) scopes: Vec<String>,
    pub(in crate::auth) any_workspace: bool,
    pub(in crate::auth) expires_at: Option<Timestamp>,
    pub(in crate::auth) revoked_at: Option<Timestamp>,
}

pub(in crate::auth) async fn token_by_digest(
    connection: &mut SqliteConnection,
    digest: SecretDigest,
) -> Result<Option<StoredToken>, sqlx::Error> {
    sqlx::query(
        "SELECT t.id, t.secret_sha256, t.user_id, u.email, t.scopes, t.any_workspace, t.expires_at,
                t.revoked_at
         FROM tokens AS t JOIN users AS u ON u.id = t.user_id
         WHERE t.secret_sha256 = ?1",
    )
    .bind(digest.to_hex())
    .fetch_optional(connection)
    .await?
    .map(|row| {
        Ok(StoredToken {
            id: row.try_get("id")?,
            secret_sha256: row.try_get("secret_sha256")?,
            user_id: id_of(&row, "user_id")?,
            email: row.try_get("email")?,
            scopes: scopes_of(&row)?,
            any_workspace: row.try_get("any_workspace")?,
            expires_at: time_of(&row, "expires_at")?,
            revoked_at: time_of(&row, "revoked_at")?,
        })
    })
    .transpose()
}

/// A token as a list shows it.
#[derive(Debug, Clone)]
pub struct TokenListing {
    pub id: String,
    /// The user's email.
    pub user: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    /// The secret's last four digits.
    pub hint: String,
}

/// All tokens, the oldest first.
pub(in crate::auth) async fn tokens(
    connection: &mut SqliteConnection,
) -> Result<Vec<TokenListing>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT t.id, u.email, t.name, t.scopes, t.created_at, t.expires_at, t.revoked_at, t.hint
         FROM tokens AS t JOIN users AS u ON u.id = t.user_id
         ORDER BY t.created_at, t.id",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TokenListing {
                id: row.try_get("id")?,
                user: row.try_get("email")?,
                name: row.try_get("name")?,
                scopes: scopes_of(row)?,
                created_at: Timestamp::from_millis(row.try_get("created_at")?),
                expires_at: time_of(row, "expires_at")?,
                revoked_at: time_of(row, "revoked_at")?,
                hint: row.try_get("hint")?,
            })
        })
        .collect()
}

/// Whether a token is there, and since when it is revoked.
pub(in crate::auth) async fn revocation(
    connection: &mut SqliteConnection,
    id: &str,
) -> Result<Option<Option<Timestamp>>, sqlx::Error> {
    sqlx::query("SELECT revoked_at FROM tokens WHERE id = ?1")
        .bind(id)
        .fetch_optional(connection)
        .await?
        .map(|row| time_of(&row, "revoked_at"))
        .transpose()
}

pub(in crate::auth) async fn user_by_email(
    connection: &mut SqliteConnection,
    email: &Email,
) -> Result<Option<User>, sqlx::Error> {
    sqlx::query("SELECT id, email, display_name FROM users WHERE email = ?1")
        .bind(email.as_str())
        .fetch_optional(connection)
        .await?
        .map(|row| user_of(&row))
        .transpose()
}

pub(in crate::auth) async fn user_by_id(
    connection: &mut SqliteConnection,
    id: Uuid,
) -> Result<Option<User>, sqlx::Error> {
    sqlx::query("SELECT id, email, display_name FROM users WHERE id = ?1")
        .bind(id.to_string())
        .fetch_optional(connection)
        .await?
        .map(|row| user_of(&row))
        .transpose()
}

pub(in crate::auth) async fn has_users(
    connection: &mut SqliteConnection,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users)")
        .fetch_one(connection)
        .await
}

fn user_of(row: &SqliteRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: id_of(row, "id")?,
        email: row.try_get("email")?,
        display_name: row.try_get("display_name")?,
    })
}
pub(super) fn id_of(row: &SqliteRow, column: &str) -> Result<Uuid, sqlx::Error> {
    Uuid::try_parse(row.try_get(column)?).map_err(|error| sqlx::Error::Decode(error.into()))
}
pub(super) fn time_of(row: &SqliteRow, column: &str) -> Result<Option<Timestamp>, sqlx::Error> {
    let millis: Option<i64> = row.try_get(column)?;
    Ok(millis.map(Timestamp::from_millis))
}
fn scopes_of(row: &SqliteRow) -> Result<Vec<String>, sqlx::Error> {
    serde_json::from_str(row.try_get("scopes")?).map_err(|error| sqlx::Error::Decode(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::TokenSecret;
    use sqlx::Connection;

    async fn index() -> SqliteConnection {
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::raw_sql(include_str!(
            "../../../migrations/0002_people_and_assets.sql"
        ))
        .execute(&mut connection)
        .await
        .unwrap();
        connection
    }
    /// What the store hands to an applying function.
    fn rows(effect: &Effect) -> String {
        serde_json::json!([{"sequence": 1, "at": 0, "data": effect.data}]).to_string()
    }
    async fn person(connection: &mut SqliteConnection, email: &str) -> Uuid {
        let id = Uuid::new_v4();
        let created = UserCreated {
            id,
            email: email.to_owned(),
            display_name: "ana".to_owned(),
            created_at: Timestamp::from_secs(1),
        };
        apply_user_created(connection, &rows(&created.effect()))
            .await
            .unwrap();
        id
    }

    #[tokio::test]
    async fn a_created_user_is_found_by_email_and_by_id() {
        let mut index = index().await;
        assert!(!has_users(&mut index).await.unwrap());
        let id = person(&mut index, "ana@example.com").await;
        assert!(has_users(&mut index).await.unwrap());
        let email = Email::parse("Ana@example.com").unwrap();
        let by_email = user_by_email(&mut index, &email).await.unwrap().unwrap();
        let by_id = user_by_id(&mut index, id).await.unwrap().unwrap();
        assert_eq!(by_email, by_id);
        assert_eq!(by_id.display_name, "ana");
        assert_eq!(user_by_id(&mut index, Uuid::new_v4()).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_created_token_is_found_by_its_digest_until_it_is_revoked_for_good() {
        let mut index = index().await;
        let user_id = person(&mut index, "ana@example.com").await;
        let digest = TokenSecret::generate().unwrap().digest();
        let id = Uuid::new_v4();
        let created = TokenCreated {
            id,
            user_id,
            secret_sha256: digest.to_hex(),
            name: "laptop".to_owned(),
            hint: "…0000".to_owned(),
            scopes: vec!["assets:read".to_owned()],
            any_workspace: true,
            created_at: Timestamp::from_secs(2),
            expires_at: Some(Timestamp::from_secs(3)),
        };
        apply_token_created(&mut index, &rows(&created.effect()))
            .await
            .unwrap();
        let found = token_by_digest(&mut index, digest).await.unwrap().unwrap();
        assert_eq!(found.email, "ana@example.com");
        assert_eq!(found.scopes, ["assets:read"]);
        assert!(found.any_workspace);
        assert_eq!(found.expires_at, Some(Timestamp::from_secs(3)));
        assert_eq!(found.revoked_at, None);

        let id = id.to_string();
        for at in [4, 5] {
            let revoked = TokenRevoked {
                id: id.clone(),
                revoked_at: Timestamp::from_secs(at),
            };
            apply_token_revoked(&mut index, &rows(&revoked.effect()))
                .await
                .unwrap();
        }
        let first = Some(Some(Timestamp::from_secs(4)));
        assert_eq!(revocation(&mut index, &id).await.unwrap(), first);
        assert_eq!(revocation(&mut index, "other").await.unwrap(), None);
        let listed = tokens(&mut index).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].name, "laptop");
        let unknown = SecretDigest::of(b"other");
        assert!(
            token_by_digest(&mut index, unknown)
                .await
                .unwrap()
                .is_none()
        );
    }
}
