use crate::clock::Timestamp;
use crate::s3::ETag;
use crate::s3::checksum::crc64_nvme;
use crate::store::dir::Dir;
use crate::store::journal::log::Log;
use crate::store::record::LogId;
use crate::store::record::reader::{Found, Reader, ScanError};
use crate::store::record::segments::End;
use crate::store::record::{BodyHere, BodyPlace, Change, Draft, Put, Record};
use crate::store::record::{reader, segments};
use crate::store::tests::{key, name, pattern};
use crate::store::{Effect, ObjectMeta};
use crate::tests::fuzz;
use bytes::Bytes;
use std::sync::OnceLock;

const ID: LogId = LogId(*b"sixteen bytes id");
/// The first sequence of the second segment.
const SECOND: u64 = 6;

/// Eight records in two segments, and the bytes of the segments' files.
struct Written {
    records: Vec<String>,
    segments: [Vec<u8>; 2],
}

fn shown(record: &Record) -> String {
    let Record {
        sequence,
        at,
        change,
        effect,
        ..
    } = record;
    format!("{sequence} {at:?} {change:?} {effect:?}")
}

fn put(at: i64, name_of_key: &str, size_bytes: usize) -> Draft {
    let body = Bytes::from(pattern(size_bytes));
    let put = Put {
        bucket: name("uploads"),
        key: key(name_of_key),
        size_bytes: size_bytes as u64,
        etag: ETag::from_md5([7; 16]),
        md5: "07".repeat(16),
        block_crcs: "0".repeat(16),
        body: BodyPlace::Here,
        meta: ObjectMeta::default(),
    };
    Draft {
        body: BodyHere {
            crc: crc64_nvme(&body),
            bytes: body,
        },
        ..Draft::new(Timestamp::from_millis(at), Change::Put(Box::new(put)), None)
    }
}

fn note(at: i64) -> Draft {
    let effect = Effect {
        kind: "note.set",
        rows: vec!["note:1".to_owned()],
        data: serde_json::json!({"id": "1", "text": "two\nlines"}),
    };
    Draft::new(Timestamp::from_millis(at), Change::Domain, Some(effect))
}

fn written() -> &'static Written {
    static WRITTEN: OnceLock<Written> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let dir = &Dir::open(folder.path()).unwrap();
        let mut log = Log::create(dir, ID).unwrap();
        log.append(&[note(1)]).unwrap();
        log.append(&[put(2, "a", 100), note(3), put(4, "b/c", 5000)])
            .unwrap();
        log.append(&[note(5)]).unwrap();
        std::fs::write(dir.path_of(&segments::segment_name(SECOND)), b"").unwrap();
        let end = End {
            segment: SECOND,
            offset: 0,
            ..log.end()
        };
        let mut log = Log::resume(dir, ID, end).unwrap();
        log.append(&[put(6, "a", 1)]).unwrap();
        log.append(&[note(7), put(8, "d", 5000)]).unwrap();
        let read = |segment| std::fs::read(dir.path_of(&segments::segment_name(segment))).unwrap();
        Written {
            segments: [read(1), read(SECOND)],
            records: returned_records(dir).iter().map(shown).collect(),
        }
    })
}

/// All records that a reader returns, also after damage.
fn returned_records(dir: &Dir) -> Vec<Record> {
    let mut records = Vec::new();
    let Some(from) = segments::begin(dir).unwrap() else {
        return records;
    };
    let Ok(mut reader) = Reader::new(dir, ID, from) else {
        return records;
    };
    let mut damages = 0;
    loop {
        match reader.next() {
            Ok(Some((record, end))) => {
                assert_eq!(end.sequence, record.sequence);
                assert_eq!(reader.sure_end(), end);
                records.push(record);
                assert!(records.len() <= 8, "more than was written");
            }
            Err(ScanError::Damaged { .. }) if damages < 3 => damages += 1,
            Ok(None) | Err(_) => return records,
        }
    }
}

/// Applies one line: `cut SEGMENT OFFSET`, `set SEGMENT OFFSET HEX`, `copy SEGMENT FROM LENGTH TO`,
/// `add SEGMENT HEX` or `drop SEGMENT`. Returns `None` if the line is invalid.
fn damage(line: &str, segments: &mut [Option<Vec<u8>>; 2]) -> Option<()> {
    const LONGEST_BYTES: usize = 100_000;
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let number = |at: usize| words.get(at)?.parse::<usize>().ok();
    let slot = segments.get_mut(number(1)?.checked_sub(1)?)?;
    let segment = slot.as_mut()?;
    match *words.first()? {
        "cut" => segment.truncate(number(2)?),
        "set" => {
            let bytes = hex::decode(words.get(3)?).ok()?;
            let at = number(2)?;
            let end = at.checked_add(bytes.len())?;
            segment.get_mut(at..end)?.copy_from_slice(&bytes);
        }
        "copy" => {
            let (from, length, to) = (number(2)?, number(3)?, number(4)?);
            let bytes = segment.get(from..from.checked_add(length)?)?.to_vec();
            let end = to.checked_add(length)?;
            if end > LONGEST_BYTES {
                return None;
            }
            segment.resize(segment.len().max(end), 0);
            segment[to..end].copy_from_slice(&bytes);
        }
        "add" => {
            segment.extend(hex::decode(words.get(2)?).ok()?);
            segment.truncate(LONGEST_BYTES);
        }
        "drop" => *slot = None,
        _ => return None,
    }
    Some(())
}

#[test]
fn a_reader_of_a_damaged_log_returns_only_written_records_in_order() {
    fuzz::check(module_path!(), |input| {
        let written = written();
        assert_eq!(written.records.len(), 8);
        let mut segments = written.segments.clone().map(Some);
        let folder = tempfile::tempdir().unwrap();
        let dir = &Dir::open(folder.path()).unwrap();
        for line in String::from_utf8_lossy(input).lines().take(16) {
            if damage(line, &mut segments).is_some() {
                continue;
            }
            // A file in the folder of the log that does not belong to the log.
            if let Some(stray) = line.strip_prefix("stray ").map(str::trim)
                && !stray.contains(['/', '\0'])
            {
                drop(std::fs::write(folder.path().join(stray), b""));
            }
        }
        for (segment, first) in segments.iter().zip([1, SECOND]) {
            if let Some(bytes) = segment {
                std::fs::write(dir.path_of(&segments::segment_name(first)), bytes).unwrap();
            }
        }
        let records: Vec<String> = returned_records(dir).iter().map(shown).collect();
        let starts: Vec<&String> = written.records.iter().collect();
        let first = records
            .first()
            .map(|record| starts.iter().position(|start| *start == record).unwrap());
        if let Some(first) = first {
            assert_eq!(records, written.records[first..][..records.len()]);
        }
        if let Ok(Found::Log(id)) = reader::find(dir) {
            assert_eq!(id, ID);
        }
    });
}
