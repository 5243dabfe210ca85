//! The configuration of a running server.

use crate::assets::AssetAges;
use crate::assets::AssetsConfig;
use crate::auth::{AccessKey, KeyFile};
use crate::config::environment::Environment;
use crate::config::error::WrongSetting;
use crate::config::flags::{Flags, Role};
use crate::config::minio;
use crate::config::quantity::{self, parse_duration};
use crate::config::settings::Settings;
use crate::config::source::Source;
use crate::http::{HttpConfig, RateLimit};
use crate::store::StoreConfig;
use std::time::Duration;

/// Longer than a copy of the folder takes.
const DEFAULT_SCRUB_INTERVAL: Duration = Duration::from_hours(30 * 24);

/// Plane: 60 requests in any 60 seconds for each personal token.
const DEFAULT_RATE_LIMIT: RateLimit = RateLimit {
    requests: 60,
    window: Duration::from_mins(1),
};

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

/// A configuration, and what the server logs about it at the start.
#[derive(Debug, Clone)]
pub struct Composed {
    pub config: Config,
    pub sources: Vec<Source>,
    /// Sentences about settings that are valid but may not be intended.
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

    /// The scheme of the server's address.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        match self.http.tls {
            Some(_) => "https",
            None => "http",
        }
    }
}
