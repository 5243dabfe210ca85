//! The house rules that no compiler holds: imports run one way, no files import each other in a circle, rooms and files
//! stay small, and each outside crate is named in few rooms.

mod circles;
mod imports;

use circles::{Graph, circles};
use imports::{Import, Module, Sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

/// What each top-level module may import of ours, itself aside.
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
            "admin",
            "assets",
            "auth",
            "clock",
            "config",
            "http",
            "s3",
            "store",
            "telemetry",
            "warnings",
        ],
    ),
    (
        "config",
        &["assets", "auth", "http", "s3", "store", "telemetry"],
    ),
    (
        "http",
        &[
            "admin",
            "assets",
            "auth",
            "cache",
            "clock",
            "owner",
            "s3",
            "store",
            "telemetry",
            "warnings",
        ],
    ),
    (
        "admin",
        &["assets", "auth", "clock", "s3", "store", "telemetry"],
    ),
    (
        "assets",
        &["auth", "cache", "clock", "s3", "store", "telemetry"],
    ),
    ("auth", &["cache", "clock", "s3", "store"]),
    (
        "store",
        &[
            "cache",
            "clock",
            "db",
            "faults",
            "owner",
            "s3",
            "telemetry",
            "warnings",
        ],
    ),
    ("telemetry", &[]),
    ("client", &[]),
    ("cache", &[]),
    ("faults", &[]),
    ("db", &["faults", "owner", "telemetry"]),
    ("owner", &[]),
    ("clock", &["s3"]),
    ("warnings", &["s3"]),
    ("s3", &[]),
];

/// The rooms of `store` from the top down: a file imports from its own room and from those below. A room is a list of
/// files and folders, and a file belongs to the longest entry that its path begins with; so the first room has whatever no
/// other entry names.
const ROOMS_OF_STORE: [&[&str]; 10] = [
    // What it re-exports.
    &["store"],
    &["store/door"],
    &["store/upkeep"],
    &["store/parts"],
    &["store/recovery"],
    &["store/journal"],
    &["store/index"],
    &["store/bodies"],
    &["store/record"],
    &[
        "store/blocking",
        "store/bucket",
        "store/content",
        "store/dir",
        "store/effect",
        "store/error",
        "store/folder",
        "store/object",
        "store/progress",
        "store/upload",
    ],
];

/// The rooms of `http`, in the same way.
const ROOMS_OF_HTTP: [&[&str]; 14] = [
    // The routes, the middlewares, the server.
    &["http"],
    &["http/admin"],
    &["http/head_limit"],
    &["http/operations"],
    // The faces.
    &["http/s3", "http/plane"],
    &["http/serve", "http/auth"],
    &["http/limits"],
    &["http/app_state"],
    &["http/health", "http/rate_limit"],
    &["http/connection"],
    &["http/response_cache"],
    &["http/trace"],
    &["http/memory", "http/pace", "http/face", "http/origin"],
    &["http/config", "http/proxies"],
];

/// Folders that must not grow flat again, with how many files may lie directly in each.
const FLAT_FOLDERS: [&str; 2] = ["store", "http"];
const MOST_FILES_IN_A_FOLDER: usize = 12;

const MOST_LINES_IN_A_FILE: usize = 600;

/// Outside crates that only these modules may name.
const MAY_NAME: [(&str, &[&str]); 9] = [
    ("actix_http", &["http"]),
    ("actix_multipart", &["http"]),
    ("actix_server", &["http"]),
    ("actix_web", &["http"]),
    ("clap", &["cli", "config", "main"]),
    ("h2", &["http"]),
    ("reqwest", &["cli", "client"]),
    ("sqlx", &["store", "db"]),
    ("std::env", &["config"]),
];

static SOURCES: LazyLock<Sources> = LazyLock::new(|| {
    let sources = Sources::below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.files.len() > 100, "the sources were not found");
    assert!(sources.imports.len() > 300, "the imports were not read");
    sources
});

/// Fails with all that breaks a rule, one to a line.
fn assert_none(broken: &[String], rule: &str) {
    assert!(broken.is_empty(), "{rule}:\n{}\n", broken.join("\n"));
}

fn top_level(module: &str) -> &str {
    module.split('/').next().unwrap_or(module)
}

/// An import as `file:line imports path`.
fn shown(sources: &Sources, from: &str, import: &Import) -> String {
    let path = &sources.files[from].path;
    format!(
        "src/{path}:{} imports {}",
        import.line,
        import.path.join("::")
    )
}

#[test]
fn modules_import_one_way() {
    assert_none(
        &imports_against(&SOURCES, &MAY_IMPORT),
        "imports that the table of modules does not allow",
    );
}

