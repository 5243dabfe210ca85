//! The environment of the process, read once into a map. The only place that names `std::env`.

use crate::config::error::WrongSetting;
use crate::config::variables::{NAMES, NAMES_OF_MINIO};
use std::collections::BTreeMap;
use std::ffi::OsString;

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
                        || NAMES_OF_MINIO.iter().any(|(known, _)| *known == name)
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

    /// Names with the prefix `HANGAR_` that hangar does not know: most often a typing error.
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
