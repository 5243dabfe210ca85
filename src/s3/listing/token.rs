//! Continuation tokens: opaque to clients, bound to the listing that they continue.
//!
//! A token holds the name after which the listing continues, and a digest of the query. It needs no secret: a client that
//! forges a token learns nothing that the listing itself would not show, since the listing stays within its prefix.
use crate::s3::values::error::{ErrorCode, S3Error};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Bytes of a token that bind it to its listing.
const BINDING_BYTES: usize = 8;

/// `last`: the last key, common prefix or bucket name of the page; `scope`: the parameters of the query.
pub(super) fn seal(last: &str, scope: &[&str]) -> String {
    let mut bytes = binding(scope).to_vec();
    bytes.extend_from_slice(last.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// # Errors
/// `InvalidArgument` for a token of another listing, or a forged one.
pub(super) fn open(token: &str, scope: &[&str]) -> Result<String, S3Error> {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
    bytes
        .strip_prefix(&binding(scope))
        .and_then(|last| std::str::from_utf8(last).ok())
        .filter(|last| !last.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| {
            S3Error::with_message(
                ErrorCode::InvalidArgument,
                "The continuation token provided is incorrect",
            )
            .extra("ArgumentName", "continuation-token")
        })
}

fn binding(scope: &[&str]) -> [u8; BINDING_BYTES] {
    let mut digest = Sha256::new();
    for part in scope {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    std::array::from_fn(|at| digest[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    proptest! {
        #[test]
        fn a_token_holds_any_key_and_opens_in_its_own_scope_alone(
            last in "\\PC{1,12}",
            scope in prop::collection::vec("\\PC{0,4}", 1..4),
            other in prop::collection::vec("\\PC{0,4}", 1..4),
        ) {
            let [within, outside] = [&scope, &other].map(|scope| scope.iter().map(String::as_str).collect::<Vec<_>>());
            let token = seal(&last, &within);
            prop_assert_eq!(open(&token, &within).unwrap(), last);
            prop_assert_eq!(open(&token, &outside).is_ok(), scope == other);
        }

        #[test]
        fn any_token_is_read_without_a_panic(token in "\\PC{0,40}") {
            let _ = open(&token, &[""]);
        }
    }

    #[rstest]
    #[case("foo")]
    #[case("!!!")]
    #[case("Zm9v")]
    fn a_forged_token_is_refused(#[case] token: &str) {
        let error = open(token, &["uploads", "", ""]).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidArgument);
        assert_eq!(
            error.message,
            "The continuation token provided is incorrect"
        );
    }
}
