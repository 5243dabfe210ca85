use super::*;
use crate::s3::signature::Sigv2;
use rstest::rstest;
use secrecy::ExposeSecret;
use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

fn compose(pairs: &[(&str, &str)]) -> Result<Composed, WrongSetting> {
    let environment = Environment::from_pairs(pairs.iter().copied());
    Config::compose(Role::Standalone, &Flags::default(), &environment)
}

fn config(pairs: &[(&str, &str)]) -> Config {
    compose(pairs).unwrap().config
}

fn flag(name: &'static str, value: &str) -> Flag {
    Flag {
        name,
        value: value.to_owned(),
    }
}

/// The id and secret of the root pair.
fn root_key(config: &Config) -> Option<(&str, &str)> {
    let key = config.root_key.as_ref()?;
    Some((&key.id, key.secret.expose_secret()))
}

#[rstest]
#[case("off", Sigv2::Off)]
#[case("false", Sigv2::Off)]
#[case("presigned", Sigv2::Presigned)]
#[case("Presigned", Sigv2::Presigned)]
#[case("", Sigv2::Presigned)]
#[case("on", Sigv2::On)]
#[case("true", Sigv2::On)]
fn signature_version_2_is_off_or_presigned_or_on(#[case] value: &str, #[case] sigv2: Sigv2) {
    assert_eq!(config(&[("HANGAR_S3_SIGV2", value)]).http.sigv2, sigv2);
}

