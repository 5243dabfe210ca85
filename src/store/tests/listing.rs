//! The pages of a listing, joined, are the sorted keys, with prefixes rolled up as a naive listing does.

use super::*;
use proptest::prelude::*;

/// Keys, and common prefixes.
type Names = (Vec<String>, Vec<String>);

fn naive(keys: &[String], request: &ListRequest) -> Names {
    let (prefix, after) = (&request.prefix, request.after.as_deref());
    let roll_up = |key: &str| {
        let delimiter = request.delimiter.as_deref()?;
        let at = key.strip_prefix(prefix)?.find(delimiter)?;
        Some(key[..prefix.len() + at + delimiter.len()].to_owned())
    };
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    let mut sorted: Vec<&String> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
    sorted.sort();
    sorted.dedup();
    for key in sorted {
        let common = roll_up(key);
        // The marker of the last page is a key, or a common prefix that covers all its keys.
        if after.is_some_and(|after| key.as_str() <= after || common.as_deref() == Some(after)) {
            continue;
        }
        match common {
            Some(common) if prefixes.last() == Some(&common) => {}
            Some(common) => prefixes.push(common),
            None => objects.push(key.clone()),
        }
    }
    (objects, prefixes)
}

async fn in_pages(store: &Store, mut request: ListRequest) -> Names {
    let mut all = (Vec::new(), Vec::new());
    // The first page may begin within a common prefix, and return that prefix.
    let mut before = None;
    loop {
        let page = store.list(&name("uploads"), &request).await.unwrap();
        let given = page.objects.len() + page.common_prefixes.len();
        assert!(given <= request.max as usize);
        let keys = page.objects.iter().map(|listed| listed.key.as_str());
        all.0.extend(keys.map(str::to_owned));
        all.1.extend(page.common_prefixes);
        match page.next {
            Some(next) => {
                assert_eq!(given, request.max as usize, "only a full page goes on");
                assert!(before.is_none_or(|before| before < next), "pages advance");
                request.after = Some(next.clone());
                before = Some(next);
            }
            None => return all,
        }
    }
}

fn requests() -> impl Strategy<Value = ListRequest> {
    let delimiter = prop_oneof![
        2 => Just(None),
        4 => Just(Some("/".to_owned())),
        1 => Just(Some("\0".to_owned())),
        3 => "[ab/é\u{d7ff}\u{10ffff}]{1,2}".prop_map(Some),
    ];
    let after = prop_oneof![
        Just(None),
        "[ab/é\u{d7ff}\u{10ffff}]{1,4}".prop_map(Some),
        Just(Some("a/".to_owned())),
    ];
    ("[ab/é\u{10ffff}]{0,2}/?", delimiter, after, 1..6_u32).prop_map(
        |(prefix, delimiter, after, max)| ListRequest {
            prefix,
            delimiter,
            after,
            from: None,
            max,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn pages_joined_are_the_naive_listing(
        keys in prop::collection::vec("[ab/é\u{d7ff}\u{10ffff}]{1,6}", 0..80),
        looks in prop::collection::vec(requests(), 24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let store = opened(folder.path()).await;
            futures_util::future::join_all(keys.iter().map(|key| put(&store, key, b"x"))).await;
            for request in looks {
                let expected = naive(&keys, &request);
                assert_eq!(in_pages(&store, request.clone()).await, expected, "{request:?}");
            }
            store.close().await;
        });
    }
}

#[tokio::test]
async fn a_page_of_zero_entries_is_empty_and_the_last() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    put(&store, "a", b"x").await;
    let page = store
        .list(&name("uploads"), &ListRequest::default())
        .await
        .unwrap();
    assert!(page.objects.is_empty() && page.next.is_none());
    let missing = store.list(&name("missing"), &ListRequest::default()).await;
    assert!(matches!(missing, Err(StoreError::NoSuchBucket)));
}

#[tokio::test]
async fn an_object_is_listed_with_its_storage_class_and_checksums() {
    let folder = tempfile::tempdir().unwrap();
    let store = opened(folder.path()).await;
    let checksum = Checksum::parse(ChecksumAlgorithm::Crc32, "y/Q5Jg==").unwrap();
    let mut cold = target("cold");
    cold.meta.storage_class = Some("GLACIER".to_owned());
    cold.meta.checksums = vec![checksum];
    let sealed = sealed(&store, b"123456789").await;
    store
        .commit(cold, sealed, WritePrecondition::None)
        .await
        .unwrap();
    for delimiter in [None, Some("/".to_owned())] {
        let request = ListRequest {
            delimiter,
            max: 1,
            ..ListRequest::default()
        };
        let page = store.list(&name("uploads"), &request).await.unwrap();
        let listed = &page.objects[0];
        assert_eq!(listed.storage_class.as_deref(), Some("GLACIER"));
        assert_eq!(listed.checksum_algorithms, [ChecksumAlgorithm::Crc32]);
    }
}
