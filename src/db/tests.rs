use crate::db::connection::connect_writer;
use crate::db::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A database of some hundred pages, with rows that fill pages of their own, closed without a journal.
async fn filled(path: &Path) {
    let mut connection = connect_writer(path, SqliteSynchronous::Normal)
        .await
        .unwrap();
    for statement in [
        "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL)",
        "CREATE INDEX things_by_name ON things (name)",
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 400)
         INSERT INTO things SELECT n, 'name ' || n, hex(randomblob(CASE n % 40 WHEN 0 THEN 9000 ELSE 200 END)) FROM numbers",
    ] {
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .unwrap();
    }
    close_whole(connection).await;
}

async fn close_whole(mut connection: SqliteConnection) {
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await
        .unwrap();
    set_checkpoint_on_close(&mut connection, true)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Each row, by number and by name.
async fn rows(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut found = Vec::new();
    for statement in [
        "SELECT id || name || text FROM things ORDER BY id",
        "SELECT id || name FROM things ORDER BY name",
    ] {
        let rows = sqlx::query(statement).fetch_all(&mut *connection).await?;
        found.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    Ok(found)
}

async fn all(path: &Path) -> Result<Vec<String>, sqlx::Error> {
    let mut connection = open_reader(path).await?;
    let rows = rows(&mut connection).await;
    connection.close().await?;
    rows
}

fn header(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()[..100].to_vec()
}

#[tokio::test]
async fn a_new_database_has_a_checksum_on_each_page_and_states_it_twice() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    filled(&path).await;
    assert_eq!(header(&path)[20], 8);
    assert_eq!(&header(&path)[68..72], b"HGRc");
    assert!(has_checksums(&path).unwrap());
    assert_eq!(
        verify(std::fs::File::open(&path).unwrap()).unwrap(),
        Verified::Whole
    );
    assert_eq!(all(&path).await.unwrap().len(), 800);
}

#[tokio::test]
async fn any_flipped_bit_of_a_database_is_found_and_never_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    filled(&path).await;
    let (whole, right) = (std::fs::read(&path).unwrap(), all(&path).await.unwrap());
    let mut random = StdRng::seed_from_u64(7);
    let header_bits = (0..800).step_by(7);
    let others: Vec<usize> = (0..200)
        .map(|_| random.random_range(0..whole.len() * 8))
        .collect();
    for bit in header_bits.chain(others) {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&path, &flipped).unwrap();
        assert!(
            matches!(
                verify(std::fs::File::open(&path).unwrap()).unwrap(),
                Verified::Damaged { .. }
            ),
            "bit {bit}"
        );
        match all(&path).await {
            Ok(read) => assert!(read == right, "bit {bit}"),
            Err(error) => assert!(is_damage(&error), "bit {bit}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_database_with_a_wrong_length_or_with_swapped_or_zeroed_pages_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    filled(&path).await;
    let whole = std::fs::read(&path).unwrap();
    let page = |number: usize| (number - 1) * 4096..number * 4096;
    let mut swapped = whole.clone();
    swapped[page(5)].copy_from_slice(&whole[page(6)]);
    swapped[page(6)].copy_from_slice(&whole[page(5)]);
    let mut zeroed = whole.clone();
    zeroed[page(9)].fill(0);
    for (what, changed) in [
        ("ends early", whole[..whole.len() - 4096].to_vec()),
        ("ends within a page", whole[..whole.len() - 10].to_vec()),
        ("ends late", [&whole[..], &[0; 4096]].concat()),
        ("swapped", swapped),
        ("zeroed", zeroed),
    ] {
        std::fs::write(&path, &changed).unwrap();
        let verified = verify(std::fs::File::open(&path).unwrap()).unwrap();
        assert!(matches!(verified, Verified::Damaged { .. }), "{what}");
        if what != "ends late" {
            assert!(is_damage(&all(&path).await.unwrap_err()), "{what}");
        }
    }
}

#[tokio::test]
async fn copies_have_checksums_even_if_their_source_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    filled(&path).await;
    let copy = dir.path().join("copy.db");
    copy_whole(&path, &copy, None).await.unwrap();
    assert_eq!(
        verify(std::fs::File::open(&copy).unwrap()).unwrap(),
        Verified::Whole
    );
    assert!(all(&copy).await.unwrap() == all(&path).await.unwrap());

    // A database from before pages had checksums.
    let old = dir.path().join("old.db");
    let mut without = SqliteConnectOptions::new()
        .filename(&old)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .connect()
        .await
        .unwrap();
    sqlx::query(
        "CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT NOT NULL, text TEXT NOT NULL)",
    )
    .execute(&mut without)
    .await
    .unwrap();
    sqlx::query(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000)
         INSERT INTO things SELECT n, 'name ' || n, hex(randomblob(500)) FROM numbers",
    )
    .execute(&mut without)
    .await
    .unwrap();
    assert_eq!(
        verify(std::fs::File::open(&old).unwrap()).unwrap(),
        Verified::WithoutChecksums
    );
    let new = dir.path().join("new.db");
    copy_with_checksums(&old, &new).await.unwrap();
    assert_eq!(
        verify(std::fs::File::open(&new).unwrap()).unwrap(),
        Verified::Whole
    );
    assert_eq!(&header(&new)[68..72], b"HGRc");
    assert!(all(&new).await.unwrap() == all(&old).await.unwrap());
}

