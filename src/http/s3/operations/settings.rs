//! Documents of buckets (policy, CORS rules, tags, lifecycle, …): checked, stored, and returned as S3 writes them.
//!
//! Guarantees: a stored document is carried out, or has no effect where objects have one version and one class; a
//! document that asks for more is refused. Each document is stored in the form in which it is returned.

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::request::document::read_document;
use crate::http::s3::response::xml_answer;
use crate::s3::bucket_policy::BucketPolicy;
use crate::s3::cors::CorsRules;
use crate::s3::lifecycle::Lifecycle;
use crate::s3::op::Feature;
use crate::s3::ownership::ObjectOwnership;
use crate::s3::public_access::PublicAccessBlock;
use crate::s3::tagging::{Tagged, Tags};
use crate::s3::xml::{self, Namespace};
use crate::s3::{BucketName, BucketSetting, ErrorCode, S3Error};
use crate::store::Bucket;
use actix_web::HttpResponse;
use serde::Deserialize;

/// AWS: 64 KB of CORS rules; the other small documents are far shorter.
const DOCUMENT_BYTES: usize = 64 * 1024;
/// 50 tags of four-byte characters, each of which may be written as a reference.
const TAGGING_BYTES: usize = 256 * 1024;
/// 1000 rules.
const LIFECYCLE_BYTES: usize = 2 * 1024 * 1024;

pub(crate) fn get_setting(
    permitted: &Permitted<'_>,
    setting: BucketSetting,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    let document = bucket.setting(setting).ok_or_else(|| {
        S3Error::new(not_there(setting)).extra("BucketName", bucket.name.as_str())
    })?;
    Ok(match setting {
        BucketSetting::Policy => HttpResponse::Ok()
            .content_type("application/json")
            .body(document.to_owned()),
        _ => xml_answer(document.to_owned()),
    })
}

/// The refusal of a document that a bucket does not have.
fn not_there(setting: BucketSetting) -> ErrorCode {
    match setting {
        BucketSetting::Policy => ErrorCode::NoSuchBucketPolicy,
        BucketSetting::Cors => ErrorCode::NoSuchCORSConfiguration,
        BucketSetting::Tagging => ErrorCode::NoSuchTagSet,
        BucketSetting::Lifecycle => ErrorCode::NoSuchLifecycleConfiguration,
        BucketSetting::PublicAccessBlock => ErrorCode::NoSuchPublicAccessBlockConfiguration,
        BucketSetting::OwnershipControls => ErrorCode::OwnershipControlsNotFoundError,
        BucketSetting::Location => ErrorCode::NoSuchConfiguration,
    }
}

pub(crate) async fn put_setting(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    setting: BucketSetting,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    permitted.bucket()?;
    let limit_bytes = match setting {
        BucketSetting::Tagging => TAGGING_BYTES,
        BucketSetting::Lifecycle => LIFECYCLE_BYTES,
        _ => DOCUMENT_BYTES,
    };
    let text = read_document(exchange, permitted, body, limit_bytes).await?;
    let bucket = permitted.bucket()?;
    let document = match setting {
        BucketSetting::Policy => {
            judge_policy(bucket, &text)?;
            text
        }
        BucketSetting::Cors => CorsRules::parse(&text)?.to_xml(),
        BucketSetting::Tagging => Tags::from_xml(&text, Tagged::Bucket)?.to_xml(),
        BucketSetting::Lifecycle => Lifecycle::parse(&text)?.to_xml(),
        BucketSetting::PublicAccessBlock => PublicAccessBlock::parse(&text)?.to_xml(),
        BucketSetting::OwnershipControls => ObjectOwnership::parse(&text)?.to_xml(),
        BucketSetting::Location => return Err(ErrorCode::MethodNotAllowed.into()),
    };
    let store = permitted.store();
    store
        .set_bucket(bucket.name.clone(), setting, Some(document))
        .await?;
    warn_if_open(permitted, &bucket.name, setting);
    Ok(match setting {
        BucketSetting::Policy | BucketSetting::Tagging => HttpResponse::NoContent().finish(),
        _ => HttpResponse::Ok().finish(),
    })
}

