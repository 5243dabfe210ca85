//! Looks up the keys that verify signatures.

use crate::s3::signature::credential::scope::{Credential, SigningKey};
use crate::s3::values::error::{ErrorCode, S3Error};
use secrecy::SecretString;

/// Looks up the keys that verify signatures.
pub struct Keys<'a> {
    pub signing_key: &'a dyn Fn(&Credential) -> Option<SigningKey>,
    pub secret: &'a dyn Fn(&str) -> Option<SecretString>,
}

impl Keys<'_> {
    pub(in crate::s3) fn signing_key(
        &self,
        credential: &Credential,
    ) -> Result<SigningKey, S3Error> {
        (self.signing_key)(credential).ok_or_else(|| unknown_key(&credential.access_key))
    }

    pub(in crate::s3) fn secret(&self, access_key: &str) -> Result<SecretString, S3Error> {
        (self.secret)(access_key).ok_or_else(|| unknown_key(access_key))
    }
}

fn unknown_key(access_key: &str) -> S3Error {
    S3Error::new(ErrorCode::InvalidAccessKeyId)
        .extra("AWSAccessKeyId", access_key)
        .logged("the access key is not one of this server's")
}
