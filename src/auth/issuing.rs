//! Making, listing and revoking access keys.
//!
//! Guarantees: a change is in the log before it is in memory, and in memory before the caller gets its result; so the
//! very next request with a revoked key is refused, and a secret that was shown is never lost. With a key file every
//! secret is sealed before it is written.
use crate::auth::access_key::{AccessKey, AccessKeys, KeyLimits};
use crate::auth::error::AuthError;
use crate::auth::registry::Auth;
use crate::auth::rows::access_keys::{
    self, AccessKeyCreated, AccessKeyListing, AccessKeyRevoked, AccessKeySealed, StoredAccessKey,
};
use crate::auth::seal::StoredSecret;
use crate::auth::token;
use crate::clock::Timestamp;
use crate::store::{Decision, RecordError, StoreError};
use std::future::Future;

/// AWS: no object's key is longer.
const LONGEST_PREFIX_BYTES: usize = 1024;

/// The wanted properties of a new access key.
#[derive(Debug, Clone, Default)]
pub struct NewAccessKey {
    pub name: Option<String>,
    pub limits: KeyLimits,
}

/// An access key that was just made, with the secret that is shown this once.
#[derive(Debug)]
pub struct CreatedAccessKey {
    pub key: AccessKey,
    pub name: String,
    pub created_at: Timestamp,
    /// Whether the bucket that the key is limited to does not exist.
    pub lacks_bucket: bool,
}

impl Auth {
    /// All keys that may sign, kept up to date as keys change. Where there is a key file, secrets in the vault that its
    /// first key has not sealed are sealed first.
    /// # Errors
    /// `Refused` when a secret is sealed and cannot be opened.
    pub async fn open_keys(&self, root: AccessKey) -> Result<AccessKeys, AuthError> {
        let mut view = self.view().await?;
        let stored = access_keys::live_access_keys(&mut view).await?;
        drop(view);
        for key in stored {
            let key = self.open_key(key).await?;
            if key.id == root.id {
                tracing::warn!(
                    "the access key {} has the id of the root pair, whose secret alone is good for it: revoke it with \
                     `hangar access-key revoke`, or give the root pair another id",
                    key.id
                );
            }
            self.inner.live.add(key);
        }
        Ok(AccessKeys::with_live_keys(root, self.inner.live.clone()))
    }

    async fn open_key(&self, stored: StoredAccessKey) -> Result<AccessKey, AuthError> {
        let StoredAccessKey { id, secret, limits } = stored;
        let opened = secret
            .open(&id, self.inner.key_file.as_ref())
            .map_err(|error| {
                AuthError::Refused(format!(
                    "The secret of the access key {id} cannot be used: {error}, or end the key with `hangar access-key revoke {id}`."
                ))
            })?;
        if let Some(better) = opened.better {
            if !secret.is_sealed() {
                tracing::warn!(
                    "the access key {id} was made without HANGAR_KEY_FILE: its secret is sealed now, but stays readable in \
                     older records of the log; where copies of the data folder are not safe, make a new key and revoke it"
                );
            }
            let id = id.clone();
            let sealed = AccessKeySealed { id, secret: better }.effect();
            self.inner.store.record_new(sealed).await?;
        }
        Ok(AccessKey {
            id,
            secret: opened.secret,
            limits,
        })
    }

    /// Creates an access key, which may sign at once.
    /// # Errors
    /// `Refused` when the name or the limits are not acceptable, or secrets here are sealed and there is no key file.
    pub async fn create_access_key(
        &self,
        wanted: NewAccessKey,
    ) -> Result<CreatedAccessKey, AuthError> {
        let name = token::parse_name(wanted.name, "").map_err(AuthError::Refused)?;
        check_limits(&wanted.limits).map_err(AuthError::Refused)?;
        let auth = self.clone();
        run_to_completion(async move {
            let _one_at_a_time = auth.inner.key_changes.lock().await;
            let key = AccessKey::generate(wanted.limits);
            let created_at = auth.inner.clock.now();
            auth.record_access_key(&key, &name, created_at).await?;
            auth.inner.live.add(key.clone());
            let bucket = key.limits.bucket.as_ref();
            Ok(CreatedAccessKey {
                lacks_bucket: bucket.is_some_and(|name| auth.inner.store.bucket(name).is_none()),
                key,
                name,
                created_at,
            })
        })
        .await
    }

