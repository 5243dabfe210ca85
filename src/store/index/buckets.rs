//! The rows of buckets and of their settings.

use crate::clock::Timestamp;
use crate::store::bucket::Bucket;
use crate::store::index::columns::{bucket_name, from_json};
use sqlx::{Row, SqliteConnection};

/// All buckets, with their settings.
pub(in crate::store) async fn buckets(
    connection: &mut SqliteConnection,
) -> Result<Vec<Bucket>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT name, created_ms,
                (SELECT json_group_object(setting, document) FROM bucket_settings WHERE bucket = buckets.name)
         FROM buckets",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Bucket::new(
                bucket_name(row.get(0))?,
                Timestamp::from_millis(row.get(1)),
                from_json("settings", row.get(2))?,
            ))
        })
        .collect()
}
