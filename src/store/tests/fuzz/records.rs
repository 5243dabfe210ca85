use crate::clock::Timestamp;
use crate::s3::checksum::crc64_nvme;
use crate::store::journal::locks::RowLock;
use crate::store::record::LogId;
use crate::store::record::{self, Change, Draft, HEAD_BYTES, Head};
use crate::tests::fuzz;

const ID: LogId = LogId(*b"sixteen bytes id");

fn draft(change: Change) -> Draft {
    Draft::new(Timestamp::from_millis(1), change, None)
}

/// Splits a record's bytes into its head and its statement.
fn parted(record: &[u8]) -> (&[u8; HEAD_BYTES], &[u8]) {
    record.split_first_chunk().unwrap()
}

#[test]
fn a_statement_survives_reading_and_writing() {
    fuzz::check(module_path!(), |statement| {
        let mut head = *parted(&record::write(&draft(Change::Domain), ID, 1, 0)).0;
        head[12..16].copy_from_slice(&u32::try_from(statement.len()).unwrap().to_le_bytes());
        let crc = crc64_nvme(&[&head[..72], statement].concat());
        head[72..].copy_from_slice(&crc.to_le_bytes());
        let parsed = Head::parse(&head, ID).unwrap();
        assert!(parsed.verifies(&head, statement));
        assert!(!parsed.verifies(&head, &[statement, b" "].concat()));
        let Ok(read) = record::read(&parsed, statement, 1, 0) else {
            return;
        };
        let names = format!("{:?}", RowLock::of_record(&read));
        let draft = Draft {
            effect: read.effect.clone(),
            ..draft(read.change.clone())
        };
        let written = record::write(&draft, ID, 1, 0);
        let (head, statement) = parted(&written);
        let parsed = Head::parse(head, ID).unwrap();
        assert!(parsed.verifies(head, statement));
        let again = record::read(&parsed, statement, 1, 0).unwrap();
        assert_eq!(again.change, read.change);
        assert_eq!(format!("{:?}", again.effect), format!("{:?}", read.effect));
        assert_eq!(format!("{:?}", RowLock::of_record(&again)), names);
    });
}

#[test]
fn a_valid_head_states_no_more_than_a_record_may_hold() {
    fuzz::check(module_path!(), |input| {
        let mut head = *parted(&record::write(&draft(Change::Domain), ID, 1, 0)).0;
        let taken = input.len().min(HEAD_BYTES);
        head[..taken].copy_from_slice(&input[..taken]);
        let foreign = Head::parse(&head, ID);
        assert!(foreign.is_err() || head[24..40] == ID.0);
        // With the right magic and log id; all other bytes are the input's.
        head[..8].copy_from_slice(&record::MAGIC);
        head[24..40].copy_from_slice(&ID.0);
        if let Ok(parsed) = Head::parse(&head, ID) {
            assert!(parsed.statement_bytes <= record::STATEMENT_LIMIT_BYTES);
            assert!(parsed.body_bytes <= record::INLINE_LIMIT_BYTES as u64);
            let statement = parsed.statement_bytes as u64;
            assert!(parsed.span() >= HEAD_BYTES as u64 + statement + parsed.body_bytes);
            assert!(!parsed.verifies(&head, input));
        }
    });
}
