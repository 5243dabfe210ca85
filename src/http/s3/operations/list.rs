//! Listing objects: versions 1 and 2, and the versions of a bucket that has none.

use crate::http::s3::access::Permitted;
use crate::http::s3::exchange::Exchange;
use crate::http::s3::response::xml_answer;
use crate::s3::listing::{ListQuery, ListedPage, MAX_KEYS};
use crate::s3::{BucketName, S3Error};
use crate::store::{ListRequest, StoreError};
use actix_web::HttpResponse;

pub(crate) async fn list_objects(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
) -> Result<HttpResponse, S3Error> {
    list(permitted, ListQuery::objects(&exchange.query)?).await
}

pub(crate) async fn list_objects_v2(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
    bucket: &BucketName,
) -> Result<HttpResponse, S3Error> {
    let query = ListQuery::objects_v2(bucket, &exchange.query)?;
    list(permitted, query).await
}

pub(crate) async fn list_object_versions(
    exchange: &Exchange<'_>,
    permitted: &Permitted<'_>,
) -> Result<HttpResponse, S3Error> {
    list(permitted, ListQuery::versions(&exchange.query)?).await
}

async fn list(permitted: &Permitted<'_>, query: ListQuery) -> Result<HttpResponse, S3Error> {
    let (store, bucket) = (permitted.store(), &permitted.bucket()?.name);
    let request = ListRequest {
        prefix: query.prefix.clone(),
        delimiter: query.delimiter.clone(),
        after: query.after().map(str::to_owned),
        from: None,
        max: query.max_keys,
    };
    let list = async |request: &ListRequest| store.list(bucket, request).await;
    let page = showable_page(&query, request, HIDDEN_NAMES, list).await?;
    Ok(xml_answer(query.answer(bucket, &page)))
}

/// How many names one request reads beyond those of a full page: then its page ends early, and states where the next
/// one begins.
const HIDDEN_NAMES: usize = 4 * MAX_KEYS as usize;

/// A page of names that the response can hold. If it is not the last page, it is full, or the request read as many
/// names as one request may. The next page begins at a name, or a text, that the response can hold.
async fn showable_page(
    query: &ListQuery,
    mut request: ListRequest,
    hidden_names: usize,
    list: impl AsyncFn(&ListRequest) -> Result<ListedPage, StoreError>,
) -> Result<ListedPage, StoreError> {
    let wanted = query.max_keys as usize;
    let mut shown = ListedPage::default();
    let mut looked_at = 0;
    loop {
        let mut page = list(&request).await?;
        let last = page.next.take();
        looked_at += page.entries();
        query.leave_showable(&mut page);
        let showable = page.entries();
        page.truncate(wanted - shown.entries());
        let more_follow = last.is_some() || page.entries() < showable;
        shown.extend(page);
        let Some(last) = last.filter(|_| shown.entries() < wanted) else {
            shown.next = shown.last().filter(|_| more_follow).map(str::to_owned);
            return Ok(shown);
        };
        request.from = query.first_showable(&last);
        request.after = Some(last);
        if looked_at >= wanted + hidden_names {
            return end_early(query, request, list, shown).await;
        }
        request.max = request.max.saturating_mul(4).min(MAX_KEYS);
    }
}

