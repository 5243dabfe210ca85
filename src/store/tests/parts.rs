//! Folders with a part that is missing, older, cut off, or from another folder, as an operator, a copy, a restore or a
//! file system leaves them: each file in each state, and hundreds of pairs.
//!
//! The invariant: every acknowledged change is there, or the start is refused with a sentence and has changed nothing.
//! It still holds after `gc` has freed everything that it can, and after the database was rebuilt from the log alone. A
//! body whose own bytes were removed may be damaged: then its reader gets an error, and never other bytes.
//!
//! One case cannot be detected: if the log is older, and nothing newer is left that knows it (no database, and no
//! snapshot past its end), the folder is a complete folder of that time. Then it holds what it held then, to the last
//! change. And a folder whose database or snapshots say that it was copied is a copy: `copies` tests what becomes of
//! its rows.

use super::*;
use crate::store::dir::Dir;
use crate::store::{Mode, folder, index, recovery::snapshot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

const LONG: usize = 300 * 1024;

/// Files in `@hangar`, by their relative path.
type Files = BTreeMap<String, Vec<u8>>;
/// Keys and their bodies; `None` means that the body is damaged, and its reader gets an error.
type Objects = BTreeMap<String, Option<Vec<u8>>>;

/// A folder at several points in time.
struct Life {
    /// After a clean stop, early in its life.
    early: Files,
    /// During the start after that.
    second_start: Files,
    /// During the last start: before the checkpoint of its journal, before the last changes, and at its end.
    before_checkpoint: Files,
    before_last: Files,
    crashed: Files,
    /// As `crashed`, but after a clean stop.
    stopped: Files,
    /// The objects that it holds after each record.
    history: BTreeMap<u64, Objects>,
}

impl Life {
    /// The objects that it holds when the log ends with this record.
    fn objects(&self, end: u64) -> &Objects {
        self.history.range(..=end).next_back().unwrap().1
    }

    fn end(&self) -> u64 {
        *self.history.keys().next_back().unwrap()
    }
}

pub(super) fn files_in(dir: &Path) -> Files {
    fn read(at: &Path, below: &str, files: &mut Files) {
        for entry in std::fs::read_dir(at).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{below}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                read(&entry.path(), &format!("{name}/"), files);
            } else if !matches!(&*name, "reserve" | "lock") {
                // SQLite may remove its journal at this moment.
                if let Ok(bytes) = std::fs::read(entry.path()) {
                    files.insert(name, bytes);
                }
            }
        }
    }
    let mut files = Files::new();
    read(&dir.join("@hangar"), "", &mut files);
    files
}

/// The last record that a store's index has applied.
async fn end(store: &Store) -> u64 {
    let mut view = store.read_view().await.unwrap();
    let connection = view.connection();
    let position = index::position(connection).await;
    position.unwrap().unwrap().1.sequence
}

async fn objects(store: &Store) -> Objects {
    let mut found = Objects::new();
    if store.bucket(&name("uploads")).is_none() {
        return found;
    }
    let page = store
        .vault
        .reads
        .sweep_page(&name("uploads"), None, "", 1000)
        .await;
    for object in page.unwrap() {
        let body = match read(store, &object, None).await {
            Ok(body) => Some(body),
            Err(StoreError::Damaged(_)) => None,
            Err(other) => panic!("{}: {other}", object.key.as_str()),
        };
        found.insert(object.key.as_str().to_owned(), body);
    }
    found
}