fn imports_against(sources: &Sources, may_import: &[(&str, &[&str])]) -> Vec<String> {
    let mut broken = Vec::new();
    for module in sources.files.keys().filter(|module| !module.is_empty()) {
        let name = top_level(module);
        if !may_import.iter().any(|(known, _)| *known == name) {
            broken.push(format!("{module}: a module that the table does not have"));
        }
    }
    for ((from, to), imports) in &sources.imports {
        let (name, imported) = (top_level(from), top_level(to));
        let allowed = may_import.iter().find(|(known, _)| *known == name);
        let is_allowed = allowed.is_none_or(|(_, allowed)| allowed.contains(&imported));
        if !from.is_empty() && name != imported && !is_allowed {
            broken.extend(imports.iter().map(|import| shown(sources, from, import)));
        }
    }
    broken
}

#[test]
fn the_rooms_of_the_store_import_one_way() {
    assert_none(
        &upward_imports(&SOURCES, &ROOMS_OF_STORE),
        "imports from a room above",
    );
}

#[test]
fn the_rooms_of_the_edge_import_one_way() {
    assert_none(
        &upward_imports(&SOURCES, &ROOMS_OF_HTTP),
        "imports from a room above",
    );
}

fn upward_imports(sources: &Sources, rooms: &[&[&str]]) -> Vec<String> {
    let mut broken = Vec::new();
    for entry in rooms.iter().copied().flatten() {
        if !sources.files.keys().any(|module| is_within(module, entry)) {
            broken.push(format!(
                "{entry}: the table of rooms names what is not there"
            ));
        }
    }
    for ((from, to), imports) in &sources.imports {
        if let (Some(room), Some(above)) = (room_of(from, rooms), room_of(to, rooms))
            && above < room
        {
            let target = &sources.files[to].path;
            let upward = |import| format!("{} from src/{target}", shown(sources, from, import));
            broken.extend(imports.iter().map(upward));
        }
    }
    broken
}

/// The place of a file's room, counted from the top.
fn room_of(module: &str, rooms: &[&[&str]]) -> Option<usize> {
    let entries = rooms.iter().enumerate().flat_map(|(place, room)| {
        let of_room = room.iter().filter(|entry| is_within(module, entry));
        of_room.map(move |entry| (entry.len(), place))
    });
    entries.max().map(|(_, place)| place)
}

fn is_within(module: &str, entry: &str) -> bool {
    let below = module.strip_prefix(entry);
    below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    assert_none(&circles_of_files(&SOURCES), "circles of files");
}

#[test]
fn no_folders_import_each_other_in_a_circle() {
    assert_none(&circles_of_folders(&SOURCES), "circles of folders");
}

fn circles_of_files(sources: &Sources) -> Vec<String> {
    let files = |from: &Module, to: &Module| Some((from.clone(), to.clone()));
    circles_between(sources, "files", files)
}

/// Circles of what lies side by side in a folder: files, and folders with all that is below them. A door is no part of
/// them: it lies above what is in its folder, and only circles of files know it.
fn circles_of_folders(sources: &Sources) -> Vec<String> {
    circles_between(sources, "neighbours", |from, to| {
        let place = from
            .split('/')
            .zip(to.split('/'))
            .position(|(a, b)| a != b)?;
        let neighbour = |module: &Module| {
            let names: Vec<&str> = module.split('/').take(place + 1).collect();
            names.join("/")
        };
        Some((neighbour(from), neighbour(to)))
    })
}

/// The circles of a graph whose edges `edge` makes of imports: each circle with one import for each of its edges.
fn circles_between(
    sources: &Sources,
    nodes: &str,
    edge: impl Fn(&Module, &Module) -> Option<(String, String)>,
) -> Vec<String> {
    let mut graph = Graph::new();
    let mut examples = BTreeMap::new();
    for ((from, to), imports) in &sources.imports {
        let Some((node, next)) = edge(from, to).filter(|_| !from.is_empty()) else {
            continue;
        };
        let target = &sources.files[to].path;
        let example = format!("{} from src/{target}", shown(sources, from, &imports[0]));
        examples
            .entry((node.clone(), next.clone()))
            .or_insert(example);
        graph.entry(node).or_default().insert(next);
    }
    let describe = |circle: &BTreeSet<String>| {
        let members: Vec<&str> = circle.iter().map(String::as_str).collect();
        let mut text = format!("{} {nodes}: {}", members.len(), members.join(" "));
        for ((node, next), example) in &examples {
            if circle.contains(node) && circle.contains(next) {
                write!(text, "\n    {example}").expect("a string takes it");
            }
        }
        text
    };
    circles(&graph).iter().map(describe).collect()
}

