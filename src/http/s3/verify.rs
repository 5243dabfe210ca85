//! Whose request it is: the one way from a request to a [`Verified`].

use super::Exchange;
use crate::http::origin;
use crate::s3::sigv4::{self, RegionRule, RequestHead, SigningKey, Unverified, Verified};
use crate::s3::{ErrorCode, S3Error};

/// # Errors
/// As section 1 of the protocol: no signature (`AccessDenied`), an unknown key, a signature that does not hold.
pub(super) fn verify(exchange: &Exchange<'_>) -> Result<Verified, S3Error> {
    let rooms = exchange.rooms;
    let uri = exchange.req.uri();
    let head = RequestHead {
        method: exchange.req.method().as_str(),
        raw_path: uri.path(),
        raw_query: uri.query().unwrap_or_default(),
        headers: exchange.sent_headers(),
    };
    let Some(unverified) = sigv4::parse(&head, &regions(exchange))? else {
        return Err(S3Error::new(ErrorCode::AccessDenied).logged("the request was not signed"));
    };
    let key = signing_key(exchange, unverified.credential())?;
    let hosts = origin::signed_hosts(exchange.req.head(), &rooms.config);
    let candidates: Vec<&str> = hosts.iter().map(String::as_str).collect();
    unverified
        .clone()
        .verify(&head, &key, rooms.clock.now(), &candidates)
        .map_err(|refusal| explain(exchange, &head, unverified, &key, refusal))
}

/// The key that a header, a query or a form was signed with.
pub(super) fn signing_key(
    exchange: &Exchange<'_>,
    credential: &sigv4::Credential,
) -> Result<SigningKey, S3Error> {
    exchange
        .rooms
        .keys
        .signing_key(&credential.access_key, &credential.scope)
        .ok_or_else(|| {
            S3Error::new(ErrorCode::InvalidAccessKeyId)
                .extra("AWSAccessKeyId", credential.access_key.as_str())
                .logged("the access key is not one of this server's")
        })
}

pub(super) fn regions(exchange: &Exchange<'_>) -> RegionRule {
    RegionRule {
        configured: exchange.rooms.config.region.clone(),
    }
}

/// Where a signature fails over the host alone, the log names the host that would have matched and what mends it.
fn explain(
    exchange: &Exchange<'_>,
    head: &RequestHead<'_>,
    unverified: Unverified,
    key: &SigningKey,
    refusal: S3Error,
) -> S3Error {
    if refusal.code != ErrorCode::SignatureDoesNotMatch {
        return refusal;
    }
    let config = &exchange.rooms.config;
    let Some(host) = origin::disbelieved_host(exchange.req.head(), config) else {
        return refusal;
    };
    let now = exchange.rooms.clock.now();
    if unverified.verify(head, key, now, &[&host]).is_err() {
        return refusal;
    }
    let text = format!(
        "the signature is good for the host {host}, which X-Forwarded-Host names, but that proxy is not trusted: \
         set HANGAR_PUBLIC_URL to that host, or add the proxy's address to HANGAR_TRUSTED_PROXIES"
    );
    refusal.logged(text)
}