#[test]
fn nothing_set_is_a_whole_configuration() {
    let mut composed = compose(&[]).unwrap();
    assert_eq!(composed.sources, []);
    assert_eq!(composed.warnings, [""; 0]);
    let data_dir = &mut composed.config.store.data_dir;
    assert_eq!(*data_dir, std::path::absolute("data").unwrap());
    *data_dir = "data".into();
    insta::assert_debug_snapshot!(composed.config, @r#"
    Config {
        store: StoreConfig {
            data_dir: "data",
            allow_unsafe_fs: false,
            multipart_expires: 604800s,
            grace: 86400s,
            min_free_bytes: None,
        },
        assets: AssetsConfig {
            bucket: BucketName(
                "uploads",
            ),
            region: "",
            file_size_limit: 5242880,
            signed_url_expiration: 3600s,
            verify_content: true,
        },
        http: HttpConfig {
            listen: [
                127.0.0.1:9000,
            ],
            public_url: None,
            trusted_proxies: Private,
            cors_allowed_origins: [],
            s3_domain: None,
            region: "",
            sigv2: Presigned,
            safe_reads: true,
            tls: None,
        },
        root_key: None,
        key_file: None,
        rate_limit: Some(
            RateLimit {
                requests: 60,
                window: 60s,
            },
        ),
        standalone: true,
        asset_ages: AssetAges {
            unuploaded: 604800s,
            deleted: 5184000s,
        },
        scrub_interval: Some(
            2592000s,
        ),
    }
    "#);
}

#[test]
fn each_name_reaches_its_setting() {
    let config = config(&[
        ("HANGAR_LISTEN", ":8080"),
        ("HANGAR_DATA_DIR", "/srv/hangar"),
        ("HANGAR_PUBLIC_URL", "https://files.example.com/"),
        ("HANGAR_TRUSTED_PROXIES", "192.0.2.0/24"),
        ("HANGAR_S3_DOMAIN", "s3.example.com"),
        ("HANGAR_S3_SIGV2", "true"),
        ("HANGAR_SAFE_READS", "false"),
        ("HANGAR_MULTIPART_EXPIRES", "36h"),
        ("HANGAR_GRACE", "2h"),
        ("HANGAR_MIN_FREE", "2GiB"),
        ("HANGAR_SCRUB_INTERVAL", "off"),
        ("HANGAR_TLS_CERT", "/etc/hangar/cert.pem"),
        ("HANGAR_TLS_KEY", "/etc/hangar/key.pem"),
        ("HANGAR_VERIFY_CONTENT", "false"),
        ("HANGAR_ALLOW_UNSAFE_FS", "1"),
        ("HANGAR_ACCESS_KEY_ID", "an-access-key"),
        ("HANGAR_SECRET_ACCESS_KEY", "a-secret-of-ours"),
        ("AWS_S3_BUCKET_NAME", "plane-files"),
        ("AWS_REGION", "eu-central-1"),
        ("FILE_SIZE_LIMIT", "10MiB"),
        ("SIGNED_URL_EXPIRATION", "15m"),
        ("API_KEY_RATE_LIMIT", "off"),
        (
            "CORS_ALLOWED_ORIGINS",
            "https://a.example,https://b.example",
        ),
        ("UNUPLOADED_ASSET_DELETE_DAYS", "3"),
        ("HARD_DELETE_AFTER_DAYS", "30"),
    ]);
    insta::assert_debug_snapshot!(config, @r#"
    Config {
        store: StoreConfig {
            data_dir: "/srv/hangar",
            allow_unsafe_fs: true,
            multipart_expires: 129600s,
            grace: 7200s,
            min_free_bytes: Some(
                2147483648,
            ),
        },
        assets: AssetsConfig {
            bucket: BucketName(
                "plane-files",
            ),
            region: "eu-central-1",
            file_size_limit: 10485760,
            signed_url_expiration: 900s,
            verify_content: false,
        },
        http: HttpConfig {
            listen: [
                0.0.0.0:8080,
                [::]:8080,
            ],
            public_url: Some(
                "https://files.example.com",
            ),
            trusted_proxies: Networks(
                [
                    (
                        192.0.2.0,
                        24,
                    ),
                ],
            ),
            cors_allowed_origins: [
                "https://a.example",
                "https://b.example",
            ],
            s3_domain: Some(
                "s3.example.com",
            ),
            region: "eu-central-1",
            sigv2: On,
            safe_reads: false,
            tls: Some(
                TlsFiles {
                    certificate: "/etc/hangar/cert.pem",
                    key: "/etc/hangar/key.pem",
                },
            ),
        },
        root_key: Some(
            AccessKey {
                id: "an-access-key",
                secret: SecretBox<str>([REDACTED]),
                limits: KeyLimits {
                    read_only: false,
                    bucket: None,
                    prefix: None,
                },
            },
        ),
        key_file: None,
        rate_limit: None,
        standalone: true,
        asset_ages: AssetAges {
            unuploaded: 259200s,
            deleted: 2592000s,
        },
        scrub_interval: None,
    }
    "#);
}

#[test]
fn an_empty_value_counts_as_unset_for_every_name() {
    let names = [
        "HANGAR_LISTEN",
        "HANGAR_DATA_DIR",
        "HANGAR_PUBLIC_URL",
        "HANGAR_TRUSTED_PROXIES",
        "HANGAR_S3_DOMAIN",
        "HANGAR_S3_SIGV2",
        "HANGAR_SAFE_READS",
        "HANGAR_MULTIPART_EXPIRES",
        "HANGAR_GRACE",
        "HANGAR_MIN_FREE",
        "HANGAR_SCRUB_INTERVAL",
        "HANGAR_KEY_FILE",
        "HANGAR_TLS_CERT",
        "HANGAR_TLS_KEY",
        "HANGAR_VERIFY_CONTENT",
        "HANGAR_ALLOW_UNSAFE_FS",
        "HANGAR_ACCESS_KEY_ID",
        "HANGAR_ACCESS_KEY_ID_FILE",
        "MINIO_ROOT_USER",
        "MINIO_ROOT_PASSWORD_FILE",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_S3_BUCKET_NAME",
        "AWS_REGION",
        "FILE_SIZE_LIMIT",
        "SIGNED_URL_EXPIRATION",
        "API_KEY_RATE_LIMIT",
        "CORS_ALLOWED_ORIGINS",
        "UNUPLOADED_ASSET_DELETE_DAYS",
        "HARD_DELETE_AFTER_DAYS",
        "HANGAR_LISTN",
    ];
    let composed = compose(&names.map(|name| (name, ""))).unwrap();
    assert_eq!(composed.sources, []);
    assert_eq!(composed.warnings, [""; 0]);
    assert!(composed.config.root_key.is_none());
}

#[test]
fn a_flag_comes_before_the_environment_and_an_empty_flag_is_ignored() {
    let environment = Environment::from_pairs([
        ("HANGAR_LISTEN", "127.0.0.1:1111"),
        ("HANGAR_DATA_DIR", "/from/environment"),
        ("HANGAR_PUBLIC_URL", "https://environment.example"),
    ]);
    let flags = Flags {
        listen: Some(flag("--address", "127.0.0.1:2222")),
        data_dir: Some(flag("DIR", "/from/positional")),
        public_url: Some(flag("--public-url", "")),
    };
    let composed = Config::compose(Role::InPlaceOfMinio, &flags, &environment).unwrap();
    assert_eq!(composed.config.http.listen[0].port(), 2222);
    assert_eq!(
        composed.config.store.data_dir,
        PathBuf::from("/from/positional")
    );
    assert_eq!(
        composed.config.http.public_url.as_deref(),
        Some("https://environment.example")
    );
    let said: Vec<_> = composed.sources.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            r#"DIR="/from/positional""#,
            r#"--address="127.0.0.1:2222""#,
            r#"HANGAR_PUBLIC_URL="https://environment.example""#,
        ]
    );
}

