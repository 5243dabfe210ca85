//! AWS's published chunked uploads, what other SDKs send, and the laws of decoding.
use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::s3::signature::v4::payload::Payload;
use crate::s3::signature::v4::tests::{Request, shown};
use crate::s3::values::checksum::{Hasher, Wanted};

mod fuzz;

const DATE: &str = "20261123T091813Z";

fn seed() -> Seed {
    let scope = Scope {
        day: "20261123".to_owned(),
        region: String::new(),
    };
    Seed {
        key: SigningKey::derive("secret-key", &scope),
        date: DATE.to_owned(),
        scope,
        signature: "0".repeat(64),
    }
}

fn framing(kind: Kind, trailer: &[ChecksumAlgorithm], decoded_bytes: usize) -> Framing {
    Framing {
        seed: (kind != Kind::UnsignedWithTrailer).then(seed),
        trailer: (kind != Kind::Signed).then(|| trailer.to_vec()),
        decoded_bytes: decoded_bytes as u64,
    }
}

/// A client's side of it, written from AWS's description.
fn encode(kind: Kind, chunks: &[&[u8]], trailers: &[Checksum]) -> Vec<u8> {
    let mut chain = Chain::new(seed());
    let mut body = Vec::new();
    for chunk in chunks
        .iter()
        .filter(|chunk| !chunk.is_empty())
        .chain([&&[][..]])
    {
        body.extend(format!("{:x}", chunk.len()).bytes());
        if kind != Kind::UnsignedWithTrailer {
            let hashes = format!("{EMPTY_SHA256}\n{}", hex::encode(Sha256::digest(chunk)));
            let text = chain.string_to_sign("PAYLOAD", &hashes);
            chain.previous = chain.seed.key.sign(text.as_bytes());
            body.extend(format!(";chunk-signature={}", chain.previous).bytes());
        }
        body.extend(b"\r\n");
        body.extend(*chunk);
        if !chunk.is_empty() {
            body.extend(b"\r\n");
        }
    }
    let mut canonical = String::new();
    for checksum in trailers {
        let line = format!("{}:{}", checksum.algorithm.header(), checksum.value);
        canonical.push_str(&line);
        canonical.push('\n');
        body.extend(format!("{line}\r\n").bytes());
    }
    if kind == Kind::SignedWithTrailer {
        let hash = hex::encode(Sha256::digest(&canonical));
        let signature = chain
            .seed
            .key
            .sign(chain.string_to_sign("TRAILER", &hash).as_bytes());
        body.extend(format!("x-amz-trailer-signature:{signature}\r\n").bytes());
    }
    body.extend(b"\r\n");
    body
}

type Decoded = Result<(Vec<u8>, Vec<Checksum>), S3Error>;

fn decode_in(framing: Framing, pieces: impl IntoIterator<Item = Vec<u8>>) -> Decoded {
    let mut decoder = Decoder::new(framing);
    let mut decoded = Vec::new();
    for piece in pieces {
        decoder.push(Bytes::from(piece), &mut decoded)?;
    }
    Ok((decoded.concat(), decoder.finish()?))
}

fn decode(framing: Framing, body: &[u8]) -> Decoded {
    decode_in(framing, [body.to_vec()])
}

fn crc32(body: &[u8]) -> Checksum {
    checksum_of(ChecksumAlgorithm::Crc32, body)
}

fn checksum_of(algorithm: ChecksumAlgorithm, body: &[u8]) -> Checksum {
    let mut hasher = Hasher::new(&Wanted {
        sha256: false,
        checksums: vec![algorithm],
    });
    hasher.update(body);
    hasher.finish().checksums.remove(0)
}

fn framing_of(request: &Request) -> Framing {
    match request.verify().unwrap().payload() {
        Payload::Chunked(framing) => framing.clone(),
        other => panic!("{other:?}"),
    }
}

// ---- What AWS publishes (sigv4-streaming.html, sigv4-streaming-trailers.html)

