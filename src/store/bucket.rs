//! A bucket and its settings.
//!
//! The documents of the settings are kept as text. What the edge needs of them for every request is parsed once, and
//! again after a document was replaced.

use crate::clock::Timestamp;
use crate::s3::bucket_policy::{BucketPolicy, Opening};
use crate::s3::cors::CorsRules;
use crate::s3::lifecycle::Lifecycle;
use crate::s3::public_access::PublicAccessBlock;
use crate::s3::{BucketName, BucketSetting, S3Error};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// Cheap to clone.
#[derive(Debug, Clone)]
pub struct Bucket {
    pub name: BucketName,
    pub created_at: Timestamp,
    settings: Arc<Settings>,
}

#[derive(Debug, Default)]
struct Settings {
    documents: BTreeMap<BucketSetting, Arc<str>>,
    policy: OnceLock<Result<Option<BucketPolicy>, S3Error>>,
    cors: OnceLock<Option<CorsRules>>,
    lifecycle: OnceLock<Option<Lifecycle>>,
    opening: OnceLock<Option<Opening>>,
}

impl Bucket {
    pub(in crate::store) fn new(
        name: BucketName,
        created_at: Timestamp,
        documents: BTreeMap<BucketSetting, Arc<str>>,
    ) -> Self {
        let settings = Settings {
            documents,
            ..Settings::default()
        };
        Self {
            name,
            created_at,
            settings: Arc::new(settings),
        }
    }

    /// Sets (or, with `None`, removes) a document.
    pub(in crate::store) fn set(&mut self, setting: BucketSetting, document: Option<&str>) {
        let mut documents = self.settings.documents.clone();
        match document {
            Some(document) => documents.insert(setting, document.into()),
            None => documents.remove(&setting),
        };
        *self = Self::new(self.name.clone(), self.created_at, documents);
    }

    /// A document of this bucket, as the client set it.
    #[must_use]
    pub fn setting(&self, setting: BucketSetting) -> Option<&str> {
        self.settings.documents.get(&setting).map(AsRef::as_ref)
    }

    /// The policy: what it allows the public, and what it denies even to signed requests.
    ///
    /// # Errors
    /// If the document cannot be parsed, though it was checked when it was set: hangar cannot know which requests it denies.
    pub fn policy(&self) -> Result<Option<&BucketPolicy>, &S3Error> {
        let read = || {
            let document = self.setting(BucketSetting::Policy);
            let policy = document.map(|document| BucketPolicy::parse(document, &self.name));
            policy.transpose()
        };
        let policy = self.settings.policy.get_or_init(read).as_ref();
        policy.map(Option::as_ref)
    }

    /// The public access that is blocked; nothing until it is set.
    #[must_use]
    pub fn public_access_block(&self) -> PublicAccessBlock {
        self.setting(BucketSetting::PublicAccessBlock)
            .and_then(|document| PublicAccessBlock::parse(document).ok())
            .unwrap_or_default()
    }

    /// What the public may do in the bucket; `None`: nothing.
    #[must_use]
    pub fn opening(&self) -> Option<&Opening> {
        let read = || {
            // A policy that cannot be parsed allows nothing.
            let policy = self.policy().ok()??;
            let is_restricted = self.public_access_block().restrict_public_buckets;
            policy.opening(&self.name).filter(|_| !is_restricted)
        };
        self.settings.opening.get_or_init(read).as_ref()
    }

    /// The rules of cross-origin access.
    #[must_use]
    pub fn cors(&self) -> Option<&CorsRules> {
        // A document that cannot be parsed was never set: documents are checked before.
        let read = || CorsRules::parse(self.setting(BucketSetting::Cors)?).ok();
        self.settings.cors.get_or_init(read).as_ref()
    }

    /// The rules that say when objects and uploads expire.
    #[must_use]
    pub fn lifecycle(&self) -> Option<&Lifecycle> {
        let read = || Lifecycle::parse(self.setting(BucketSetting::Lifecycle)?).ok();
        self.settings.lifecycle.get_or_init(read).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>\
                         </CORSRule></CORSConfiguration>";
    const POLICY: &str = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::uploads/*"}}"#;

    #[test]
    fn a_policy_is_parsed_once_and_an_unreadable_one_is_an_error() {
        let name = BucketName::parse("uploads").unwrap();
        let mut bucket = Bucket::new(name, Timestamp::from_secs(0), BTreeMap::new());
        assert!(bucket.policy().unwrap().is_none());
        bucket.set(BucketSetting::Policy, Some(POLICY));
        let (first, second) = (bucket.policy().unwrap(), bucket.policy().unwrap());
        assert!(std::ptr::eq(first.unwrap(), second.unwrap()));
        bucket.set(BucketSetting::Policy, Some("{}"));
        let refused = bucket.policy().unwrap_err();
        assert_eq!(refused.code, crate::s3::ErrorCode::MalformedPolicy);
    }

    #[test]
    fn a_document_is_parsed_again_after_it_was_replaced() {
        let name = BucketName::parse("uploads").unwrap();
        let mut bucket = Bucket::new(name, Timestamp::from_secs(0), BTreeMap::new());
        assert!(bucket.cors().is_none());
        bucket.set(BucketSetting::Cors, Some(RULES));
        let earlier = bucket.clone();
        assert!(bucket.cors().is_some());
        bucket.set(BucketSetting::Cors, None);
        assert!(bucket.cors().is_none());
        assert!(earlier.cors().is_some());
        assert_eq!(earlier.setting(BucketSetting::Cors), Some(RULES));
    }
}
