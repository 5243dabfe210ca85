//! Listing keys in the order of their UTF-8 bytes, with prefixes rolled up.
//!
//! Under a delimiter the walk jumps over what a common prefix covers: the cost follows what is returned.

use super::{ListPage, ListRequest, Listed, meta};
use crate::clock::Timestamp;
use crate::s3::{BucketName, ETag, ObjectKey};
use sqlx::{Row, SqliteConnection};

/// Rows of one look, where a delimiter may make most of them needless.
const LOOK: u32 = 64;

/// Where a walk goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    At(String),
    After(String),
}

pub(super) async fn list(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    request: &ListRequest,
) -> Result<ListPage, sqlx::Error> {
    let mut page = ListPage::default();
    let delimiter = request
        .delimiter
        .as_deref()
        .filter(|delimiter| !delimiter.is_empty());
    let end = successor(&request.prefix);
    let Some(mut from) = first(request, delimiter) else {
        return Ok(page);
    };
    let most = usize::try_from(request.max).unwrap_or(usize::MAX);
    if most == 0 {
        return Ok(page);
    }
    'look: loop {
        let look = if delimiter.is_some() {
            LOOK
        } else {
            request.max.saturating_add(1)
        };
        let rows = keys(connection, bucket, &from, end.as_deref(), look).await?;
        let looked = rows.len();
        for listed in rows {
            let key = listed.key.as_str();
            from = From::After(key.to_owned());
            let common =
                delimiter.and_then(|delimiter| common_prefix(key, &request.prefix, delimiter));
            if page.objects.len() + page.common_prefixes.len() == most {
                return Ok(page);
            }
            let Some(common) = common else {
                page.next = Some(key.to_owned());
                page.objects.push(listed);
                continue;
            };
            page.next = Some(common.to_owned());
            page.common_prefixes.push(common.to_owned());
            match successor(common) {
                Some(next) => from = From::At(next),
                None => break 'look,
            }
            continue 'look;
        }
        if looked < usize::try_from(look).unwrap_or(usize::MAX) {
            break;
        }
    }
    page.next = None;
    Ok(page)
}

/// Where the walk begins; `None`: nothing can follow.
fn first(request: &ListRequest, delimiter: Option<&str>) -> Option<From> {
    let after = request
        .after
        .as_deref()
        .filter(|after| *after >= request.prefix.as_str());
    let Some(after) = after else {
        return Some(From::At(request.prefix.clone()));
    };
    // After a common prefix comes what it does not cover.
    let covered = delimiter
        .and_then(|delimiter| common_prefix(after, &request.prefix, delimiter))
        .is_some_and(|common| common == after);
    if covered {
        successor(after).map(From::At)
    } else {
        Some(From::After(after.to_owned()))
    }
}

/// What a key is rolled up to: up to and with the first delimiter behind the prefix.
pub(super) fn common_prefix<'a>(key: &'a str, prefix: &str, delimiter: &str) -> Option<&'a str> {
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// The first text after all that begin with `prefix`; `None`: there is none. UTF-8 sorts as its characters do.
pub(super) fn successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        let next = if last == '\u{d7ff}' {
            Some('\u{e000}')
        } else {
            char::from_u32(last as u32 + 1)
        };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

async fn keys(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    from: &From,
    end: Option<&str>,
    limit: u32,
) -> Result<Vec<Listed>, sqlx::Error> {
    // One range of the primary key (text sorts before any blob: no end); `?5` then drops the key itself.
    let (bound, without) = match from {
        From::At(key) => (key.as_str(), None),
        From::After(key) => (key.as_str(), Some(key.as_str())),
    };
    let rows = sqlx::query(
        "SELECT key, etag, size_bytes, modified_ms FROM objects
         WHERE bucket = ?1 AND key >= ?2 AND key < coalesce(?3, x'') AND key IS NOT ?5
         ORDER BY key LIMIT ?4",
    )
    .bind(bucket.as_str())
    .bind(bound)
    .bind(end)
    .bind(limit)
    .bind(without)
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            let key = ObjectKey::parse(row.get(0)).map_err(|error| meta::decode("key", error))?;
            Ok(Listed {
                key,
                etag: ETag::from_stored(row.get(1)),
                size_bytes: row.get::<i64, _>(2).cast_unsigned(),
                last_modified: Timestamp::from_millis(row.get(3)),
            })
        })
        .collect()
}