fn aws_request(signed_headers: &str, signature: &str, headers: &[(&str, &str)]) -> Request {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders={signed_headers},Signature={signature}"
    );
    let common = [
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        ("authorization", authorization.as_str()),
    ];
    let headers: Vec<_> = common.iter().chain(headers).copied().collect();
    Request::of_aws("PUT", "/examplebucket/chunkObject.txt", &headers)
}

fn aws_body(signatures: [&str; 3]) -> Vec<u8> {
    let [first, second, last] = signatures;
    let mut body = format!("10000;chunk-signature={first}\r\n").into_bytes();
    body.extend(vec![b'a'; 65536]);
    body.extend(format!("\r\n400;chunk-signature={second}\r\n").bytes());
    body.extend([b'a'; 1024]);
    body.extend(format!("\r\n0;chunk-signature={last}\r\n").bytes());
    body
}

fn aws_signed() -> (Framing, Vec<u8>) {
    let request = aws_request(
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        &[
            ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            ("content-length", "66824"),
        ],
    );
    let mut body = aws_body([
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ]);
    body.extend(b"\r\n");
    (framing_of(&request), body)
}

#[test]
fn awss_chunked_upload_decodes() {
    let (framing, body) = aws_signed();
    assert_eq!(body.len(), 66824);
    assert_eq!(framing.decoded_bytes(), 66560);
    let (decoded, checksums) = decode(framing, &body).unwrap();
    assert_eq!(decoded, vec![b'a'; 66560]);
    assert_eq!(checksums, []);
}

fn aws_with_trailer(trailer: &str) -> Decoded {
    let request = aws_request(
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        &[
            (
                "x-amz-content-sha256",
                "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            ),
            ("x-amz-trailer", "x-amz-checksum-crc32c"),
        ],
    );
    let framing = framing_of(&request);
    assert_eq!(framing.trailer_checksums(), [ChecksumAlgorithm::Crc32c]);
    let mut body = aws_body([
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]);
    body.extend(trailer.bytes());
    decode(framing, &body)
}

const AWS_TRAILER_SIGNATURE: &str =
    "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";

#[rstest]
#[case::as_sdks_send_it("\r\n")]
#[case::as_minios_sdk_sends_it("\n\r\n")]
fn awss_chunked_upload_with_a_trailer_decodes(#[case] between: &str) {
    let (decoded, checksums) = aws_with_trailer(&format!(
        "x-amz-checksum-crc32c:sOO8/Q=={between}x-amz-trailer-signature:{AWS_TRAILER_SIGNATURE}\r\n\r\n"
    ))
    .unwrap();
    assert_eq!(
        checksums,
        [checksum_of(ChecksumAlgorithm::Crc32c, &decoded)]
    );
}

#[rstest]
#[case(&format!("x-amz-checksum-crc32c:sOO9/Q==\r\nx-amz-trailer-signature:{AWS_TRAILER_SIGNATURE}\r\n\r\n"), ErrorCode::SignatureDoesNotMatch)]
#[case(&format!("x-amz-trailer-signature:{AWS_TRAILER_SIGNATURE}\r\n\r\n"), ErrorCode::SignatureDoesNotMatch)]
#[case("x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n", ErrorCode::IncompleteBody)]
#[case(
    "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:\r\n\r\n",
    ErrorCode::SignatureDoesNotMatch
)]
#[case(&format!("x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:{AWS_TRAILER_SIGNATURE}\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"), ErrorCode::MalformedTrailerError)]
#[case(&format!("x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:{AWS_TRAILER_SIGNATURE}\r\n"), ErrorCode::IncompleteBody)]
fn a_trailer_that_was_changed_is_refused(#[case] trailer: &str, #[case] code: ErrorCode) {
    assert_eq!(aws_with_trailer(trailer).unwrap_err().code, code);
}

