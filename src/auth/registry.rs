//! The users, tokens, access keys and workspaces of one vault, and the caches of their rows.
//!
//! Changes are made in `tokens`, `issuing` (access keys) and `membership` (workspaces).
use crate::auth::access_key::LiveKeys;
use crate::auth::error::AuthError;
use crate::auth::principal::{Known, Principal};
use crate::auth::rows::people::{self, StoredToken, UserCreated};
use crate::auth::seal::KeyFile;
use crate::auth::token::{self, SecretDigest};
use crate::auth::user::{Email, User};
use crate::auth::workspace::Directory;
use crate::cache::TwoGenerationCache;
use crate::clock::Clock;
use crate::store::{Decision, ReadView, RecordError, Store, StoreError};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// This many tokens are cached, or at most twice as many.
const PRINCIPALS: usize = 4096;

/// Users, tokens and access keys. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    pub(super) inner: Arc<Inner>,
}
pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) clock: Clock,
    pub(super) key_file: Option<KeyFile>,
    pub(super) is_local: bool,
    pub(super) principals: TwoGenerationCache<SecretDigest, Known>,
    /// Holds one entry, for as long as nothing in it changes.
    pub(super) directory: TwoGenerationCache<(), Arc<Directory>>,
    pub(super) live: Arc<LiveKeys>,
    /// Held from an access key's record until the key is changed in memory, so that no other change comes between.
    pub(super) key_changes: tokio::sync::Mutex<()>,
}
impl Auth {
    /// `key_file`: seals the secrets of access keys that are made. `is_local`: hangar listens on loopback alone, so that
    /// tokens for any workspace count.
    #[must_use]
    pub fn new(store: Store, clock: Clock, key_file: Option<KeyFile>, is_local: bool) -> Self {
        Self {
            inner: Arc::new(Inner {
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

    /// The user that a secret stands for; `None`: the secret is unknown, expired or revoked.
    /// # Errors
    /// When the index does not answer.
    pub async fn principal(&self, secret: &[u8]) -> Result<Option<Arc<Principal>>, StoreError> {
        if !token::has_the_form_of_a_token(secret) {
            return Ok(None);
        }
        let digest = SecretDigest::of(secret);
        let known = match self.inner.principals.get(&digest) {
            Some(known) => Some(known),
            None => self.read_principal(digest).await?,
        };
        let now = self.inner.clock.now();
        Ok(known
            .filter(|known| !known.is_expired(now))
            .map(|known| known.principal))
    }

    async fn read_principal(&self, digest: SecretDigest) -> Result<Option<Known>, StoreError> {
        // Taken before the row is read, so that this row is not cached if a change is recorded meanwhile.
        let epoch = self.inner.principals.epoch();
        let mut view = self.view().await?;
        let token = people::token_by_digest(&mut view, digest).await?;
        drop(view);
        let Some(mut known) = token.and_then(|token| known_of(token, digest)) else {
            return Ok(None);
        };
        if !self.inner.is_local {
            Arc::make_mut(&mut known.principal).any_workspace = false;
        }
        self.inner
            .principals
            .insert_since(epoch, digest, known.clone());
        Ok(Some(known))
    }

    /// # Errors
    /// When the index does not answer.
    pub async fn user(&self, id: Uuid) -> Result<Option<User>, StoreError> {
        let mut view = self.view().await?;
        people::user_by_id(&mut view, id).await
    }

    pub(super) async fn ensure_user(&self, email: &Email) -> Result<Uuid, AuthError> {
        let created = UserCreated {
            id: Uuid::new_v4(),
            email: email.as_str().to_owned(),
            display_name: email.display_name().to_owned(),
            created_at: self.inner.clock.now(),
        };
        let email = email.clone();
        let rows = vec![
            people::email_row(email.as_str()),
            people::user_row(created.id),
        ];
        self.inner
            .store
            .record(rows, move |view| {
                Box::pin(async move {
                    let known = people::user_by_email(view, &email).await?;
                    Ok(match known {
                        Some(user) => Decision {
                            effect: None,
                            answer: user.id,
                        },
                        None => Decision {
                            effect: Some(created.effect()),
                            answer: created.id,
                        },
                    })
                })
            })
            .await
            .map_err(RecordError::into_refusal)
    }

    pub(super) async fn view(&self) -> Result<ReadView, StoreError> {
        self.inner.store.read_view().await
    }
}

/// The row was found through an index; here its digest is compared again, in constant time.
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
