//! A server and a token for it: the requests that every command of the client makes.

use crate::client::error::{self, ClientError};
use bytes::Bytes;
use reqwest::header::HeaderValue;
use reqwest::{Method, Response, StatusCode, Url};
use std::time::{Duration, Instant};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For answers to small requests. An upload takes as long as it takes.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers of the API and error bodies are far smaller.
pub(super) const MAX_ANSWER_BYTES: usize = 1 << 20;

/// What an answer held, and what it took.
#[derive(Debug, Clone)]
pub struct Answered<T> {
    pub value: T,
    pub status: u16,
    pub elapsed: Duration,
}

/// A file as a browser would get it.
#[derive(Debug, Clone)]
pub struct Fetched {
    pub content_type: Option<String>,
    pub bytes: Bytes,
}

/// A server and a token for it.
pub struct Client {
    pub(super) base: Url,
    pub(super) token: HeaderValue,
    pub(super) connection: reqwest::Client,
}

impl Client {
    /// `base` is scheme and host; the token is sent nowhere else.
    /// # Errors
    /// When one of them cannot be used.
    pub fn new(base: &str, token: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::BadAddress {
            address: error::printable(base),
        };
        let base = Url::parse(base.trim()).map_err(|_| bad())?;
        let is_origin = matches!(base.scheme(), "http" | "https")
            && base.has_host()
            && base.path() == "/"
            && base.query().is_none()
            && base.fragment().is_none()
            && base.username().is_empty()
            && base.password().is_none();
        if !is_origin {
            return Err(bad());
        }
        let mut token =
            HeaderValue::from_str(token.trim()).map_err(|_| ClientError::UnusableToken)?;
        token.set_sensitive(true);
        Ok(Self {
            connection: connection(&base)?,
            base,
            token,
        })
    }

    /// The absolute address of a path that the API answered with.
    /// # Errors
    /// When it is no path.
    pub fn address_of(&self, path: &str) -> Result<Url, ClientError> {
        let joined = path
            .starts_with('/')
            .then(|| self.base.join(path).ok())
            .flatten()
            .filter(|url| url.origin() == self.base.origin());
        joined.ok_or_else(|| self.not_the_api(None))
    }

    /// Gets a public file: sends no token. At most `limit_bytes`.
    /// # Errors
    /// When the server is away, or has no such file.
    pub async fn fetch(
        &self,
        path: &str,
        limit_bytes: usize,
    ) -> Result<Answered<Fetched>, ClientError> {
        let url = self.address_of(path)?;
        let started = Instant::now();
        let response = self
            .connection
            .request(Method::GET, url.clone())
            .timeout(ANSWER_TIMEOUT)
            .send()
            .await
            .map_err(|source| ClientError::of_transport(&url, None, source))?;
        let status = response.status();
        let content_type = header_text(&response, "content-type");
        let bytes = read(response, &url, limit_bytes).await?;
        if status != StatusCode::OK {
            return Err(ClientError::of_api(&url, status, None, &bytes));
        }
        Ok(Answered {
            value: Fetched {
                content_type,
                bytes,
            },
            status: status.as_u16(),
            elapsed: started.elapsed(),
        })
    }

    pub(super) fn not_the_api(&self, status: Option<StatusCode>) -> ClientError {
        ClientError::NotTheApi {
            address: self.base.to_string(),
            status: status.map(|status| status.as_u16()),
        }
    }
}

/// Plain HTTP needs no certificates, and a container made from scratch has none to load; proxies are not asked for the
/// way to this very machine.
pub(super) fn connection(url: &Url) -> Result<reqwest::Client, ClientError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("hangar/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if url.scheme() == "http" {
        builder = builder.tls_certs_only([]);
    }
    if is_this_machine(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|source| ClientError::Unusable {
        address: url.origin().ascii_serialization(),
        source,
    })
}

pub(super) fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

pub(super) fn header_text(response: &Response, name: &str) -> Option<String> {
    let value = response.headers().get(name)?.to_str().ok()?;
    Some(error::printable(value))
}

/// Reads a body, and refuses one that is longer.
pub(super) async fn read(
    mut response: Response,
    url: &Url,
    limit_bytes: usize,
) -> Result<Bytes, ClientError> {
    let mut body = Vec::new();
    while let Some(piece) = response
        .chunk()
        .await
        .map_err(|source| ClientError::of_transport(url, None, source))?
    {
        if body.len() + piece.len() > limit_bytes {
            return Err(ClientError::NotTheApi {
                address: url.origin().ascii_serialization(),
                status: Some(response.status().as_u16()),
            });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.into())
}
