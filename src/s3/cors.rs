//! A bucket's rules of cross-origin access.
//!
//! [`CorsRules`] are rules that AWS would take; the first that allows an origin, a method and the headers asked for
//! answers. It refuses to know requests, and what holds where a bucket has no rules.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cors.html>

use super::xml::{self, Namespace};
use super::{ErrorCode, S3Error};
use serde::Deserialize;

const MOST_RULES: usize = 100;
const ID_CHARACTERS: usize = 255;
/// Names that one preflight may ask for: each is held against each of a rule's.
const MOST_HEADERS_ASKED: usize = 100;

/// The rules of a bucket: 1 to 100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorsRules(Vec<CorsRule>);

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorsRule {
    #[serde(rename = "ID", default)]
    id: Option<String>,
    #[serde(rename = "AllowedOrigin", default)]
    origins: Vec<String>,
    #[serde(rename = "AllowedMethod", default)]
    methods: Vec<String>,
    #[serde(rename = "AllowedHeader", default)]
    headers: Vec<String>,
    #[serde(rename = "ExposeHeader", default)]
    exposed: Vec<String>,
    #[serde(rename = "MaxAgeSeconds", default)]
    max_age_seconds: Option<u32>,
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "CORSRule", default)]
    rules: Vec<CorsRule>,
}

/// What a rule allows an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed<'a> {
    /// Whether the rule is for every origin, so that `*` says it.
    pub any_origin: bool,
    rule: &'a CorsRule,
}

impl CorsRules {
    /// # Errors
    /// `MalformedXML`, `InvalidRequest` for more rules than there may be and for what a rule cannot say,
    /// `InvalidArgument` for an id that is too long.
    pub fn parse(text: &str) -> Result<Self, S3Error> {
        let document: Document =
            xml::read(text).ok_or_else(|| S3Error::new(ErrorCode::MalformedXML))?;
        if document.rules.is_empty() {
            return Err(ErrorCode::MalformedXML.into());
        }
        if document.rules.len() > MOST_RULES {
            return Err(refusal(format!(
                "The number of CORS rules should not exceed allowed limit of {MOST_RULES} rules."
            )));
        }
        for rule in &document.rules {
            rule.judge()?;
        }
        Ok(Self(document.rules))
    }

    /// The document, as it is kept and given back.
    #[must_use]
    pub fn to_xml(&self) -> String {
        xml::document("CORSConfiguration", Namespace::S3, |document| {
            for rule in &self.0 {
                document.element("CORSRule", |element| {
                    if let Some(id) = &rule.id {
                        element.text("ID", id);
                    }
                    for (name, values) in [
                        ("AllowedHeader", &rule.headers),
                        ("AllowedMethod", &rule.methods),
                        ("AllowedOrigin", &rule.origins),
                        ("ExposeHeader", &rule.exposed),
                    ] {
                        for value in values {
                            element.text(name, value);
                        }
                    }
                    if let Some(seconds) = rule.max_age_seconds {
                        element.text("MaxAgeSeconds", &seconds.to_string());
                    }
                });
            }
        })
    }

    /// What the first rule allows that is for this origin, method and all of the headers named (as
    /// `Access-Control-Request-Headers` lists them).
    #[must_use]
    pub fn allow(&self, origin: &str, method: &str, headers: &str) -> Option<Allowed<'_>> {
        let asked: Vec<String> = headers
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty())
            .take(MOST_HEADERS_ASKED + 1)
            .collect();
        if asked.len() > MOST_HEADERS_ASKED {
            return None;
        }
        self.0.iter().find_map(|rule| {
            let held = rule.methods.iter().any(|allowed| allowed == method)
                && asked.iter().all(|name| rule.takes_header(name));
            let pattern = rule
                .origins
                .iter()
                .filter(|_| held)
                .find(|pattern| matches(pattern, origin))?;
            Some(Allowed {
                any_origin: pattern == "*",
                rule,
            })
        })
    }
}

