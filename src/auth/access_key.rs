//! Access keys of the S3 side and the signing keys derived from them.
//!
//! Guarantees: a signing key is derived once for a key, day and region while it is in use, and the memory that holds
//! them is bounded, whatever scopes strangers name. It refuses to know what is signed.
use super::recent::Recent;
use crate::s3::BucketName;
use crate::s3::sigv4::{Scope, SigningKey};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// Days and regions in use at once are few; the rest is room for strangers' guesses.
const SIGNING_KEYS: usize = 64;

#[derive(Debug, Clone)]
pub struct AccessKey {
    pub id: String,
    pub secret: SecretString,
    pub limits: KeyLimits,
}

impl AccessKey {
    /// The owner's, without limits.
    #[must_use]
    pub fn root(id: String, secret: SecretString) -> Self {
        let limits = KeyLimits::default();
        Self { id, secret, limits }
    }
}

/// What a key may reach. The root key has no limits, and it alone owns the buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeyLimits {
    pub read_only: bool,
    pub bucket: Option<BucketName>,
    /// Of object keys in that bucket.
    pub prefix: Option<String>,
}

/// All keys that may sign: now the root pair alone. Cheap to clone. Signing keys are cached by (key, day, region), bounded.
#[derive(Clone)]
pub struct AccessKeys {
    held: Arc<Held>,
}
struct Held {
    root: Arc<AccessKey>,
    derived: Recent<Scope, SigningKey>,
}
impl AccessKeys {
    #[must_use]
    pub fn new(root: AccessKey) -> Self {
        let derived = Recent::new(SIGNING_KEYS);
        Self {
            held: Arc::new(Held {
                root: Arc::new(root),
                derived,
            }),
        }
    }
    #[must_use]
    pub fn root(&self) -> &AccessKey {
        &self.held.root
    }
    /// A key that may sign now.
    #[must_use]
    pub fn find(&self, access_key: &str) -> Option<Arc<AccessKey>> {
        // An id is public (every policy shows it), so a plain comparison tells nothing.
        (access_key == self.held.root.id).then(|| self.held.root.clone())
    }
    /// The signing key of an access key for a scope; `None`: no such key.
    #[must_use]
    pub fn signing_key(&self, access_key: &str, scope: &Scope) -> Option<SigningKey> {
        self.find(access_key)?;
        if let Some(key) = self.held.derived.get(scope) {
            return Some(key);
        }
        let key = SigningKey::derive(self.held.root.secret.expose_secret(), scope);
        self.held.derived.insert(scope.clone(), key.clone());
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(region: String) -> Scope {
        Scope {
            day: "20261123".to_owned(),
            region,
        }
    }

    #[test]
    fn only_the_root_key_signs_and_what_is_remembered_signs_alike() {
        let keys = AccessKeys::new(AccessKey::root(
            "access-key".to_owned(),
            SecretString::from("secret-key"),
        ));
        let wanted = scope("us-east-1".to_owned());
        assert!(keys.signing_key("other", &wanted).is_none());
        let first = keys.signing_key("access-key", &wanted).unwrap().sign(b"x");
        for guess in 0..1000 {
            let _ = keys.signing_key("access-key", &scope(guess.to_string()));
        }
        let again = keys.signing_key("access-key", &wanted).unwrap().sign(b"x");
        assert_eq!(first, again);
    }
}
