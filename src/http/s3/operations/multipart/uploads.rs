//! Multipart uploads: creating, listing and aborting them; their parts are in `parts`, their completion in `complete`.
//!
//! Guarantees: an upload is found by its id, its bucket and its key together, or not at all.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>

use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::lookup::upload::about_upload;
use crate::http::s3::lookup::upload::find_upload;
use crate::http::s3::operations::multipart::described::named;
use crate::http::s3::operations::multipart::described::under_way;
use crate::http::s3::request::object_meta::object_meta;
use crate::http::s3::response::xml_answer;
use crate::s3::multipart::{self, ListedUpload, ListedUploads};
use crate::s3::{ErrorCode, ObjectKey, S3Error, time};
use crate::store::{NewUpload, UploadChecksum, UploadListPage, UploadListRequest};
use actix_web::HttpResponse;
use actix_web::http::header::{HeaderName, HeaderValue};

const INITIATED_TIME: &str = "x-amz-if-match-initiated-time";

pub(crate) async fn create(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let checksum = multipart::parse_upload_checksum(
        exchange.header("x-amz-checksum-algorithm"),
        exchange.header("x-amz-checksum-type"),
    )?;
    let meta = object_meta(&exchange.headers)?;
    let new = NewUpload {
        bucket: permitted.bucket()?.name.clone(),
        key: key.clone(),
        meta,
        checksum: checksum.map(|(algorithm, checksum_type)| UploadChecksum {
            algorithm,
            checksum_type,
        }),
    };
    let upload = permitted.store().create_upload(new).await?;
    let mut answer = xml_answer(multipart::initiated(&named(&upload)));
    if let Some((algorithm, checksum_type)) = checksum {
        let headers = answer.headers_mut();
        for (name, value) in [
            ("x-amz-checksum-algorithm", algorithm.name()),
            ("x-amz-checksum-type", checksum_type.as_str()),
        ] {
            let name = HeaderName::from_static(name);
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(answer)
}

pub(crate) async fn abort(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let upload = find_upload(exchange, permitted, key).await?;
    // AWS: evaluates this condition in directory buckets only. It is evaluated here for all buckets.
    if let Some(stated) = exchange.header(INITIATED_TIME) {
        let initiated_at = time::parse_http_date(stated.trim()).ok_or_else(|| {
            S3Error::invalid_argument("The time is not an HTTP date.", INITIATED_TIME, stated)
        })?;
        if initiated_at.as_secs() != upload.initiated_at.as_secs() {
            return Err(ErrorCode::PreconditionFailed.into());
        }
    }
    let bucket = permitted.bucket()?.name.clone();
    let aborted = permitted
        .store()
        .abort_upload(bucket, key.clone(), upload.id)
        .await;
    aborted.map_err(|refusal| about_upload(exchange, refusal))?;
    Ok(HttpResponse::NoContent().finish())
}

pub(crate) async fn list_uploads(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
) -> Result<HttpResponse, S3Error> {
    let query = multipart::UploadsQuery::parse(&exchange.query)?;
    let bucket = &permitted.bucket()?.name;
    let page = if query.max == 0 {
        UploadListPage::default()
    } else {
        let request = UploadListRequest {
            prefix: query.prefix.clone(),
            delimiter: query.delimiter.clone(),
            after_key: query.key_marker.clone(),
            after_upload: query.upload_id_marker.clone(),
            max: query.max,
        };
        permitted.store().list_uploads(bucket, &request).await?
    };
    let uploads: Vec<_> = page
        .uploads
        .iter()
        .map(|upload| ListedUpload {
            key: &upload.key,
            id: upload.id.as_str(),
            initiated_at: upload.initiated_at,
            under_way: under_way(upload),
        })
        .collect();
    let next = page.next.as_ref();
    let page = ListedUploads {
        uploads: &uploads,
        common_prefixes: &page.common_prefixes,
        next: next.map(|(key, id)| (key.as_str(), id.as_str())),
    };
    Ok(xml_answer(multipart::list_uploads(bucket, &query, &page)))
}
