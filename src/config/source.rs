//! Where a setting came from, for the log.

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
