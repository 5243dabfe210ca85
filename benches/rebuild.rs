//! The time of a start that rebuilds the database: `cargo bench --bench rebuild -- 1000000` (without a number, of
//! 100,000 objects). One run, in seconds: from the log alone, and from a snapshot.

use bytes::Bytes;
use hangar::clock::Clock;
use hangar::s3::checksum::Wanted;
use hangar::s3::conditional::WritePrecondition;
use hangar::s3::{BucketName, ObjectKey};
use hangar::store::{
    Expected, ObjectMeta, Progress, Registered, Source, Store, StoreConfig, Target,
};
use std::path::Path;
use std::time::{Duration, Instant};

const OBJECTS: u32 = 100_000;
/// Concurrent writers.
const WRITERS: u32 = 256;

#[tokio::main]
async fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let objects: u32 = asked.unwrap_or(OBJECTS);
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let began = Instant::now();
    fill(folder.path(), objects).await;
    println!(
        "{objects} objects written in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    for source in [Source::Log, Source::Snapshot] {
        let began = Instant::now();
        let (store, rebuilt) = open(folder.path(), source).await;
        let took = began.elapsed();
        let records = rebuilt.map_or(0, |rebuilt| rebuilt.records);
        store.close().await;
        println!(
            "{source:?}: {records} records applied in {:.1} s",
            took.as_secs_f64()
        );
    }
}

async fn open(folder: &Path, source: Source) -> (Store, Option<hangar::store::Rebuilt>) {
    let config = StoreConfig {
        data_dir: folder.to_owned(),
        allow_unsafe_fs: true,
        multipart_expires: Duration::from_hours(24),
        grace: Duration::from_hours(24),
        min_free_bytes: Some(0),
    };
    let progress = Progress::default();
    let opened = Store::open_from(
        config,
        Clock::default(),
        Registered::default(),
        source,
        &progress,
    );
    opened.await.expect("the folder opens")
}

async fn fill(folder: &Path, objects: u32) {
    let (store, _) = open(folder, Source::Index).await;
    let bucket = BucketName::parse("uploads").expect("a bucket's name");
    let created = store.create_bucket(bucket.clone()).await;
    created.expect("a bucket is made");
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let (store, bucket) = (store.clone(), bucket.clone());
            tokio::spawn(async move {
                for number in (writer..objects).step_by(WRITERS as usize) {
                    let mut staging = store.stage(&Wanted::default(), 1 << 20);
                    let body = Bytes::from(number.to_string());
                    staging.write(body).await.expect("it is staged");
                    let sealed = staging.seal(&Expected::default()).await;
                    let key = ObjectKey::parse(&format!("picture-{number:09}.png"));
                    let target = Target {
                        bucket: bucket.clone(),
                        key: key.expect("a key"),
                        meta: ObjectMeta::default(),
                    };
                    let sealed = sealed.expect("it holds");
                    let committed = store.commit(target, sealed, WritePrecondition::None);
                    committed.await.expect("it is committed");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("a writer ends");
    }
    store.close().await;
}