#[test]
fn in_minios_place_all_addresses_are_listened_on_and_no_user_is_made() {
    let composed = Config::compose(
        Role::InPlaceOfMinio,
        &Flags::default(),
        &Environment::default(),
    )
    .unwrap();
    assert!(!composed.config.standalone);
    let listen: Vec<_> = composed
        .config
        .http
        .listen
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(listen, ["0.0.0.0:9000", "[::]:9000"]);
}

const OURS: [(&str, &str); 2] = [
    ("HANGAR_ACCESS_KEY_ID", "ours"),
    ("HANGAR_SECRET_ACCESS_KEY", "our-secret"),
];
const MINIOS: [(&str, &str); 2] = [
    ("MINIO_ROOT_USER", "minios"),
    ("MINIO_ROOT_PASSWORD", "minios-secret"),
];
const PLANES: [(&str, &str); 2] = [
    ("AWS_ACCESS_KEY_ID", "planes"),
    ("AWS_SECRET_ACCESS_KEY", "planes-secret"),
];

#[rstest]
#[case(&[OURS, MINIOS, PLANES], ("ours", "our-secret"))]
#[case(&[MINIOS, PLANES], ("minios", "minios-secret"))]
#[case(&[OURS, PLANES], ("ours", "our-secret"))]
#[case(&[PLANES], ("planes", "planes-secret"))]
fn the_root_pair_is_ours_then_minios_then_planes(
    #[case] pairs: &[[(&str, &str); 2]],
    #[case] expected: (&str, &str),
) {
    assert_eq!(root_key(&config(&pairs.concat())), Some(expected));
}

#[rstest]
fn half_a_pair_is_refused_even_beside_a_whole_one(
    #[values(OURS, MINIOS, PLANES)] pair: [(&str, &str); 2],
    #[values(0, 1)] present: usize,
    #[values(false, true)] beside_a_whole_one: bool,
) {
    let mut pairs = vec![pair[present], (pair[1 - present].0, "")];
    if beside_a_whole_one {
        pairs.extend(
            [OURS, MINIOS]
                .into_iter()
                .find(|other| *other != pair)
                .unwrap(),
        );
    }
    let sentence = compose(&pairs).unwrap_err().to_string();
    let expected = format!("{} is set without {}", pair[present].0, pair[1 - present].0);
    assert!(sentence.starts_with(&expected), "{sentence}");
    assert!(!sentence.contains("secret:"), "{sentence}");
    assert!(!sentence.contains(pair[present].1), "{sentence}");
}

#[test]
fn halves_of_two_pairs_make_no_pair() {
    let sentence = compose(&[MINIOS[0], PLANES[1]]).unwrap_err().to_string();
    insta::assert_snapshot!(sentence, @"MINIO_ROOT_USER is set without MINIO_ROOT_PASSWORD: set both (each may be a file, by MINIO_ROOT_PASSWORD_FILE and its like) or neither");
}

#[test]
fn secrets_are_read_from_files_without_the_line_break_at_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "from a file \r\n").unwrap();
    let path = path.to_str().unwrap();
    for [id, secret] in [OURS, MINIOS, PLANES] {
        let composed = compose(&[id, (&format!("{}_FILE", secret.0), path)]).unwrap();
        assert_eq!(root_key(&composed.config), Some((id.1, "from a file ")));
        let said: Vec<_> = composed.sources.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            [
                format!("{} (not shown)", id.0),
                format!("{}_FILE (not shown)", secret.0)
            ]
        );
    }
}

