//! Entity tags, held without their quotes.

use md5_many::{Digest, Md5};

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
    /// Whether it has the form that [`from_md5`](Self::from_md5) and [`of_parts`](Self::of_parts) give.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        let (md5, count) = match self.0.split_once('-') {
            Some((md5, count)) => (md5, Some(count)),
            None => (self.0.as_str(), None),
        };
        let hex = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_count = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        md5.len() == 32 && md5.bytes().all(hex) && count.is_none_or(is_count)
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
        assert!(ETag::of_parts(parts.iter()).is_well_formed());
        assert!(parts[0].is_well_formed());
    }
}