async fn live(seed: u8) -> Life {
    let temporary = temporary();
    let dir = temporary.path();
    let body = |length: usize| {
        let mut body = pattern(length);
        body.push(seed);
        body
    };
    let mut history = BTreeMap::from([(0, Objects::new())]);
    let mut now = Objects::new();
    let mut put = async |store: &Store, at: &str, length: usize| {
        let committed = put(store, at, &body(length)).await;
        now.insert(at.to_owned(), Some(body(length)));
        history.insert(committed.sequence, now.clone());
    };
    let store = opened(dir).await;
    for at in 0..5 {
        put(&store, &format!("first segment {at}"), 240_000 + at).await;
    }
    put(&store, "replaced", 10).await;
    put(&store, "replaced by a blob", 20).await;
    put(&store, "early blob", LONG).await;
    store.close().await;
    let early = files_in(dir);

    let store = open(dir).await.unwrap();
    store.announce("{}").await.unwrap();
    put(&store, "replaced", 11).await;
    put(&store, "second", 12_000).await;
    let second_start = files_in(dir);
    put(&store, "replaced by a blob", LONG + 1).await;
    store.record_new(note("a", "note")).await.unwrap();
    store.close().await;

    let store = open(dir).await.unwrap();
    store.announce("{}").await.unwrap();
    for at in 0..40 {
        put(&store, &format!("third {at}"), 40 + at).await;
    }
    let before_checkpoint = files_in(dir);
    let mut index = db::open_durable(&dir.join("@hangar/hangar.db"))
        .await
        .unwrap();
    let (_, end) = index::position(&mut index).await.unwrap().unwrap();
    let mut checkpoints = store.vault.index_files.checkpoints.lock().await;
    let made = checkpoints.checkpoint(&mut index, end.sequence, db::Leaves::Nothing);
    assert!(made.await.unwrap());
    drop(checkpoints);
    index.close().await.unwrap();
    put(&store, "after the checkpoint", 50).await;
    let before_last = files_in(dir);
    put(&store, "replaced", 13).await;
    put(&store, "last blob", LONG + 2).await;
    put(&store, "last", 60).await;
    let crashed = files_in(dir);
    assert_eq!(objects(&store).await, now);
    store.close().await;
    Life {
        early,
        second_start,
        before_checkpoint,
        before_last,
        crashed,
        stopped: files_in(dir),
        history,
    }
}

fn lives() -> &'static [Life; 2] {
    static LIVES: OnceLock<[Life; 2]> = OnceLock::new();
    LIVES.get_or_init(|| {
        let lives = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async { [live(1).await, live(2).await] })
        });
        lives.join().unwrap()
    })
}

/// How the process before the tested start ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Crash,
    CleanStop,
}

/// A part of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Database,
    Journal,
    Index,
    Snapshots,
    NewestSnapshot,
    Log,
    FirstSegment,
    LastSegment,
    Blobs,
    OneBlob,
    Run,
    Scrub,
    RollbackJournal,
    JournalOfSnapshot,
    NewSnapshot,
}

/// The state of a part. Replaced content is written to the existing file, so that it keeps its inode, or it is in
/// another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Became {
    Absent,
    Empty,
    CutInHalf,
    /// The same bytes in another file (another inode).
    Copied,
    Early,
    OfSecondStart,
    BeforeCheckpoint,
    BeforeLast,
    OfAnother,
    Garbage,
}

type Change = (Part, Became);

impl Part {
    fn has(self, path: &str, files: &Files) -> bool {
        let among = |prefix: &str, last: bool| {
            let mut names = files
                .keys()
                .filter(|name| name.starts_with(prefix) && !name.contains("db-"));
            let one = if last {
                names.next_back()
            } else {
                names.next()
            };
            one.is_some_and(|name| name == path)
        };
        match self {
            Self::Database => path == "hangar.db",
            Self::Journal => path == "hangar.db-wal",
            Self::Index => path.starts_with("hangar.db"),
            Self::Snapshots => path.starts_with("snapshot-"),
            Self::NewestSnapshot => among("snapshot-", true),
            Self::Log => path.starts_with("log/"),
            Self::FirstSegment => among("log/", false),
            Self::LastSegment => among("log/", true),
            Self::Blobs => path.starts_with("blobs/"),
            Self::OneBlob => among("blobs/", true),
            Self::Run => path == "run",
            Self::Scrub => path == "scrub",
            Self::RollbackJournal => path == "hangar.db-journal",
            Self::JournalOfSnapshot => path.starts_with("snapshot-") && path.ends_with("-wal"),
            Self::NewSnapshot => path.starts_with("snapshot.new"),
        }
    }

