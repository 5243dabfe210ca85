//! Listing keys in the order of their UTF-8 bytes, with prefixes rolled up.
//!
//! The cost of a page depends on its entries, not on the number of keys. Without a delimiter, a page is one range of
//! the primary key. With a delimiter, SQLite itself seeks from each entry to the next, and skips all keys that a common
//! prefix covers.

use crate::clock::Timestamp;
use crate::s3::checksum::{ChecksumAlgorithm, ChecksumType};
use crate::s3::listing::{ListedObject, ListedPage};
use crate::s3::{BucketName, ETag, ObjectKey};
use crate::store::index::columns::decode;
use crate::store::object::ListRequest;
use serde::Deserialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

/// Where a walk continues.
#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    At(String),
    After(String),
}

/// The keys that one statement reads.
struct Range<'a> {
    bucket: &'a BucketName,
    from: From,
    /// The first text after the range; `None`: the range has no end.
    end: Option<&'a str>,
    /// Rows, at most.
    limit: u32,
}

pub(in crate::store) async fn list(
    connection: &mut SqliteConnection,
    bucket: &BucketName,
    request: &ListRequest,
) -> Result<ListedPage, sqlx::Error> {
    let mut page = ListedPage::default();
    let most = usize::try_from(request.max).unwrap_or(usize::MAX);
    if most == 0 {
        return Ok(page);
    }
    let prefix = request.prefix.as_str();
    let delimiter = request.delimiter.as_deref().filter(|text| !text.is_empty());
    let end = successor(prefix);
    let limit = request.max.saturating_add(1);
    let mut walk = first(request, delimiter);
    while let Some(from) = walk.take() {
        let range = Range {
            bucket,
            from,
            end: end.as_deref(),
            limit,
        };
        let rows = match delimiter {
            Some(delimiter) => entries(connection, &range, prefix, delimiter).await?,
            None => keys(connection, &range).await?,
        };
        let more_follow = rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX);
        for object in rows {
            let key = object.key.as_str();
            let common = delimiter.and_then(|delimiter| common_prefix(key, prefix, delimiter));
            walk = match common {
                Some(common) => successor(common).map(From::At),
                None => Some(From::After(key.to_owned())),
            };
            if common.is_some() && common == page.common_prefixes.last().map(String::as_str) {
                continue;
            }
            if page.objects.len() + page.common_prefixes.len() == most {
                return Ok(page);
            }
            page.next = Some(common.unwrap_or(key).to_owned());
            match common {
                Some(common) => page.common_prefixes.push(common.to_owned()),
                None => page.objects.push(object),
            }
        }
        if !more_follow {
            break;
        }
    }
    page.next = None;
    Ok(page)
}

/// Where the walk begins; `None`: nothing can follow.
fn first(request: &ListRequest, delimiter: Option<&str>) -> Option<From> {
    let from = request.from.as_deref();
    if let Some(from) = from.filter(|from| *from >= request.prefix.as_str()) {
        return Some(From::At(from.to_owned()));
    }
    let after = request
        .after
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
        successor(after).map(From::At)
    } else {
        Some(From::After(after.to_owned()))
    }
}

/// The common prefix that a key is rolled up to: everything through the first delimiter after `prefix`.
pub(in crate::store) fn common_prefix<'a>(
    key: &'a str,
    prefix: &str,
    delimiter: &str,
) -> Option<&'a str> {
    let rest = key.strip_prefix(prefix)?;
    let at = rest.find(delimiter)?;
    Some(&key[..prefix.len() + at + delimiter.len()])
}

