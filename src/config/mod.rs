//! The settings of a start: composed from the modules' own, read from flags and the environment once.
//!
//! Each setting comes from the first of: a flag or positional, `HANGAR_*`, `MINIO_ROOT_*`, `AWS_*` (and Plane's other
//! names), the default. Compose files pass `X: ${X:-}`, so an empty value counts as unset. A wrong value is a
//! [`WrongSetting`]: one sentence that names the setting, what it holds (never of a secret) and what is accepted.
//!
//! Everything else in the house takes values from here and never reads the environment itself.

mod address;
mod environment;
mod key_pair;
mod minio;
mod quantity;
#[cfg(test)]
mod tests;

use crate::http::{HttpConfig, RateLimit, TlsFiles, TrustedProxies};
pub use address::on_this_machine;
pub use environment::Environment;
pub use quantity::{parse_duration, parse_size};

use crate::assets::{AssetAges, AssetsConfig};
use crate::auth::{AccessKey, KeyFile};
use crate::s3::BucketName;
use crate::s3::signature::Sigv2;
use crate::store::StoreConfig;
use crate::telemetry::LogSettings;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where `hangar serve` listens unless told otherwise: nobody but this machine.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9000";
/// Where `hangar server DIR` listens, as MinIO does: all addresses, IPv4 and IPv6.
pub const DEFAULT_MINIO_LISTEN: &str = ":9000";
/// The data folder of `hangar serve`.
pub const DEFAULT_DATA_DIR: &str = "data";
const DEFAULT_BUCKET: &str = "uploads";
const DEFAULT_FILE_SIZE_LIMIT_BYTES: u64 = 5_242_880;
/// Longer than a copy of the folder takes.
const DEFAULT_SCRUB_INTERVAL: Duration = Duration::from_hours(30 * 24);
const DEFAULT_GRACE: Duration = Duration::from_hours(24);
/// As MinIO and most lifecycle rules have it: a week.
const DEFAULT_MULTIPART_EXPIRES: Duration = Duration::from_hours(7 * 24);
const DEFAULT_SIGNED_URL_EXPIRATION: Duration = Duration::from_hours(1);
/// AWS: a presigned URL holds for at most seven days.
const MAX_SIGNED_URL_EXPIRATION: Duration = Duration::from_hours(7 * 24);
/// Plane: 60 requests in any 60 seconds for each personal token.
const DEFAULT_RATE_LIMIT: RateLimit = RateLimit {
    requests: 60,
    window: Duration::from_mins(1),
};
const DEFAULT_UNUPLOADED_ASSET_DELETE_DAYS: u64 = 7;
const DEFAULT_HARD_DELETE_AFTER_DAYS: u64 = 60;

/// All that a running server needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    pub store: StoreConfig,
    pub assets: AssetsConfig,
    pub http: HttpConfig,
    /// A root pair from the environment; `None`: made once and kept in `@hangar/keys`.
    pub root_key: Option<AccessKey>,
    /// `HANGAR_KEY_FILE`: seals the secrets of access keys where they lie.
    pub key_file: Option<KeyFile>,
    /// `API_KEY_RATE_LIMIT`; `None`: off.
    pub rate_limit: Option<RateLimit>,
    /// `hangar serve` makes `admin@localhost` on a new folder; `hangar server DIR` makes no user.
    pub standalone: bool,
    pub asset_ages: AssetAges,
    /// `HANGAR_SCRUB_INTERVAL`: in which all stored bytes are read once; `None`: never.
    pub scrub_interval: Option<Duration>,
}

/// A setting that stops the start. Its text is one sentence for the person who set it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WrongSetting {
    #[error("{setting} is {value:?}, but must be {accepted}")]
    Value {
        setting: String,
        value: String,
        accepted: &'static str,
    },
    #[error("{0}")]
    Sentence(String),
}

/// What a flag or positional said. An empty value counts as unset here too.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As it is typed: `--listen`, `DIR`.
    pub name: &'static str,
    pub value: String,
}

/// What the command line of a server may say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub listen: Option<Flag>,
    pub data_dir: Option<Flag>,
    pub public_url: Option<Flag>,
}

/// The two ways to run (DESIGN: *Two ways to run, one binary*).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `hangar serve`
    Standalone,
    /// `hangar server DIR`
    InPlaceOfMinio,
}

/// Where a setting that is not at its default came from, to be logged at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The flag or the variable.
    pub name: String,
    /// `None` for a secret.
    pub value: Option<String>,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}={value:?}", self.name),
            None => write!(f, "{} (not shown)", self.name),
        }
    }
}

/// A configuration, and what to say about it at the start.
#[derive(Debug, Clone)]
pub struct Composed {
    pub config: Config,
    pub sources: Vec<Source>,
    /// Sentences about settings that hold but may not be what was meant.
    pub warnings: Vec<String>,
}