#[test]
fn a_changed_byte_of_a_signed_chunk_is_refused() {
    let (framing, mut body) = aws_signed();
    body[100] = b'b';
    assert_eq!(
        decode(framing, &body).unwrap_err().code,
        ErrorCode::SignatureDoesNotMatch
    );
}

// ---- What botocore 1.44.5 sends over TLS

#[test]
fn botocores_unsigned_chunks_with_a_trailer_decode() {
    let headers = [
        ("host", "127.0.0.1:9000"),
        ("content-type", "text/plain"),
        ("expect", "100-continue"),
        ("transfer-encoding", "chunked"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-decoded-content-length", "5"),
        ("x-amz-sdk-checksum-algorithm", "CRC32"),
        ("x-amz-date", DATE),
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=access-key/20261123/eu-west-1/s3/aws4_request, \
             SignedHeaders=content-encoding;content-type;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-sdk-checksum-algorithm;x-amz-trailer, \
             Signature=dab1c75bd129159dfe1efb9092f318fa768265a67bc7adbc2d2488904ddae57e",
        ),
    ];
    let framing = framing_of(&Request::new("PUT", "/uploads/k", &headers));
    let body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n";
    let (decoded, checksums) = decode(framing, body).unwrap();
    assert_eq!(decoded, b"hello");
    assert_eq!(checksums, [crc32(b"hello")]);
}

#[test]
fn minios_unsigned_trailer_with_its_extra_blank_line_decodes() {
    let framing = framing(Kind::UnsignedWithTrailer, &[ChecksumAlgorithm::Crc32], 5);
    let body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n";
    assert_eq!(decode(framing, body).unwrap().1, [crc32(b"hello")]);
}

// ---- The announcement

fn announced(term: &str, headers: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("host", "h"),
        ("x-amz-date", DATE),
        ("x-amz-content-sha256", term),
    ];
    all.extend(headers);
    let request = Request::new("PUT", "/b/k", &all).sign();
    shown(request.verify())
}

#[rstest]
#[case("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", &[], "MissingContentLength")]
#[case("STREAMING-UNSIGNED-PAYLOAD-TRAILER", &[("x-amz-decoded-content-length", "")], "InvalidArgument")]
#[case("STREAMING-UNSIGNED-PAYLOAD-TRAILER", &[("x-amz-decoded-content-length", "-1")], "InvalidArgument")]
#[case("STREAMING-UNSIGNED-PAYLOAD-TRAILER", &[("x-amz-decoded-content-length", "5368709121")], "EntityTooLarge")]
#[case("STREAMING-UNSIGNED-PAYLOAD-TRAILER", &[("x-amz-decoded-content-length", "99999999999999999999")], "EntityTooLarge")]
#[case("STREAMING-UNSIGNED-PAYLOAD-TRAILER", &[("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-meta-a")], "InvalidRequest")]
#[case("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", &[("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")], "InvalidRequest")]
fn an_announcement_that_does_not_hold_is_refused(
    #[case] term: &str,
    #[case] headers: &[(&str, &str)],
    #[case] code: &str,
) {
    let shown = announced(term, headers);
    assert!(shown.starts_with(code), "{shown}");
}

// ---- Broken framing