#[test]
fn no_folder_of_rooms_is_flat() {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for file in SOURCES.files.values() {
        if let Some((folder, _)) = file.path.rsplit_once('/') {
            *counts.entry(folder).or_default() += 1;
        }
    }
    let broken: Vec<String> = FLAT_FOLDERS
        .iter()
        .filter(|folder| counts[**folder] > MOST_FILES_IN_A_FOLDER)
        .map(|folder| format!("src/{folder}: {} files", counts[folder]))
        .collect();
    let rule = format!("more than {MOST_FILES_IN_A_FOLDER} files directly in a folder");
    assert_none(&broken, &rule);
}

#[test]
fn no_file_but_tests_is_long() {
    let files = SOURCES.files.values();
    let broken: Vec<String> = files
        .filter(|file| file.lines > MOST_LINES_IN_A_FILE)
        .map(|file| format!("src/{}: {} lines", file.path, file.lines))
        .collect();
    assert_none(&broken, &format!("more than {MOST_LINES_IN_A_FILE} lines"));
}

#[test]
fn outside_crates_are_named_where_they_belong() {
    assert_none(
        &named_elsewhere(&SOURCES, &MAY_NAME),
        "outside crates where they do not belong",
    );
}

fn named_elsewhere(sources: &Sources, may_name: &[(&str, &[&str])]) -> Vec<String> {
    let mut broken = Vec::new();
    for (module, named) in &sources.outside {
        for import in named {
            let path = import.path.join("::");
            let is_wrong = may_name.iter().any(|(name, modules)| {
                let rest = path.strip_prefix(name);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
                    && !modules.contains(&top_level(module))
            });
            if is_wrong {
                broken.push(shown(sources, module, import));
            }
        }
    }
    broken
}

/// The rules and their reader on small texts.
mod on_small_texts {
    use super::{
        Sources, circles_of_files, circles_of_folders, imports_against, named_elsewhere,
        upward_imports,
    };

    fn sources(texts: &[(&str, &str)]) -> Sources {
        Sources::of(
            texts
                .iter()
                .map(|(path, text)| ((*path).to_owned(), (*text).to_owned())),
        )
    }

    /// Every import as `from:line -> to`.
    fn edges(texts: &[(&str, &str)]) -> Vec<String> {
        let sources = sources(texts);
        let edges = sources.imports.iter().flat_map(|((from, to), imports)| {
            let lines = imports.iter().map(|import| import.line);
            lines.map(move |line| format!("{from}:{line} -> {to}"))
        });
        edges.collect()
    }

    #[test]
    fn lists_paths_in_code_and_paths_in_macros_are_imports() {
        let found = edges(&[
            ("lib.rs", "mod a; mod b; mod c; mod d; mod e;"),
            (
                "a.rs",
                "use crate::{b::B, c::{self, One as Other}};\n\nfn f() { crate::d::g(\"crate::no::path\"); }\n// crate::no\nlog!(crate::e::X);",
            ),
            ("b.rs", ""),
            ("c.rs", ""),
            ("d.rs", ""),
            ("e.rs", ""),
        ]);
        assert_eq!(
            found,
            ["a:1 -> b", "a:1 -> c", "a:1 -> c", "a:3 -> d", "a:5 -> e"]
        );
    }

