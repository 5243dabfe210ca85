//! Why a request did not do what it was for: each text is one sentence that says what to do.

use reqwest::{StatusCode, Url};

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "{address:?} is no address of a server: give scheme and host, such as http://127.0.0.1:9000"
    )]
    BadAddress { address: String },
    #[error("the token holds characters that no token has: copy it anew")]
    UnusableToken,
    #[error(
        "no client for {address} can be made: a secure connection needs the system's certificates (the package ca-certificates)"
    )]
    Unusable {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    #[error(
        "no server answers at {address}: start one with `hangar serve`, or name another with --url or HANGAR_URL"
    )]
    Unreachable {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{address} did not answer in time: look at the server's log, then try again")]
    TimedOut {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("the connection to {address} broke off: look at the server's log, then try again")]
    BrokenOff {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("{address} does not answer as Plane's asset API does{}: check the address in --url or HANGAR_URL", in_brackets(*.status))]
    NotTheApi {
        address: String,
        status: Option<u16>,
    },
    #[error("{address} redirects to {to}: give that server's address in --url or HANGAR_URL")]
    Redirected { address: String, to: String },
    #[error(
        "the server wants a token: set HANGAR_TOKEN or give --token (`hangar token create --user EMAIL` makes one)"
    )]
    TokenMissing,
    #[error(
        "the server refused the token ({says}): make another with `hangar token create --user EMAIL` and set HANGAR_TOKEN or give --token"
    )]
    TokenRefused { says: String },
    #[error("too many requests for this token: try again in {seconds} s")]
    TooManyRequests { seconds: String },
    #[error(
        "the file has {size_bytes} bytes, and the server takes at most {limit_bytes}: send a smaller one, or raise FILE_SIZE_LIMIT there"
    )]
    TooLarge { size_bytes: u64, limit_bytes: u64 },
    #[error(
        "the file has {size_bytes} bytes, more than the server takes: send a smaller one, or raise FILE_SIZE_LIMIT there"
    )]
    TooLargeForTheServer { size_bytes: u64 },
    #[error("the file is empty, and an asset needs at least one byte: choose another")]
    Empty,
    #[error("the server's disk is full: free some space there, then try again")]
    DiskFull,
    #[error("the server cannot store anything at the moment: look at its log, then try again")]
    Unavailable,
    #[error(
        "the upload form was signed for another server than the one that got it: check HANGAR_PUBLIC_URL and the proxy there"
    )]
    SignedForAnother,
    #[error("the server answered {status}: {says}")]
    Refused { status: u16, says: String },
}

fn in_brackets(status: Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(" (status {status})"))
}

impl ClientError {
    /// The address in these is scheme and host alone: a query may hold a signature.
    pub(super) fn of_transport(url: &Url, source: reqwest::Error) -> Self {
        let address = url.origin().ascii_serialization();
        let source = source.without_url();
        if source.is_connect() {
            Self::Unreachable { address, source }
        } else if source.is_timeout() {
            Self::TimedOut { address, source }
        } else {
            Self::BrokenOff { address, source }
        }
    }

    /// What an answer of the API that is no success means.
    pub(super) fn of_api(url: &Url, status: StatusCode, header: Option<&str>, body: &[u8]) -> Self {
        let says = said_in_json(body);
        match status.as_u16() {
            300..=399 => Self::Redirected {
                address: url.origin().ascii_serialization(),
                to: header.map_or_else(|| "another address".to_owned(), printable),
            },
            401 => Self::TokenMissing,
            403 => Self::TokenRefused {
                says: says.unwrap_or_else(|| "403".to_owned()),
            },
            429 => Self::TooManyRequests {
                seconds: header.map_or_else(|| "60".to_owned(), printable),
            },
            503 => Self::Unavailable,
            507 => Self::DiskFull,
            code => match says {
                Some(says) if code != 404 => Self::Refused { status: code, says },
                _ => Self::NotTheApi {
                    address: url.origin().ascii_serialization(),
                    status: Some(code),
                },
            },
        }
    }

    /// What S3's answer to a form means, that is no success.
    pub(super) fn of_s3(status: StatusCode, body: &[u8], size_bytes: u64) -> Self {
        let error = std::str::from_utf8(body)
            .ok()
            .and_then(|text| quick_xml::de::from_str::<S3Body>(text).ok())
            .unwrap_or_default();
        match (error.code.as_str(), status.as_u16()) {
            ("EntityTooLarge", _) | (_, 413) => Self::TooLargeForTheServer { size_bytes },
            ("EntityTooSmall", _) => Self::Empty,
            ("SignatureDoesNotMatch" | "InvalidAccessKeyId", _) => Self::SignedForAnother,
            ("InsufficientStorage", _) | (_, 507) => Self::DiskFull,
            ("ServiceUnavailable" | "SlowDown", _) | (_, 503) => Self::Unavailable,
            (_, status) => Self::Refused {
                status,
                says: if error.message.is_empty() {
                    "no reason given".to_owned()
                } else {
                    printable(&error.message)
                },
            },
        }
    }
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct S3Body {
    code: String,
    message: String,
}

/// Plane: `error` in the views' answers, `detail` in the framework's, `message` or `error_message` elsewhere.
fn said_in_json(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    ["error", "detail", "message", "error_message"]
        .iter()
        .find_map(|name| body.get(name)?.as_str())
        .map(printable)
}

/// Text of a server, fit for a terminal: one line, bounded, without control characters or a stop at its end.
pub(super) fn printable(text: &str) -> String {
    const SHOWN_CHARS: usize = 300;
    let shown: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    shown.trim().trim_end_matches('.').to_owned()
}
