//! The rows of users and tokens.
use crate::auth::token::SecretDigest;
use crate::auth::user::{Email, User};
use crate::clock::Timestamp;
use crate::store::{Effect, EffectKind, ReadView, Row, StoreError, unreadable};
use serde::Serialize;
use uuid::Uuid;

pub(super) const EFFECTS: [EffectKind; 3] = [
    EffectKind::new(UserCreated::KIND, INSERT_USERS),
    EffectKind::new(TokenCreated::KIND, INSERT_TOKENS),
    EffectKind::new(TokenRevoked::KIND, REVOKE_TOKENS),
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
        Effect::new(Self::KIND, vec![user_row(self.id), self.email_row()], self)
    }
    fn email_row(&self) -> String {
        email_row(&self.email)
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
        let rows = vec![token_row(&self.id.to_string()), user_row(self.user_id)];
        Effect::new(Self::KIND, rows, self)
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
        Effect::new(Self::KIND, vec![token_row(&self.id)], self)
    }
}

pub(in crate::auth) fn user_row(id: Uuid) -> String {
    format!("user:{id}")
}
/// Names no row of a table: it is locked so that two requests for one new email wait for one another.
pub(in crate::auth) fn email_row(email: &str) -> String {
    format!("user-email:{email}")
}
pub(in crate::auth) fn token_row(id: &str) -> String {
    format!("token:{id}")
}

const INSERT_USERS: &[&str] = &["INSERT INTO users (id, email, display_name, created_at)
     SELECT value ->> '$.data.id', value ->> '$.data.email',
            value ->> '$.data.display_name', value ->> '$.data.created_at'
     FROM json_each(?1)"];

const INSERT_TOKENS: &[&str] = &[
    "INSERT INTO tokens (id, user_id, secret_sha256, name, hint, scopes, any_workspace,
                         created_at, expires_at)
     SELECT value ->> '$.data.id', value ->> '$.data.user_id',
            value ->> '$.data.secret_sha256', value ->> '$.data.name',
            value ->> '$.data.hint', value -> '$.data.scopes',
            value ->> '$.data.any_workspace', value ->> '$.data.created_at',
            value ->> '$.data.expires_at'
     FROM json_each(?1)",
];