#[tokio::test]
async fn pages_that_are_freed_and_made_again_keep_their_checksums() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    filled(&path).await;
    let mut connection = open_as_it_is(&path).await.unwrap();
    for _ in 0..6 {
        for statement in [
            "BEGIN",
            "UPDATE things SET text = hex(randomblob(id * 20))",
            "DELETE FROM things WHERE id % 3 = 0",
            "INSERT INTO things SELECT id + 100000, name, hex(randomblob(6000)) FROM things WHERE id % 5 = 0",
            "DELETE FROM things WHERE id > 100000",
            "COMMIT",
        ] {
            sqlx::query(statement)
                .execute(&mut connection)
                .await
                .unwrap();
        }
        let mut copy = path.clone().into_os_string();
        copy.push(".copy");
        let copy = PathBuf::from(copy);
        copy_whole(&path, &copy, None).await.unwrap();
        assert_eq!(
            verify(std::fs::File::open(&copy).unwrap()).unwrap(),
            Verified::Whole
        );
        std::fs::remove_file(copy).unwrap();
    }
    close_whole(connection).await;
    assert_eq!(
        verify(std::fs::File::open(&path).unwrap()).unwrap(),
        Verified::Whole
    );
}

#[tokio::test]
async fn many_connections_read_while_one_writes_and_moves_the_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    filled(&path).await;
    let mut writer = open_as_it_is(&path).await.unwrap();
    let mut checkpoints = Checkpoints::of(path.clone(), dir.path().join("note"), [7; 16]);
    let readers = open_readers(&path).await.unwrap();
    let reading: Vec<_> = (0..4)
        .map(|_| {
            let readers = readers.clone();
            tokio::spawn(async move {
                for _ in 0..40 {
                    let mut connection = readers.acquire().await.unwrap();
                    assert_eq!(rows(&mut connection).await.unwrap().len(), 800);
                }
            })
        })
        .collect();
    for round in 0..60_i64 {
        sqlx::query("UPDATE things SET text = hex(randomblob(id % 50 * 40)) WHERE id % 7 = ?1")
            .bind(round % 7)
            .execute(&mut writer)
            .await
            .unwrap();
        (checkpoints.checkpoint(&mut writer, round.cast_unsigned(), Leaves::Journal))
            .await
            .unwrap();
        let verified = verify_in_use(std::fs::File::open(&path).unwrap().into(), Duration::ZERO)
            .await
            .unwrap();
        assert_eq!(verified, Verified::Whole);
    }
    for reading in reading {
        reading.await.unwrap();
    }
    readers.close().await;
    close_whole(writer).await;
    assert_eq!(
        verify(std::fs::File::open(&path).unwrap()).unwrap(),
        Verified::Whole
    );
}

#[tokio::test]
async fn damage_is_reported_while_it_is_read_in_the_database_and_in_its_journal() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    filled(&path).await;
    let mut writer = open_as_it_is(&path).await.unwrap();
    sqlx::query("UPDATE things SET text = 'short' WHERE id > 300")
        .execute(&mut writer)
        .await
        .unwrap();
    let found: Arc<Mutex<Vec<Damage>>> = Arc::default();
    let reported = found.clone();
    let _watch = watch(&path, move |damage| reported.lock().unwrap().push(damage)).unwrap();
    for suffix in ["-wal", ""] {
        let mut file = path.clone().into_os_string();
        file.push(suffix);
        let whole = std::fs::read(&file).unwrap();
        let mut changed = whole.clone();
        // One byte of each page after the first, which holds the schema and the checksum of the header.
        for at in (4096 + 200..changed.len()).step_by(if suffix.is_empty() { 4096 } else { 4120 }) {
            changed[at] ^= 4;
        }
        std::fs::write(&file, &changed).unwrap();
        assert!(is_damage(&all(&path).await.unwrap_err()), "{suffix}");
        let damage = found.lock().unwrap().pop().unwrap();
        assert_eq!(
            damage.file.file_name(),
            Path::new(&file).file_name(),
            "{suffix}"
        );
        std::fs::write(&file, &whole).unwrap();
    }
    assert_eq!(all(&path).await.unwrap().len(), 800);
    writer.close().await.unwrap();
}

