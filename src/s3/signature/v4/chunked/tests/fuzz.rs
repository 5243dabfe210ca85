use super::*;
use crate::tests::fuzz;

/// The framing that an input's first line states: `signed 5`, `signed-trailer 5 crc32`, `unsigned 5 crc32 sha256`.
fn stated(line: &[u8]) -> Framing {
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_ascii_whitespace();
    let kind = match words.next() {
        Some("signed") => Kind::Signed,
        Some("signed-trailer") => Kind::SignedWithTrailer,
        _ => Kind::UnsignedWithTrailer,
    };
    let length = words.next().and_then(|length| length.parse().ok());
    let trailer: Vec<_> = words.filter_map(ChecksumAlgorithm::parse).collect();
    framing(kind, &trailer, length.unwrap_or_default())
}

/// What is answered to a body in these pieces. Never hands out more than was announced, and stays refused.
fn answer(framing: &Framing, pieces: &[&[u8]]) -> Result<(Vec<u8>, Vec<Checksum>), String> {
    let shown = |error: S3Error| format!("{:?}: {}", error.code, error.message);
    let mut decoder = Decoder::new(framing.clone());
    let mut decoded = Vec::new();
    let mut refused = None;
    for piece in pieces {
        let pushed = decoder
            .push(Bytes::copy_from_slice(piece), &mut decoded)
            .map_err(shown);
        if refused.is_some() && !piece.is_empty() {
            let expected = "IncompleteBody: The body was refused before.";
            assert_eq!(pushed, Err(expected.to_owned()));
        }
        refused = refused.or(pushed.err());
        let handed_out: usize = decoded.iter().map(Bytes::len).sum();
        assert!(handed_out as u64 <= framing.decoded_bytes());
    }
    let finished = decoder.finish().map_err(shown);
    match refused {
        Some(refused) => {
            let expected = "IncompleteBody: The body was refused before.";
            assert_eq!(finished.map(drop), Err(expected.to_owned()));
            Err(refused)
        }
        None => Ok((decoded.concat(), finished?)),
    }
}

#[test]
fn a_chunked_body_is_answered_alike_however_it_is_cut_and_is_all_that_was_announced() {
    fuzz::check(module_path!(), |input| {
        let (line, body) = fuzz::first_line(input);
        let framing = stated(line);
        let whole = answer(&framing, &[body]);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(whole, answer(&framing, &bytes));
        assert_eq!(whole, answer(&framing, &fuzz::pieces(body)));
        let Ok((decoded, checksums)) = whole else {
            return;
        };
        assert_eq!(decoded.len() as u64, framing.decoded_bytes());
        assert_eq!(checksums.len(), framing.trailer_checksums().len());
        for cut in fuzz::cuts(body) {
            if answer(&framing, &[&body[..cut]]).is_ok() {
                let rest = &body[cut..];
                assert!(rest.len() <= MAX_TAIL && rest.iter().all(|byte| b"\r\n".contains(byte)));
            }
        }
    });
}

#[test]
fn a_body_encoded_in_chunks_decodes_to_itself() {
    fuzz::check(module_path!(), |input| {
        let chunks: Vec<Vec<u8>> = fuzz::pieces(input).iter().map(|it| it.to_vec()).collect();
        for kind in [
            Kind::Signed,
            Kind::SignedWithTrailer,
            Kind::UnsignedWithTrailer,
        ] {
            let (framing, body, whole) = encoded(kind, &chunks);
            assert_eq!(whole, input);
            let (decoded, _) = answer(&framing, &fuzz::pieces(&body)).unwrap();
            assert_eq!(decoded, input);
        }
    });
}
