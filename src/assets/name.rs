//! Names of uploaded files, cleaned so that a name can stand in a key, in a form and in a header. Plane contract, section 1.5.

/// The most UTF-8 bytes that a name may have.
pub const LONGEST_NAME_BYTES: usize = 255;

/// A cleaned name: not empty, without control characters, path or `${filename}`, at most 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssetName(String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name has more than {LONGEST_NAME_BYTES} bytes")]
pub struct NameTooLong;

impl AssetName {
    /// Cleans a name that a client sent; `None`: nothing is left, which counts as no name.
    /// # Errors
    /// When too much is left.
    pub fn clean(sent: &str) -> Result<Option<Self>, NameTooLong> {
        let visible: String = sent
            .chars()
            .filter(|c| !c.is_ascii_control())
            .map(|c| if c == '\\' { '/' } else { c })
            .collect();
        let last = visible.rsplit('/').next().unwrap_or_default();
        let dotless = last.replace("..", "");
        let trimmed = dotless.trim().trim_start_matches('.').trim();
        let name = without_substitution(trimmed);
        if name.len() > LONGEST_NAME_BYTES {
            return Err(NameTooLong);
        }
        Ok(if name.is_empty() {
            None
        } else {
            Some(Self(name))
        })
    }

    /// The name of an asset whose name the client does not give.
    #[must_use]
    pub fn unnamed() -> Self {
        Self("unnamed".to_owned())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Turns `${filename}` into `filename`, also where doing so forms it anew (`${${filename}}`): S3 forms would put the
/// file's own name in its place. One pass: each character is looked at once.
// AWS: sigv4-HTTPPOSTForms, "${filename}" in the value of `key`.
fn without_substitution(name: &str) -> String {
    const WORD: &str = "${filename}";
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        out.push(c);
        if c == '}' && out.ends_with(WORD) {
            out.truncate(out.len() - WORD.len());
            out.push_str("filename");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn cleaned(sent: &str) -> Option<String> {
        AssetName::clean(sent).unwrap().map(|name| name.0)
    }

    #[rstest]
    #[case("../../etc/passwd", "passwd")]
    #[case(r"C:\x\..\evil..png", "evilpng")]
    #[case(" .env", "env")]
    #[case("a\u{0}b.png", "ab.png")]
    #[case("żółw ☕ photo (1)+&=.png", "żółw ☕ photo (1)+&=.png")]
    #[case("a\"b\nc.png", "a\"bc.png")]
    #[case("${filename}", "filename")]
    #[case("${${filename}}", "filename")]
    #[case("a${filename}-${filename}.png", "afilename-filename.png")]
    #[case("\u{7f}x\u{1f}", "x")]
    #[case("....a", "a")]
    #[case("...a", "a")]
    #[case(". . a", ". a")]
    #[case("\u{a0}.\u{2003}name\u{3000}", "name")]
    #[case("100%#1.png", "100%#1.png")]
    fn a_name_is_cleaned(#[case] sent: &str, #[case] kept: &str) {
        assert_eq!(cleaned(sent).as_deref(), Some(kept));
    }

    #[rstest]
    #[case("")]
    #[case("dir/")]
    #[case("..")]
    #[case(" . ")]
    #[case("\u{0}")]
    fn a_name_that_cleans_to_nothing_is_no_name(#[case] sent: &str) {
        assert_eq!(cleaned(sent), None);
    }

    #[test]
    fn a_name_may_have_255_bytes_after_cleaning_and_no_more() {
        let longest = "ą".repeat(127) + "a";
        assert_eq!(cleaned(&longest), Some(longest.clone()));
        assert_eq!(AssetName::clean(&(longest.clone() + "b")), Err(NameTooLong));
        assert_eq!(
            cleaned(&format!("{}/{longest}", "x".repeat(9000))),
            Some(longest)
        );
    }

    fn can_stand_in_a_key(name: &str) {
        assert!(!name.is_empty() && name.len() <= LONGEST_NAME_BYTES);
        assert!(!name.contains(|c: char| c.is_ascii_control() || c == '/' || c == '\\'));
        let word = "${filename}";
        assert!(!name.contains(word));
        assert!(!name.contains(".."));
        assert_eq!(name.trim(), name);
    }

    mod fuzz {
        use super::*;
        use crate::tests::fuzz;

        #[test]
        fn any_cleaned_name_can_stand_in_a_key() {
            fuzz::check(module_path!(), |input| {
                if let Ok(Some(name)) = AssetName::clean(&String::from_utf8_lossy(input)) {
                    can_stand_in_a_key(name.as_str());
                }
            });
        }
    }

    proptest! {
        #[test]
        fn a_cleaned_name_can_stand_in_a_key(sent in r"(\PC|[./\\ ${}\x00-\x1f]|\$\{filename\}){0,60}") {
            if let Ok(Some(name)) = AssetName::clean(&sent) {
                can_stand_in_a_key(name.as_str());
            }
        }

        #[test]
        fn a_plain_name_stays_as_it_is(sent in r"[\p{L}\p{N}]([\p{L}\p{N} _()+&=%#'-]{0,20}[\p{L}\p{N}])?(\.[a-z]{1,4})?") {
            prop_assert_eq!(cleaned(&sent), Some(sent));
        }
    }
}