/// Logs a warning where the bucket is now open to the public, if this setting decides that.
fn warn_if_open(permitted: &Permitted<'_>, bucket: &BucketName, setting: BucketSetting) {
    if matches!(
        setting,
        BucketSetting::Policy | BucketSetting::PublicAccessBlock
    ) {
        let state = permitted.state();
        (state.watch).bucket_was_set(&state.store, &state.clock, bucket);
    }
}

fn judge_policy(bucket: &Bucket, text: &str) -> Result<(), S3Error> {
    let policy = BucketPolicy::parse(text, &bucket.name)?;
    if policy.is_public() && bucket.public_access_block().block_public_policy {
        return Err(S3Error::new(ErrorCode::AccessDenied).logged(
            "the policy is public, and the bucket's public access block refuses public policies",
        ));
    }
    Ok(())
}

/// AWS: 204 whether the document was there or not.
pub(crate) async fn delete_setting(
    permitted: &Permitted<'_>,
    setting: BucketSetting,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    if bucket.setting(setting).is_some() {
        let store = permitted.store();
        store.set_bucket(bucket.name.clone(), setting, None).await?;
        warn_if_open(permitted, &bucket.name, setting);
    }
    Ok(HttpResponse::NoContent().finish())
}

pub(crate) fn get_policy_status(permitted: &Permitted<'_>) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    let policy = bucket.policy().map_err(S3Error::clone)?;
    let is_public = policy.is_some_and(BucketPolicy::is_public);
    Ok(xml_answer(xml::document(
        "PolicyStatus",
        Namespace::S3,
        |status| status.text("IsPublic", if is_public { "true" } else { "false" }),
    )))
}

/// AWS: the document of a bucket that never had versions is empty.
pub(crate) fn get_versioning(permitted: &Permitted<'_>) -> Result<HttpResponse, S3Error> {
    permitted.bucket()?;
    Ok(empty("VersioningConfiguration"))
}

#[derive(Deserialize)]
struct VersioningConfiguration {
    #[serde(rename = "Status", default)]
    status: Option<String>,
    #[serde(rename = "MfaDelete", default)]
    mfa_delete: Option<String>,
}

/// Accepts `Suspended`, the state of every bucket.
pub(crate) async fn put_versioning(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    permitted.bucket()?;
    let text = read_document(exchange, permitted, body, DOCUMENT_BYTES).await?;
    let asked: VersioningConfiguration =
        xml::read(&text).ok_or_else(|| S3Error::new(ErrorCode::MalformedXML))?;
    match (asked.status.as_deref(), asked.mfa_delete.as_deref()) {
        (Some("Suspended"), None | Some("Disabled")) => Ok(HttpResponse::Ok().finish()),
        (Some("Enabled"), _) | (Some("Suspended"), Some("Enabled")) => Err(S3Error::with_message(
            ErrorCode::NotImplemented,
            "hangar keeps one version of each object: versioning cannot be enabled.",
        )),
        _ => Err(ErrorCode::MalformedXML.into()),
    }
}

pub(crate) fn get_unconfigured(
    permitted: &Permitted<'_>,
    feature: Feature,
) -> Result<HttpResponse, S3Error> {
    let bucket = permitted.bucket()?;
    let code = match feature {
        Feature::Encryption => ErrorCode::ServerSideEncryptionConfigurationNotFoundError,
        Feature::ObjectLock => ErrorCode::ObjectLockConfigurationNotFoundError,
        Feature::Replication => ErrorCode::ReplicationConfigurationNotFoundError,
        Feature::Website => ErrorCode::NoSuchWebsiteConfiguration,
        // AWS: these documents exist, and are empty.
        Feature::Notification => return Ok(empty("NotificationConfiguration")),
        Feature::Logging => return Ok(empty("BucketLoggingStatus")),
        Feature::Accelerate => return Ok(empty("AccelerateConfiguration")),
        Feature::RequestPayment => {
            return Ok(xml_answer(xml::document(
                "RequestPaymentConfiguration",
                Namespace::S3,
                |configuration| configuration.text("Payer", "BucketOwner"),
            )));
        }
    };
    Err(S3Error::new(code).extra("BucketName", bucket.name.as_str()))
}

pub(crate) fn delete_unconfigured(permitted: &Permitted<'_>) -> Result<HttpResponse, S3Error> {
    permitted.bucket()?;
    Ok(HttpResponse::NoContent().finish())
}

fn empty(document: &str) -> HttpResponse {
    xml_answer(xml::document(document, Namespace::S3, |_| ()))
}