#[test]
fn a_secret_file_that_is_missing_empty_or_no_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty"), "\n").unwrap();
    std::fs::write(path("long"), "x".repeat(5000)).unwrap();
    std::fs::write(path("binary"), [0xff, 0xfe]).unwrap();
    for (name, says) in [
        ("missing", "cannot be read"),
        ("empty", "is empty"),
        ("long", "is too long"),
        ("binary", "cannot be read"),
    ] {
        let sentence = compose(&[
            ("MINIO_ROOT_USER", "user"),
            ("MINIO_ROOT_PASSWORD_FILE", &path(name)),
        ])
        .unwrap_err()
        .to_string();
        assert!(
            sentence.starts_with("MINIO_ROOT_PASSWORD_FILE names"),
            "{sentence}"
        );
        assert!(sentence.contains(says), "{sentence}");
    }
}

#[test]
fn a_value_and_its_file_together_are_refused() {
    let sentence = compose(&[MINIOS[0], MINIOS[1], ("MINIO_ROOT_USER_FILE", "/x")])
        .unwrap_err()
        .to_string();
    insta::assert_snapshot!(sentence, @"MINIO_ROOT_USER and MINIO_ROOT_USER_FILE are both set: keep one of them");
}

#[test]
fn a_short_secret_only_warns_and_is_never_shown() {
    let composed = compose(&[
        ("MINIO_ROOT_USER", "ab"),
        ("MINIO_ROOT_PASSWORD", "hunter2"),
    ])
    .unwrap();
    assert!(composed.config.root_key.is_some());
    assert_eq!(composed.warnings.len(), 2);
    let everything = format!("{composed:?}");
    assert!(!everything.contains("hunter2"), "{everything}");
}

#[test]
fn an_access_key_that_no_signature_can_carry_is_refused() {
    for id in ["a key", "a,b", "a=b", "key\n"] {
        let sentence = compose(&[
            ("AWS_ACCESS_KEY_ID", id),
            ("AWS_SECRET_ACCESS_KEY", "secret-key"),
        ])
        .unwrap_err()
        .to_string();
        assert!(
            sentence.starts_with("AWS_ACCESS_KEY_ID holds"),
            "{sentence}"
        );
    }
}