const REVOKE_TOKENS: &[&str] = &["UPDATE tokens SET revoked_at = revoked.at
     FROM (SELECT value ->> '$.data.id' AS id, value ->> '$.data.revoked_at' AS at
           FROM json_each(?1)) AS revoked
     WHERE tokens.id = revoked.id AND tokens.revoked_at IS NULL"];

/// A token together with its user, as authentication needs them.
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
    view: &mut ReadView,
    digest: SecretDigest,
) -> Result<Option<StoredToken>, StoreError> {
    view.row(
        "SELECT t.id, t.secret_sha256, t.user_id, u.email, t.scopes, t.any_workspace, t.expires_at,
                t.revoked_at
         FROM tokens AS t JOIN users AS u ON u.id = t.user_id
         WHERE t.secret_sha256 = ?1",
        [digest.to_hex().into()],
    )
    .await?
    .map(|row| {
        Ok(StoredToken {
            id: row.text("id")?.to_owned(),
            secret_sha256: row.text("secret_sha256")?.to_owned(),
            user_id: row.id("user_id")?,
            email: row.text("email")?.to_owned(),
            scopes: scopes_of(&row)?,
            any_workspace: row.flag("any_workspace")?,
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
pub(in crate::auth) async fn tokens(view: &mut ReadView) -> Result<Vec<TokenListing>, StoreError> {
    let rows = view.rows("SELECT t.id, u.email, t.name, t.scopes, t.created_at, t.expires_at, t.revoked_at, t.hint
         FROM tokens AS t JOIN users AS u ON u.id = t.user_id
         ORDER BY t.created_at, t.id", [])
    .await?;
    rows.iter()
        .map(|row| {
            Ok(TokenListing {
                id: row.text("id")?.to_owned(),
                user: row.text("email")?.to_owned(),
                name: row.text("name")?.to_owned(),
                scopes: scopes_of(row)?,
                created_at: Timestamp::from_millis(row.integer("created_at")?),
                expires_at: time_of(row, "expires_at")?,
                revoked_at: time_of(row, "revoked_at")?,
                hint: row.text("hint")?.to_owned(),
            })
        })
        .collect()
}

/// Whether a token exists, and since when it is revoked.
pub(in crate::auth) async fn revocation(
    view: &mut ReadView,
    id: &str,
) -> Result<Option<Option<Timestamp>>, StoreError> {
    view.row("SELECT revoked_at FROM tokens WHERE id = ?1", [id.into()])
        .await?
        .map(|row| time_of(&row, "revoked_at"))
        .transpose()
}

pub(in crate::auth) async fn user_by_email(
    view: &mut ReadView,
    email: &Email,
) -> Result<Option<User>, StoreError> {
    view.row(
        "SELECT id, email, display_name FROM users WHERE email = ?1",
        [email.as_str().into()],
    )
    .await?
    .map(|row| user_of(&row))
    .transpose()
}

pub(in crate::auth) async fn user_by_id(
    view: &mut ReadView,
    id: Uuid,
) -> Result<Option<User>, StoreError> {
    view.row(
        "SELECT id, email, display_name FROM users WHERE id = ?1",
        [id.into()],
    )
    .await?
    .map(|row| user_of(&row))
    .transpose()
}

pub(in crate::auth) async fn has_users(view: &mut ReadView) -> Result<bool, StoreError> {
    view.finds("SELECT 1 FROM users LIMIT 1", []).await
}

fn user_of(row: &Row) -> Result<User, StoreError> {
    Ok(User {
        id: row.id("id")?,
        email: row.text("email")?.to_owned(),
        display_name: row.text("display_name")?.to_owned(),
    })
}
pub(super) fn time_of(row: &Row, column: &str) -> Result<Option<Timestamp>, StoreError> {
    let millis = row.optional_integer(column)?;
    Ok(millis.map(Timestamp::from_millis))
}
fn scopes_of(row: &Row) -> Result<Vec<String>, StoreError> {
    serde_json::from_str(row.text("scopes")?).map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::TokenSecret;
    use crate::store::BareIndex;

    async fn index() -> BareIndex {
        BareIndex::with_tables(include_str!(
            "../../../migrations/0002_people_and_assets.sql"
        ))
        .await
    }
    async fn apply(index: &mut BareIndex, effect: &Effect) {
        index.apply(&EFFECTS, &[effect]).await;
    }
    async fn person(index: &mut BareIndex, email: &str) -> Uuid {
        let id = Uuid::new_v4();
        let created = UserCreated {
            id,
            email: email.to_owned(),
            display_name: "ana".to_owned(),
            created_at: Timestamp::from_secs(1),
        };
        apply(index, &created.effect()).await;
        id
    }

    #[tokio::test]
    async fn a_created_user_is_found_by_email_and_by_id() {
        let mut index = index().await;
        assert!(!has_users(index.view()).await.unwrap());
        let id = person(&mut index, "ana@example.com").await;
        assert!(has_users(index.view()).await.unwrap());
        let email = Email::parse("Ana@example.com").unwrap();
        let by_email = user_by_email(index.view(), &email).await.unwrap().unwrap();
        let by_id = user_by_id(index.view(), id).await.unwrap().unwrap();
        assert_eq!(by_email, by_id);
        assert_eq!(by_id.display_name, "ana");
        assert_eq!(
            user_by_id(index.view(), Uuid::new_v4()).await.unwrap(),
            None
        );
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
        apply(&mut index, &created.effect()).await;
        let found = token_by_digest(index.view(), digest)
            .await
            .unwrap()
            .unwrap();
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
            apply(&mut index, &revoked.effect()).await;
        }
        let first = Some(Some(Timestamp::from_secs(4)));
        assert_eq!(revocation(index.view(), &id).await.unwrap(), first);
        assert_eq!(revocation(index.view(), "other").await.unwrap(), None);
        let listed = tokens(index.view()).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(listed[0].name, "laptop");
        let unknown = SecretDigest::of(b"other");
        assert!(
            token_by_digest(index.view(), unknown)
                .await
                .unwrap()
                .is_none()
        );
    }
}
