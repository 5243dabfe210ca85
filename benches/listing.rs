//! The time of a page of a listing, by the number of keys: `cargo bench --bench listing`.
//!
//! It must depend on the size of the page alone: the times among a million keys and among ten thousand are the same.

use divan::Bencher;
use hangar::clock::Clock;
use hangar::s3::BucketName;
use hangar::store::{ListRequest, Registered, Store, StoreConfig};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::sync::OnceLock;
use std::time::Duration;

fn main() {
    divan::main();
}

/// Folders and keys in each: `files-0999/picture-000999.png`.
const SHAPES: [(u32, u32); 2] = [(100, 100), (1000, 1000)];

struct House {
    runtime: tokio::runtime::Runtime,
    store: Store,
    _folder: tempfile::TempDir,
}

fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let store = runtime.block_on(furnished(folder.path()));
        House {
            runtime,
            store,
            _folder: folder,
        }
    })
}

fn bucket(folders: u32) -> BucketName {
    BucketName::parse(&format!("folders-{folders}")).expect("a bucket's name")
}

async fn open(folder: &std::path::Path) -> Store {
    let config = StoreConfig {
        data_dir: folder.to_owned(),
        allow_unsafe_fs: true,
        multipart_expires: Duration::from_hours(24),
        grace: std::time::Duration::from_hours(24),
        min_free_bytes: Some(0),
    };
    let store = Store::open(config, Clock::default(), Registered::default()).await;
    store.expect("a new folder opens")
}

/// Writes the rows to the index only: a million objects through the store's API take minutes.
async fn furnished(folder: &std::path::Path) -> Store {
    let store = open(folder).await;
    for (folders, _) in SHAPES {
        let created = store.create_bucket(bucket(folders)).await;
        created.expect("a bucket is made");
    }
    let database = store.home().join("hangar.db");
    store.close().await;
    let mut index = SqliteConnectOptions::new()
        .filename(database)
        .connect()
        .await
        .expect("the index opens");
    for (folders, keys) in SHAPES {
        sqlx::query(
            r#"WITH RECURSIVE folder (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM folder LIMIT ?2),
                 file (number) AS (SELECT 0 UNION ALL SELECT number + 1 FROM file LIMIT ?3)
             INSERT INTO objects (bucket, key, sequence, etag, size_bytes, modified_ms, extents, meta)
             SELECT ?1, format('files-%04d/picture-%06d.png', folder.number, file.number), 1,
                    '5d41402abc4b2a76b9719d911017c592', 0, 1795425490215, '[]',
                    '{"content_type":"image/png","user":{"name":"picture"},"checksums":[{"algorithm":"crc32","value":"NhCmhg=="}]}'
             FROM folder, file ORDER BY folder.number, file.number"#,
        )
        .bind(bucket(folders).as_str())
        .bind(folders)
        .bind(keys)
        .execute(&mut index)
        .await
        .expect("the rows are written");
    }
    index.close().await.expect("the index closes");
    open(folder).await
}

fn measure(bencher: Bencher<'_, '_>, folders: u32, request: &ListRequest, given: usize) {
    let house = house();
    let bucket = bucket(folders);
    bencher.bench_local(|| {
        let page = house.runtime.block_on(house.store.list(&bucket, request));
        let page = page.expect("the index answers");
        assert_eq!(page.objects.len() + page.common_prefixes.len(), given);
        page
    });
}

fn page(prefix: &str, delimiter: Option<&str>, after: Option<&str>) -> ListRequest {
    ListRequest {
        prefix: prefix.to_owned(),
        delimiter: delimiter.map(str::to_owned),
        after: after.map(str::to_owned),
        from: None,
        max: 1000,
    }
}

const FOLDERS: [u32; 2] = [100, 1000];

#[divan::bench(args = FOLDERS)]
fn a_thousand_keys_from_the_middle(bencher: Bencher<'_, '_>, folders: u32) {
    let request = page("", None, Some("files-0050/"));
    measure(bencher, folders, &request, 1000);
}

#[divan::bench(args = FOLDERS)]
fn a_hundred_folders(bencher: Bencher<'_, '_>, folders: u32) {
    let mut request = page("", Some("/"), None);
    request.max = 100;
    measure(bencher, folders, &request, 100);
}

#[divan::bench]
fn a_thousand_folders_of_a_thousand_keys(bencher: Bencher<'_, '_>) {
    measure(bencher, 1000, &page("", Some("/"), None), 1000);
}

/// A listing as file browsers request it: all entries are keys, none is a common prefix.
#[divan::bench]
fn one_folder_of_a_thousand_keys(bencher: Bencher<'_, '_>) {
    measure(bencher, 1000, &page("files-0500/", Some("/"), None), 1000);
}

#[divan::bench(args = FOLDERS)]
fn one_key_by_its_prefix(bencher: Bencher<'_, '_>, folders: u32) {
    let request = page("files-0050/picture-000050", Some("/"), None);
    measure(bencher, folders, &request, 1);
}