/// Ends a page that is not full at the position where `request` would go on.
async fn end_early(
    query: &ListQuery,
    mut request: ListRequest,
    list: impl AsyncFn(&ListRequest) -> Result<ListedPage, StoreError>,
    mut shown: ListedPage,
) -> Result<ListedPage, StoreError> {
    let Some(from) = request.from.clone() else {
        shown.next = request.after;
        return Ok(shown);
    };
    // The next page begins after a name, and there may be one at exactly this position.
    request.max = 1;
    let mut page = list(&request).await?;
    if page.entries() == 0 {
        return Ok(shown);
    }
    let more_follow = page.next.take().is_some();
    query.leave_showable(&mut page);
    let next = if page.entries() == 0 {
        Some(from)
    } else {
        page.last().filter(|_| more_follow).map(str::to_owned)
    };
    shown.extend(page);
    shown.next = next;
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::s3::checksum::ChecksumType;
    use crate::s3::listing::ListedObject;
    use crate::s3::{ETag, ObjectKey, xml};
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::BTreeSet;

    /// A bucket of these keys, which counts the names that were requested.
    struct Listed {
        keys: BTreeSet<String>,
        looked_at: Cell<usize>,
    }

    impl Listed {
        fn of(keys: impl IntoIterator<Item = String>) -> Self {
            Self {
                keys: keys.into_iter().collect(),
                looked_at: Cell::new(0),
            }
        }

        fn list(&self, request: &ListRequest) -> ListedPage {
            let mut page = ListedPage::default();
            for key in self
                .keys
                .iter()
                .filter(|key| key.starts_with(&request.prefix))
            {
                let rest = &key[request.prefix.len()..];
                let common = request.delimiter.as_deref().and_then(|delimiter| {
                    let at = rest.find(delimiter)?;
                    Some(key[..request.prefix.len() + at + delimiter.len()].to_owned())
                });
                let name = common.as_ref().unwrap_or(key);
                let is_given = match (&request.from, &request.after) {
                    (Some(from), _) => key < from,
                    (None, Some(after)) => key <= after || name == after,
                    (None, None) => false,
                };
                if is_given || common.is_some() && page.common_prefixes.last() == common.as_ref() {
                    continue;
                }
                if page.entries() == request.max as usize {
                    page.next = page.last().map(str::to_owned);
                    break;
                }
                self.looked_at.set(self.looked_at.get() + 1);
                match common {
                    Some(common) => page.common_prefixes.push(common),
                    None => page.objects.push(object(key)),
                }
            }
            page
        }

        /// The pages of a listing, as a client walks through them by version 1: it sees only the document of each page.
        async fn pages(
            &self,
            max_keys: u32,
            delimiter: Option<&str>,
            hidden_names: usize,
        ) -> Vec<Vec<String>> {
            let (mut pages, mut marker) = (Vec::new(), String::new());
            loop {
                let mut asked = vec![
                    ("max-keys".to_owned(), max_keys.to_string()),
                    ("marker".to_owned(), marker.clone()),
                ];
                asked.extend(delimiter.map(|it| ("delimiter".to_owned(), it.to_owned())));
                let query = ListQuery::objects(&asked).unwrap();
                let request = ListRequest {
                    delimiter: query.delimiter.clone(),
                    after: query.after().map(str::to_owned),
                    max: max_keys,
                    ..ListRequest::default()
                };
                let before = self.looked_at.get();
                let list = async |request: &ListRequest| Ok(self.list(request));
                let page = showable_page(&query, request, hidden_names, list)
                    .await
                    .unwrap();
                let looked_at = self.looked_at.get() - before;
                let bound = max_keys as usize + hidden_names + MAX_KEYS as usize + 1;
                assert!(looked_at <= bound, "{looked_at} names were looked at");
                assert!(page.entries() <= max_keys as usize);
                let names = page.objects.iter().map(|it| it.key.as_str().to_owned());
                pages.push(names.chain(page.common_prefixes.clone()).collect());
                let Some(next) = page.next else {
                    return pages;
                };
                assert!(
                    xml::can_hold(&next),
                    "a client could not send {next:?} back"
                );
                assert!(next > marker, "pages advance");
                marker = next;
            }
        }
    }

    fn object(key: &str) -> ListedObject {
        ListedObject {
            key: ObjectKey::parse(key).unwrap(),
            etag: ETag::from_md5([0; 16]),
            size_bytes: 0,
            last_modified: Timestamp::from_millis(0),
            storage_class: None,
            checksum_algorithms: Vec::new(),
            checksum_type: ChecksumType::FullObject,
        }
    }

    #[tokio::test]
    async fn a_request_looks_at_a_bounded_number_of_names_that_it_cannot_show() {
        let hidden = (0..20_000).map(|number| format!("a{number:05}\u{1}"));
        let shown = ["a10000\t", "b", "c"].map(str::to_owned);
        let bucket = Listed::of(hidden.chain(shown.clone()));
        for max_keys in [1, 2, 1000] {
            let pages = bucket.pages(max_keys, None, HIDDEN_NAMES).await;
            assert_eq!(pages.concat(), shown);
            assert!(pages.len() < 10, "{} pages", pages.len());
        }
    }

    #[tokio::test]
    async fn names_that_begin_alike_and_cannot_be_shown_are_passed_over_at_once() {
        let hidden = (0..20_000).map(|number| format!("a\u{1}{number:05}"));
        let bucket = Listed::of(hidden.chain(["b".to_owned()]));
        assert_eq!(bucket.pages(1, None, HIDDEN_NAMES).await, [["b"]]);
        assert!(bucket.looked_at.get() < 10, "{:?}", bucket.looked_at);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn pages_joined_are_all_names_that_can_be_shown(
            keys in prop::collection::vec("[ab/\t \u{1}\u{b}\u{1f}\u{ffff}\u{10000}]{1,5}", 0..60),
            max_keys in 1..5_u32,
            hidden_names in 0..4_usize,
            delimiter in prop::option::of("[/\t \u{1}\u{10000}]{1,2}"),
        ) {
            let bucket = Listed::of(keys);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let pages = runtime.block_on(bucket.pages(max_keys, delimiter.as_deref(), hidden_names));
            let mut found = pages.concat();
            found.sort();
            let all = ListRequest { delimiter, max: u32::MAX, ..ListRequest::default() };
            let all = bucket.list(&all);
            let keys = all.objects.iter().map(|it| it.key.as_str().to_owned());
            let mut expected: Vec<String> = keys.chain(all.common_prefixes.clone()).collect();
            expected.retain(|name| xml::can_hold(name));
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
