use super::*;
use crate::config::{self, Environment, Flag, documented};
use clap::CommandFactory;
use clap::Parser;
use rstest::rstest;
use tracing::level_filters::LevelFilter;

fn parse(line: &str) -> Result<Cli, Failure> {
    Cli::try_parse_from(line.split_whitespace()).map_err(Failure::from)
}

/// The exit code and the sentence for a command line.
fn refusal(line: &str) -> (u8, String) {
    match parse(line).unwrap_err() {
        Failure::Usage(sentence) => (2, sentence),
        failure => (failure.exit_code(), String::new()),
    }
}

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[rstest]
fn the_commands_in_the_documents_parse(
    #[values(
        "hangar serve",
        "hangar serve --listen :9000 --data-dir /d --public-url https://a.example --log debug,json",
        "hangar server /export",
        "hangar server /export --console-address :9090",
        "hangar server --address :9000 --console-address :9001 /data",
        "hangar server --address=127.0.0.1:9000 /data",
        "hangar token create --user a@b.example --name n --scope assets:read --scope assets:write --expires 90d --workspace * --json",
        "hangar token list --json",
        "hangar token revoke ID --data-dir /d --json",
        "hangar backup /b -q",
        "hangar gc --quiet",
        "hangar access-key create",
        "hangar access-key create --read-only --bucket uploads --prefix avatars/ --name n --json",
        "hangar access-key list --json --data-dir /d",
        "hangar access-key revoke ID --json",
        "hangar upload f.png --entity-type USER_COVER --type image/png --name n --url http://a --token t --json",
        "hangar demo --data-dir /d --listen :0"
    )]
    line: &str,
) {
    parse(line).unwrap();
}

#[test]
fn a_wrong_use_is_one_sentence() {
    insta::assert_snapshot!(refusal("hangar serve --lisen x").1, @"unexpected argument '--lisen' found; a similar argument exists: '--listen' (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar token create").1, @"the following required arguments were not provided: --user <EMAIL> (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar token create --user a@b --expires soon").1, @"invalid value 'soon' for '--expires <DURATION>': give a duration such as 30s, 15m, 12h or 90d (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar token create --user a@b --expires 90").1, @"invalid value '90' for '--expires <DURATION>': it has no unit: write 90d for days, 90h for hours, 90m for minutes or 90s for seconds (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar token create --user a@b --expires 0d").1, @"invalid value '0d' for '--expires <DURATION>': give a duration such as 30s, 15m, 12h or 90d (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar gc --quiet --log info").1, @"the argument '--quiet' cannot be used with '--log <LOG>' (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar token create --user a@b --workspace acme").1, @"invalid value 'acme' for '--workspace <WORKSPACE>' [possible values: *] (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar access-key create --prefix a/").1, @"the following required arguments were not provided: --bucket <BUCKET> (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar access-key create --bucket Up").1, @"invalid value 'Up' for '--bucket <BUCKET>': give a bucket's name: 3 to 63 of a-z, 0-9, . and - (--help shows examples)");
    // An unset variable of a script must not make a key for everything.
    insta::assert_snapshot!(refusal("hangar access-key create --bucket=").1, @"invalid value '' for '--bucket <BUCKET>': give a bucket's name: 3 to 63 of a-z, 0-9, . and - (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar access-key create --bucket abc --prefix=").1, @"a value is required for '--prefix <PREFIX>' but none was supplied (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar upload f --entity-type LOGO").1, @"invalid value 'LOGO' for '--entity-type <TYPE>' [possible values: USER_AVATAR, USER_COVER] (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar server /a /b").1, @"unexpected argument '/b' found (--help shows examples)");
    insta::assert_snapshot!(refusal("hangar sever").1, @"unrecognized subcommand 'sever'; some similar subcommands exist: 'user', 'serve', 'server' (--help shows examples)");
}

#[rstest]
#[case("hangar", 2)]
#[case("hangar token", 2)]
#[case("hangar access-key", 2)]
#[case("hangar access-key create --help", 0)]
#[case("hangar access-key revoke", 2)]
#[case("hangar --help", 0)]
#[case("hangar serve --help", 0)]
#[case("hangar --version", 0)]
#[case("hangar serve extra", 2)]
#[case("hangar token revoke", 2)]
fn exit_codes_tell_help_from_wrong_use(#[case] line: &str, #[case] code: u8) {
    assert_eq!(parse(line).unwrap_err().exit_code(), code);
}