#[rstest]
#[case(b"", ErrorCode::IncompleteBody)]
#[case(b"5\r\nhel", ErrorCode::IncompleteBody)]
#[case(b"5\r\nhello\r\n", ErrorCode::IncompleteBody)]
#[case(b"5\r\nhello\r\n0\r\n", ErrorCode::IncompleteBody)]
#[case(b"4\r\nhell\r\n0\r\n\r\n", ErrorCode::IncompleteBody)]
#[case(b"6\r\nhello!\r\n0\r\n\r\n", ErrorCode::IncompleteBody)]
#[case(b"ffffffffffffffff\r\n", ErrorCode::IncompleteBody)]
#[case(b"5\r\nhello\r\nffffffffffffffff\r\n", ErrorCode::IncompleteBody)]
#[case(b"fffffffffffffffff\r\n", ErrorCode::InvalidRequest)]
#[case(b"5\nhello\r\n0\r\n\r\n", ErrorCode::InvalidRequest)]
#[case(b"+5\r\nhello\r\n0\r\n\r\n", ErrorCode::InvalidRequest)]
#[case(b" 5\r\nhello\r\n0\r\n\r\n", ErrorCode::InvalidRequest)]
#[case(b"5;foo=bar\r\nhello\r\n0\r\n\r\n", ErrorCode::InvalidRequest)]
#[case(b"\r\n", ErrorCode::InvalidRequest)]
#[case(b"5\r\nhello!\r\n0\r\n\r\n", ErrorCode::InvalidRequest)]
#[case(b"5\r\nhello\n0\r\n\r\n", ErrorCode::InvalidRequest)]
#[case(
    b"5\r\nhello\r\n0\r\nno header\r\n\r\n",
    ErrorCode::MalformedTrailerError
)]
#[case(
    b"5\r\nhello\r\n0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n",
    ErrorCode::MalformedTrailerError
)]
#[case(
    b"5\r\nhello\r\n0\r\nx-amz-trailer-signature:00\r\n\r\n",
    ErrorCode::MalformedTrailerError
)]
#[case(b"5\r\nhello\r\n0\r\n\r\nx", ErrorCode::InvalidRequest)]
#[case(b"5\r\nhello\r\n0\r\n\r\n\r\n\r\n\r\n", ErrorCode::InvalidRequest)]
fn broken_framing_is_refused(#[case] body: &[u8], #[case] code: ErrorCode) {
    let framing = framing(Kind::UnsignedWithTrailer, &[], 5);
    assert_eq!(decode(framing.clone(), body).unwrap_err().code, code);
    let bytewise = body.iter().map(|byte| vec![*byte]);
    assert_eq!(decode_in(framing, bytewise).unwrap_err().code, code);
}

#[rstest]
#[case(b"5\r\nhello\r\n0\r\n\r\n")]
#[case(b"5;chunk-signature=\r\nhello\r\n0\r\n\r\n")]
#[case(b"0;chunk-signature=00\r\n\r\n")]
fn a_chunk_without_its_signature_is_refused(#[case] body: &[u8]) {
    let error = decode(framing(Kind::Signed, &[], 5), body).unwrap_err();
    assert_eq!(error.code, ErrorCode::SignatureDoesNotMatch);
}

#[test]
fn an_announced_trailer_that_is_missing_or_comes_twice_is_refused() {
    let framing = framing(Kind::UnsignedWithTrailer, &[ChecksumAlgorithm::Crc32], 0);
    let missing = decode(framing.clone(), b"0\r\n\r\n");
    assert!(shown(missing).contains("is missing"));
    let line = "x-amz-checksum-crc32:AAAAAA==\r\n";
    let twice = decode(framing, format!("0\r\n{line}{line}\r\n").as_bytes());
    assert!(shown(twice).contains("comes twice"));
}

#[test]
fn lines_and_trailers_are_bounded() {
    let unsigned = framing(Kind::UnsignedWithTrailer, &[], 5);
    let endless = vec![b'0'; MAX_LINE + 1];
    assert!(shown(decode(unsigned, &endless)).contains("too long"));
    let signed = framing(Kind::SignedWithTrailer, &[], 0);
    let mut blank_lines = encode(Kind::SignedWithTrailer, &[], &[]);
    blank_lines.truncate(84);
    blank_lines.extend(b"\r\n".repeat(MAX_TRAILERS));
    assert!(shown(decode(signed, &blank_lines)).contains("too long"));
}

