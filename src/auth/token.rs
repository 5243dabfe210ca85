//! Tokens of the asset API: their secrets, scopes, and what is stored of them.
//!
//! A secret is `plane_api_` and 32 hex digits from the system's generator. It is shown once; only its SHA-256 is
//! stored, and a token is found by that.
use rand::TryRng;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use std::time::Duration;

const PREFIX: &str = "plane_api_";
const HEX_DIGITS: usize = 32;

/// Plane contract, section 2.2.
pub const KNOWN_SCOPES: [&str; 4] = [
    "assets:read",
    "assets:write",
    "projects.work_items.attachments:read",
    "projects.work_items.attachments:write",
];
pub const DEFAULT_SCOPES: [&str; 2] = ["assets:read", "assets:write"];

/// A hundred years: a later expiry is a typing error.
const LONGEST_LIFE: Duration = Duration::from_hours(100 * 365 * 24);
const LONGEST_NAME_CHARS: usize = 255;

/// A secret that was just made.
pub(super) struct TokenSecret(SecretString);
impl TokenSecret {
    /// `None`: the system's generator does not answer.
    pub(super) fn generate() -> Option<Self> {
        let mut bytes = [0_u8; HEX_DIGITS / 2];
        rand::rngs::SysRng.try_fill_bytes(&mut bytes).ok()?;
        Some(Self(SecretString::from(format!(
            "{PREFIX}{}",
            hex::encode(bytes)
        ))))
    }
    pub(super) fn digest(&self) -> SecretDigest {
        SecretDigest::of(self.0.expose_secret().as_bytes())
    }
    /// The last digits, which a list shows.
    pub(super) fn hint(&self) -> String {
        let secret = self.0.expose_secret();
        format!("…{}", &secret[secret.len() - 4..])
    }
    pub(super) fn into_inner(self) -> SecretString {
        self.0
    }
}

/// SHA-256 of a secret. It is stored, and a token is found by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SecretDigest([u8; 32]);
impl SecretDigest {
    pub(super) fn of(secret: &[u8]) -> Self {
        Self(Sha256::digest(secret).into())
    }
    pub(super) fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// Whether a text has the form of our tokens. A text that has not needs no query.
pub(super) fn has_the_form_of_a_token(secret: &[u8]) -> bool {
    secret
        .strip_prefix(PREFIX.as_bytes())
        .is_some_and(|digits| {
            digits.len() == HEX_DIGITS
                && digits
                    .iter()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
        })
}

/// The scopes of a new token: known ones only, each once; none named means [`DEFAULT_SCOPES`].
pub(super) fn parse_scopes(wanted: &[String]) -> Result<Vec<String>, String> {
    if wanted.is_empty() {
        return Ok(DEFAULT_SCOPES.map(str::to_owned).to_vec());
    }
    let mut scopes: Vec<String> = Vec::with_capacity(KNOWN_SCOPES.len());
    for scope in wanted {
        if !KNOWN_SCOPES.contains(&scope.as_str()) {
            return Err(format!(
                "There is no scope {scope:?}; those there are: {}.",
                KNOWN_SCOPES.join(", ")
            ));
        }
        if !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    Ok(scopes)
}

/// The name of a token or an access key; `unnamed` where it has none.
pub(super) fn parse_name(wanted: Option<String>, unnamed: &str) -> Result<String, String> {
    let name = wanted.unwrap_or_default().trim().to_owned();
    if name.chars().any(char::is_control) {
        return Err("The name must not hold control characters.".to_owned());
    }
    if name.chars().count() > LONGEST_NAME_CHARS {
        return Err(format!(
            "The name must not be longer than {LONGEST_NAME_CHARS} characters."
        ));
    }
    Ok(if name.is_empty() {
        unnamed.to_owned()
    } else {
        name
    })
}

pub(super) fn parse_life(seconds: Option<u64>) -> Result<Option<Duration>, String> {
    let Some(seconds) = seconds else {
        return Ok(None);
    };
    let life = Duration::from_secs(seconds);
    if life.is_zero() {
        return Err(
            "The token would expire at once; give a time in the future, such as 90d.".to_owned(),
        );
    }
    if life > LONGEST_LIFE {
        return Err(
            "A token lives for at most 100 years; leave the expiry out for one that never expires."
                .to_owned(),
        );
    }
    Ok(Some(life))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_new_secret_has_the_form_of_a_token_and_a_hint_of_its_end() {
        let secret = TokenSecret::generate().unwrap();
        let hint = secret.hint();
        let digest = secret.digest();
        let text = secret.into_inner();
        let text = text.expose_secret();
        assert!(has_the_form_of_a_token(text.as_bytes()));
        assert!(text.ends_with(hint.trim_start_matches('…')));
        assert_eq!(digest.to_hex().len(), 64);
    }

    #[rstest]
    #[case("")]
    #[case("plane_api_")]
    #[case("plane_api_0123456789abcdef0123456789abcde")]
    #[case("plane_api_0123456789abcdef0123456789abcdef0")]
    #[case("plane_api_0123456789ABCDEF0123456789abcdef")]
    #[case("other_api_0123456789abcdef0123456789abcdef")]
    fn a_malformed_token_is_recognized_by_its_form(#[case] secret: &str) {
        assert!(!has_the_form_of_a_token(secret.as_bytes()));
    }

    #[test]
    fn a_token_without_named_scopes_reads_and_writes_assets() {
        assert_eq!(
            parse_scopes(&[]).unwrap(),
            ["assets:read", "assets:write"].map(str::to_owned)
        );
    }

    #[test]
    fn a_scope_named_twice_is_kept_once_and_an_unknown_one_is_refused() {
        let wanted = ["assets:read", "assets:read"].map(str::to_owned);
        assert_eq!(parse_scopes(&wanted).unwrap(), ["assets:read".to_owned()]);
        insta::assert_snapshot!(
            parse_scopes(&["assets:*".to_owned()]).unwrap_err(),
            @r#"There is no scope "assets:*"; those there are: assets:read, assets:write, projects.work_items.attachments:read, projects.work_items.attachments:write."#
        );
    }

    #[test]
    fn an_expiry_lies_in_the_future_and_within_a_century() {
        let refusal = |seconds| parse_life(Some(seconds)).unwrap_err();
        assert!(refusal(0).contains("would expire at once"));
        assert!(refusal(u64::MAX).contains("at most 100 years"));
        assert_eq!(parse_life(None).unwrap(), None);
        assert_eq!(parse_life(Some(60)).unwrap(), Some(Duration::from_mins(1)));
    }

    #[test]
    fn a_listed_name_cannot_move_the_cursor_of_a_terminal() {
        let refusal = parse_name(Some("a\u{1b}[2J".to_owned()), "").unwrap_err();
        assert_eq!(refusal, "The name must not hold control characters.");
        assert_eq!(parse_name(Some("  ".to_owned()), "none").unwrap(), "none");
    }
}