#[rstest]
#[case(
    "fsck",
    "Only --repair changes anything",
    "Exits with 0 if nothing is damaged"
)]
#[case("gc", "A server does this by itself", "make sure that no copy")]
#[case(
    "backup",
    "The next backup to the same folder",
    "keep it as safe as the folder"
)]
#[case(
    "restore",
    "Restore a backup",
    "belong to the owner of the target folder"
)]
#[case("rebuild", "Rebuild the database", "A start does the same by itself")]
fn the_help_of_a_command_states_what_it_does_to_the_folder(
    #[case] command: &str,
    #[case] says: &str,
    #[case] and_says: &str,
) {
    let Failure::Help(text) = parse(&format!("hangar {command} --help")).unwrap_err() else {
        panic!("{command}");
    };
    let words: Vec<_> = text.split_whitespace().collect();
    let text = words.join(" ");
    assert!(text.contains(says) && text.contains(and_says), "{text}");
}

/// Runs a command that must fail before it touches anything.
fn failure(line: &str, environment: &[(&str, &str)]) -> Failure {
    let environment = Environment::from_pairs(environment.iter().copied());
    parse(line).unwrap().run(&environment).unwrap_err()
}

#[test]
fn a_wrong_setting_ends_the_start_as_a_wrong_use() {
    let failure = failure("hangar serve", &[("FILE_SIZE_LIMIT", "big")]);
    assert_eq!(failure.exit_code(), 2);
    let Failure::Usage(sentence) = failure else {
        panic!("{failure:?}");
    };
    assert!(sentence.starts_with("FILE_SIZE_LIMIT is \"big\", but must be"));
}

#[rstest]
#[case("hangar server", "`hangar server` needs the data folder")]
#[case(
    "hangar server http://h{1...4}/export",
    "DIR is \"http://h{1...4}/export\", but"
)]
#[case("hangar server /export{1...4}", "DIR is \"/export{1...4}\", but")]
#[case("hangar upload f.png", "an upload needs a token")]
#[case(
    "hangar upload f.png --token t --url ftp://x",
    "\"ftp://x\" is not the address of a server"
)]
#[case(
    "hangar upload f.png --token t --url http://x/path",
    "\"http://x/path\" is not the address of a server"
)]
fn the_error_names_the_missing_or_wrong_part(#[case] line: &str, #[case] says: &str) {
    let Failure::Usage(sentence) = failure(line, &[("HANGAR_DATA_DIR", "")]) else {
        panic!("{line}");
    };
    assert!(sentence.starts_with(says), "{sentence}");
}

#[rstest]
#[case("token list")]
#[case("token create --user a@b.example")]
#[case("token revoke ID")]
#[case("access-key list")]
#[case("access-key create")]
#[case("access-key revoke ID")]
#[case("workspace create acme")]
#[case("rebuild")]
#[case("backup /nowhere")]
fn a_folder_without_data_is_not_made_by_a_command_in_it(#[case] action: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nothing");
    let line = format!("hangar {action} --data-dir {}", path.display());
    assert_eq!(failure(&line, &[]).exit_code(), 1);
    assert!(!path.exists());
}

