//! Texts with `*` (any run of characters) and `?` (any one), as policies have them.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        matches(&self.0, text, |a, b| a == b)
    }

    pub(super) fn matches_ignoring_case(&self, text: &str) -> bool {
        matches(&self.0, text, |a, b| a.eq_ignore_ascii_case(&b))
    }
}

/// Greedy from the left; at a mismatch the last `*` takes one character more. So it costs at most pattern times text.
fn matches(pattern: &str, text: &str, same: impl Fn(char, char) -> bool) -> bool {
    let (mut pattern, mut text) = (pattern.chars(), text.chars());
    // What follows the last `*`, and where in the text it was tried.
    let mut retry = None;
    loop {
        let before = (pattern.clone(), text.clone());
        match (pattern.next(), text.next()) {
            (Some('*'), _) => {
                text = before.1;
                retry = Some((pattern.clone(), text.clone()));
                continue;
            }
            (None, None) => return true,
            (Some(wanted), Some(here)) if wanted == '?' || same(wanted, here) => continue,
            _ => {}
        }
        let Some((after_star, mut tried)) = retry else {
            return false;
        };
        if tried.next().is_none() {
            return false;
        }
        (pattern, text) = (after_star.clone(), tried.clone());
        retry = Some((after_star, tried));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("", "", true)]
    #[case("", "a", false)]
    #[case("*", "", true)]
    #[case("*", "a/b", true)]
    #[case("a*c", "abbc", true)]
    #[case("a*c", "abbcd", false)]
    #[case("a*b*c", "a-b-b-c", true)]
    #[case("a?c", "abc", true)]
    #[case("a?c", "ac", false)]
    #[case("a?c", "ażc", true)]
    #[case("**a", "ba", true)]
    #[case("*ab", "aab", true)]
    #[case("Get", "get", false)]
    fn a_pattern_matches_the_whole_text(
        #[case] pattern: &str,
        #[case] text: &str,
        #[case] matched: bool,
    ) {
        assert_eq!(Pattern::new(pattern).matches(text), matched);
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let pattern = Pattern::new("*a".repeat(500) + "b");
        assert!(!pattern.matches(&"a".repeat(1024)));
    }

    /// By definition, at whatever cost.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => true,
            (Some(('*', rest)), _) => {
                naive(rest, text) || text.split_first().is_some_and(|(_, t)| naive(pattern, t))
            }
            (Some((p, rest)), Some((c, t))) => (*p == '?' || p == c) && naive(rest, t),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_as_by_definition(pattern in "[ab*?]{0,8}", text in "[ab]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(
                Pattern::new(pattern.clone()).matches(&text),
                naive(&chars(&pattern), &chars(&text))
            );
        }

        #[test]
        fn a_text_without_wildcards_matches_itself_alone(a in "[a-c/]{0,5}", b in "[a-c/]{0,5}") {
            prop_assert_eq!(Pattern::new(a.clone()).matches(&b), a == b);
        }
    }
}
