//! What the listings of parts and of uploads ask for.

use crate::s3::listing::parameters;
use crate::s3::multipart::part::MAX_PARTS;
use crate::s3::values::error::S3Error;

/// Entries that one page holds at most.
const MOST_ENTRIES: u32 = 1000;

fn value<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query
        .iter()
        .find(|(sent, _)| sent == name)
        .map(|(_, value)| value.as_str())
}

/// A number of at most 2147483647; an empty value is none.
fn number(name: &'static str, sent: Option<&str>) -> Result<Option<u32>, S3Error> {
    let Some(sent) = sent.filter(|sent| !sent.is_empty()) else {
        return Ok(None);
    };
    sent.parse::<u32>()
        .ok()
        .filter(|number| i32::try_from(*number).is_ok())
        .filter(|_| sent.bytes().all(|byte| byte.is_ascii_digit()))
        .map(Some)
        .ok_or_else(|| {
            S3Error::invalid_argument(
                format!("Provided {name} not an integer or within integer range"),
                name,
                sent,
            )
        })
}

/// Which parts are asked for: those with numbers above `after`, at most `max`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartsQuery {
    /// Up to 10,000
    pub after: u16,
    /// Up to 1000
    pub max: u32,
    pub encode_url: bool,
}

impl PartsQuery {
    /// Of the query of `ListParts`.
    ///
    /// # Errors
    /// `InvalidArgument`
    pub fn parse(query: &[(String, String)]) -> Result<Self, S3Error> {
        Ok(Self {
            encode_url: parameters::parse_encoding_type(value(query, "encoding-type"))?,
            ..Self::of(
                ("part-number-marker", value(query, "part-number-marker")),
                ("max-parts", value(query, "max-parts")),
            )?
        })
    }

    /// Of the headers of `GetObjectAttributes`.
    ///
    /// # Errors
    /// `InvalidArgument` for the marker.
    // AWS: a maximum that is no number is ignored, where `ListParts` refuses it.
    pub fn of_headers(
        after: (&'static str, Option<&str>),
        (name, max): (&'static str, Option<&str>),
    ) -> Result<Self, S3Error> {
        let max = max.filter(|sent| number(name, Some(sent)).is_ok());
        Self::of(after, (name, max))
    }

    /// Of a marker and a maximum under their names.
    ///
    /// # Errors
    /// `InvalidArgument`
    pub(in crate::s3) fn of(
        after: (&'static str, Option<&str>),
        max: (&'static str, Option<&str>),
    ) -> Result<Self, S3Error> {
        let after = number(after.0, after.1)?.unwrap_or(0);
        let max = number(max.0, max.1)?.unwrap_or(MOST_ENTRIES);
        Ok(Self {
            after: u16::try_from(after).unwrap_or(MAX_PARTS).min(MAX_PARTS),
            max: max.min(MOST_ENTRIES),
            encode_url: false,
        })
    }
}

/// The query of `ListMultipartUploads`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadsQuery {
    pub prefix: String,
    /// Never empty.
    pub delimiter: Option<String>,
    /// Never empty.
    pub key_marker: Option<String>,
    /// Never empty, and only beside a key marker: without one it means nothing.
    pub upload_id_marker: Option<String>,
    /// Up to 1000
    pub max: u32,
    pub encode_url: bool,
}

impl UploadsQuery {
    /// # Errors
    /// `InvalidArgument`
    pub fn parse(query: &[(String, String)]) -> Result<Self, S3Error> {
        let filled = |name: &str| {
            value(query, name)
                .filter(|value| !value.is_empty())
                .map(str::to_owned)
        };
        let key_marker = filled("key-marker");
        let max = number("max-uploads", value(query, "max-uploads"))?;
        Ok(Self {
            prefix: value(query, "prefix").unwrap_or_default().to_owned(),
            delimiter: filled("delimiter"),
            upload_id_marker: filled("upload-id-marker").filter(|_| key_marker.is_some()),
            key_marker,
            max: max.unwrap_or(MOST_ENTRIES).min(MOST_ENTRIES),
            encode_url: parameters::parse_encoding_type(value(query, "encoding-type"))?,
        })
    }
}
