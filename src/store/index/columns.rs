//! Converts between values and the texts that the index's columns hold.

use crate::s3::{BucketName, ObjectKey};
use crate::store::content::{Body, Place};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

pub(in crate::store::index) fn bodies(text: &str) -> Result<BTreeMap<u64, Body>, sqlx::Error> {
    let rows: Vec<(u64, u64, Place, String)> = from_json("bodies", text)?;
    rows.into_iter()
        .map(|(id, size_bytes, place, crcs)| {
            let block_crcs = crcs_from_hex(&crcs).ok_or_else(|| decode("block_crcs", crcs))?;
            let body = Body {
                size_bytes,
                place,
                block_crcs,
            };
            Ok((id, body))
        })
        .collect()
}

pub(in crate::store::index) fn bucket_name(text: &str) -> Result<BucketName, sqlx::Error> {
    BucketName::parse(text).map_err(|error| decode("bucket", error))
}

pub(in crate::store::index) fn object_key(text: &str) -> Result<ObjectKey, sqlx::Error> {
    ObjectKey::parse(text).map_err(|error| decode("key", error))
}

pub(in crate::store::index) fn from_json<T: DeserializeOwned>(
    column: &str,
    text: &str,
) -> Result<T, sqlx::Error> {
    serde_json::from_str(text).map_err(|error| decode(column, error))
}

pub(in crate::store) fn crcs_to_hex(crcs: &[u64]) -> String {
    use std::fmt::Write;
    crcs.iter()
        .fold(String::with_capacity(crcs.len() * 16), |mut text, crc| {
            write!(text, "{crc:016x}").expect("writing to a string");
            text
        })
}

pub(in crate::store) fn crcs_from_hex(text: &str) -> Option<Vec<u64>> {
    let bytes = hex::decode(text).ok()?;
    let (crcs, rest) = bytes.as_chunks::<8>();
    rest.is_empty()
        .then(|| crcs.iter().map(|crc| u64::from_be_bytes(*crc)).collect())
}

pub(in crate::store::index) fn decode(
    column: &str,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> sqlx::Error {
    sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: error.into(),
    }
}