impl Config {
    /// # Errors
    /// The first setting that is wrong.
    pub fn compose(
        role: Role,
        flags: &Flags,
        environment: &Environment,
    ) -> Result<Composed, WrongSetting> {
        let mut settings = Settings::new(environment);
        let store = settings.store(flags)?;
        let http = settings.http(role, flags)?;
        let assets = settings.assets(&http.region)?;
        let asset_ages = settings.asset_ages(assets.signed_url_expiration)?;
        let scrub_interval = settings.read(
            None,
            "HANGAR_SCRUB_INTERVAL",
            "at least 1h, such as 7d or 30d (a bare number is seconds), or off",
            |text| match text {
                "off" => Some(None),
                text => parse_duration(text)
                    .filter(|interval| *interval >= Duration::from_hours(1))
                    .map(Some),
            },
        )?;
        let scrub_interval = scrub_interval.unwrap_or(Some(DEFAULT_SCRUB_INTERVAL));
        let (root_key, mut warnings) = settings.root_key()?;
        let key_file = settings.key_file()?;
        if let Some(key_file) = &key_file {
            warnings.extend(KeyFile::warnings(key_file.path(), &store.data_dir));
        }
        let config = Self {
            store,
            assets,
            http,
            root_key,
            key_file,
            rate_limit: settings
                .read(
                    None,
                    "API_KEY_RATE_LIMIT",
                    quantity::RATE_LIMIT,
                    quantity::parse_rate_limit,
                )?
                .unwrap_or(Some(DEFAULT_RATE_LIMIT)),
            standalone: role == Role::Standalone,
            asset_ages,
            scrub_interval,
        };
        warnings.extend(environment.unknown_names().map(|name| {
            format!(
                "{name} is set, but this version of hangar has no such setting; it changes nothing"
            )
        }));
        warnings.extend(minio::warnings(environment));
        Ok(Composed {
            config,
            sources: settings.sources,
            warnings,
        })
    }

    /// What clients put before the address.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.http.tls {
            Some(_) => "https",
            None => "http",
        }
    }
}

/// Where a command finds its data folder.
/// # Errors
/// When a setting of the store is wrong.
pub fn store_config(
    data_dir: Option<Flag>,
    environment: &Environment,
) -> Result<StoreConfig, WrongSetting> {
    Settings::new(environment).store(&Flags {
        data_dir,
        ..Flags::default()
    })
}

/// How long assets stay that nobody needs, of a command that clears away.
/// # Errors
/// When one is wrong.
pub fn asset_ages(environment: &Environment) -> Result<AssetAges, WrongSetting> {
    let mut settings = Settings::new(environment);
    let policy_holds = settings.assets("")?.signed_url_expiration;
    settings.asset_ages(policy_holds)
}

/// The key file of a command that makes a secret.
/// # Errors
/// When it holds no key.
pub fn key_file(environment: &Environment) -> Result<Option<KeyFile>, WrongSetting> {
    Settings::new(environment).key_file()
}

/// What is to be warned of about the key file, where there is one: who may read it, and where it lies.
/// # Errors
/// When its name is not UTF-8.
pub fn key_file_warnings(
    environment: &Environment,
    data_dir: &Path,
) -> Result<Vec<String>, WrongSetting> {
    let path = environment.get("HANGAR_KEY_FILE")?.map(str::trim);
    Ok(path.map_or_else(Vec::new, |path| {
        KeyFile::warnings(Path::new(path), data_dir)
    }))
}

/// Where a client on this machine finds the server: `HANGAR_URL`, else where the server's own settings say that it is.
/// # Errors
/// When one of them is wrong.
pub fn client_url(environment: &Environment) -> Result<String, WrongSetting> {
    if let Some(url) = environment.get("HANGAR_URL")? {
        return Ok(url.to_owned());
    }
    let mut settings = Settings::new(environment);
    let public_url = settings.read(
        None,
        "HANGAR_PUBLIC_URL",
        address::PUBLIC_URL,
        address::parse_public_url,
    )?;
    if let Some(url) = public_url {
        return Ok(url);
    }
    let listen = settings.read(
        None,
        "HANGAR_LISTEN",
        address::LISTEN,
        address::parse_listen,
    )?;
    let listen = listen.or_else(|| address::parse_listen(DEFAULT_LISTEN));
    let listen = listen.expect("the default is an address");
    // A port of 0 is another one at each start.
    let port = listen.first().map_or(0, SocketAddr::port);
    if port == 0 {
        return Ok(format!("http://{DEFAULT_LISTEN}"));
    }
    let scheme = match environment.get("HANGAR_TLS_CERT")? {
        Some(_) => "https",
        None => "http",
    };
    Ok(address::on_this_machine(scheme, &listen, port))
}