    async fn record_access_key(
        &self,
        key: &AccessKey,
        name: &str,
        created_at: Timestamp,
    ) -> Result<(), AuthError> {
        let key_file = self.inner.key_file.as_ref();
        let secret = StoredSecret::of(&key.id, &key.secret, key_file).map_err(|error| {
            AuthError::Refused(format!("The secret cannot be sealed: {error}."))
        })?;
        let created = AccessKeyCreated {
            id: key.id.clone(),
            name: name.to_owned(),
            secret,
            limits: key.limits.clone(),
            created_at,
        };
        self.inner
            .store
            .record(vec![access_keys::access_key_row(&key.id)], move |view| {
                Box::pin(async move {
                    if !created.secret.is_sealed() && access_keys::holds_sealed_secrets(view).await? {
                        return Err(AuthError::Refused(SEALED_FOLDER.to_owned()));
                    }
                    if access_keys::access_key_revocation(view, &created.id).await?.is_some() {
                        let again = "The random id is taken, which happens once in many lifetimes; try again.";
                        return Err(AuthError::Refused(again.to_owned()));
                    }
                    Ok(Decision {
                        effect: Some(created.effect()),
                        answer: (),
                    })
                })
            })
            .await
            .map_err(RecordError::into_refusal)
    }

    /// All access keys but the root pair, revoked ones too, the oldest first.
    /// # Errors
    /// When the index does not answer.
    pub async fn access_keys(&self) -> Result<Vec<AccessKeyListing>, StoreError> {
        let mut view = self.view().await?;
        access_keys::access_keys(&mut view).await
    }

    /// Revokes an access key, at once and for good. One that is revoked already stays as it is.
    /// # Errors
    /// `Refused` when there is no such key.
    pub async fn revoke_access_key(&self, id: &str) -> Result<(), AuthError> {
        let (auth, id) = (self.clone(), id.to_owned());
        run_to_completion(async move {
            let _one_at_a_time = auth.inner.key_changes.lock().await;
            auth.record_key_revocation(id.clone()).await?;
            auth.inner.live.remove(&id);
            Ok(())
        })
        .await
    }

    async fn record_key_revocation(&self, id: String) -> Result<(), AuthError> {
        let revoked_at = self.inner.clock.now();
        self.inner
            .store
            .record(vec![access_keys::access_key_row(&id)], move |view| {
                Box::pin(async move {
                    let effect = match access_keys::access_key_revocation(view, &id).await? {
                        None => {
                            return Err(AuthError::Refused(format!(
                                "There is no access key with the id {id:?}; `hangar access-key list` shows those there are, and the root pair is changed by the settings."
                            )));
                        }
                        Some(Some(_)) => None,
                        Some(None) => Some(AccessKeyRevoked { id, revoked_at }.effect()),
                    };
                    Ok(Decision { effect, answer: () })
                })
            })
            .await
            .map_err(RecordError::into_refusal)
    }
}

/// The refusal of a command that would store an unsealed secret in a folder of sealed ones.
pub const SEALED_FOLDER: &str = "The secrets in this folder are sealed: set HANGAR_KEY_FILE to the file that they were sealed with, so that a new one is sealed too.";

/// Runs in a task of its own: if the caller is cancelled half-way, a recorded change must still reach memory.
async fn run_to_completion<T: Send + 'static>(
    change: impl Future<Output = Result<T, AuthError>> + Send + 'static,
) -> Result<T, AuthError> {
    tokio::spawn(change).await.unwrap_or_else(|error| {
        let trouble = format!("the change of an access key did not finish: {error}");
        Err(AuthError::Store(StoreError::Unavailable(trouble.into())))
    })
}

fn check_limits(limits: &KeyLimits) -> Result<(), String> {
    let Some(prefix) = &limits.prefix else {
        return Ok(());
    };
    if limits.bucket.is_none() {
        return Err("A prefix is one of keys in a bucket: name the bucket too.".to_owned());
    }
    if prefix.is_empty() {
        return Err("The prefix is empty: leave it out for all of the bucket.".to_owned());
    }
    if prefix.len() > LONGEST_PREFIX_BYTES || prefix.contains('\0') {
        return Err(format!(
            "No object's key begins like that: a prefix is at most {LONGEST_PREFIX_BYTES} bytes and holds no NUL."
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
