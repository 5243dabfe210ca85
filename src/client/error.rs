//! Why a request failed: each text is one sentence that says what to do.
//!
//! A server that does not run, a proxy in between, a certificate that this machine does not trust and a wrong setting of
//! the server have different sentences: each names the setting, the file or the program to look at.

use crate::client::transport::{Part, Trouble};
use reqwest::{StatusCode, Url};

#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error(
        "{address:?} is not the address of a server: give scheme and host alone, without a path, such as http://127.0.0.1:9000"
    )]
    BadAddress { address: String },
    #[error("the token holds characters that no token has: copy it anew")]
    UnusableToken,
    #[error(
        "no client for {address} can be made: a secure connection needs the system's certificates (the package ca-certificates) or a PEM file in SSL_CERT_FILE"
    )]
    Unusable {
        address: String,
        #[source]
        source: reqwest::Error,
    },
    /// No answer came.
    #[error("{}: {}", .trouble.of(.address), .trouble.remedy(Part::Api))]
    NoAnswer {
        address: String,
        trouble: Trouble,
        #[source]
        source: reqwest::Error,
    },
    /// No answer came from the address to which the server sends uploads, which is not the server's own address.
    #[error("{server} sends uploads to {address}, but {}: {}", .trouble.of(.address), .trouble.remedy(Part::Upload))]
    NoAnswerToUpload {
        server: String,
        address: String,
        trouble: Trouble,
        #[source]
        source: reqwest::Error,
    },
    #[error(
        "{address} stopped taking the file, or did not answer once it had it: look at the server's log, and at the log of a proxy in between, then try again"
    )]
    Stalled { address: String },
    #[error("{address} does not answer as Plane's asset API does{}: check the address in --url or HANGAR_URL", in_brackets(*.status))]
    NotTheApi {
        address: String,
        status: Option<u16>,
    },
    #[error("{address} speaks HTTPS: write https:// in --url or HANGAR_URL")]
    SpeaksHttps { address: String },
    #[error("{address} redirects to {to}: give that server's address in --url or HANGAR_URL")]
    Redirected { address: String, to: String },
    #[error(
        "{address} redirects uploads to {to}: set HANGAR_PUBLIC_URL of the server to that scheme and host, or remove the proxy's redirect"
    )]
    UploadRedirected { address: String, to: String },
    #[error(
        "the server wants a token: set HANGAR_TOKEN or give --token (`hangar token create --user EMAIL` makes one)"
    )]
    TokenMissing,
    #[error(
        "the server refused the token ({says}): make another with `hangar token create --user EMAIL` in the server's data folder (--data-dir), and set HANGAR_TOKEN or give --token"
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
    #[error(
        "a proxy at {address} refused the request as too large (413); it did not reach the server: raise the proxy's limit (nginx: `client_max_body_size`, Caddy: `request_body` `max_size`, Apache: `LimitRequestBody`)"
    )]
    TooLargeForTheProxy { address: String },
    #[error(
        "a proxy at {address} got no answer from the server behind it ({status}): check that the server runs, and that the proxy has its right address (nginx: `proxy_pass`)"
    )]
    NothingBehindTheProxy { address: String, status: u16 },
    #[error(
        "a proxy or a firewall at {address} refused the request ({status}), not the server: let /api/ and the bucket's path pass there without a login of its own"
    )]
    RefusedByTheProxy { address: String, status: u16 },
    #[error("the file is empty, and an asset needs at least one byte: choose another")]
    Empty,
    #[error("the server's disk is full: free some space there, then try again")]
    DiskFull,
    #[error("the server cannot store anything at the moment: look at its log, then try again")]
    Unavailable,
    #[error(
        "the upload form was signed for another server than the one that got it: check HANGAR_PUBLIC_URL and the proxy there (it must pass the Host header on: nginx: `proxy_set_header Host $http_host`)"
    )]
    SignedForAnother,
    #[error(
        "{address} takes no uploads by form ({status}{}): the store behind the server must know S3's POST Object; set AWS_S3_ENDPOINT_URL there to one that does, such as hangar", and_code(.code))]
    TakesNoForms {
        address: String,
        status: u16,
        code: String,
    },
    #[error(
        "the address for uploads, {address}, is not an S3 server's (status 404): set HANGAR_PUBLIC_URL of the server to scheme and host of hangar, and let the proxy pass the bucket's path to it"
    )]
    NotABucket { address: String },
    #[error("the server answered {status}: {says}")]
    Refused { status: u16, says: String },
}

fn and_code(code: &str) -> String {
    if code.is_empty() {
        String::new()
    } else {
        format!(", {code}")
    }
}

