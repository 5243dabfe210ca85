//! Pages joined are the sorted keys, with prefixes rolled up as a naive walk would.

use super::*;
use proptest::prelude::*;

fn naive(keys: &[String], prefix: &str, delimiter: Option<&str>) -> (Vec<String>, Vec<String>) {
    let mut objects = Vec::new();
    let mut prefixes = Vec::new();
    let mut sorted: Vec<&String> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
    sorted.sort();
    sorted.dedup();
    for key in sorted {
        let rest = &key[prefix.len()..];
        match delimiter.and_then(|delimiter| rest.find(delimiter).map(|at| at + delimiter.len())) {
            Some(end) => {
                let common = format!("{prefix}{}", &rest[..end]);
                if prefixes.last() != Some(&common) {
                    prefixes.push(common);
                }
            }
            None => objects.push(key.clone()),
        }
    }
    (objects, prefixes)
}

async fn in_pages(
    store: &Store,
    prefix: &str,
    delimiter: Option<&str>,
    max: u32,
) -> (Vec<String>, Vec<String>) {
    let mut all = (Vec::new(), Vec::new());
    let mut after = None;
    loop {
        let delimiter = delimiter.map(str::to_owned);
        let request = ListRequest {
            prefix: prefix.to_owned(),
            delimiter,
            after,
            max,
        };
        let page = store.list(&name("uploads"), &request).await.unwrap();
        assert!(page.objects.len() + page.common_prefixes.len() <= max as usize);
        all.0.extend(
            page.objects
                .iter()
                .map(|listed| listed.key.as_str().to_owned()),
        );
        all.1.extend(page.common_prefixes);
        match page.next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn pages_joined_are_the_naive_listing(
        keys in prop::collection::vec("[ab/é\u{d7ff}\u{10ffff}]{1,6}", 0..60),
        looks in prop::collection::vec(("[ab/]{0,3}", prop_oneof![Just(None), Just(Some("/")), Just(Some("b/"))], 1..5u32), 4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let store = opened(folder.path()).await;
            futures_util::future::join_all(keys.iter().map(|key| put(&store, key, b"x"))).await;
            for (prefix, delimiter, max) in looks {
                let seen = in_pages(&store, &prefix, delimiter, max).await;
                assert_eq!(seen, naive(&keys, &prefix, delimiter), "{prefix:?} {delimiter:?} {max}");
            }
            store.close().await;
        });
    }
}

#[tokio::test]
async fn a_page_of_none_is_empty_and_ends() {
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