impl CorsRule {
    fn judge(&self) -> Result<(), S3Error> {
        // What XML cannot hold could not be given back as it was put.
        let filled = |list: &[String]| {
            let mut values = list.iter();
            values.all(|value| !value.is_empty() && xml::can_hold(value))
        };
        if self.origins.is_empty()
            || self.methods.is_empty()
            || ![&self.origins, &self.headers, &self.exposed]
                .iter()
                .all(|list| filled(list))
            || !self.id.as_deref().is_none_or(xml::can_hold)
        {
            return Err(ErrorCode::MalformedXML.into());
        }
        if let Some(id) = &self.id
            && id.chars().count() > ID_CHARACTERS
        {
            return Err(S3Error::with_message(
                ErrorCode::InvalidArgument,
                "ID length should not exceed allowed limit of 255",
            ));
        }
        for method in &self.methods {
            if !["GET", "PUT", "HEAD", "POST", "DELETE"].contains(&method.as_str()) {
                return Err(refusal(format!(
                    "Found unsupported HTTP method in CORS config. Unsupported method is {}",
                    shortened(method)
                )));
            }
        }
        let patterns = [
            ("AllowedOrigin", &self.origins),
            ("AllowedHeader", &self.headers),
        ];
        for (name, values) in patterns {
            if let Some(value) = values.iter().find(|value| value.matches('*').count() > 1) {
                return Err(refusal(format!(
                    "{name} \"{}\" can not have more than one wildcard.",
                    shortened(value)
                )));
            }
        }
        for name in &self.exposed {
            if name.contains('*') {
                return Err(refusal(format!(
                    "ExposeHeader \"{}\" contains wildcard. We currently do not support wildcard for ExposeHeader.",
                    shortened(name)
                )));
            }
            if !name.bytes().all(is_of_a_header_name) {
                return Err(refusal(format!(
                    "ExposeHeader \"{}\" contains invalid character.",
                    shortened(name)
                )));
            }
        }
        Ok(())
    }

    /// `name` is lower case.
    fn takes_header(&self, name: &str) -> bool {
        self.headers
            .iter()
            .any(|pattern| matches(&pattern.to_ascii_lowercase(), name))
    }
}

impl Allowed<'_> {
    /// `GET, PUT`
    #[must_use]
    pub fn methods(&self) -> String {
        self.rule.methods.join(", ")
    }

    /// Names of headers, `None` where there are none.
    #[must_use]
    pub fn exposed(&self) -> Option<String> {
        (!self.rule.exposed.is_empty()).then(|| self.rule.exposed.join(", "))
    }

    #[must_use]
    pub fn max_age_seconds(&self) -> Option<u32> {
        self.rule.max_age_seconds
    }
}

/// Whether a text is the pattern's, in which at most one `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => {
            text.len() >= before.len() + after.len()
                && text.starts_with(before)
                && text.ends_with(after)
        }
    }
}

/// [RFC 9110, 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2): a token.
fn is_of_a_header_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn shortened(text: &str) -> String {
    text.chars().take(256).collect()
}

