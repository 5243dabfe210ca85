//! Texts with `*` (any run of characters) and `?` (any one), as policies have them.

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(String);

impl Pattern {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        matches(&self.0, text, |wanted, here| {
            wanted == '?' || wanted == here
        })
    }

    pub(super) fn matches_ignoring_case(&self, text: &str) -> bool {
        matches(&self.0, text, |wanted, here| {
            wanted == '?' || wanted.eq_ignore_ascii_case(&here)
        })
    }

    /// Whether it matches every text that `other` matches. `false` also where that cannot be seen from the two patterns.
    pub(super) fn covers(&self, other: &Self) -> bool {
        // Read as a text, `other` has wildcards for characters: only a `*` takes those that stand for any run.
        matches(&self.0, &other.0, |wanted, here| {
            (wanted == '?' && here != '*') || wanted == here
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Greedy from the left; at a mismatch the last `*` takes one character more. So it costs at most pattern times text.
/// `one`: whether one character of the pattern that is no `*` matches one of the text.
fn matches(pattern: &str, text: &str, one: impl Fn(char, char) -> bool) -> bool {
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
            (Some(wanted), Some(here)) if one(wanted, here) => continue,
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

    #[rstest]
    #[case("*", "a*", true)]
    #[case("a*", "a*", true)]
    #[case("a/*", "a/b*", true)]
    #[case("a?", "ab", true)]
    #[case("a?", "a?", true)]
    #[case("a?", "a*", false)]
    #[case("a/b*", "a/*", false)]
    #[case("ab", "a?", false)]
    fn a_pattern_covers_one_that_matches_no_more(
        #[case] wide: &str,
        #[case] narrow: &str,
        #[case] covers: bool,
    ) {
        assert_eq!(Pattern::new(wide).covers(&Pattern::new(narrow)), covers);
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
        fn a_pattern_matches_every_text_of_a_pattern_that_it_covers(
            wide in "[ab*?]{0,6}",
            narrow in "[ab*?]{0,6}",
            text in "[ab]{0,6}",
        ) {
            let (wide, narrow) = (Pattern::new(wide), Pattern::new(narrow));
            if wide.covers(&narrow) && narrow.matches(&text) {
                prop_assert!(wide.matches(&text));
            }
        }

        #[test]
        fn a_text_without_wildcards_matches_itself_alone(a in "[a-c/]{0,5}", b in "[a-c/]{0,5}") {
            prop_assert_eq!(Pattern::new(a.clone()).matches(&b), a == b);
        }
    }
}
