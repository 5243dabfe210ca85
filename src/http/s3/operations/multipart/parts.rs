//! The parts of an upload under way: sent, copied, listed.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html>

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::lookup::copy_source::find_source;
use crate::http::s3::lookup::upload::about_upload;
use crate::http::s3::lookup::upload::find_upload;
use crate::http::s3::operations::multipart::described::begun_with;
use crate::http::s3::operations::multipart::described::held;
use crate::http::s3::operations::multipart::described::named;
use crate::http::s3::operations::multipart::described::under_way;
use crate::http::s3::request::content_check::ContentCheck;
use crate::http::s3::request::upload_body::Announced;
use crate::http::s3::request::upload_body::MOST_BYTES;
use crate::http::s3::response::state_checksums;
use crate::http::s3::response::xml_answer;
use crate::s3::multipart::{self, PartsQuery};
use crate::s3::{ErrorCode, ObjectKey, S3Error, copy, range};
use crate::store::PartPage;
use actix_web::HttpResponse;
use actix_web::http::header;

pub(crate) async fn upload_part(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    let number =
        multipart::parse_part_number(exchange.parameter("partNumber").unwrap_or_default())?;
    let announced = Announced::parse(exchange, permitted.payload())?;
    let upload = find_upload(exchange, permitted, key).await?;
    let algorithm = multipart::part_checksum(begun_with(&upload), announced.algorithm())?;
    let sealed = announced
        .receive(permitted, body, algorithm, ContentCheck::none())
        .await?;
    let store = permitted.store();
    let part = store
        .put_part(&upload, number, sealed)
        .await
        .map_err(|refusal| about_upload(exchange, refusal))?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::ETAG, part.etag.quoted()));
    state_checksums(&mut answer, &part.checksums);
    Ok(answer.finish())
}

pub(crate) async fn upload_part_copy(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let number =
        multipart::parse_part_number(exchange.parameter("partNumber").unwrap_or_default())?;
    let upload = find_upload(exchange, permitted, key).await?;
    let source = find_source(exchange, permitted).await?.object;
    let range = exchange
        .header("x-amz-copy-source-range")
        .map(|header| range::parse_copied(header, source.size_bytes))
        .transpose()?;
    if range.map_or(source.size_bytes, |range| range.len()) > MOST_BYTES {
        return Err(S3Error::with_message(
            ErrorCode::InvalidRequest,
            format!(
                "The specified copy source is larger than the maximum allowable size for a copy source: {MOST_BYTES}"
            ),
        ));
    }
    let store = permitted.store();
    let part = store
        .copy_part(&upload, number, &source, range)
        .await
        .map_err(|refusal| about_upload(exchange, refusal))?;
    Ok(xml_answer(copy::part_result(
        &part.etag,
        part.last_modified,
        &part.checksums,
    )))
}

pub(crate) async fn list_parts(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    key: &ObjectKey,
) -> Result<HttpResponse, S3Error> {
    let query = PartsQuery::parse(&exchange.query)?;
    let upload = find_upload(exchange, permitted, key).await?;
    let page = if query.max == 0 {
        PartPage::default()
    } else {
        let store = permitted.store();
        store.parts(&upload, query.after, query.max).await?
    };
    let parts: Vec<_> = page.parts.iter().map(held).collect();
    Ok(xml_answer(multipart::list_parts(
        &named(&upload),
        &under_way(&upload),
        &query,
        &parts,
        page.is_truncated,
    )))
}