fn refusal(message: String) -> S3Error {
    S3Error::with_message(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn rules(inside: &str) -> Result<CorsRules, S3Error> {
        CorsRules::parse(&format!(
            "<CORSConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inside}</CORSConfiguration>"
        ))
    }

    fn rule(inside: &str) -> String {
        format!("<CORSRule>{inside}</CORSRule>")
    }

    const GET: &str = "<AllowedMethod>GET</AllowedMethod>";
    const ANY: &str = "<AllowedOrigin>*</AllowedOrigin>";

    #[rstest]
    #[case::suffix("*suffix", "foo.suffix", true)]
    #[case::suffix_not_at_the_end("*suffix", "foo.suffix.get", false)]
    #[case::in_the_middle("start*end", "start12end", true)]
    #[case::nothing_in_the_middle("start*end", "startend", true)]
    #[case::overlapping("aba*aba", "aba", false)]
    #[case::before_the_start("start*end", "0start12end", false)]
    #[case::prefix("prefix*", "prefix", true)]
    #[case::any("*", "https://plane.example.com", true)]
    #[case::exact("https://a.example", "https://a.example", true)]
    #[case::other_case("https://a.example", "https://A.example", false)]
    #[case::other_port("https://a.example", "https://a.example:8443", false)]
    fn an_origin_is_held_against_the_pattern(
        #[case] pattern: &str,
        #[case] origin: &str,
        #[case] holds: bool,
    ) {
        let rules = rules(&rule(&format!(
            "{GET}<AllowedOrigin>{pattern}</AllowedOrigin>"
        )))
        .unwrap();
        let allowed = rules.allow(origin, "GET", "");
        assert_eq!(allowed.is_some(), holds);
        assert!(rules.allow(origin, "PUT", "").is_none());
        if let Some(allowed) = allowed {
            assert_eq!(allowed.any_origin, pattern == "*");
        }
    }

    #[rstest]
    #[case("", true)]
    #[case("authorization", true)]
    #[case("Authorization, X-AMZ-Meta-A,x-amz-date", true)]
    #[case("authorization,x-other", false)]
    #[case(", ,", true)]
    fn each_header_asked_for_must_be_allowed(#[case] asked: &str, #[case] holds: bool) {
        let rules = rules(&rule(&format!(
            "{GET}{ANY}<AllowedHeader>Authorization</AllowedHeader><AllowedHeader>x-amz-*</AllowedHeader>"
        )))
        .unwrap();
        assert_eq!(
            rules.allow("https://a.example", "GET", asked).is_some(),
            holds
        );
    }

    #[rstest]
    #[case::origin(&rule(&format!("{GET}<AllowedOrigin>http://&#1;</AllowedOrigin>")))]
    #[case::header(&rule(&format!("{GET}{ANY}<AllowedHeader>\u{1}</AllowedHeader>")))]
    #[case::id(&rule(&format!("<ID>&#xFFFE;</ID>{GET}{ANY}")))]
    fn an_id_that_xml_cannot_hold_is_refused(#[case] inside: &str) {
        assert_eq!(rules(inside).unwrap_err().code, ErrorCode::MalformedXML);
    }

    #[test]
    fn a_request_for_too_many_headers_is_not_allowed() {
        let rules = rules(&rule(&format!(
            "{GET}{ANY}<AllowedHeader>*</AllowedHeader>"
        )))
        .unwrap();
        assert!(rules.allow("o", "GET", &"a,".repeat(100)).is_some());
        assert!(rules.allow("o", "GET", &"a,".repeat(101)).is_none());
    }

    #[test]
    fn the_first_rule_that_holds_answers() {
        let rules = rules(
            &[
                rule("<AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"),
                rule(
                    "<AllowedMethod>GET</AllowedMethod><AllowedMethod>HEAD</AllowedMethod><AllowedOrigin>a*</AllowedOrigin>\
                     <ExposeHeader>ETag</ExposeHeader><ExposeHeader>x-amz-meta-a</ExposeHeader><MaxAgeSeconds>30</MaxAgeSeconds>",
                ),
                rule("<AllowedMethod>GET</AllowedMethod><AllowedOrigin>*</AllowedOrigin>"),
            ]
            .concat(),
        )
        .unwrap();
        let allowed = rules.allow("abc", "GET", "").unwrap();
        assert_eq!(allowed.methods(), "GET, HEAD");
        assert_eq!(allowed.exposed().as_deref(), Some("ETag, x-amz-meta-a"));
        assert_eq!(allowed.max_age_seconds(), Some(30));
        assert!(rules.allow("b", "GET", "").unwrap().any_origin);
        assert!(rules.allow("b", "DELETE", "").is_none());
    }

    #[rstest]
    #[case::no_rule("", "MalformedXML", "")]
    #[case::no_origin(&rule(GET), "MalformedXML", "")]
    #[case::no_method(&rule(ANY), "MalformedXML", "")]
    #[case::empty_origin(&rule(&format!("{GET}<AllowedOrigin/>")), "MalformedXML", "")]
    #[case::unknown_element(&rule(&format!("{GET}{ANY}<Credentials>true</Credentials>")), "MalformedXML", "")]
    #[case::no_number(&rule(&format!("{GET}{ANY}<MaxAgeSeconds>-1</MaxAgeSeconds>")), "MalformedXML", "")]
    #[case::method(
        &rule(&format!("{ANY}<AllowedMethod>PATCH</AllowedMethod>")),
        "InvalidRequest",
        "Found unsupported HTTP method in CORS config. Unsupported method is PATCH"
    )]
    #[case::lower_case_method(
        &rule(&format!("{ANY}<AllowedMethod>get</AllowedMethod>")),
        "InvalidRequest",
        "Found unsupported HTTP method in CORS config. Unsupported method is get"
    )]
    #[case::two_wildcards(
        &rule(&format!("{GET}<AllowedOrigin>*example*.com</AllowedOrigin>")),
        "InvalidRequest",
        "AllowedOrigin \"*example*.com\" can not have more than one wildcard."
    )]
    #[case::two_wildcards_in_a_header(
        &rule(&format!("{GET}{ANY}<AllowedHeader>x-*-*</AllowedHeader>")),
        "InvalidRequest",
        "AllowedHeader \"x-*-*\" can not have more than one wildcard."
    )]
    #[case::exposed_wildcard(
        &rule(&format!("{GET}{ANY}<ExposeHeader>x-*</ExposeHeader>")),
        "InvalidRequest",
        "ExposeHeader \"x-*\" contains wildcard. We currently do not support wildcard for ExposeHeader."
    )]
    #[case::exposed_break(
        &rule(&format!("{GET}{ANY}<ExposeHeader>a&#13;b</ExposeHeader>")),
        "InvalidRequest",
        "ExposeHeader \"a\rb\" contains invalid character."
    )]
    #[case::long_id(
        &rule(&format!("<ID>{}</ID>{GET}{ANY}", "i".repeat(256))),
        "InvalidArgument",
        "ID length should not exceed allowed limit of 255"
    )]
    #[case::too_many(
        &rule(&format!("{GET}{ANY}")).repeat(101),
        "InvalidRequest",
        "The number of CORS rules should not exceed allowed limit of 100 rules."
    )]
    fn an_invalid_rule_is_refused(#[case] inside: &str, #[case] code: &str, #[case] message: &str) {
        let refused = rules(inside).unwrap_err();
        assert_eq!(refused.code.as_str(), code);
        if !message.is_empty() {
            assert_eq!(refused.message, message);
        }
    }

    #[test]
    fn elements_may_come_in_any_order() {
        let mixed = rules(&rule(&format!(
            "{GET}{ANY}<AllowedMethod>PUT</AllowedMethod><AllowedOrigin>b</AllowedOrigin><ID>i</ID>"
        )))
        .unwrap();
        insta::assert_snapshot!(mixed.to_xml(), @r#"<?xml version="1.0" encoding="UTF-8"?><CORSConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><CORSRule><ID>i</ID><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><AllowedOrigin>*</AllowedOrigin><AllowedOrigin>b</AllowedOrigin></CORSRule></CORSConfiguration>"#);
    }

    proptest! {
        #[test]
        fn a_stored_lifecycle_parses_to_the_one_that_was_put(
            origins in proptest::collection::vec("[a-z:/.]{1,9}\\*?", 1..4),
            headers in proptest::collection::vec("[a-zA-Z<&-]{1,9}\\*?", 0..4),
            max_age_seconds in proptest::option::of(any::<u32>()),
        ) {
            let rules = CorsRules(vec![CorsRule {
                id: None,
                origins,
                methods: vec!["GET".to_owned()],
                headers,
                exposed: vec!["ETag".to_owned()],
                max_age_seconds,
            }]);
            prop_assert_eq!(CorsRules::parse(&rules.to_xml()).unwrap(), rules);
        }
    }
}
