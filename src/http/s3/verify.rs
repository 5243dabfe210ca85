//! Whose request it is: the one way from a request to a [`Verified`].

use super::Exchange;
use crate::http::origin;
use crate::s3::S3Error;
use crate::s3::signature::{self, Keys, RequestHead, Rules, Sigv2, Verified};
use crate::s3::sigv4::RegionRule;

/// `None`: nobody signed it.
///
/// # Errors
/// As section 1 of the protocol: an unknown key, a signature that does not hold, …
pub(super) fn verify(exchange: &Exchange<'_>) -> Result<Option<Verified>, S3Error> {
    let head = head(exchange);
    let Some(unverified) = signature::parse(&head, &rules(exchange))? else {
        return Ok(None);
    };
    let rooms = exchange.rooms;
    let hosts = origin::signed_hosts(exchange.req.head(), &rooms.config);
    let candidates: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let bucket = exchange.virtual_bucket.as_deref();
    with_keys(exchange, |keys| {
        unverified.verify(&head, keys, rooms.clock.now(), &candidates, bucket)
    })
    .map(Some)
}

/// The request as its signature sees it.
pub(super) fn head<'a>(exchange: &'a Exchange<'_>) -> RequestHead<'a> {
    let uri = exchange.req.uri();
    RequestHead {
        method: exchange.req.method().as_str(),
        raw_path: uri.path(),
        raw_query: uri.query().unwrap_or_default(),
        headers: exchange.sent_headers(),
    }
}

pub(super) fn rules(exchange: &Exchange<'_>) -> Rules {
    let config = &exchange.rooms.config;
    Rules {
        regions: RegionRule {
            configured: config.region.clone(),
        },
        sigv2: if config.sigv2 { Sigv2::On } else { Sigv2::Off },
    }
}

/// Lends the keys that a header, a query or a form may be signed with.
pub(super) fn with_keys<T>(exchange: &Exchange<'_>, check: impl FnOnce(&Keys<'_>) -> T) -> T {
    let held = &exchange.rooms.keys;
    check(&Keys {
        signing_key: &|credential| held.signing_key(&credential.access_key, &credential.scope),
        secret: &|access_key| held.find(access_key).map(|key| key.secret.clone()),
    })
}