    /// A file that may appear although the folder had none.
    fn stray(self, files: &Files) -> Option<String> {
        Some(match self {
            Self::Journal => "hangar.db-wal".to_owned(),
            Self::Run => "run".to_owned(),
            Self::Scrub => "scrub".to_owned(),
            Self::RollbackJournal => "hangar.db-journal".to_owned(),
            Self::NewSnapshot => "snapshot.new-journal".to_owned(),
            Self::JournalOfSnapshot => {
                let newest = files.keys().rfind(|name| snapshot::is_name(name));
                format!("{}-wal", newest?)
            }
            _ => return None,
        })
    }
}

struct Case {
    end: End,
    changes: Vec<Change>,
}

impl std::fmt::Display for Case {
    fn fmt(&self, text: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(text, "{:?} {:?}", self.end, self.changes)
    }
}

/// Writes a folder whose database and snapshots record their own identities, as a process left them.
async fn lay_out(dir: &Path, files: &Files, end: End) {
    let home = dir.join("@hangar");
    for folder in ["", "log", "blobs"] {
        std::fs::create_dir(home.join(folder)).unwrap();
    }
    for (path, bytes) in files {
        std::fs::write(home.join(path), bytes).unwrap();
    }
    let opened = Dir::open(&home).unwrap();
    let own = |name: &str| folder::identity(&opened, name).unwrap().unwrap();
    for snapshot in files.keys().filter(|name| snapshot::is_name(name)) {
        let mut index = db::open_copy(&home.join(snapshot)).await.unwrap();
        let identity = own(snapshot);
        index::set_identities(&mut index, identity, None)
            .await
            .unwrap();
        index.close().await.unwrap();
    }
    let run = (end == End::Crash).then(|| own("run"));
    let database = home.join("hangar.db");
    let mut index = db::open_durable(&database).await.unwrap();
    index::set_identities(&mut index, own("hangar.db"), run)
        .await
        .unwrap();
    if end == End::Crash {
        // A killed process leaves both like this: the journal was written last.
        let files = ["hangar.db", "hangar.db-wal"]
            .map(|name| (home.join(name), std::fs::read(home.join(name)).unwrap()));
        index.close().await.unwrap();
        for (path, bytes) in files {
            std::fs::write(path, bytes).unwrap();
        }
    } else {
        index.close().await.unwrap();
    }
}

/// Returns when a newly written file is newer than `path`.
fn wait_until_newer_than(path: &Path) {
    use std::os::unix::fs::MetadataExt;
    let Ok(before) = std::fs::metadata(path) else {
        return;
    };
    let probe = path.with_file_name("probe");
    loop {
        std::fs::write(&probe, "now").unwrap();
        let now = std::fs::metadata(&probe).unwrap();
        if (now.ctime(), now.ctime_nsec()) > (before.ctime(), before.ctime_nsec()) {
            break;
        }
    }
    std::fs::remove_file(probe).unwrap();
}

fn change(dir: &Path, files: &Files, (part, became): Change) {
    let home = dir.join("@hangar");
    let [life, other] = lives();
    let mut paths: Vec<String> = files
        .keys()
        .filter(|path| part.has(path, files))
        .cloned()
        .collect();
    if paths.is_empty() {
        paths.extend(part.stray(files));
    }
    if part == Part::Blobs && became == Became::Absent {
        std::fs::remove_dir_all(home.join("blobs")).unwrap();
        return;
    }
    let at = |of: &Files, path: &str| of.get(path).cloned();
    for path in paths {
        let place = home.join(&path);
        let is = std::fs::read(&place).ok();
        let bytes = match became {
            Became::Absent => None,
            Became::Empty => Some(Vec::new()),
            Became::CutInHalf => is.map(|bytes| bytes[..bytes.len() / 2].to_vec()),
            Became::Copied => is,
            Became::Early => at(&life.early, &path),
            Became::OfSecondStart => at(&life.second_start, &path),
            Became::BeforeCheckpoint => at(&life.before_checkpoint, &path),
            Became::BeforeLast => at(&life.before_last, &path),
            // The files of another folder have other names.
            Became::OfAnother => other
                .crashed
                .iter()
                .find(|(other, _)| part.has(other, &lives()[1].crashed))
                .map(|(_, bytes)| bytes.clone()),
            Became::Garbage => Some(pattern(20_000)),
        };
        match bytes {
            Some(bytes) => {
                if became == Became::Copied {
                    drop(std::fs::remove_file(&place));
                }
                std::fs::write(&place, bytes).unwrap();
            }
            None => drop(std::fs::remove_file(&place)),
        }
    }
}