/// The first text after all texts that begin with `prefix`; `None`: there is none. UTF-8 sorts in the order of its
/// characters.
pub(in crate::store) fn successor(prefix: &str) -> Option<String> {
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

/// Every key of a range, in order.
async fn keys(
    connection: &mut SqliteConnection,
    range: &Range<'_>,
) -> Result<Vec<ListedObject>, sqlx::Error> {
    let (bound, without) = range.from.bounds();
    // One range of the primary key (text sorts before any blob, so `x''` means no end). `?3` excludes the key itself.
    let rows = sqlx::query(
        "SELECT key, etag, size_bytes, modified_ms, meta FROM objects
         WHERE bucket = ?1 AND key >= ?2 AND key IS NOT ?3 AND key < coalesce(?4, x'')
         ORDER BY key LIMIT ?5",
    )
    .bind(range.bucket.as_str())
    .bind(bound)
    .bind(without)
    .bind(range.end)
    .bind(range.limit)
    .fetch_all(connection)
    .await?;
    rows.iter().map(listed).collect()
}

/// The keys of a range. Of the keys that share a common prefix only one is returned.
///
/// After a common prefix the walk continues at the first text after everything that the prefix covers: the same text
/// with the delimiter's [`successor`] in place of the delimiter. A delimiter of U+10FFFF alone has no successor. Then
/// several keys of one common prefix can be returned, and the caller skips them.
async fn entries(
    connection: &mut SqliteConnection,
    range: &Range<'_>,
    prefix: &str,
    delimiter: &str,
) -> Result<Vec<ListedObject>, sqlx::Error> {
    let (bound, without) = range.from.bounds();
    let behind = successor(delimiter).unwrap_or_else(|| format!("{delimiter}\u{10ffff}"));
    let rows = sqlx::query(
        "WITH RECURSIVE walk (key) AS (
             SELECT (SELECT key FROM objects
                     WHERE bucket = ?1 AND key >= ?2 AND key IS NOT ?3 AND key < coalesce(?4, x'')
                     ORDER BY key LIMIT 1)
             UNION ALL
             SELECT (SELECT key FROM objects
                     WHERE bucket = ?1 AND key < coalesce(?4, x'') AND key IS NOT walk.key
                         AND key >= CASE instr(substr(walk.key, ?6 + 1), ?7)
                         WHEN 0 THEN walk.key
                         ELSE max(walk.key, substr(walk.key, 1, ?6 + instr(substr(walk.key, ?6 + 1), ?7) - 1) || ?8)
                         END
                     ORDER BY key LIMIT 1)
             FROM walk WHERE walk.key IS NOT NULL
             LIMIT ?5)
         SELECT objects.key, etag, size_bytes, modified_ms, meta
         FROM walk CROSS JOIN objects ON objects.bucket = ?1 AND objects.key = walk.key
         ORDER BY walk.key",
    )
    .bind(range.bucket.as_str())
    .bind(bound)
    .bind(without)
    .bind(range.end)
    .bind(range.limit)
    .bind(i64::try_from(prefix.chars().count()).unwrap_or(i64::MAX))
    .bind(delimiter)
    .bind(behind)
    .fetch_all(connection)
    .await?;
    rows.iter().map(listed).collect()
}

impl From {
    /// The least key, and the key that is excluded.
    fn bounds(&self) -> (&str, Option<&str>) {
        match self {
            Self::At(key) => (key, None),
            Self::After(key) => (key, Some(key)),
        }
    }
}

/// What listings show of an object's metadata.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Shown {
    storage_class: Option<String>,
    checksums: Vec<ShownChecksum>,
    checksum_type: ChecksumType,
}

#[derive(Deserialize)]
struct ShownChecksum {
    algorithm: ChecksumAlgorithm,
}

fn listed(row: &SqliteRow) -> Result<ListedObject, sqlx::Error> {
    let key = ObjectKey::parse(row.get(0)).map_err(|error| decode("key", error))?;
    let shown: Shown = serde_json::from_str(row.get(4)).map_err(|error| decode("meta", error))?;
    Ok(ListedObject {
        key,
        etag: ETag::from_stored(row.get(1)),
        size_bytes: row.get::<i64, _>(2).cast_unsigned(),
        last_modified: Timestamp::from_millis(row.get(3)),
        storage_class: shown.storage_class,
        checksum_algorithms: shown.checksums.iter().map(|one| one.algorithm).collect(),
        checksum_type: shown.checksum_type,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Connection;

    #[tokio::test]
    async fn a_common_prefix_is_one_row_however_many_keys_it_covers_and_whatever_they_are() {
        let mut index = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query(
            "CREATE TABLE objects (bucket TEXT, key TEXT, etag TEXT, size_bytes INTEGER, modified_ms INTEGER, meta TEXT,
             PRIMARY KEY (bucket, key)) WITHOUT ROWID",
        )
        .execute(&mut index)
        .await
        .unwrap();
        for number in 0..50 {
            for key in [
                format!("a/{number}"),
                format!("a/\u{10ffff}{number}"),
                format!("b\u{10ffff}/\u{10ffff}\u{10ffff}{number}"),
            ] {
                sqlx::query("INSERT INTO objects VALUES ('uploads', ?1, 'e', 1, 1, '{}')")
                    .bind(key)
                    .execute(&mut index)
                    .await
                    .unwrap();
            }
        }
        let range = Range {
            bucket: &BucketName::parse("uploads").unwrap(),
            from: From::At(String::new()),
            end: None,
            limit: 1000,
        };
        let rows = entries(&mut index, &range, "", "/").await.unwrap();
        let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        assert_eq!(keys, ["a/0", "b\u{10ffff}/\u{10ffff}\u{10ffff}0"]);
    }
}
