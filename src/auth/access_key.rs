//! Access keys of the S3 side and the signing keys derived from them.
//!
//! Guarantees: a signing key is derived once for a key, day and region while it is in use, and the memory that holds
//! them is bounded, whatever scopes strangers name. It refuses to know what is signed.
use super::recent::Recent;
use crate::s3::sigv4::{Scope, SigningKey};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// Days and regions in use at once are few; the rest is room for strangers' guesses.
const SIGNING_KEYS: usize = 64;

#[derive(Debug, Clone)]
pub struct AccessKey {
    pub id: String,
    pub secret: SecretString,
}
/// All keys that may sign: now the root pair alone. Cheap to clone. Signing keys are cached by (key, day, region), bounded.
#[derive(Clone)]
pub struct AccessKeys {
    held: Arc<Held>,
}
struct Held {
    root: AccessKey,
    derived: Recent<Scope, SigningKey>,
}
impl AccessKeys {
    #[must_use]
    pub fn new(root: AccessKey) -> Self {
        let derived = Recent::new(SIGNING_KEYS);
        Self {
            held: Arc::new(Held { root, derived }),
        }
    }
    #[must_use]
    pub fn root(&self) -> &AccessKey {
        &self.held.root
    }
    /// The signing key of an access key for a scope; `None`: no such key.
    #[must_use]
    pub fn signing_key(&self, access_key: &str, scope: &Scope) -> Option<SigningKey> {
        // An id is public (every policy shows it), so a plain comparison tells nothing.
        if access_key != self.held.root.id {
            return None;
        }
        if let Some(key) = self.held.derived.get(scope) {
            return Some(key);
        }
        let key = SigningKey::derive(self.held.root.secret.expose_secret(), scope);
        self.held.derived.insert(scope.clone(), key.clone());
        Some(key)
    }
}