/// A database with a long journal, as a kill leaves them. `moved` says how much of the journal a checkpoint has moved.
async fn killed(dir: &Path, moved: Moved) -> (PathBuf, PathBuf) {
    let (path, note) = (dir.join("a.db"), dir.join("note"));
    filled(&path).await;
    let mut writer = open_as_it_is(&path).await.unwrap();
    let mut checkpoints = Checkpoints::of(path.clone(), note.clone(), [7; 16]);
    checkpoints.begin_anew(None).unwrap();
    for round in 1..=8 {
        change(&mut writer, round).await;
    }
    // A reader keeps SQLite from restarting the journal.
    let mut reader = open_reader(&path).await.unwrap();
    if moved == Moved::All {
        sqlx::query("BEGIN").execute(&mut reader).await.unwrap();
        rows(&mut reader).await.unwrap();
    }
    if moved != Moved::Nothing {
        (checkpoints.checkpoint(&mut writer, 8, Leaves::Journal))
            .await
            .unwrap();
        for round in 9..=12 {
            change(&mut writer, round).await;
        }
    }
    let dead = dir.join("dead");
    copy_files(dir, &dead);
    (dead.join("a.db"), dead.join("note"))
}

async fn change(writer: &mut SqliteConnection, round: i64) {
    sqlx::query("UPDATE things SET name = 'round ' || ?1 || ' ' || id WHERE id % 5 = ?1 % 5")
        .bind(round)
        .execute(writer)
        .await
        .unwrap();
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for name in ["a.db", "a.db-wal", "note"] {
        std::fs::copy(from.join(name), to.join(name)).unwrap();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    Nothing,
    /// Everything that the journal held then. Later changes were appended to it.
    All,
    /// As [`Moved::All`], and SQLite restarted the journal.
    AllAndRestarted,
}

/// The names of all things by number, read from the table and, to compare, from the index of names.
async fn names(path: &Path) -> Result<Vec<(i64, String)>, sqlx::Error> {
    let mut connection = open_reader(path).await?;
    let mut found = Vec::new();
    for statement in [
        "SELECT id, name FROM things ORDER BY id",
        "SELECT id, name FROM things INDEXED BY things_by_name WHERE name > '' ORDER BY id",
    ] {
        let rows = sqlx::query(statement).fetch_all(&mut connection).await?;
        found.push(
            rows.iter()
                .map(|row| (row.get(0), row.get(1)))
                .collect::<Vec<_>>(),
        );
    }
    connection.close().await?;
    assert_eq!(found[0], found[1]);
    Ok(found.remove(0))
}

#[tokio::test]
async fn a_journal_with_a_flipped_bit_is_not_trusted_or_recovers_an_earlier_state() {
    for moved in [Moved::Nothing, Moved::All, Moved::AllAndRestarted] {
        let dir = tempfile::tempdir().unwrap();
        let (path, note) = killed(dir.path(), moved).await;
        let journal = journal::wal(&path);
        let (database, whole) = (
            std::fs::read(&path).unwrap(),
            std::fs::read(&journal).unwrap(),
        );
        assert!(
            matches!(trust(&path, &note).unwrap().trust, Trust::Whole { .. }),
            "{moved:?}"
        );
        let mut random = StdRng::seed_from_u64(11);
        let mut trusted = 0;
        for _ in 0..80 {
            let bit = random.random_range(0..whole.len() * 8);
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &database).unwrap();
            std::fs::write(&journal, &flipped).unwrap();
            drop(std::fs::remove_file(path.with_file_name("a.db-shm")));
            let Noted {
                trust: is_trusted,
                owner,
                ..
            } = trust(&path, &note).unwrap();
            assert_eq!(owner, Some([7; 16]));
            if !matches!(is_trusted, Trust::Whole { .. }) {
                continue;
            }
            trusted += 1;
            // Each change is there completely or not at all, and all earlier changes are there too.
            let found = names(&path).await.unwrap();
            let is_a_state = (0..=12).any(|newest| {
                found.iter().all(|(id, name)| {
                    let last = (1..=newest).rev().find(|round| round % 5 == id % 5);
                    *name == last.map_or(format!("name {id}"), |last| format!("round {last} {id}"))
                })
            });
            assert!(is_a_state, "{moved:?}, bit {bit}");
        }
        assert!(trusted > 0, "{moved:?}: each was refused");
    }
}

#[tokio::test]
async fn a_damaged_note_is_not_trusted_and_a_missing_note_is_reported() {
    let dir = tempfile::tempdir().unwrap();
    let (path, note) = killed(dir.path(), Moved::All).await;
    let whole = std::fs::read(&note).unwrap();
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(&note, &flipped).unwrap();
        assert!(
            matches!(trust(&path, &note).unwrap().trust, Trust::Broken(_)),
            "bit {bit}"
        );
    }
    std::fs::remove_file(&note).unwrap();
    let noted = trust(&path, &note).unwrap();
    assert_eq!((noted.trust, noted.owner), (Trust::NoNote, None));
}