    #[test]
    fn a_path_through_a_door_leads_to_the_file_that_defines_the_thing() {
        let found = edges(&[
            (
                "room/mod.rs",
                "mod one; mod two; pub use one::Thing; pub(crate) use self::two::*; pub struct Own;",
            ),
            ("room/one.rs", "pub struct Thing;"),
            ("room/two.rs", "use super::Thing;"),
            (
                "user.rs",
                "use crate::room::{Own, Thing as It};\nfn f() { It::new(); }",
            ),
        ]);
        let expected = [
            "room/two:1 -> room/one",
            "user:1 -> room",
            "user:1 -> room/one",
            "user:2 -> room/one",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn super_and_self_and_children_lead_to_their_files() {
        let found = edges(&[
            ("room.rs", "mod one; fn f() { one::g(); self::one::g(); }"),
            (
                "room/one.rs",
                "use super::super::other;\nmod inline { use super::super::f; use super::own; }\npub(in crate::room) struct One;",
            ),
            ("other.rs", ""),
        ]);
        assert_eq!(
            found,
            [
                "room:1 -> room/one",
                "room:1 -> room/one",
                "room/one:1 -> other",
                "room/one:2 -> room"
            ]
        );
    }

    #[test]
    fn tests_may_import_what_they_like() {
        let found = edges(&[
            (
                "a.rs",
                "#[cfg(test)]\nmod tests;\n#[cfg(test)]\npub(crate) use crate::b::B;\n#[cfg(test)]\nfn f() { crate::b::g() }\n#[cfg(test)]\nmod inline { use crate::b::B; }\nstruct S { #[cfg(test)] b: crate::b::B, c: crate::c::C }",
            ),
            ("a/tests.rs", "use crate::b::B; mod below;"),
            ("a/tests/below.rs", "use crate::b::B;"),
            ("b.rs", ""),
            ("c.rs", ""),
        ]);
        assert_eq!(found, ["a:9 -> c"]);
    }

    #[test]
    fn a_circle_is_shown_with_its_imports() {
        let texts = [
            ("a.rs", "\nuse crate::b::B;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a::A; use crate::d::D;"),
            ("d.rs", ""),
        ];
        let shown = circles_of_files(&sources(&texts)).join("\n");
        insta::assert_snapshot!(shown, @r"
        3 files: a b c
            src/a.rs:2 imports b::B from src/b.rs
            src/b.rs:1 imports c::C from src/c.rs
            src/c.rs:1 imports a::A from src/a.rs
        ");
    }

    #[test]
    fn a_circle_of_folders_without_one_of_files_is_shown() {
        let texts = [
            ("room/mod.rs", "use self::one::a::A; pub struct Own;"),
            ("room/one/a.rs", "use crate::room::two::b::B;"),
            ("room/one/c.rs", "use crate::room::Own;"),
            ("room/two/b.rs", ""),
            ("room/two/d.rs", "use crate::room::one::c::C;"),
        ];
        let sources = sources(&texts);
        assert!(circles_of_files(&sources).is_empty());
        let shown = circles_of_folders(&sources).join("\n");
        insta::assert_snapshot!(shown, @r"
        2 neighbours: room/one room/two
            src/room/one/a.rs:1 imports room::two::b::B from src/room/two/b.rs
            src/room/two/d.rs:1 imports room::one::c::C from src/room/one/c.rs
        ");
    }

    #[test]
    fn an_upward_import_and_a_stale_entry_are_shown() {
        let texts = [
            ("room/mod.rs", "use self::above::A;"),
            ("room/above.rs", "use crate::room::below::inner::X;"),
            ("room/below/mod.rs", ""),
            ("room/below/inner.rs", "use crate::room::above::A;"),
            ("room/below/other.rs", "use crate::room::Own;"),
        ];
        let rooms: [&[&str]; 3] = [&["room"], &["room/below"], &["room/gone"]];
        let shown = upward_imports(&sources(&texts), &rooms).join("\n");
        insta::assert_snapshot!(shown, @r"
        room/gone: the table of rooms names what is not there
        src/room/below/inner.rs:1 imports room::above::A from src/room/above.rs
        src/room/below/other.rs:1 imports room::Own from src/room/mod.rs
        ");
    }

    #[test]
    fn an_import_that_the_table_lacks_and_an_unknown_module_are_shown() {
        let texts = [
            ("lib.rs", "pub use a::A;"),
            ("a.rs", "use crate::b::B;"),
            ("b/mod.rs", "use crate::a::A;"),
            ("b/inner.rs", "use crate::b::B; fn f() { crate::a::g() }"),
            ("c.rs", ""),
        ];
        let table: [(&str, &[&str]); 2] = [("a", &["b"]), ("b", &[])];
        let shown = imports_against(&sources(&texts), &table).join("\n");
        insta::assert_snapshot!(shown, @r"
        c: a module that the table does not have
        src/b/mod.rs:1 imports a::A
        src/b/inner.rs:1 imports a::g
        ");
    }

    #[test]
    fn an_outside_crate_in_a_wrong_module_is_shown() {
        let texts = [
            (
                "edge/mod.rs",
                "use actix_web::App; fn f() { std::env::var(\"X\") }",
            ),
            (
                "core.rs",
                "use std::{env, fs};\nfn f() -> actix_web::Result { \"actix_web::no\" }\nuse actix_web_lab::X;",
            ),
        ];
        let table: [(&str, &[&str]); 2] = [("actix_web", &["edge"]), ("std::env", &["edge"])];
        let shown = named_elsewhere(&sources(&texts), &table).join("\n");
        insta::assert_snapshot!(shown, @r"
        src/core.rs:1 imports std::env
        src/core.rs:2 imports actix_web::Result
        ");
    }
}
