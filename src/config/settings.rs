//! Reads the settings one by one, by the modules that they are for, and remembers where each came from.

use crate::assets::{AssetAges, AssetsConfig};
use crate::auth::{AccessKey, KeyFile};
use crate::config::address;
use crate::config::environment::Environment;
use crate::config::error::WrongSetting;
use crate::config::flags::{Flag, Flags, Role};
use crate::config::key_pair;
use crate::config::quantity::{self, parse_duration, parse_size};
use crate::config::source::Source;
use crate::http::{HttpConfig, TlsFiles, TrustedProxies};
use crate::s3::BucketName;
use crate::s3::signature::Sigv2;
use crate::store::StoreConfig;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where `hangar serve` listens by default: on this machine only.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:9000";

/// Where `hangar server DIR` listens, as MinIO does: all addresses, IPv4 and IPv6.
pub const DEFAULT_MINIO_LISTEN: &str = ":9000";

/// The data folder of `hangar serve`.
pub const DEFAULT_DATA_DIR: &str = "data";

const DEFAULT_BUCKET: &str = "uploads";

const DEFAULT_FILE_SIZE_LIMIT_BYTES: u64 = 5_242_880;

const DEFAULT_GRACE: Duration = Duration::from_hours(24);

/// As MinIO and most lifecycle rules have it: a week.
const DEFAULT_MULTIPART_EXPIRES: Duration = Duration::from_hours(7 * 24);

const DEFAULT_SIGNED_URL_EXPIRATION: Duration = Duration::from_hours(1);

/// AWS: a presigned URL holds for at most seven days.
const MAX_SIGNED_URL_EXPIRATION: Duration = Duration::from_hours(7 * 24);

const DEFAULT_UNUPLOADED_ASSET_DELETE_DAYS: u64 = 7;

const DEFAULT_HARD_DELETE_AFTER_DAYS: u64 = 60;

/// Reads settings one by one and remembers where each came from.
pub(super) struct Settings<'a> {
    pub(super) environment: &'a Environment,
    pub(super) sources: Vec<Source>,
}

impl<'a> Settings<'a> {
    pub(super) fn new(environment: &'a Environment) -> Self {
        Self {
            environment,
            sources: Vec::new(),
        }
    }

    /// The flag, else the variable; `None` where both are unset or empty.
    pub(super) fn read<T>(
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

    pub(super) fn store(&mut self, flags: &Flags) -> Result<StoreConfig, WrongSetting> {
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

    pub(super) fn http(&mut self, role: Role, flags: &Flags) -> Result<HttpConfig, WrongSetting> {
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

    pub(super) fn assets(&mut self, region: &str) -> Result<AssetsConfig, WrongSetting> {
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

    /// A row is kept at least as long as its upload policy holds.
    pub(super) fn asset_ages(&mut self, policy_holds: Duration) -> Result<AssetAges, WrongSetting> {
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

    pub(super) fn key_file(&mut self) -> Result<Option<KeyFile>, WrongSetting> {
        let path = self.read(None, "HANGAR_KEY_FILE", "a file", |text| {
            Some(PathBuf::from(text))
        })?;
        path.map(|path| KeyFile::read(&path))
            .transpose()
            .map_err(WrongSetting::Sentence)
    }

    pub(super) fn root_key(&mut self) -> Result<(Option<AccessKey>, Vec<String>), WrongSetting> {
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
