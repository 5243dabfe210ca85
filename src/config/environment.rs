//! The environment of the process, read once into a map. The only place that names `std::env`.

use super::{WrongSetting, minio};
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Every variable that hangar reads, in `serve`, `server` or a command.
pub(super) const NAMES: &[&str] = &[
    "API_KEY_RATE_LIMIT",
    "AWS_ACCESS_KEY_ID",
    "AWS_ACCESS_KEY_ID_FILE",
    "AWS_REGION",
    "AWS_S3_BUCKET_NAME",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_ACCESS_KEY_FILE",
    "CORS_ALLOWED_ORIGINS",
    "CRASH_AT",
    "FAULT_AT",
    "FILE_SIZE_LIMIT",
    "HANGAR_ACCESS_KEY_ID",
    "HANGAR_ACCESS_KEY_ID_FILE",
    "HANGAR_ALLOW_UNSAFE_FS",
    "HANGAR_DATA_DIR",
    "HANGAR_GRACE",
    "HANGAR_KEY_FILE",
    "HANGAR_LISTEN",
    "HANGAR_LOG",
    "HANGAR_MIN_FREE",
    "HANGAR_MULTIPART_EXPIRES",
    "HANGAR_PUBLIC_URL",
    "HANGAR_S3_DOMAIN",
    "HANGAR_S3_SIGV2",
    "HANGAR_SAFE_READS",
    "HANGAR_SCRUB_INTERVAL",
    "HANGAR_SECRET_ACCESS_KEY",
    "HANGAR_SECRET_ACCESS_KEY_FILE",
    "HANGAR_TLS_CERT",
    "HANGAR_TLS_KEY",
    "HANGAR_TOKEN",
    "HANGAR_TRUSTED_PROXIES",
    "HANGAR_URL",
    "HANGAR_VERIFY_CONTENT",
    "HARD_DELETE_AFTER_DAYS",
    "MINIO_ROOT_PASSWORD",
    "MINIO_ROOT_PASSWORD_FILE",
    "MINIO_ROOT_USER",
    "MINIO_ROOT_USER_FILE",
    "SIGNED_URL_EXPIRATION",
    "UNUPLOADED_ASSET_DELETE_DAYS",
];

/// Variables by name, without the empty ones: compose files pass `X: ${X:-}`, so empty means unset.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The environment of this process.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the environment"
    )]
    pub fn from_process() -> Self {
        Self::keep(std::env::vars_os())
    }

    /// An environment made of these pairs alone, for tests.
    pub fn from_pairs<N, V>(pairs: impl IntoIterator<Item = (N, V)>) -> Self
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        Self::keep(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }

    fn keep(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        Self(
            variables
                .filter(|(_, value)| !value.is_empty())
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
                .filter(|(name, _)| {
                    NAMES.contains(&name.as_str())
                        || name.starts_with("HANGAR_")
                        || minio::names().any(|known| known == name)
                })
                .collect(),
        )
    }

    /// The value of a variable; `None` where it is unset or empty.
    /// # Errors
    /// When it is not UTF-8.
    pub fn get(&self, name: &str) -> Result<Option<&str>, WrongSetting> {
        debug_assert!(NAMES.contains(&name), "{name} is missing in the list");
        self.0
            .get(name)
            .map(|value| {
                value.to_str().ok_or_else(|| {
                    WrongSetting::Sentence(format!("{name} is not UTF-8: write it anew"))
                })
            })
            .transpose()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Names in our own space that mean nothing: most often a slip of the hand.
    pub(super) fn unknown_names(&self) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .map(String::as_str)
            .filter(|name| name.starts_with("HANGAR_") && !NAMES.contains(name))
    }
}

/// Names only: values may be secrets.
impl std::fmt::Debug for Environment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
