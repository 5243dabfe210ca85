//! Entity tags, held without their quotes.

use md5::{Digest, Md5};

#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct ETag(String);

impl ETag {
    #[must_use]
    pub fn from_md5(md5: [u8; 16]) -> Self {
        Self(hex::encode(md5))
    }
    /// That of an object of parts: the MD5 of the parts' MD5s, and how many there are.
    #[must_use]
    pub fn of_parts<'a>(parts: impl Iterator<Item = &'a Self>) -> Self {
        let mut md5s = Md5::new();
        let mut count = 0_usize;
        for part in parts {
            count += 1;
            // A part's tag is an MD5 in hex; what is none would stand for its text.
            md5s.update(hex::decode(&part.0).unwrap_or_else(|_| part.0.clone().into_bytes()));
        }
        Self(format!("{}-{count}", hex::encode(md5s.finalize())))
    }
    /// The stored text of a tag, without quotes.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }
    /// Whether a server could have given it: six letters, digits or `-`, or more. Not a word such as `true`.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        const FEWEST: usize = 6;
        let is_of_a_tag = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        self.0.len() >= FEWEST && self.0.bytes().all(is_of_a_tag)
    }
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
    #[must_use]
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_parts_is_the_md5_of_their_md5s() {
        let part = ETag::from_md5(Md5::digest(b"hello").into());
        let parts = [part.clone(), part];
        let raw: Vec<u8> = [Md5::digest(b"hello"), Md5::digest(b"hello")].concat();
        let expected = format!("{}-2", hex::encode(Md5::digest(&raw)));
        assert_eq!(ETag::of_parts(parts.iter()).as_str(), expected);
        assert!(ETag::of_parts(parts.iter()).is_plausible());
        assert!(parts[0].is_plausible());
    }

    #[test]
    fn words_that_clients_send_in_place_of_an_asterisk_are_no_tags() {
        for word in [
            "", "true", "false", "1", "yes", "none", "*", "**", "*, *", "'*'", "%2A", "a b c d",
        ] {
            assert!(
                !ETag::from_stored(word.to_owned()).is_plausible(),
                "{word:?}"
            );
        }
    }
}
