//! Access keys of the S3 side and the signing keys derived from them.
use crate::s3::sigv4::{Scope, SigningKey};
use secrecy::SecretString;

#[derive(Debug, Clone)]
pub struct AccessKey {
    pub id: String,
    pub secret: SecretString,
}
/// All keys that may sign: now the root pair alone. Cheap to clone. Signing keys are cached by (key, day, region), bounded.
#[derive(Clone)]
pub struct AccessKeys {}
impl AccessKeys {
    #[must_use]
    pub fn new(_root: AccessKey) -> Self {
        todo!()
    }
    #[must_use]
    pub fn root(&self) -> &AccessKey {
        todo!()
    }
    /// The signing key of an access key for a scope; `None`: no such key.
    #[must_use]
    pub fn signing_key(&self, _access_key: &str, _scope: &Scope) -> Option<SigningKey> {
        todo!()
    }
}
