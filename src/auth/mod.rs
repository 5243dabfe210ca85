//! Who asks: users and tokens of the asset API, access keys of the S3 side.
//!
//! Guarantees: a token is found by the hash of its secret, from memory while it is in use; what was revoked is refused by
//! the very next request, for no answer read before a change survives it. Every change is a record of the store's log.
//! It refuses to know requests and headers. Rules: Plane contract, sections 1.1 and 2.2; S3 contract, section 5.
pub mod access_key;
mod issuing;
mod repo;
mod seal;
mod token;
mod user;
mod workspace;

pub use access_key::{AccessKey, AccessKeys, KeyLimits};
pub use issuing::{CreatedAccessKey, NewAccessKey, SEALED_FOLDER};
pub use repo::{AccessKeyListing, TokenListing};
pub use seal::KeyFile;
pub(crate) use seal::{SealError, StoredSecret};
pub use token::{DEFAULT_SCOPES, KNOWN_SCOPES};
pub use user::User;
pub use workspace::{Anchor, Role, Workspace, WorkspaceListing};

use crate::cache::TwoGenerationCache;
use crate::clock::{Clock, Timestamp};
use crate::store::{EffectKind, Judged, RecordError, Store, StoreError};
use access_key::LiveKeys;
use repo::{StoredToken, TokenCreated, TokenRevoked, UserCreated};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use token::{SecretDigest, TokenSecret};
use user::Email;
use uuid::Uuid;

/// Tokens held in memory: at most twice as many.
const PRINCIPALS: usize = 4096;

const UNNAMED_TOKEN: &str = "API token";

/// Who a token stands for.
#[derive(Debug, Clone)]
pub struct Principal {
    pub user_id: Uuid,
    pub email: String,
    pub token_id: String,
    pub scopes: Arc<[String]>,
    /// Made with `--workspace '*'`
    pub any_workspace: bool,
}
impl Principal {
    /// Whether the token has one of these scopes.
    #[must_use]
    pub fn has_any_of(&self, scopes: &[&str]) -> bool {
        scopes
            .iter()
            .any(|scope| self.scopes.iter().any(|held| held == scope))
    }
}

/// What a new token is to be.
#[derive(Debug, Clone, Default)]
pub struct NewToken {
    pub email: String,
    pub name: Option<String>,
    /// None named: [`DEFAULT_SCOPES`]
    pub scopes: Vec<String>,
    /// Seconds from now
    pub expires_in: Option<u64>,
    pub any_workspace: bool,
}
/// A token that was just made, with the secret that is shown this once.
#[derive(Debug)]
pub struct CreatedToken {
    pub secret: SecretString,
    pub id: Uuid,
    /// The user's email.
    pub user: String,
    pub name: String,
    pub scopes: Vec<String>,
    pub expires_at: Option<Timestamp>,
}

