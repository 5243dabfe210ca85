//! `DeleteObjects`: up to a thousand keys in one request, each with a result of its own.

use crate::http::limits::Body;
use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::operations::delete_object::delete_if;
use crate::http::s3::request::document::read_document;
use crate::http::s3::response::xml_answer;
use crate::s3::S3Error;
use crate::s3::delete_objects::{DeleteList, ListedDeletion};
use crate::store::Bucket;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use futures_util::{StreamExt, stream};

const LIST_BYTES: usize = 2 * 1024 * 1024;
/// Concurrent deletions: as many as the store writes together.
const AT_ONCE: usize = 256;

pub(crate) async fn delete_objects(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    body: &mut Body,
) -> Result<HttpResponse, S3Error> {
    permitted.bucket()?;
    // AWS wants Content-MD5 or a checksum here. Neither is required here; a stated one must match.
    let text = read_document(exchange, permitted, body, LIST_BYTES).await?;
    let list = DeleteList::parse(&text)?;
    let bucket = permitted.bucket()?;
    let deletions = list
        .objects
        .iter()
        .map(|listed| delete_listed(exchange, permitted, bucket, listed));
    let outcomes: Vec<_> = stream::iter(deletions).buffered(AT_ONCE).collect().await;
    log_server_errors(&outcomes);
    Ok(xml_answer(list.answer(&outcomes)))
}

async fn delete_listed(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    bucket: &Bucket,
    listed: &ListedDeletion,
) -> Result<(), S3Error> {
    let key = listed.key()?;
    permitted.require_delete(exchange, bucket, &key)?;
    let deleted = delete_if(permitted, key, &listed.condition()?).await;
    deleted.map_err(|refusal| permitted.hide_missing_key(exchange, bucket, refusal))
}

/// Logs server errors: the response as a whole is a success, so otherwise only the client would see them.
fn log_server_errors(outcomes: &[Result<(), S3Error>]) {
    let is_ours =
        |refusal: &&S3Error| refusal.code.status() >= StatusCode::INTERNAL_SERVER_ERROR.as_u16();
    let mut troubles = outcomes
        .iter()
        .filter_map(|one| one.as_ref().err().filter(is_ours));
    if let Some(first) = troubles.next() {
        let keys = 1 + troubles.count();
        let detail = first.log.as_deref().unwrap_or(&first.message);
        tracing::warn!(keys, detail, "objects of a list could not be deleted");
    }
}