/// Whether the change removes bytes of bodies, so that their readers may get an error.
fn takes_bytes((part, became): Change) -> bool {
    let is_log = matches!(part, Part::Log | Part::FirstSegment | Part::LastSegment);
    matches!(part, Part::Blobs | Part::OneBlob) && became != Became::Copied || is_log
}

/// The last record that a file in the folder shows to exist, even if the log has lost it: the database, or a snapshot
/// that was made there, by its content or its name.
fn known_end(case: &Case, files: &Files, end: u64) -> u64 {
    let changed = |parts: &[Part]| case.changes.iter().any(|(part, _)| parts.contains(part));
    if !changed(&[Part::Database, Part::Index, Part::Journal, Part::Run]) {
        return end;
    }
    let mut snapshots: Vec<&String> = files
        .keys()
        .filter(|name| snapshot::is_name(name))
        .collect();
    for (part, became) in &case.changes {
        match (part, became) {
            (Part::Snapshots, Became::Absent) => snapshots.clear(),
            (Part::NewestSnapshot, Became::Absent | Became::OfAnother) => drop(snapshots.pop()),
            _ => {}
        }
    }
    let said = |name: &&String| {
        name["snapshot-".len()..name.len() - ".db".len()]
            .parse()
            .unwrap()
    };
    snapshots.last().map_or(0, said)
}

/// `Err`: what is wrong.
fn holds(case: &Case, when: &str, found: &Objects, expected: &Objects) -> Result<(), String> {
    let may_be_damaged = case.changes.iter().any(|change| takes_bytes(*change));
    let keys = |objects: &Objects| objects.keys().cloned().collect::<BTreeSet<_>>();
    let (has, wants) = (keys(found), keys(expected));
    if has != wants {
        let (lost, more) = (
            wants.difference(&has).count(),
            has.difference(&wants).count(),
        );
        return Err(format!("{when}: {lost} keys are lost, {more} are more"));
    }
    for (key, body) in found {
        match body {
            Some(_) if expected[key] != *body => return Err(format!("{when}: {key} is another")),
            None if !may_be_damaged => return Err(format!("{when}: {key} is damaged")),
            _ => {}
        }
    }
    Ok(())
}

/// How a start ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Whole,
    OlderWhole,
    Refused,
}

/// A folder in memory if the system has one, because these tests need no durable syncs and make thousands of them.
fn temporary() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// The acknowledged data that must stay: the log and the blobs.
fn bodies(dir: &Path) -> Files {
    let is_kept = |path: &String| path.starts_with("log/") || path.starts_with("blobs/");
    let files = files_in(dir).into_iter();
    files.filter(|(path, _)| is_kept(path)).collect()
}