#[rstest]
#[case(
    "HANGAR_LISTEN",
    "9000",
    "HANGAR_LISTEN is \"9000\", but must be host:port or :port, such as 127.0.0.1:9000 or :9000"
)]
#[case(
    "HANGAR_PUBLIC_URL",
    "https://a.example/files",
    "HANGAR_PUBLIC_URL is \"https://a.example/files\", but must be a scheme and a host without a path, such as https://files.example.com"
)]
#[case(
    "HANGAR_TRUSTED_PROXIES",
    "all",
    "HANGAR_TRUSTED_PROXIES is \"all\", but must be private, none, or a comma list of addresses and networks such as 10.0.0.0/8, 192.0.2.7 or fd00::/8"
)]
#[case(
    "HANGAR_S3_DOMAIN",
    "https://s3.example.com",
    "HANGAR_S3_DOMAIN is \"https://s3.example.com\", but must be a domain without scheme, port or path, such as s3.example.com"
)]
#[case(
    "HANGAR_S3_SIGV2",
    "maybe",
    "HANGAR_S3_SIGV2 is \"maybe\", but must be off, presigned or on"
)]
#[case(
    "HANGAR_SAFE_READS",
    "never",
    "HANGAR_SAFE_READS is \"never\", but must be true or false"
)]
#[case(
    "HANGAR_MULTIPART_EXPIRES",
    "59s",
    "HANGAR_MULTIPART_EXPIRES is \"59s\", but must be at least 1m, such as 12h or 7d (a bare number is seconds)"
)]
#[case(
    "HANGAR_VERIFY_CONTENT",
    "2",
    "HANGAR_VERIFY_CONTENT is \"2\", but must be true or false"
)]
#[case(
    "HANGAR_ALLOW_UNSAFE_FS",
    "nfs",
    "HANGAR_ALLOW_UNSAFE_FS is \"nfs\", but must be true or false"
)]
#[case(
    "AWS_S3_BUCKET_NAME",
    "My_Bucket",
    "AWS_S3_BUCKET_NAME is \"My_Bucket\", but must be a bucket's name: 3 to 63 of a-z, 0-9, . and -, and neither api nor minio"
)]
#[case(
    "AWS_S3_BUCKET_NAME",
    "minio",
    "AWS_S3_BUCKET_NAME is \"minio\", but must be a bucket's name: 3 to 63 of a-z, 0-9, . and -, and neither api nor minio"
)]
#[case(
    "AWS_REGION",
    "us/east",
    "AWS_REGION is \"us/east\", but must be a region's name of at most 64 letters, digits, - and _, such as us-east-1"
)]
#[case(
    "FILE_SIZE_LIMIT",
    "0",
    "FILE_SIZE_LIMIT is \"0\", but must be a size of at least one byte, such as 5242880, 5MiB or 1GB (a bare number is bytes)"
)]
#[case(
    "FILE_SIZE_LIMIT",
    "5 apples",
    "FILE_SIZE_LIMIT is \"5 apples\", but must be a size of at least one byte, such as 5242880, 5MiB or 1GB (a bare number is bytes)"
)]
#[case(
    "SIGNED_URL_EXPIRATION",
    "soon",
    "SIGNED_URL_EXPIRATION is \"soon\", but must be from 1s to 7d, such as 30s, 15m, 12h or 7d (a bare number is seconds)"
)]
#[case(
    "SIGNED_URL_EXPIRATION",
    "8d",
    "SIGNED_URL_EXPIRATION is \"8d\", but must be from 1s to 7d, such as 30s, 15m, 12h or 7d (a bare number is seconds)"
)]
#[case(
    "API_KEY_RATE_LIMIT",
    "60",
    "API_KEY_RATE_LIMIT is \"60\", but must be N/second, N/minute, N/hour or N/day, such as 60/minute, or off"
)]
#[case(
    "CORS_ALLOWED_ORIGINS",
    "a.example",
    "CORS_ALLOWED_ORIGINS is \"a.example\", but must be a comma list of origins without paths, such as https://plane.example.com, or *"
)]
#[case(
    "UNUPLOADED_ASSET_DELETE_DAYS",
    "-1",
    "UNUPLOADED_ASSET_DELETE_DAYS is \"-1\", but must be a whole number of days, at most 36500"
)]
#[case(
    "HARD_DELETE_AFTER_DAYS",
    "60d",
    "HARD_DELETE_AFTER_DAYS is \"60d\", but must be a whole number of days, at most 36500"
)]
fn a_wrong_value_is_one_sentence_with_name_value_and_what_is_accepted(
    #[case] name: &str,
    #[case] value: &str,
    #[case] sentence: &str,
) {
    assert_eq!(compose(&[(name, value)]).unwrap_err().to_string(), sentence);
}

#[test]
fn a_wrong_flag_is_named_as_it_was_typed() {
    let flags = Flags {
        listen: Some(flag("--listen", "nowhere")),
        ..Flags::default()
    };
    let wrong = Config::compose(Role::Standalone, &flags, &Environment::default()).unwrap_err();
    assert!(
        wrong
            .to_string()
            .starts_with("--listen is \"nowhere\", but")
    );
}

#[test]
fn a_hostile_value_is_shown_short_and_on_one_line() {
    let value = format!("a\nb{}", "x".repeat(10_000));
    let sentence = compose(&[("AWS_REGION", &value)]).unwrap_err().to_string();
    assert!(sentence.len() < 400);
    assert!(!sentence.contains('\n'));
}

#[test]
fn a_slip_in_a_name_of_ours_is_said() {
    let composed = compose(&[("HANGAR_LISTN", ":1"), ("OTHER", "x")]).unwrap();
    assert_eq!(
        composed.warnings,
        ["HANGAR_LISTN is set, but this version of hangar has no such setting; it changes nothing"]
    );
}

