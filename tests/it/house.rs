//! The house rules that no compiler holds: imports run one way, and each outside thing is spoken to from few rooms.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot read the sources has failed"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// What each module may import of ours, itself aside.
const MAY_IMPORT: [(&str, &[&str]); 18] = [
    ("main", &["cli", "config", "telemetry"]),
    (
        "cli",
        &[
            "admin",
            "app",
            "assets",
            "auth",
            "client",
            "clock",
            "config",
            "faults",
            "s3",
            "store",
            "telemetry",
            "warnings",
        ],
    ),
    (
        "app",
        &[
            "admin", "assets", "auth", "clock", "config", "http", "s3", "store", "warnings",
        ],
    ),
    (
        "config",
        &["assets", "auth", "http", "s3", "store", "telemetry"],
    ),
    (
        "http",
        &[
            "admin", "assets", "auth", "cache", "clock", "owner", "s3", "store", "warnings",
        ],
    ),
    ("admin", &["assets", "auth", "clock", "s3", "store"]),
    ("assets", &["auth", "cache", "clock", "s3", "store"]),
    ("auth", &["clock", "s3", "store"]),
    (
        "store",
        &["cache", "clock", "faults", "db", "owner", "s3", "warnings"],
    ),
    ("telemetry", &[]),
    ("client", &[]),
    ("cache", &[]),
    ("faults", &[]),
    ("db", &["faults", "owner"]),
    ("owner", &[]),
    ("clock", &["s3"]),
    ("warnings", &["s3"]),
    ("s3", &[]),
];

/// Outside crates that only these modules may name.
const MAY_NAME: [(&str, &[&str]); 4] = [
    ("actix_web", &["http"]),
    ("actix_multipart", &["http"]),
    ("sqlx", &["store", "db"]),
    ("std::env", &["config"]),
];

/// Files of a module, with what a test file may do left out.
fn sources() -> Vec<(String, PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.file_stem().is_some_and(|stem| stem == "tests") {
                // A test may look from outside.
            } else if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let below = path.strip_prefix(&root).unwrap().to_owned();
                let first = below.iter().next().unwrap().to_str().unwrap();
                let module = first.trim_end_matches(".rs").to_owned();
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((module, below, text));
            }
        }
    }
    assert!(found.len() > 20, "the sources were not found");
    found
}

/// Code without comments; what follows a module of tests does not count.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The first segments that follow `crate::` or `hangar::`, lists included.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for start in ["crate::", "hangar::"] {
        for (at, _) in code.match_indices(start) {
            let rest = &code[at + start.len()..];
            let names = match rest.strip_prefix('{') {
                Some(list) => first_segments(list),
                None => vec![identifier(rest)],
            };
            found.extend(names);
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect()
}

/// Of `a::b, c::{d, e}}…`: `a` and `c`.
fn first_segments(list: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut fresh = true;
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                names.push(identifier(&list[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

#[test]
fn imports_run_one_way() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        if module == "lib" {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!(
                "{}: a module that the table does not know",
                path.display()
            ));
            continue;
        };
        for import in imports(&code(&text)) {
            let ours = MAY_IMPORT.iter().any(|(name, _)| *name == import);
            if ours && import != module && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{} imports {import}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn outside_crates_are_named_where_they_belong() {
    let mut wrong = Vec::new();
    for (module, path, text) in sources() {
        let code = code(&text);
        for (name, rooms) in MAY_NAME {
            if code.contains(&format!("{name}::")) && !rooms.contains(&module.as_str()) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_reader_of_imports_sees_lists_and_paths() {
    let code = "use crate::{clock::Clock, s3::{ETag, policy}};\nlet x = crate::store::open();";
    let seen: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(seen, ["clock", "s3", "store"]);
}