async fn start_and_check(case: &Case) -> Result<Outcome, String> {
    let life = &lives()[0];
    let files = match case.end {
        End::Crash => &life.crashed,
        End::CleanStop => &life.stopped,
    };
    let temporary = temporary();
    let dir = temporary.path();
    lay_out(dir, files, case.end).await;
    wait_until_newer_than(&dir.join("@hangar/hangar.db-wal"));
    for one in &case.changes {
        change(dir, files, *one);
    }
    let before = bodies(dir);
    let store = match open(dir).await {
        Ok(store) => store,
        Err(OpenError::Refused(refusal)) if refusal.sentence().len() < 40 => {
            return Err(refusal.sentence());
        }
        Err(OpenError::Refused(refusal)) => {
            let sentence = refusal.sentence();
            if bodies(dir) != before {
                return Err(format!("refused, and changed what it holds: {sentence}"));
            }
            println!("{case}: {sentence}");
            return match open(dir).await {
                Err(OpenError::Refused(_)) => Ok(Outcome::Refused),
                Err(other) => Err(format!("refused, then: {other}")),
                Ok(_) => Err(format!("refused, and then it started: {sentence}")),
            };
        }
        Err(other) => return Err(other.to_string()),
    };
    let found = objects(&store).await;
    let (end, known) = (end(&store).await, known_end(case, files, life.end()));
    if end < known {
        return Err(format!(
            "the log ends with record {end}, and {known} is known"
        ));
    }
    let expected = life.objects(end);
    holds(case, "after the start", &found, expected)?;
    let mut janitor = store.upkeep().janitor();
    janitor.free(Mode::Do, true).await.unwrap();
    let found = objects(&store).await;
    holds(case, "after gc", &found, expected)?;
    store.close().await;
    drop(store);
    match open_from(dir, Source::Log).await {
        Ok((store, _)) => {
            let found = objects(&store).await;
            store.close().await;
            holds(case, "from the log alone", &found, expected)?;
        }
        // The records after the damage in a log stay as they are.
        Err(OpenError::Refused(_)) if case.changes.iter().any(|change| takes_bytes(*change)) => {}
        Err(other) => return Err(format!("from the log alone: {other}")),
    }
    Ok(if end < life.end() {
        Outcome::OlderWhole
    } else {
        Outcome::Whole
    })
}

fn each(part: Part, became: &[Became]) -> Vec<Option<Change>> {
    std::iter::once(None)
        .chain(became.iter().map(|became| Some((part, *became))))
        .collect()
}

fn databases() -> Vec<Option<Change>> {
    use Became::{Absent, BeforeCheckpoint, Copied, CutInHalf, Early, Empty, OfAnother};
    each(
        Part::Database,
        &[
            Absent,
            Empty,
            CutInHalf,
            Copied,
            Early,
            BeforeCheckpoint,
            OfAnother,
        ],
    )
}

fn journals() -> Vec<Option<Change>> {
    use Became::{
        Absent, BeforeCheckpoint, BeforeLast, CutInHalf, Empty, OfAnother, OfSecondStart,
    };
    each(
        Part::Journal,
        &[
            Absent,
            Empty,
            CutInHalf,
            OfSecondStart,
            BeforeCheckpoint,
            BeforeLast,
            OfAnother,
        ],
    )
}

fn snapshots() -> Vec<Option<Change>> {
    use Became::{Absent, CutInHalf, Empty, OfAnother};
    let newest = each(Part::NewestSnapshot, &[Absent, Empty, CutInHalf, OfAnother]);
    let all = each(Part::Snapshots, &[Absent, Empty]).split_off(1);
    [newest, all].concat()
}

fn logs() -> Vec<Option<Change>> {
    use Became::{
        Absent, BeforeLast, Copied, CutInHalf, Early, Empty, Garbage, OfAnother, OfSecondStart,
    };
    let last = each(
        Part::LastSegment,
        &[
            Absent,
            Empty,
            CutInHalf,
            Copied,
            BeforeLast,
            OfSecondStart,
            OfAnother,
            Garbage,
        ],
    );
    let first = each(
        Part::FirstSegment,
        &[Absent, Empty, CutInHalf, OfAnother, Copied],
    )
    .split_off(1);
    let all = each(Part::Log, &[Absent, Early]).split_off(1);
    [last, first, all].concat()
}

fn blobs() -> Vec<Option<Change>> {
    use Became::{Absent, Copied, Early, Empty};
    let all = each(Part::Blobs, &[Absent, Early, Empty, Copied]);
    let one = each(Part::OneBlob, &[Absent]).split_off(1);
    [all, one].concat()
}