#[test]
fn settings_of_minio_without_effect_are_named_with_a_replacement() {
    let composed = compose(&[
        ("MINIO_DOMAIN", "s3.example.com"),
        ("MINIO_ACCESS_KEY", "an-old-name"),
        ("MINIO_BROWSER", "off"),
        ("MINIO_REGION", ""),
        ("MINIO_PORT_9000_TCP", "tcp://10.0.0.1:9000"),
    ])
    .unwrap();
    assert!(composed.config.root_key.is_none());
    insta::assert_debug_snapshot!(composed.warnings, @r#"
    [
        "MINIO_ACCESS_KEY is a setting of MinIO's that changes nothing here: set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD",
        "MINIO_BROWSER is a setting of MinIO's that changes nothing here: hangar has no console",
        "MINIO_DOMAIN is a setting of MinIO's that changes nothing here: set HANGAR_S3_DOMAIN",
    ]
    "#);
}

#[test]
fn a_key_file_is_read_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, format!("{}\n", "ab".repeat(32))).unwrap();
    let mode = |mode| std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    mode(0o600);
    let path = path.to_str().unwrap();
    let composed = compose(&[("HANGAR_KEY_FILE", path)]).unwrap();
    assert_eq!(composed.warnings, [""; 0]);
    assert_eq!(
        composed.sources[0].to_string(),
        format!("HANGAR_KEY_FILE={path:?}")
    );
    let shown = format!("{:?}", composed.config);
    assert!(!shown.contains("171") && !shown.contains("abab"), "{shown}");

    let beside_it = folder.path().to_str().unwrap();
    let inside = compose(&[("HANGAR_KEY_FILE", path), ("HANGAR_DATA_DIR", beside_it)]).unwrap();
    let [warning] = &inside.warnings[..] else {
        panic!("{:?}", inside.warnings)
    };
    assert!(warning.starts_with(&format!("HANGAR_KEY_FILE lies in the data folder ({path})")));
    // By another name too.
    let link = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(folder.path(), link.path().join("data")).unwrap();
    let data = link.path().join("data");
    let linked = [
        ("HANGAR_KEY_FILE", path),
        ("HANGAR_DATA_DIR", data.to_str().unwrap()),
    ];
    assert_eq!(compose(&linked).unwrap().warnings.len(), 1);
    for (open, warned) in [(0o644, "0644"), (0o620, "0620"), (0o604, "0604")] {
        mode(open);
        let composed = compose(&[("HANGAR_KEY_FILE", path)]).unwrap();
        let expected = format!(
            "HANGAR_KEY_FILE names {path}, which other users can read or change (mode {warned}): `chmod 600` it"
        );
        assert_eq!(composed.warnings, [expected]);
    }
}

#[rstest]
#[case(&[], "http://127.0.0.1:9000")]
#[case(&[("HANGAR_LISTEN", ":9377")], "http://127.0.0.1:9377")]
#[case(&[("HANGAR_LISTEN", "192.0.2.1:80")], "http://192.0.2.1:80")]
#[case(&[("HANGAR_LISTEN", "[::]:80")], "http://[::1]:80")]
#[case(&[("HANGAR_LISTEN", "127.0.0.1:0")], "http://127.0.0.1:9000")]
#[case(&[("HANGAR_LISTEN", ":9377"), ("HANGAR_TLS_CERT", "c.pem")], "https://127.0.0.1:9377")]
#[case(&[("HANGAR_LISTEN", ":9377"), ("HANGAR_PUBLIC_URL", "https://files.example.com")], "https://files.example.com")]
#[case(&[("HANGAR_URL", "http://a:1"), ("HANGAR_PUBLIC_URL", "https://files.example.com")], "http://a:1")]
fn a_client_finds_the_server_by_the_servers_own_settings(
    #[case] environment: &[(&str, &str)],
    #[case] url: &str,
) {
    let environment = Environment::from_pairs(environment.iter().copied());
    assert_eq!(client_url(&environment).unwrap(), url);
}