/// How much is logged, and how; `None`: not said.
/// # Errors
/// When it is no level.
pub fn log_settings(
    flag: Option<&Flag>,
    environment: &Environment,
) -> Result<Option<LogSettings>, WrongSetting> {
    Settings::new(environment).read(
        flag,
        "HANGAR_LOG",
        LogSettings::ACCEPTED,
        LogSettings::parse,
    )
}

/// Reads settings one by one and remembers where each came from.
struct Settings<'a> {
    environment: &'a Environment,
    sources: Vec<Source>,
}

impl<'a> Settings<'a> {
    fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            sources: Vec::new(),
        }
    }

    /// The flag, else the variable; `None` where both are unset or empty.
    fn read<T>(
        &mut self,
        flag: Option<&Flag>,
        variable: &'static str,
        accepted: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, WrongSetting> {
        let flag = flag.filter(|flag| !flag.value.is_empty());
        let (name, text) = match (flag, self.environment.get(variable)?) {
            (Some(flag), _) => (flag.name, flag.value.as_str()),
            (None, Some(text)) => (variable, text),
            (None, None) => return Ok(None),
        };
        let Some(value) = parse(text.trim()) else {
            return Err(WrongSetting::Value {
                setting: name.to_owned(),
                value: shortened(text),
                accepted,
            });
        };
        self.sources.push(Source {
            name: name.to_owned(),
            value: Some(shortened(text)),
        });
        Ok(Some(value))
    }

    fn store(&mut self, flags: &Flags) -> Result<StoreConfig, WrongSetting> {
        Ok(StoreConfig {
            data_dir: absolute(
                &self
                    .read(
                        flags.data_dir.as_ref(),
                        "HANGAR_DATA_DIR",
                        "a folder",
                        |text| Some(PathBuf::from(text)),
                    )?
                    .unwrap_or_else(|| PathBuf::from(DEFAULT_DATA_DIR)),
            )?,
            allow_unsafe_fs: self
                .read(
                    None,
                    "HANGAR_ALLOW_UNSAFE_FS",
                    quantity::SWITCH,
                    quantity::parse_switch,
                )?
                .unwrap_or(false),
            multipart_expires: self
                .read(
                    None,
                    "HANGAR_MULTIPART_EXPIRES",
                    "at least 1m, such as 12h or 7d (a bare number is seconds)",
                    |text| {
                        parse_duration(text).filter(|duration| *duration >= Duration::from_mins(1))
                    },
                )?
                .unwrap_or(DEFAULT_MULTIPART_EXPIRES),
            grace: self
                .read(
                    None,
                    "HANGAR_GRACE",
                    "at least 1s, such as 12h or 7d (a bare number is seconds)",
                    |text| parse_duration(text).filter(|grace| !grace.is_zero()),
                )?
                .unwrap_or(DEFAULT_GRACE),
            min_free_bytes: self.read(None, "HANGAR_MIN_FREE", quantity::SIZE, parse_size)?,
        })
    }

    fn tls(&mut self) -> Result<Option<TlsFiles>, WrongSetting> {
        let mut file = |variable| {
            self.read(None, variable, "a PEM file", |text| {
                Some(PathBuf::from(text))
            })
        };
        match (file("HANGAR_TLS_CERT")?, file("HANGAR_TLS_KEY")?) {
            (None, None) => Ok(None),
            (Some(certificate), Some(key)) => Ok(Some(TlsFiles { certificate, key })),
            (Some(_), None) => Err(WrongSetting::Sentence(
                "HANGAR_TLS_CERT is set, but HANGAR_TLS_KEY is not: set both".to_owned(),
            )),
            (None, Some(_)) => Err(WrongSetting::Sentence(
                "HANGAR_TLS_KEY is set, but HANGAR_TLS_CERT is not: set both".to_owned(),
            )),
        }
    }

    fn http(&mut self, role: Role, flags: &Flags) -> Result<HttpConfig, WrongSetting> {
        let listen = self.read(
            flags.listen.as_ref(),
            "HANGAR_LISTEN",
            address::LISTEN,
            address::parse_listen,
        )?;
        let default = match role {
            Role::Standalone => DEFAULT_LISTEN,
            Role::InPlaceOfMinio => DEFAULT_MINIO_LISTEN,
        };
        Ok(HttpConfig {
            listen: match listen {
                Some(addresses) => addresses,
                None => address::parse_listen(default).expect("the defaults are addresses"),
            },
            public_url: self.read(
                flags.public_url.as_ref(),
                "HANGAR_PUBLIC_URL",
                address::PUBLIC_URL,
                address::parse_public_url,
            )?,
            trusted_proxies: self
                .read(
                    None,
                    "HANGAR_TRUSTED_PROXIES",
                    TrustedProxies::ACCEPTED,
                    TrustedProxies::parse,
                )?
                .unwrap_or(TrustedProxies::Private),
            cors_allowed_origins: self
                .read(
                    None,
                    "CORS_ALLOWED_ORIGINS",
                    address::ORIGINS,
                    address::parse_origins,
                )?
                .unwrap_or_default(),
            s3_domain: self.read(
                None,
                "HANGAR_S3_DOMAIN",
                address::DOMAIN,
                address::parse_domain,
            )?,
            region: self
                .read(None, "AWS_REGION", address::REGION, address::parse_region)?
                .unwrap_or_default(),
            sigv2: self
                .read(None, "HANGAR_S3_SIGV2", Sigv2::ACCEPTED, Sigv2::parse)?
                .unwrap_or_default(),
            safe_reads: self
                .read(
                    None,
                    "HANGAR_SAFE_READS",
                    quantity::SWITCH,
                    quantity::parse_switch,
                )?
                .unwrap_or(true),
            tls: self.tls()?,
        })
    }

    fn assets(&mut self, region: &str) -> Result<AssetsConfig, WrongSetting> {
        let bucket = self.read(
            None,
            "AWS_S3_BUCKET_NAME",
            "a bucket's name: 3 to 63 of a-z, 0-9, . and -, and neither api nor minio",
            |text| BucketName::parse_new(text).ok(),
        )?;
        Ok(AssetsConfig {
            bucket: match bucket {
                Some(bucket) => bucket,
                None => BucketName::parse_new(DEFAULT_BUCKET).expect("the default is a name"),
            },
            region: region.to_owned(),
            file_size_limit: self
                .read(None, "FILE_SIZE_LIMIT", quantity::SIZE, |text| {
                    parse_size(text).filter(|bytes| *bytes > 0)
                })?
                .unwrap_or(DEFAULT_FILE_SIZE_LIMIT_BYTES),
            signed_url_expiration: self
                .read(
                    None,
                    "SIGNED_URL_EXPIRATION",
                    "from 1s to 7d, such as 30s, 15m, 12h or 7d (a bare number is seconds)",
                    |text| {
                        parse_duration(text).filter(|duration| {
                            !duration.is_zero() && *duration <= MAX_SIGNED_URL_EXPIRATION
                        })
                    },
                )?
                .unwrap_or(DEFAULT_SIGNED_URL_EXPIRATION),
            verify_content: self
                .read(
                    None,
                    "HANGAR_VERIFY_CONTENT",
                    quantity::SWITCH,
                    quantity::parse_switch,
                )?
                .unwrap_or(true),
        })
    }

    /// A row outlives the policy that it was given.
    fn asset_ages(&mut self, policy_holds: Duration) -> Result<AssetAges, WrongSetting> {
        let mut days = |variable, default: u64| {
            let days = self
                .read(None, variable, quantity::DAYS, quantity::parse_days)?
                .unwrap_or(default);
            Ok(Duration::from_hours(days * 24))
        };
        let unuploaded = days(
            "UNUPLOADED_ASSET_DELETE_DAYS",
            DEFAULT_UNUPLOADED_ASSET_DELETE_DAYS,
        )?;
        Ok(AssetAges {
            unuploaded: unuploaded.max(policy_holds),
            deleted: days("HARD_DELETE_AFTER_DAYS", DEFAULT_HARD_DELETE_AFTER_DAYS)?,
        })
    }

    fn key_file(&mut self) -> Result<Option<KeyFile>, WrongSetting> {
        let path = self.read(None, "HANGAR_KEY_FILE", "a file", |text| {
            Some(PathBuf::from(text))
        })?;
        path.map(|path| KeyFile::read(&path))
            .transpose()
            .map_err(WrongSetting::Sentence)
    }

    fn root_key(&mut self) -> Result<(Option<AccessKey>, Vec<String>), WrongSetting> {
        let Some(found) = key_pair::find(self.environment)? else {
            return Ok((None, Vec::new()));
        };
        self.sources.extend(
            found
                .names
                .into_iter()
                .map(|name| Source { name, value: None }),
        );
        Ok((Some(found.key), found.warnings))
    }
}

/// So that each sentence names a folder that can be found from anywhere.
fn absolute(data_dir: &Path) -> Result<PathBuf, WrongSetting> {
    std::path::absolute(data_dir).map_err(|error| {
        let shown = data_dir.display();
        WrongSetting::Sentence(format!(
            "the data folder {shown} is a relative path, and the current folder cannot be found ({error}): write an absolute path in HANGAR_DATA_DIR or --data-dir"
        ))
    })
}

/// A value as it is shown in a sentence or a log line: bounded, for it may be anything.
fn shortened(text: &str) -> String {
    const SHOWN_CHARS: usize = 120;
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
