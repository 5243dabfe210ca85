//! Access keys of the S3 side and the signing keys derived from them.
//!
//! Guarantees: no request finds a key after it was revoked; a signing key is derived once for a key, day and region
//! while it is in use, and the cache of signing keys is bounded, whatever scopes unauthenticated clients name. It
//! refuses to know what is signed, and where keys are stored.
use crate::cache::TwoGenerationCache;
use crate::s3::BucketName;
use crate::s3::sigv4::{Scope, SigningKey};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Keys, days and regions in use at once are few; the rest is room for guesses of unauthenticated clients.
const SIGNING_KEYS: usize = 256;

const ID_CHARS: usize = 20;
const SECRET_CHARS: usize = 40;
/// Capital letters and digits alone: they need no quoting in a shell or a URL.
const ID_ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const SECRET_ALPHABET: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

#[derive(Debug, Clone)]
pub struct AccessKey {
    pub id: String,
    pub secret: SecretString,
    pub limits: KeyLimits,
}

impl AccessKey {
    /// The owner's key, without limits.
    #[must_use]
    pub fn root(id: String, secret: SecretString) -> Self {
        let limits = KeyLimits::default();
        Self { id, secret, limits }
    }

    /// A new key: 103 random bits of id, 238 of secret.
    #[must_use]
    pub fn generate(limits: KeyLimits) -> Self {
        Self {
            id: random(ID_CHARS, ID_ALPHABET),
            secret: random(SECRET_CHARS, SECRET_ALPHABET).into(),
            limits,
        }
    }
}

fn random(chars: usize, alphabet: &[u8]) -> String {
    let mut generator = rand::rng();
    (0..chars)
        .map(|_| char::from(alphabet[generator.random_range(..alphabet.len())]))
        .collect()
}

/// What a key may reach. The root key has no limits, and it alone owns the buckets.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct KeyLimits {
    pub read_only: bool,
    pub bucket: Option<BucketName>,
    /// The prefix of the object keys that it may reach in that bucket.
    pub prefix: Option<String>,
}

/// All keys that may sign: the root pair and the keys that the operator created. Cheap to clone.
#[derive(Clone)]
pub struct AccessKeys {
    root: Arc<AccessKey>,
    live: Arc<LiveKeys>,
}
impl AccessKeys {
    /// The root pair alone.
    #[must_use]
    pub fn new(root: AccessKey) -> Self {
        Self::with_live_keys(root, Arc::default())
    }
    pub(super) fn with_live_keys(root: AccessKey, live: Arc<LiveKeys>) -> Self {
        let root = Arc::new(root);
        Self { root, live }
    }
    #[must_use]
    pub fn root(&self) -> &AccessKey {
        &self.root
    }
    /// A key that may sign now. The root pair's id always means the root pair.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<Arc<AccessKey>> {
        // An id is public (every policy shows it), so a comparison in variable time leaks nothing.
        if id == self.root.id {
            return Some(self.root.clone());
        }
        self.live.get(id)
    }
    /// The signing key of an access key for a scope; `None`: no such key.
    #[must_use]
    pub fn signing_key(&self, id: &str, scope: &Scope) -> Option<SigningKey> {
        let derived = &self.live.derived;
        // Taken before the key is looked up, so that nothing of a key that is revoked meanwhile stays in the cache.
        let epoch = derived.epoch();
        let key = self.find(id)?;
        let named = (id.to_owned(), scope.clone());
        if let Some(known) = derived.get(&named) {
            return Some(known);
        }
        let signing_key = SigningKey::derive(key.secret.expose_secret(), scope);
        derived.insert_since(epoch, named, signing_key.clone());
        Some(signing_key)
    }
}

/// The created keys that are not revoked, and the cache of signing keys derived from any key.
pub(super) struct LiveKeys {
    by_id: RwLock<HashMap<String, Arc<AccessKey>>>,
    derived: TwoGenerationCache<(String, Scope), SigningKey>,
}
impl Default for LiveKeys {
    fn default() -> Self {
        Self {
            by_id: RwLock::default(),
            derived: TwoGenerationCache::new(SIGNING_KEYS),
        }
    }
}
impl LiveKeys {
    fn get(&self, id: &str) -> Option<Arc<AccessKey>> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.get(id).cloned()
    }
    pub(super) fn add(&self, key: AccessKey) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        by_id.insert(key.id.clone(), Arc::new(key));
    }
    /// From here on no look-up finds the key.
    pub(super) fn remove(&self, id: &str) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        by_id.remove(id);
        drop(by_id);
        self.derived.forget_all();
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
    fn key(id: &str, secret: &str) -> AccessKey {
        AccessKey::root(id.to_owned(), secret.into())
    }
    fn signature(keys: &AccessKeys, id: &str) -> Option<String> {
        let key = keys.signing_key(id, &scope("us-east-1".to_owned()))?;
        Some(key.sign(b"x"))
    }

    #[test]
    fn a_cached_signing_key_signs_alike_and_an_unknown_id_signs_nothing() {
        let keys = AccessKeys::new(key("access-key", "secret-key"));
        assert_eq!(signature(&keys, "other"), None);
        let first = signature(&keys, "access-key");
        for guess in 0..1000 {
            let _ = keys.signing_key("access-key", &scope(guess.to_string()));
        }
        assert_eq!(signature(&keys, "access-key"), first);
    }

    #[test]
    fn each_key_signs_with_its_own_secret_until_it_is_removed() {
        let live = Arc::new(LiveKeys::default());
        let keys = AccessKeys::with_live_keys(key("root", "root-secret"), live.clone());
        live.add(key("one", "secret-one"));
        live.add(key("two", "secret-two"));
        let signatures = ["root", "one", "two"].map(|id| signature(&keys, id).unwrap());
        assert_ne!(signatures[0], signatures[1]);
        assert_ne!(signatures[1], signatures[2]);
        let derived = SigningKey::derive("secret-two", &scope("us-east-1".to_owned()));
        assert_eq!(signatures[2], derived.sign(b"x"));

        live.remove("one");
        assert!(keys.find("one").is_none());
        assert_eq!(signature(&keys, "one"), None);
        assert_eq!(signature(&keys, "two").as_ref(), Some(&signatures[2]));
    }

    #[test]
    fn the_root_pair_is_found_even_if_another_key_has_its_id() {
        let live = Arc::new(LiveKeys::default());
        let keys = AccessKeys::with_live_keys(key("root", "root-secret"), live.clone());
        let before = signature(&keys, "root");
        live.add(key("root", "other-secret"));
        assert_eq!(signature(&keys, "root"), before);
        live.remove("root");
        assert_eq!(signature(&keys, "root"), before);
    }

    #[test]
    fn a_generated_key_is_of_plain_characters_and_unlike_any_other() {
        let keys = [(); 2].map(|()| AccessKey::generate(KeyLimits::default()));
        for key in &keys {
            let secret = key.secret.expose_secret();
            assert_eq!((key.id.len(), secret.len()), (ID_CHARS, SECRET_CHARS));
            assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
        assert_ne!(keys[0].id, keys[1].id);
    }
}
