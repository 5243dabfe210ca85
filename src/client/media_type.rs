//! What a file is, by its first bytes.

/// The type of a file that begins with `head` (some kilobytes); `None` where the bytes do not show it.
#[must_use]
pub fn media_type(head: &[u8]) -> Option<&'static str> {
    infer::get(head).map(|kind| kind.mime_type())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Some("image/png"))]
    #[case(b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg"))]
    #[case(b"GIF89a\x01\0\x01\0", Some("image/gif"))]
    #[case(b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp"))]
    #[case(b"%PDF-1.7\n", Some("application/pdf"))]
    #[case(b"just words", None)]
    #[case(b"", None)]
    fn the_type_of_a_file_follows_from_its_first_bytes(
        #[case] head: &[u8],
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(media_type(head), expected);
    }
}
