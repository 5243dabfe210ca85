use super::*;
use crate::s3::bucket_policy::condition::Condition;
use crate::s3::bucket_policy::effect::Effect;
use crate::s3::bucket_policy::pattern::Pattern;
use crate::tests::fuzz;

const ACTIONS: [Action; 6] = [
    Action::GetObject,
    Action::PutObject,
    Action::DeleteObject,
    Action::ListBucket,
    Action::PutBucketPolicy,
    Action::PutObjectAcl,
];

fn tags() -> &'static Tags {
    static TAGS: std::sync::LazyLock<Tags> = std::sync::LazyLock::new(|| Tags::stored("k=v"));
    &TAGS
}

/// Questions of several kinds.
fn questions(bucket: &BucketName) -> Vec<Asked<'_>> {
    let mut questions = Vec::new();
    for action in ACTIONS {
        for key in [None, Some("a/b.png"), Some("secret")] {
            let plain = asked(bucket, action, key);
            questions.push(Asked {
                source_ip: None,
                ..plain.clone()
            });
            questions.push(Asked {
                secure_transport: true,
                referer: Some("http://a/x"),
                user_agent: Some("agent"),
                prefix: Some("a/"),
                delimiter: Some("/"),
                canned_acl: Some("private"),
                existing_tags: Some(tags()),
                ..plain.clone()
            });
            questions.push(plain);
        }
    }
    questions
}

#[test]
fn an_accepted_policy_allows_only_what_it_may_and_a_deny_wins() {
    fuzz::check(module_path!(), |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return;
        };
        let Ok(policy) = parse(text) else {
            return;
        };
        assert!(text.len() <= MAX_BYTES);
        let bucket = bucket();
        let elsewhere = BucketName::parse("other").unwrap();
        for (asked, outside) in questions(&bucket).iter().zip(questions(&elsewhere)) {
            let decision = policy.evaluate(asked);
            if decision == Decision::Allowed {
                assert!(policy.may_allow(asked.action));
                assert!(text.contains("Allow") && text.contains('*'));
                // Who is asked by an address that nobody knows is never let in by one.
                assert!(asked.source_ip.is_some() || !all_look_at_addresses(&policy));
            }
            assert_eq!(policy.evaluate(&outside), Decision::Silent);
        }
        // A deny of everything, beside all that it says.
        let mut denying = policy;
        let deny = statement("Deny", "*", "uploads*", "");
        let deny = parse(&format!(r#"{{"Statement":{deny}}}"#)).unwrap();
        denying.statements.extend(deny.statements);
        for asked in questions(&bucket) {
            assert_eq!(denying.evaluate(&asked), Decision::Denied);
        }
    });
}

fn all_look_at_addresses(policy: &BucketPolicy) -> bool {
    policy
        .statements
        .iter()
        .filter(|statement| statement.effect == Effect::Allow)
        .all(|statement| {
            statement
                .conditions
                .iter()
                .any(Condition::looks_at_addresses)
        })
}

/// Every way to match, one after the other.
fn matches_naively(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['*', rest @ ..], text) => {
            (0..=text.len()).any(|taken| matches_naively(rest, &text[taken..]))
        }
        (['?', rest @ ..], [_, after @ ..]) => matches_naively(rest, after),
        ([one, rest @ ..], [same, after @ ..]) => one == same && matches_naively(rest, after),
        (_, []) => false,
    }
}

#[test]
fn a_pattern_matches_every_text_that_its_stars_can_expand_to() {
    fuzz::check(module_path!(), |input| {
        let (pattern, text) = fuzz::first_line(input);
        let short =
            |bytes: &[u8]| -> String { String::from_utf8_lossy(bytes).chars().take(12).collect() };
        let (pattern, text) = (short(pattern), short(text));
        let characters = |text: &str| -> Vec<char> { text.chars().collect() };
        assert_eq!(
            Pattern::new(pattern.as_str()).matches(&text),
            matches_naively(&characters(&pattern), &characters(&text))
        );
    });
}
