//! Users: an id and an email.
use uuid::Uuid;

/// A user, as its row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: Uuid,
    pub email: String,
    pub display_name: String,
}

/// A well-formed email, in lower case, as Plane stores it. `admin@localhost` is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Email(String);
impl Email {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let email = text.trim().to_lowercase();
        let well_formed = email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && !domain.is_empty()
                && !domain.contains('@')
                && !domain.starts_with(['.', '-'])
                && !domain.ends_with(['.', '-'])
        });
        if !well_formed
            || email.len() > 254
            || email.contains(|c: char| {
                c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | '"' | ',')
            })
        {
            return Err(format!(
                "{text:?} is not an email address; write one like name@example.com."
            ));
        }
        Ok(Self(email))
    }
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
    /// The name that Plane shows for a new user: the part before the `@`.
    pub(super) fn display_name(&self) -> &str {
        self.0.split_once('@').map_or("", |(local, _)| local)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("admin@localhost", "admin@localhost")]
    #[case(" Ana.Nowak@Example.COM ", "ana.nowak@example.com")]
    fn an_email_is_kept_in_lower_case(#[case] text: &str, #[case] kept: &str) {
        assert_eq!(Email::parse(text).unwrap().as_str(), kept);
    }

    #[rstest]
    #[case("")]
    #[case("ana")]
    #[case("@example.com")]
    #[case("ana@")]
    #[case("ana@a@b")]
    #[case("ana nowak@example.com")]
    #[case("ana\u{1b}@example.com")]
    #[case("Ana <ana@example.com>")]
    fn a_malformed_email_is_refused(#[case] text: &str) {
        let refusal = Email::parse(text).unwrap_err();
        let expected =
            format!("{text:?} is not an email address; write one like name@example.com.");
        assert_eq!(refusal, expected);
    }
}
