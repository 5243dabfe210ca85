//! The validity of a certificate: the one field of it that is read here.
//!
//! Certificates are the operator's own files, and rustls has read them before; still, any bytes give `None` or a
//! validity, and nothing else. <https://www.rfc-editor.org/rfc/rfc5280#section-4.1>

use crate::s3::time::{self, Timestamp};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`
const VERSION: u8 = 0xa0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
}

impl Validity {
    /// The validity of a certificate in DER.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let certificate = Der(certificate).value(SEQUENCE)?.0;
        let mut fields = Der(certificate).value(SEQUENCE)?;
        if fields.0.first() == Some(&VERSION) {
            fields.value(VERSION)?;
        }
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            // serialNumber, signature, issuer
            fields.value(tag)?;
        }
        let mut validity = fields.value(SEQUENCE)?;
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        validity.0.is_empty().then_some(Self {
            not_before,
            not_after,
        })
    }
}

/// The bytes that are left to be read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value, which has this tag.
    fn value(&mut self, tag: u8) -> Option<Der<'a>> {
        let (next, value) = self.any()?;
        (next == tag).then_some(value)
    }

    fn any(&mut self) -> Option<(u8, Der<'a>)> {
        let [tag, length, rest @ ..] = self.0 else {
            return None;
        };
        let (length, rest) = match *length {
            length @ ..=0x7f => (usize::from(length), rest),
            // The length is in the next one to four bytes.
            count @ 0x81..=0x84 => {
                let (length, rest) = rest.split_at_checked(usize::from(count - 0x80))?;
                let length = length
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                (usize::try_from(length).ok()?, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, Der(value)))
    }

    /// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms that RFC 5280 allows.
    fn time(&mut self) -> Option<Timestamp> {
        let (tag, value) = self.any()?;
        let text = std::str::from_utf8(value.0).ok()?;
        let century = match (tag, text.len()) {
            (UTC_TIME, 13) if text.get(..2)? < "50" => "20",
            (UTC_TIME, 13) => "19",
            (GENERALIZED_TIME, 15) => "",
            _ => return None,
        };
        let (day, time) = text.split_at_checked(text.len() - "HHMMSSZ".len())?;
        time::parse_amz_date(&format!("{century}{day}T{time}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rstest::rstest;

    /// A certificate that is valid between these two days, each as year, month and day.
    fn certificate(from: (i32, u8, u8), until: (i32, u8, u8)) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from.0, from.1, from.2);
        params.not_after = date_time_ymd(until.0, until.1, until.2);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn validity(certificate: &[u8]) -> Option<[String; 2]> {
        let validity = Validity::of(certificate)?;
        Some([validity.not_before, validity.not_after].map(time::iso8601_secs))
    }

    #[rstest]
    #[case((2026, 1, 2), (2026, 4, 1), ["2026-01-02T00:00:00Z", "2026-04-01T00:00:00Z"])]
    #[case::former_century((1975, 1, 1), (2049, 12, 31), ["1975-01-01T00:00:00Z", "2049-12-31T00:00:00Z"])]
    #[case::four_digits_of_a_year((2026, 1, 1), (4096, 1, 1), ["2026-01-01T00:00:00Z", "4096-01-01T00:00:00Z"])]
    fn the_days_are_those_that_were_signed(
        #[case] from: (i32, u8, u8),
        #[case] until: (i32, u8, u8),
        #[case] read: [&str; 2],
    ) {
        let read = read.map(ToOwned::to_owned);
        assert_eq!(validity(&certificate(from, until)), Some(read));
    }

    #[test]
    fn a_certificate_cut_short_has_no_validity() {
        let whole = certificate((2026, 1, 1), (2027, 1, 1));
        for length in 0..whole.len() {
            assert_eq!(Validity::of(&whole[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_are_read_to_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Validity::of(&bytes);
        }

        #[test]
        fn a_certificate_with_changed_bytes_is_read_to_an_answer(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        ) {
            // Made once: generating a key takes long.
            static WHOLE: std::sync::LazyLock<Vec<u8>> =
                std::sync::LazyLock::new(|| certificate((2026, 1, 1), (2027, 1, 1)));
            let mut bytes = WHOLE.clone();
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            let _ = Validity::of(&bytes);
        }
    }
}