fn in_brackets(status: Option<u16>) -> String {
    status.map_or_else(String::new, |status| format!(" (status {status})"))
}

impl ClientError {
    /// `server`: the server's own address, where it sent an upload to another one. Only scheme and host of an address are
    /// shown: a query may hold a signature.
    pub(super) fn of_transport(url: &Url, server: Option<&Url>, source: reqwest::Error) -> Self {
        let address = url.origin().ascii_serialization();
        let source = source.without_url();
        let trouble = Trouble::of_error(&source);
        match server.filter(|server| server.origin() != url.origin()) {
            Some(server) => Self::NoAnswerToUpload {
                server: server.origin().ascii_serialization(),
                address,
                trouble,
                source,
            },
            None => Self::NoAnswer {
                address,
                trouble,
                source,
            },
        }
    }

    /// Maps an error answer of the API. One that is not JSON comes from a proxy in between.
    pub(super) fn of_api(url: &Url, status: StatusCode, header: Option<&str>, body: &[u8]) -> Self {
        let address = url.origin().ascii_serialization();
        let says = message_in_json(body);
        let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
        match status.as_u16() {
            300..=399 => Self::Redirected {
                address,
                to: redirect_target(url, header),
            },
            status @ (401 | 403) if !is_json => Self::RefusedByTheProxy { address, status },
            401 => Self::TokenMissing,
            403 => Self::TokenRefused {
                says: says.unwrap_or_else(|| "403".to_owned()),
            },
            413 if !is_json => Self::TooLargeForTheProxy { address },
            429 => Self::TooManyRequests {
                seconds: header.map_or_else(|| "60".to_owned(), printable),
            },
            status @ (502..=504) if !is_json => Self::NothingBehindTheProxy { address, status },
            503 => Self::Unavailable,
            507 => Self::DiskFull,
            400 if url.scheme() == "http" && wants_https(body) => Self::SpeaksHttps { address },
            code => match says {
                Some(says) if code != 404 => Self::Refused { status: code, says },
                _ => Self::NotTheApi {
                    address,
                    status: Some(code),
                },
            },
        }
    }

    /// Maps an error answer of S3 to a form. One without an error code of S3 comes from a proxy in between.
    pub(super) fn of_s3(
        url: &Url,
        status: StatusCode,
        header: Option<&str>,
        body: &[u8],
        size_bytes: u64,
    ) -> Self {
        let address = url.origin().ascii_serialization();
        let error = std::str::from_utf8(body)
            .ok()
            .and_then(|text| quick_xml::de::from_str::<S3Body>(text).ok())
            .unwrap_or_default();
        match (error.code.as_str(), status.as_u16()) {
            (_, 300..=399) => Self::UploadRedirected {
                address,
                to: redirect_target(url, header),
            },
            ("EntityTooLarge", _) => Self::TooLargeForTheServer { size_bytes },
            ("", 413) => Self::TooLargeForTheProxy { address },
            ("", status @ (401 | 403 | 407)) => Self::RefusedByTheProxy { address, status },
            ("", 404) => Self::NotABucket { address },
            ("", status @ 502..=504) => Self::NothingBehindTheProxy { address, status },
            (code, status @ (405 | 501)) => Self::TakesNoForms {
                address,
                status,
                code: printable(code),
            },
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

/// The target of a redirect: scheme and host of another server, which an operator can give as an address, or a path of this
/// server.
fn redirect_target(url: &Url, location: Option<&str>) -> String {
    let Some(location) = location else {
        return "another address".to_owned();
    };
    match url.join(location) {
        Ok(to) if to.origin() != url.origin() => to.origin().ascii_serialization(),
        _ => printable(location),
    }
}

/// Whether a server refused plain HTTP because it speaks TLS: nginx answers "The plain HTTP request was sent to HTTPS
/// port", hangar and Go "Client sent an HTTP request to an HTTPS server."
fn wants_https(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    text.contains("HTTPS port") || text.contains("HTTPS server")
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
#[derive(Debug, Default, serde::Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct S3Body {
    code: String,
    message: String,
}

/// Plane: `error` in the views' answers, `detail` in the framework's, `message` or `error_message` elsewhere.
fn message_in_json(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    ["error", "detail", "message", "error_message"]
        .iter()
        .find_map(|name| body.get(name)?.as_str())
        .map(printable)
}

/// A server's text for the terminal: one line of bounded length, without control characters or a full stop at its end.
pub(super) fn printable(text: &str) -> String {
    const SHOWN_CHARS: usize = 300;
    let shown: String = text
        .chars()
        .take(SHOWN_CHARS)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    shown.trim().trim_end_matches('.').to_owned()
}
