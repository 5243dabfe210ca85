//! The signature of a request: the one way from a request to a [`Verified`].

use crate::http::app_state::AppState;
use crate::http::origin;
use crate::http::s3::exchange::Exchange;
use crate::s3::S3Error;
use crate::s3::signature::{self, Keys, RequestHead, Rules, Verified};
use crate::s3::sigv4::RegionRule;
use std::collections::HashSet;

/// `None`: the request is not signed.
///
/// # Errors
/// As section 1 of the protocol: an unknown key, an invalid signature, …
pub(super) fn verify(
    exchange: &Exchange<'_>,
    state: &AppState,
) -> Result<Option<Verified>, S3Error> {
    let head = head(exchange);
    let Some(unverified) = signature::parse(&head, &rules(state))? else {
        return Ok(None);
    };
    let hosts = origin::signed_hosts(exchange.req.head(), &state.config);
    let candidates: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let bucket = exchange.virtual_bucket.as_deref();
    let verified = with_keys(state, |keys| {
        unverified.verify(&head, keys, state.clock.now(), &candidates, bucket)
    })?;
    refuse_repeated(&head)?;
    Ok(Some(verified))
}

/// Refuses repeated headers: a signature covers all lines of a header together, but a reader of one value takes the
/// first line.
fn refuse_repeated(head: &RequestHead<'_>) -> Result<(), S3Error> {
    let mut seen = HashSet::new();
    let amz = head.headers.iter().filter(|(name, _)| {
        name.starts_with("x-amz-")
            && !name.starts_with("x-amz-meta-")
            && !LISTS.contains(&name.as_ref())
    });
    for (name, value) in amz {
        if !seen.insert(name) {
            let message = "A header of this name may be sent only once.";
            return Err(S3Error::invalid_argument(message, name, value));
        }
    }
    Ok(())
}

/// Headers whose values are lists, in any number of lines.
const LISTS: [&str; 2] = ["x-amz-object-attributes", "x-amz-trailer"];

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

pub(super) fn rules(state: &AppState) -> Rules {
    let config = &state.config;
    Rules {
        regions: RegionRule {
            configured: config.region.clone(),
        },
        sigv2: config.sigv2,
    }
}

/// Calls `check` with the keys that a header, a query or a form may be signed with.
pub(super) fn with_keys<T>(state: &AppState, check: impl FnOnce(&Keys<'_>) -> T) -> T {
    let held = &state.keys;
    check(&Keys {
        signing_key: &|credential| held.signing_key(&credential.access_key, &credential.scope),
        secret: &|access_key| held.find(access_key).map(|key| key.secret.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("x-amz-copy-source", false)]
    #[case("x-amz-acl", false)]
    #[case("x-amz-meta-name", true)]
    #[case("x-amz-object-attributes", true)]
    #[case("x-amz-trailer", true)]
    #[case("accept", true)]
    fn a_header_with_one_value_may_not_be_repeated(#[case] name: &str, #[case] may_repeat: bool) {
        let line = |value: &str| (name.to_owned(), value.to_owned());
        let mut headers = vec![line("a")];
        let refused = |headers: &[(String, String)]| {
            let head = RequestHead {
                method: "PUT",
                raw_path: "/uploads/a",
                raw_query: "",
                headers,
            };
            refuse_repeated(&head).is_err()
        };
        assert!(!refused(&headers));
        headers.push(line("b"));
        assert_eq!(refused(&headers), !may_repeat);
    }
}
