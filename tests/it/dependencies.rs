//! The dependencies that bytes from the network reach are the ones that were looked up.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the lists has failed"
)]

use std::collections::{BTreeMap, BTreeSet};

const LOOKED_UP: &str = include_str!("../dependencies/network.tsv");
const LOCK: &str = include_str!("../../Cargo.lock");

type Versions = BTreeMap<String, BTreeSet<String>>;

/// Every package of a `Cargo.lock` with its versions.
fn locked(lock: &str) -> Versions {
    let mut versions = Versions::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |field: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(field));
            line.unwrap().trim_matches([' ', '=', '"']).to_owned()
        };
        let of_package = versions.entry(value("name")).or_default();
        of_package.insert(value("version"));
    }
    versions
}

fn looked_up(list: &str) -> Versions {
    let mut versions = Versions::new();
    for row in list.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [name, version, reached_by, older_because] = columns[..] else {
            panic!("{row:?} does not have four columns");
        };
        assert!(
            !reached_by.is_empty() && !older_because.is_empty(),
            "{row:?}"
        );
        let of_package = versions.entry(name.to_owned()).or_default();
        of_package.insert(version.to_owned());
    }
    versions
}

#[test]
fn each_dependency_that_faces_the_network_is_the_one_that_was_looked_up() {
    let locked = locked(LOCK);
    for (name, versions) in looked_up(LOOKED_UP) {
        assert_eq!(
            Some(&versions),
            locked.get(&name),
            "{name}: look the versions of Cargo.lock up, and write them into tests/dependencies/network.tsv"
        );
    }
}

#[test]
fn no_http2_library_without_a_bound_on_empty_frames_is_in_the_tree() {
    let versions = locked(LOCK).remove("h2").unwrap();
    let is_mended = |version: &String| {
        let mut numbers = version.split('.').map(|number| number.parse().unwrap());
        let version: [u32; 3] = std::array::from_fn(|_| numbers.next().unwrap());
        version >= [0, 4, 18]
    };
    assert!(versions.iter().all(is_mended), "{versions:?}");
}

#[test]
fn the_reader_of_the_lock_sees_each_version() {
    let lock = "version = 4\n\n[[package]]\nname = \"a\"\nversion = \"0.2.1\"\n\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n";
    let versions = BTreeSet::from(["0.2.1".to_owned(), "1.0.0".to_owned()]);
    assert_eq!(locked(lock), BTreeMap::from([("a".to_owned(), versions)]));
}
