//! Content types that may be asked for, and what bytes really are. Plane contract, section 1.5; the static route's 3.7.
//!
//! Types are compared exactly, without parameters. Bytes are judged by their first twelve alone.

/// Types of avatars, covers, logos and descriptions.
pub const IMAGE_TYPES: [&str; 5] = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/jpg",
    "image/gif",
];

/// Bytes that [`ImageFormat::of`] needs to see.
pub const MAGIC_BYTES: usize = 12;

#[must_use]
pub fn is_image_type(content_type: &str) -> bool {
    IMAGE_TYPES.contains(&content_type)
}

/// A format of the image list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageFormat {
    Jpeg,
    Png,
    Gif,
    Webp,
}
impl ImageFormat {
    /// What bytes are, by how they begin.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Self::Png),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [
                b'R',
                b'I',
                b'F',
                b'F',
                _,
                _,
                _,
                _,
                b'W',
                b'E',
                b'B',
                b'P',
                ..,
            ] => Some(Self::Webp),
            _ => None,
        }
    }
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg"))]
    #[case(b"\x89PNG\r\n\x1a\n\0\0\0\r", Some("image/png"))]
    #[case(b"GIF87a", Some("image/gif"))]
    #[case(b"GIF89a...", Some("image/gif"))]
    #[case(b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp"))]
    #[case(b"RIFF\x10\0\0\0WAVEfmt ", None)]
    #[case(b"<svg xmlns='http://www.w3.org/2000/svg'/>", None)]
    #[case(b"", None)]
    #[case(b"\x89PN", None)]
    fn an_image_is_known_by_its_first_bytes(#[case] head: &[u8], #[case] found: Option<&str>) {
        assert_eq!(ImageFormat::of(head).map(ImageFormat::content_type), found);
    }
}
