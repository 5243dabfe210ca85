//! Listing uploads under way in the order of their keys' UTF-8 bytes, then of their creation, with prefixes rolled up.
//!
//! As with objects, the walk skips the keys that a common prefix covers, so a page costs as much as it returns.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>

use crate::s3::BucketName;
use crate::store::index::listing::{common_prefix, successor};
use crate::store::index::uploads::{From, uploads_from};
use crate::store::upload::{UploadListPage, UploadListRequest};
use sqlx::SqliteConnection;

/// Rows that one statement reads if there is a delimiter, which may make most of them needless.
const ROWS_PER_QUERY: u32 = 64;

pub(in crate::store) async fn list(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    request: &UploadListRequest,
) -> Result<UploadListPage, sqlx::Error> {
    let mut page = UploadListPage::default();
    let delimiter = request
        .delimiter
        .as_deref()
        .filter(|delimiter| !delimiter.is_empty());
    let end = successor(&request.prefix);
    let most = usize::try_from(request.max).unwrap_or(usize::MAX);
    let Some(mut from) = first(request, delimiter).filter(|_| most > 0) else {
        return Ok(page);
    };
    let rows = match delimiter {
        Some(_) => ROWS_PER_QUERY,
        None => request.max.saturating_add(1),
    };
    'query: loop {
        let uploads = uploads_from(connection, bucket, &from, end.as_deref(), rows).await?;
        let is_last = uploads.len() < usize::try_from(rows).unwrap_or(usize::MAX);
        for upload in uploads {
            if page.uploads.len() + page.common_prefixes.len() == most {
                return Ok(page);
            }
            let (key, id) = (upload.key.as_str(), upload.id.as_str());
            let common = delimiter
                .and_then(|delimiter| common_prefix(key, &request.prefix, delimiter))
                .map(str::to_owned);
            let Some(common) = common else {
                from = From::AfterUpload(key.to_owned(), id.to_owned());
                page.next = Some((key.to_owned(), id.to_owned()));
                page.uploads.push(upload);
                continue;
            };
            let behind = successor(&common);
            page.next = Some((common.clone(), String::new()));
            page.common_prefixes.push(common);
            match behind {
                Some(behind) => from = From::At(behind),
                None => break 'query,
            }
            continue 'query;
        }
        if is_last {
            break;
        }
    }
    page.next = None;
    Ok(page)
}

/// Where the walk begins; `None`: nothing can follow.
fn first(request: &UploadListRequest, delimiter: Option<&str>) -> Option<From> {
    let after = request
        .after_key
        .as_deref()
        .filter(|after| *after >= request.prefix.as_str());
    let Some(after) = after else {
        return Some(From::At(request.prefix.clone()));
    };
    // After a common prefix the walk continues at the first key that it does not cover.
    let covered = delimiter
        .and_then(|delimiter| common_prefix(after, &request.prefix, delimiter))
        .is_some_and(|common| common == after);
    if covered {
        return successor(after).map(From::At);
    }
    // AWS: an upload-id-marker counts only together with a key-marker.
    match request.after_upload.as_deref().filter(|id| !id.is_empty()) {
        Some(id) => Some(From::AfterUpload(after.to_owned(), id.to_owned())),
        None => Some(From::After(after.to_owned())),
    }
}
