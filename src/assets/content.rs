//! Content types that a client may request, and detection of what bytes really are. Plane contract, section 1.5; the
//! static route's 3.7.
//!
//! Types are compared exactly, without parameters. Only the first twelve bytes decide about a format.

/// Content types of avatars, covers, logos and descriptions.
pub const IMAGE_TYPES: [&str; 5] = [
    "image/jpeg",
    "image/png",
    "image/webp",
    "image/jpg",
    "image/gif",
];

/// Content types of attachments.
// Plane: `ATTACHMENT_MIME_TYPES`; without `image/jpg`, `text/html` and programs.
pub const ATTACHMENT_TYPES: [&str; 71] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/svg+xml",
    "image/webp",
    "image/tiff",
    "image/bmp",
    "image/x-portable-graymap",
    "image/x-portable-bitmap",
    "image/x-portable-pixmap",
    "application/pdf",
    "application/msword",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.ms-excel",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.ms-powerpoint",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/rtf",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.graphics",
    "application/vnd.oasis.opendocument.database",
    "application/vnd.visio",
    "text/plain",
    "text/markdown",
    "text/css",
    "text/javascript",
    "text/xml",
    "text/csv",
    "application/json",
    "application/xml",
    "application/x-sql",
    "application/octet-stream",
    "audio/mpeg",
    "audio/wav",
    "audio/ogg",
    "audio/midi",
    "audio/x-midi",
    "audio/aac",
    "audio/flac",
    "audio/x-m4a",
    "video/mp4",
    "video/mpeg",
    "video/ogg",
    "video/webm",
    "video/quicktime",
    "video/x-msvideo",
    "video/x-ms-wmv",
    "application/zip",
    "application/x-rar",
    "application/x-rar-compressed",
    "application/x-tar",
    "application/gzip",
    "application/x-gzip",
    "application/x-zip",
    "application/x-zip-compressed",
    "application/x-7z-compressed",
    "application/x-compressed",
    "application/x-compressed-tar",
    "application/x-compressed-tar-gz",
    "application/x-compressed-tar-bz2",
    "application/x-compressed-tar-zip",
    "application/x-compressed-tar-7z",
    "application/x-compressed-tar-rar",
    "model/gltf-binary",
    "model/gltf+json",
    "font/ttf",
    "font/otf",
    "font/woff",
    "font/woff2",
];

/// Bytes that [`ImageFormat::of`] needs to see.
pub const MAGIC_BYTES: usize = 12;

#[must_use]
pub fn is_image_type(content_type: &str) -> bool {
    IMAGE_TYPES.contains(&content_type)
}

#[must_use]
pub fn is_attachment_type(content_type: &str) -> bool {
    ATTACHMENT_TYPES.contains(&content_type)
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
    /// The format of bytes, by how they begin.
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

    mod fuzz {
        use super::*;
        use crate::tests::fuzz;

        #[test]
        fn an_image_format_is_what_another_detector_says() {
            fuzz::check(module_path!(), |input| {
                let format = ImageFormat::of(input);
                let head = &input[..input.len().min(MAGIC_BYTES)];
                assert_eq!(ImageFormat::of(head), format);
                if let Some(format) = format {
                    let judged = infer::get(head).map(|kind| kind.mime_type());
                    assert_eq!(judged, Some(format.content_type()));
                    assert!(is_image_type(format.content_type()));
                }
            });
        }
    }
}