#[test]
fn nothing_counts_after_an_error() {
    let mut decoder = Decoder::new(framing(Kind::UnsignedWithTrailer, &[], 0));
    let mut decoded = Vec::new();
    let mut push = |bytes: &'static [u8]| decoder.push(Bytes::from_static(bytes), &mut decoded);
    assert_eq!(push(b"x\r\n").unwrap_err().code, ErrorCode::InvalidRequest);
    assert_eq!(
        push(b"0\r\n\r\n").unwrap_err().code,
        ErrorCode::IncompleteBody
    );
    let ended = decoder.finish().map(drop).unwrap_err();
    assert_eq!(ended.message, "The body was refused before.");
    assert!(decoded.is_empty());
}

#[test]
fn decoded_bytes_are_slices_of_the_input() {
    let input = Bytes::from_static(b"5\r\nhello\r\n0\r\n\r\n");
    let mut decoded = Vec::new();
    let mut decoder = Decoder::new(framing(Kind::UnsignedWithTrailer, &[], 5));
    decoder.push(input.clone(), &mut decoded).unwrap();
    assert_eq!(decoded[0].as_ptr(), input[3..].as_ptr());
}

// ---- Laws

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Signed),
        Just(Kind::SignedWithTrailer),
        Just(Kind::UnsignedWithTrailer),
    ]
}

fn encoded(kind: Kind, chunks: &[Vec<u8>]) -> (Framing, Vec<u8>, Vec<u8>) {
    let whole = chunks.concat();
    let trailers = match kind {
        Kind::Signed => vec![],
        _ => vec![crc32(&whole)],
    };
    let chunks: Vec<&[u8]> = chunks.iter().map(Vec::as_slice).collect();
    let body = encode(kind, &chunks, &trailers);
    let framing = framing(kind, &[ChecksumAlgorithm::Crc32], whole.len());
    (framing, body, whole)
}

fn cut(body: &[u8], cuts: &[prop::sample::Index]) -> Vec<Vec<u8>> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
    at.extend([0, body.len()]);
    at.sort_unstable();
    at.windows(2)
        .map(|pair| body[pair[0]..pair[1]].to_vec())
        .collect()
}

proptest! {
    #[test]
    fn decode_undoes_encode_under_any_split(
        kind in kinds(),
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..5),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (framing, body, whole) = encoded(kind, &chunks);
        let (decoded, checksums) = decode_in(framing, cut(&body, &cuts)).unwrap();
        if kind != Kind::Signed {
            prop_assert_eq!(checksums, [crc32(&whole)]);
        }
        prop_assert_eq!(decoded, whole);
    }

    #[test]
    fn a_body_that_is_cut_short_is_refused(
        kind in kinds(),
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..4),
        end in any::<prop::sample::Index>(),
    ) {
        let (framing, body, _) = encoded(kind, &chunks);
        let short = &body[..end.index(body.len())];
        prop_assert_eq!(decode(framing, short).unwrap_err().code, ErrorCode::IncompleteBody);
    }

    #[test]
    fn no_byte_of_a_signed_body_can_be_changed(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..4),
        at in any::<prop::sample::Index>(),
        by in 1..=255_u8,
    ) {
        let (framing, mut body, whole) = encoded(Kind::Signed, &chunks);
        let at = at.index(body.len());
        body[at] ^= by;
        // The case of a size's hex digits is all that carries no meaning.
        if let Ok((decoded, _)) = decode(framing, &body) {
            prop_assert_eq!(decoded, whole);
        }
    }

    #[test]
    fn any_bytes_are_answered_alike_under_any_split(
        kind in kinds(),
        body in "([0-9a-f]{1,2}(;chunk-signature=0)?\r?\n)?[a-f0-9\r\n:;x-]{0,60}",
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let framing = framing(kind, &[], 16);
        let outcome = |answer: Decoded| answer.map_err(|error| (error.code, error.message));
        let whole = outcome(decode(framing.clone(), body.as_bytes()));
        prop_assert_eq!(outcome(decode_in(framing, cut(body.as_bytes(), &cuts))), whole);
    }
}
