//! What the command line may set, and the two ways to run a server.

/// The value of a flag or a positional argument. An empty value counts as unset here too.
#[derive(Debug, Clone)]
pub struct Flag {
    /// As it is typed: `--listen`, `DIR`.
    pub name: &'static str,
    pub value: String,
}

impl Flag {
    /// A flag of the command line; `None` where it was not given.
    #[must_use]
    pub fn given(name: &'static str, value: Option<&str>) -> Option<Self> {
        value.map(|value| Self {
            name,
            value: value.to_owned(),
        })
    }
}

/// What the command line of a server may say.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    pub listen: Option<Flag>,
    pub data_dir: Option<Flag>,
    pub public_url: Option<Flag>,
}

/// The two ways to run a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `hangar serve`
    Standalone,
    /// `hangar server DIR`
    InPlaceOfMinio,
}
