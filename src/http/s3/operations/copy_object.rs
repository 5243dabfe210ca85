//! `CopyObject`: makes a new object from an existing one, without copying its bytes.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>

use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::lookup::copy_source::{Source, find_source};
use crate::http::s3::request::object_meta::object_meta;
use crate::http::s3::request::precondition;
use crate::http::s3::response::xml_answer;
use crate::s3::checksum::{Checksum, ChecksumAlgorithm, ChecksumType, Wanted};
use crate::s3::copy::{self, Directive};
use crate::s3::{ObjectKey, S3Error, multipart};
use crate::store::{Object, ObjectMeta, Target};
use actix_web::HttpResponse;

pub(crate) async fn copy_object(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let asked = CopyRequest::parse(exchange)?;
    let precondition = precondition::parse(exchange)?;
    let (store, bucket) = (permitted.store(), permitted.bucket()?);
    let Source {
        bucket: from,
        object: source,
    } = find_source(exchange, permitted).await?;
    if asked.changes_nothing && (&source.bucket, &source.key) == (&bucket.name, key) {
        return Err(copy::changes_nothing());
    }
    if asked.tagging == Directive::Copy && source.meta.tagging.is_some() {
        permitted
            .require_tags(exchange, (&from, &source), (bucket, key))
            .await?;
    }
    let (checksums, checksum_type) = checksums(permitted, &source, asked.algorithm).await?;
    let meta = ObjectMeta {
        checksums: checksums.clone(),
        checksum_type,
        ..asked.meta_of(&source.meta)
    };
    let target = Target {
        bucket: bucket.name.clone(),
        key: key.clone(),
        meta,
    };
    match store
        .copy(&source, target, precondition.clone(), None)
        .await
    {
        Ok(copied) => Ok(xml_answer(copy::object_result(
            &copied.etag,
            copied.last_modified,
            &checksums,
            checksum_type,
        ))),
        Err(refusal) => Err(precondition::explain(permitted, key, &precondition, refusal).await),
    }
}

/// The properties that the request states for the copy.
struct CopyRequest {
    meta: ObjectMeta,
    metadata: Directive,
    tagging: Directive,
    algorithm: Option<ChecksumAlgorithm>,
    /// Whether a copy of an object onto itself would change nothing.
    changes_nothing: bool,
}

impl CopyRequest {
    fn parse(exchange: &Exchange<'_>) -> Result<Self, S3Error> {
        let stated = |name| exchange.header(name).is_some();
        let metadata = Directive::parse("metadata", exchange.header("x-amz-metadata-directive"))?;
        let algorithm = exchange
            .header("x-amz-checksum-algorithm")
            .map(multipart::parse_algorithm)
            .transpose()?;
        Ok(Self {
            meta: object_meta(&exchange.headers)?,
            metadata,
            tagging: Directive::parse("tagging", exchange.header("x-amz-tagging-directive"))?,
            algorithm,
            changes_nothing: metadata == Directive::Copy
                && algorithm.is_none()
                && !stated("x-amz-storage-class")
                && !stated("x-amz-website-redirect-location"),
        })
    }

    /// AWS: the storage class and the website redirect are never copied; the tags are copied unless the request
    /// replaces them.
    fn meta_of(self, source: &ObjectMeta) -> ObjectMeta {
        let tagging = match self.tagging {
            Directive::Copy => source.tagging.clone(),
            Directive::Replace => self.meta.tagging.clone(),
        };
        match self.metadata {
            Directive::Replace => ObjectMeta {
                tagging,
                ..self.meta
            },
            Directive::Copy => ObjectMeta {
                tagging,
                storage_class: self.meta.storage_class,
                website_redirect: self.meta.website_redirect,
                ..source.clone()
            },
        }
    }
}

/// The source's checksums, or the requested one, which is computed where the source does not have it.
async fn checksums(
    permitted: &Permitted<'_>,
    source: &Object,
    asked: Option<ChecksumAlgorithm>,
) -> Result<(Vec<Checksum>, ChecksumType), S3Error> {
    let meta = &source.meta;
    let Some(algorithm) = asked else {
        return Ok((meta.checksums.clone(), meta.checksum_type));
    };
    let present = meta
        .checksums
        .iter()
        .find(|checksum| checksum.algorithm == algorithm)
        .filter(|_| meta.checksum_type == ChecksumType::FullObject);
    let checksums = if let Some(present) = present {
        vec![present.clone()]
    } else {
        let wanted = Wanted {
            sha256: false,
            checksums: vec![algorithm],
        };
        let store = permitted.store();
        store.digest(source, None, &wanted).await?.checksums
    };
    Ok((checksums, ChecksumType::FullObject))
}