#[test]
fn a_key_file_without_a_key_is_refused() {
    insta::assert_snapshot!(compose(&[("HANGAR_KEY_FILE", "/dev/null")]).unwrap_err(), @r#"HANGAR_KEY_FILE names "/dev/null", which is empty; `head -c 32 /dev/urandom | base64 > FILE` makes a key file"#);
}

#[rstest]
#[case("HANGAR_TLS_CERT", "HANGAR_TLS_KEY")]
#[case("HANGAR_TLS_KEY", "HANGAR_TLS_CERT")]
fn a_certificate_needs_its_key(#[case] present: &str, #[case] absent: &str) {
    let sentence = compose(&[(present, "x.pem"), (absent, "")])
        .unwrap_err()
        .to_string();
    assert_eq!(
        sentence,
        format!("{present} is set, but {absent} is not: set both")
    );
}

#[test]
fn addresses_begin_with_https_where_there_is_a_certificate() {
    assert_eq!(config(&[]).scheme(), "http");
    let tls = [("HANGAR_TLS_CERT", "c.pem"), ("HANGAR_TLS_KEY", "k.pem")];
    assert_eq!(config(&tls).scheme(), "https");
}

#[test]
fn a_value_that_is_not_utf8_is_refused() {
    use std::os::unix::ffi::OsStringExt;
    let environment =
        Environment::from_pairs([("AWS_REGION", std::ffi::OsString::from_vec(vec![0xff]))]);
    let wrong = Config::compose(Role::Standalone, &Flags::default(), &environment).unwrap_err();
    assert_eq!(wrong.to_string(), "AWS_REGION is not UTF-8: write it anew");
}

#[test]
fn the_environment_shows_names_only() {
    let environment = Environment::from_pairs([("HANGAR_TOKEN", "plane_api_secret")]);
    assert_eq!(format!("{environment:?}"), r#"{"HANGAR_TOKEN"}"#);
}

#[test]
fn commands_find_the_folder_as_the_server_does() {
    let environment = Environment::from_pairs([("HANGAR_DATA_DIR", "/srv/hangar")]);
    let found = |flag| store_config(flag, &environment).unwrap().data_dir;
    assert_eq!(found(None), PathBuf::from("/srv/hangar"));
    assert_eq!(
        found(Some(flag("--data-dir", "/other"))),
        PathBuf::from("/other")
    );
}

#[test]
fn the_documented_settings_are_those_that_are_read() {
    // These two are for tests of builds with debug assertions.
    let read: BTreeSet<_> = variables::NAMES
        .iter()
        .copied()
        .filter(|name| !matches!(*name, "CRASH_AT" | "FAULT_AT"))
        .collect();
    let rows = documented::settings();
    let documented: BTreeSet<_> = rows.into_iter().flat_map(|row| row.names).collect();
    let missing: Vec<_> = read.difference(&documented).collect();
    assert!(missing.is_empty(), "docs/settings.md lacks {missing:?}");
    let unknown: Vec<_> = documented.difference(&read).collect();
    assert!(
        unknown.is_empty(),
        "docs/settings.md has {unknown:?}, which is no setting"
    );
}

#[test]
fn the_documented_defaults_are_those_of_the_code() {
    let unset = format!("{:?}", config(&[]));
    let mut without_a_value = Vec::new();
    for row in documented::settings() {
        let name = row.names[0];
        let Some(default) = row.default else {
            without_a_value.push(name);
            continue;
        };
        if name == "HANGAR_LOG" {
            continue; // `cli` has the default, which differs by command.
        }
        let set = format!("{:?}", config(&[(name, default)]));
        assert_eq!(set, unset, "{name}={default} is not the default");
    }
    let expected = [
        "HANGAR_PUBLIC_URL",
        "HANGAR_TRUSTED_PROXIES",
        "HANGAR_TLS_CERT",
        "HANGAR_KEY_FILE",
        "HANGAR_MIN_FREE",
        "HANGAR_S3_DOMAIN",
        "HANGAR_ACCESS_KEY_ID",
        "HANGAR_ACCESS_KEY_ID_FILE",
        "AWS_REGION",
        "CORS_ALLOWED_ORIGINS",
        "HANGAR_TOKEN",
        "HANGAR_URL",
    ];
    assert_eq!(without_a_value, expected);
}

#[test]
fn the_documented_units_are_those_of_the_code() {
    let (durations, sizes) = documented::quantities();
    let units: BTreeSet<_> = durations
        .iter()
        .map(|text| text.trim_start_matches(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(units, BTreeSet::from(["s", "m", "h", "d"]));
    for text in durations {
        assert!(parse_duration(text).is_some(), "{text}");
    }
    assert_eq!(sizes, ["5MiB", "1GB"]);
    for text in sizes {
        assert!(parse_size(text).is_some(), "{text}");
    }
    assert_eq!(parse_duration("90"), Some(Duration::from_secs(90)));
    assert_eq!(parse_size("90"), Some(90));
}