#[test]
fn a_key_file_without_a_key_ends_the_start_as_a_wrong_use() {
    for line in ["hangar serve", "hangar access-key create"] {
        let failure = failure(line, &[("HANGAR_KEY_FILE", "/dev/null")]);
        assert_eq!(failure.exit_code(), 2);
        let Failure::Usage(sentence) = failure else {
            panic!("{failure:?}");
        };
        insta::allow_duplicates! {
            insta::assert_snapshot!(sentence, @r#"HANGAR_KEY_FILE names "/dev/null", which is empty; `head -c 32 /dev/urandom | base64 > FILE` makes a key file"#);
        }
    }
}

/// A folder, and what a command made of it without a server.
async fn alone(
    folder: &std::path::Path,
    key_file: Option<crate::auth::KeyFile>,
    order: crate::admin::Order,
) -> Result<serde_json::Value, Failure> {
    let environment = Environment::from_pairs([("HANGAR_ALLOW_UNSAFE_FS", "true")]);
    let folder = Flag::given("--data-dir", folder.to_str());
    let store = config::store_config(folder, &environment).unwrap();
    order::carry_out(store, key_file, order).await
}

#[tokio::test]
async fn a_sealed_folder_takes_no_key_from_a_command_without_the_key_file() {
    use crate::admin::Order;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, "01".repeat(32)).unwrap();
    let key_file = crate::auth::KeyFile::read(&path).unwrap();
    let data = folder.path().join("data");
    let create = || Order::AccessKeyCreate {
        name: None,
        limits: crate::auth::KeyLimits::default(),
    };
    let made = alone(&data, Some(key_file), create()).await.unwrap();
    let refused = alone(&data, None, create()).await.unwrap_err();
    insta::assert_debug_snapshot!(refused, @r#"
    Failed(
        "The secrets in this folder are sealed: set HANGAR_KEY_FILE to the file that they were sealed with, so that a new one is sealed too.",
    )
    "#);
    // Ending a key needs no secret: the remedy after the key file was lost.
    let id = made["id"].as_str().unwrap().to_owned();
    alone(&data, None, Order::AccessKeyRevoke { id })
        .await
        .unwrap();
    alone(&data, None, create()).await.unwrap();
}

#[test]
fn only_servers_log_at_info_by_default() {
    let level = |line: &str, environment: &[(&str, &str)]| {
        let environment = Environment::from_pairs(environment.iter().copied());
        parse(line)
            .unwrap()
            .log_settings(&environment)
            .unwrap()
            .level
    };
    assert_eq!(level("hangar serve", &[]), LevelFilter::INFO);
    assert_eq!(level("hangar token list", &[]), LevelFilter::WARN);
    assert_eq!(
        level("hangar demo", &[("HANGAR_LOG", "debug")]),
        LevelFilter::DEBUG
    );
    assert_eq!(
        level("hangar serve --log error", &[("HANGAR_LOG", "debug")]),
        LevelFilter::ERROR
    );
    assert_eq!(
        level("hangar backup /b --quiet", &[("HANGAR_LOG", "debug")]),
        LevelFilter::ERROR
    );
    assert_eq!(
        level("hangar serve", &[("HANGAR_LOG", "")]),
        LevelFilter::INFO
    );
}

#[test]
fn a_table_lines_up_and_numbers_are_grouped() {
    let row = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    insta::assert_snapshot!(terminal::table(&[row(["ID", "NAME"]), row(["longer", "żółw\u{7}"])]), @r"
    ID      NAME
    longer  żółw?
    ");
    assert_eq!(terminal::grouped(1_234_567), "1,234,567");
    assert_eq!(terminal::grouped(123), "123");
    assert_eq!(terminal::grouped(0), "0");
}

/// The text of `hangar serve --help`, and each entry of its environment by the line on which it starts.
fn help_of_serve() -> (String, Vec<String>) {
    let help = match parse("hangar serve --help").unwrap_err() {
        Failure::Help(text) => text,
        other => panic!("{other:?}"),
    };
    let (_, environment) = help.split_once("Environment (").unwrap();
    let mut entries: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in environment.lines() {
        let starts = line.starts_with("  ") && !line.starts_with("   ");
        match entries.last_mut() {
            Some(entry) if !starts || goes_on => {
                entry.push(' ');
                entry.push_str(line.trim());
            }
            _ => entries.push(line.trim().to_owned()),
        }
        // The names of a pair stand on several lines.
        goes_on = line.ends_with(',');
    }
    (help, entries)
}

#[test]
fn the_help_of_serve_lists_the_documented_settings_with_their_defaults() {
    let (help, entries) = help_of_serve();
    let flat: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for row in documented::settings() {
        let name = row.names[0];
        if ["HANGAR_TOKEN", "HANGAR_URL"].contains(&name) {
            continue; // Settings of clients.
        }
        let listed = name.strip_suffix("_FILE").unwrap_or(name);
        assert!(help.contains(listed), "the help lacks {name}");
        let Some(default) = row.default else {
            continue;
        };
        let of_flag = flat
            .split_once(&format!(" [env: {name}]"))
            .and_then(|(before, _)| before.rsplit_once("[default: "))
            .map(|(_, stated)| stated.split([']', ',']).next() == Some(default));
        let entry = entries.iter().find(|entry| entry.starts_with(name));
        let states = match (of_flag, entry) {
            (Some(states), _) => states,
            (None, Some(entry)) => entry.contains(&format!("default {default}")),
            (None, None) => false,
        };
        assert!(
            states,
            "the help does not state the default of {name}: {default}"
        );
    }
}
