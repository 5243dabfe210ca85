//! All settings: composed from the modules' own, read once from flags and the environment.
//!
//! Each setting comes from the first of: a flag or positional argument, `HANGAR_*`, `MINIO_ROOT_*`, `AWS_*` (and Plane's other
//! names), the default. Compose files pass `X: ${X:-}`, so an empty value counts as unset. A wrong value is a
//! [`WrongSetting`]: one sentence that names the setting, what it holds (never of a secret) and what is accepted.
//!
//! All other modules take values from here and never read the environment themselves.

mod address;
mod commands;
#[cfg(test)]
pub(crate) mod documented;
mod environment;
mod error;
mod flags;
mod key_pair;
mod minio;
mod quantity;
mod server;
mod settings;
mod source;
#[cfg(test)]
mod tests;
mod variables;

pub use address::on_this_machine;
pub use commands::{
    asset_ages, client_url, key_file, key_file_warnings, log_settings, store_config,
};
pub use environment::Environment;
pub use error::WrongSetting;
pub use flags::{Flag, Flags, Role};
pub use quantity::{parse_duration, parse_size};
pub use server::{Composed, Config};
pub use settings::{DEFAULT_DATA_DIR, DEFAULT_LISTEN, DEFAULT_MINIO_LISTEN};
pub use source::Source;