fn others() -> Vec<Option<Change>> {
    use Became::{Absent, Copied, Garbage, OfAnother};
    [
        each(Part::Run, &[Absent, Copied, Garbage]),
        each(Part::Scrub, &[Garbage]).split_off(1),
        each(Part::RollbackJournal, &[Garbage, OfAnother]).split_off(1),
        each(Part::JournalOfSnapshot, &[Garbage]).split_off(1),
        each(Part::NewSnapshot, &[Garbage]).split_off(1),
    ]
    .concat()
}

/// Every combination of one change of each list.
fn pairs(one: &[Option<Change>], other: &[Option<Change>]) -> Vec<Vec<Change>> {
    let pair = |first: &Option<Change>| {
        let first = *first;
        other
            .iter()
            .map(move |second| first.into_iter().chain(*second).collect())
    };
    one.iter().flat_map(pair).collect()
}

fn start_and_check_all(end: End, mut cases: Vec<Vec<Change>>) -> BTreeMap<Outcome, usize> {
    cases.sort_by_key(|case| format!("{case:?}"));
    cases.dedup();
    lives();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (mut outcomes, mut wrong) = (BTreeMap::new(), Vec::new());
    for changes in cases {
        let case = Case { end, changes };
        match runtime.block_on(start_and_check(&case)) {
            Ok(outcome) => *outcomes.entry(outcome).or_default() += 1,
            Err(what) => wrong.push(format!("{case}: {what}")),
        }
    }
    println!("{end:?}: {outcomes:?}");
    assert!(
        wrong.is_empty(),
        "{} are wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    outcomes
}

#[test]
fn a_crashed_folder_with_changed_index_files_is_complete_or_refused_with_a_reason() {
    let outcomes = start_and_check_all(
        End::Crash,
        [
            pairs(&databases(), &journals()),
            pairs(&databases(), &snapshots()),
            pairs(&journals(), &others()),
            pairs(&databases(), &others()),
        ]
        .concat(),
    );
    // The log is complete, so the start is complete, whatever state the index is in.
    assert_eq!(outcomes.keys().collect::<Vec<_>>(), [&Outcome::Whole]);
    assert!(outcomes[&Outcome::Whole] > 150);
}

#[test]
fn a_crashed_folder_with_changed_log_files_is_complete_or_refused_with_a_reason() {
    let outcomes = start_and_check_all(
        End::Crash,
        [pairs(&logs(), &databases()), pairs(&logs(), &journals())].concat(),
    );
    assert!(outcomes[&Outcome::Refused] > 80, "{outcomes:?}");
    assert!(outcomes[&Outcome::Whole] > 20, "{outcomes:?}");
}

#[test]
fn a_crashed_folder_with_changed_blobs_or_snapshots_is_complete_or_refused_with_a_reason() {
    let absent = [
        Some((Part::Index, Became::Absent)),
        Some((Part::Database, Became::Absent)),
    ];
    let mut cases = [pairs(&blobs(), &databases()), pairs(&logs(), &snapshots())].concat();
    for absent in absent {
        for case in pairs(&snapshots(), &blobs()) {
            cases.push(absent.into_iter().chain(case).collect());
        }
    }
    for case in pairs(&logs(), &snapshots()) {
        cases.push(absent[0].into_iter().chain(case).collect());
    }
    let outcomes = start_and_check_all(End::Crash, cases);
    assert!(outcomes[&Outcome::Refused] > 50, "{outcomes:?}");
    assert!(outcomes[&Outcome::Whole] > 50, "{outcomes:?}");
}

#[test]
fn a_stopped_folder_with_changed_files_is_complete_or_refused_with_a_reason() {
    let outcomes = start_and_check_all(
        End::CleanStop,
        [
            pairs(&databases(), &journals()),
            pairs(&logs(), &databases()),
            pairs(&snapshots(), &others()),
            pairs(&blobs(), &snapshots()),
        ]
        .concat(),
    );
    assert!(outcomes[&Outcome::Refused] > 30, "{outcomes:?}");
    assert!(outcomes[&Outcome::Whole] > 100, "{outcomes:?}");
}