/// Why a change of people or tokens did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// One sentence for who asked.
    #[error("{0}")]
    Refused(String),
    #[error("the change could not be stored")]
    Store(#[source] StoreError),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for AuthError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// Kinds of effects of this module, to be registered with the store.
#[must_use]
pub fn effects() -> Vec<EffectKind> {
    repo::effects()
}

/// Users, tokens and access keys. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    held: Arc<Held>,
}
struct Held {
    store: Store,
    clock: Clock,
    key_file: Option<KeyFile>,
    is_local: bool,
    principals: TwoGenerationCache<SecretDigest, Known>,
    /// One, as long as nothing of it changes.
    directory: TwoGenerationCache<(), Arc<workspace::Directory>>,
    live: Arc<LiveKeys>,
    /// From an access key's record to its place in memory no other change comes between.
    key_changes: tokio::sync::Mutex<()>,
}
/// A token that was neither revoked nor expired when it was read.
#[derive(Clone)]
struct Known {
    principal: Arc<Principal>,
    expires_at: Option<Timestamp>,
}
impl Known {
    fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

impl Auth {
    /// `key_file`: seals the secrets of access keys that are made. `is_local`: hangar listens on loopback alone, so that
    /// tokens for any workspace count.
    #[must_use]
    pub fn new(store: Store, clock: Clock, key_file: Option<KeyFile>, is_local: bool) -> Self {
        Self {
            held: Arc::new(Held {
                store,
                clock,
                key_file,
                is_local,
                principals: TwoGenerationCache::new(PRINCIPALS),
                directory: TwoGenerationCache::new(1),
                live: Arc::default(),
                key_changes: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// Who a secret stands for; `None`: it is unknown, expired or revoked.
    /// # Errors
    /// When the index does not answer.
    pub async fn principal(&self, secret: &[u8]) -> Result<Option<Arc<Principal>>, StoreError> {
        if !token::has_the_form_of_a_token(secret) {
            return Ok(None);
        }
        let digest = SecretDigest::of(secret);
        let known = match self.held.principals.get(&digest) {
            Some(known) => Some(known),
            None => self.read_principal(digest).await?,
        };
        let now = self.held.clock.now();
        Ok(known
            .filter(|known| !known.is_expired(now))
            .map(|known| known.principal))
    }

    async fn read_principal(&self, digest: SecretDigest) -> Result<Option<Known>, StoreError> {
        // Before the row is read, so that a change recorded meanwhile keeps this answer out of memory.
        let epoch = self.held.principals.epoch();
        let mut connection = self.readers().await?;
        let token = repo::token_by_digest(&mut connection, digest)
            .await
            .map_err(StoreError::from)?;
        drop(connection);
        let Some(mut known) = token.and_then(|token| known_of(token, digest)) else {
            return Ok(None);
        };
        if !self.held.is_local {
            Arc::make_mut(&mut known.principal).any_workspace = false;
        }
        self.held
            .principals
            .insert_since(epoch, digest, known.clone());
        Ok(Some(known))
    }

    /// Makes a token, and its user where the email is new.
    /// # Errors
    /// `Refused` when the email, a scope, the name or the expiry is not acceptable.
    pub async fn create_token(&self, wanted: NewToken) -> Result<CreatedToken, AuthError> {
        let email = Email::parse(&wanted.email).map_err(AuthError::Refused)?;
        let scopes = token::parse_scopes(&wanted.scopes).map_err(AuthError::Refused)?;
        let name = token::parse_name(wanted.name, UNNAMED_TOKEN).map_err(AuthError::Refused)?;
        let life = token::parse_life(wanted.expires_in).map_err(AuthError::Refused)?;
        if wanted.any_workspace && !self.held.is_local {
            return Err(AuthError::Refused(
                "A token for any workspace is for development on one machine, and this hangar listens on more than loopback: set HANGAR_LISTEN to 127.0.0.1:9000, or make its user a member with `hangar workspace member add`.".to_owned(),
            ));
        }
        let secret = TokenSecret::generate().ok_or_else(|| {
            AuthError::Refused("The system's random generator does not answer.".to_owned())
        })?;
        let user_id = self.ensure_user(&email).await?;
        let now = self.held.clock.now();
        let created = TokenCreated {
            id: Uuid::new_v4(),
            user_id,
            secret_sha256: secret.digest().to_hex(),
            name,
            hint: secret.hint(),
            scopes,
            any_workspace: wanted.any_workspace,
            created_at: now,
            expires_at: life.map(|life| now.plus(life)),
        };
        self.record_token(created.clone()).await?;
        Ok(CreatedToken {
            secret: secret.into_inner(),
            id: created.id,
            user: email.as_str().to_owned(),
            name: created.name,
            scopes: created.scopes,
            expires_at: created.expires_at,
        })
    }

    /// Judged, so that its user is there when the record is applied.
    async fn record_token(&self, created: TokenCreated) -> Result<(), AuthError> {
        let names = vec![
            repo::token_lock(&created.id.to_string()),
            repo::user_lock(created.user_id),
        ];
        self.held
            .store
            .record(names, move |connection| {
                Box::pin(async move {
                    let user = repo::user_by_id(connection, created.user_id).await;
                    if user.map_err(AuthError::from)?.is_none() {
                        let gone = "The user was removed meanwhile; try again.";
                        return Err(AuthError::Refused(gone.to_owned()));
                    }
                    Ok(Judged {
                        effect: Some(created.effect()),
                        answer: (),
                    })
                })
            })
            .await
            .map_err(RecordError::into_refusal)
    }

    async fn ensure_user(&self, email: &Email) -> Result<Uuid, AuthError> {
        let created = UserCreated {
            id: Uuid::new_v4(),
            email: email.as_str().to_owned(),
            display_name: email.display_name().to_owned(),
            created_at: self.held.clock.now(),
        };
        let email = email.clone();
        let names = vec![
            repo::email_lock(email.as_str()),
            repo::user_lock(created.id),
        ];
        self.held
            .store
            .record(names, move |connection| {
                Box::pin(async move {
                    let known = repo::user_by_email(connection, &email)
                        .await
                        .map_err(AuthError::from)?;
                    Ok(match known {
                        Some(user) => Judged {
                            effect: None,
                            answer: user.id,
                        },
                        None => Judged {
                            effect: Some(created.effect()),
                            answer: created.id,
                        },
                    })
                })
            })
            .await
            .map_err(RecordError::into_refusal)
    }

    /// All tokens, revoked ones too, the oldest first.
    /// # Errors
    /// When the index does not answer.
    pub async fn tokens(&self) -> Result<Vec<TokenListing>, StoreError> {
        let mut connection = self.readers().await?;
        repo::tokens(&mut connection)
            .await
            .map_err(StoreError::from)
    }

    /// Revokes a token, at once and for good. One that is revoked already stays as it is.
    /// # Errors
    /// `Refused` when there is no such token.
    pub async fn revoke_token(&self, id: &str) -> Result<(), AuthError> {
        let (auth, id) = (self.clone(), id.to_owned());
        // A task of its own: if who asked goes away half-way, what is recorded must still be forgotten.
        let revoking = tokio::spawn(async move {
            let revoked = auth.record_revocation(id).await;
            auth.held.principals.forget_all();
            revoked
        });
        revoking.await.unwrap_or_else(|error| {
            let trouble = format!("revoking a token did not finish: {error}");
            Err(AuthError::Store(StoreError::Unavailable(trouble.into())))
        })
    }

    async fn record_revocation(&self, id: String) -> Result<(), AuthError> {
        let revoked_at = self.held.clock.now();
        self.held
            .store
            .record(vec![repo::token_lock(&id)], move |connection| {
                Box::pin(async move {
                    let known = repo::revocation(connection, &id)
                        .await
                        .map_err(AuthError::from)?;
                    let effect = match known {
                        None => {
                            return Err(AuthError::Refused(format!(
                                "There is no token with the id {id:?}; `hangar token list` shows those there are."
                            )));
                        }
                        Some(Some(_)) => None,
                        Some(None) => Some(TokenRevoked { id, revoked_at }.effect()),
                    };
                    Ok(Judged { effect, answer: () })
                })
            })
            .await
            .map_err(RecordError::into_refusal)
    }

    /// On a folder without any user: makes `admin@localhost` with a token of the default scopes, and answers its secret.
    /// # Errors
    /// When the index does not answer or the change cannot be stored.
    pub async fn first_start(&self) -> Result<Option<String>, StoreError> {
        let mut connection = self.readers().await?;
        let has_users = repo::has_users(&mut connection)
            .await
            .map_err(StoreError::from)?;
        drop(connection);
        if has_users {
            return Ok(None);
        }
        let wanted = NewToken {
            email: "admin@localhost".to_owned(),
            name: Some("First token".to_owned()),
            ..NewToken::default()
        };
        match self.create_token(wanted).await {
            Ok(created) => Ok(Some(created.secret.expose_secret().to_owned())),
            Err(AuthError::Store(error)) => Err(error),
            Err(AuthError::Refused(reason)) => Err(StoreError::Unavailable(reason.into())),
        }
    }

    /// # Errors
    /// When the index does not answer.
    pub async fn user(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        let mut connection = self.readers().await?;
        repo::user_by_id(&mut connection, id)
            .await
            .map_err(StoreError::from)
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

/// The row was found through an index; that it is the one is seen again, in constant time.
fn known_of(token: StoredToken, digest: SecretDigest) -> Option<Known> {
    let same: bool = token
        .secret_sha256
        .as_bytes()
        .ct_eq(digest.to_hex().as_bytes())
        .into();
    (same && token.revoked_at.is_none()).then(|| Known {
        expires_at: token.expires_at,
        principal: Arc::new(Principal {
            user_id: token.user_id,
            email: token.email,
            token_id: token.id,
            scopes: token.scopes.into(),
            any_workspace: token.any_workspace,
        }),
    })
}
