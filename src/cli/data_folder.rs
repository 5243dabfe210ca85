//! The data folder of a command: found by its flag or `HANGAR_DATA_DIR`, checked, and printed.
//!
//! Only `serve`, `server`, `demo` and `restore` make folders: every other command works on a folder that holds data, so that
//! a command in a wrong place fails and changes nothing.

use crate::cli::failure::Failure;
use crate::cli::terminal;
use crate::config::Flag;
use crate::config::{self, Environment};
use crate::store::{self, StoreConfig};
use serde_json::Value;
use std::path::Path;

/// How a command prints which folder it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// On stderr, so that stdout holds the result alone.
    Text,
    /// As the field `data_dir` of the result: see [`named`].
    Json,
}

impl Output {
    pub(super) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// The folder that a command works on.
///
/// # Errors
/// Where it is missing, holds no data of hangar, or cannot be looked at: one sentence with its absolute path.
pub(super) fn find(
    data_dir: Option<&str>,
    environment: &Environment,
    output: Output,
) -> Result<StoreConfig, Failure> {
    let config = config::store_config(Flag::given("--data-dir", data_dir), environment)?;
    require_data(&config.data_dir)?;
    if output == Output::Text {
        terminal::say_unless_quiet(&format!(
            "Data folder: {}",
            terminal::printable(&config.data_dir.display().to_string())
        ));
    }
    Ok(config)
}

/// A result, with the folder that it was found in.
pub(super) fn named(mut result: Value, data_dir: &Path) -> Value {
    if let Some(fields) = result.as_object_mut() {
        fields.insert("data_dir".to_owned(), data_dir.to_string_lossy().into());
    }
    result
}

fn require_data(data_dir: &Path) -> Result<(), Failure> {
    let shown = data_dir.display();
    match store::holds_data(data_dir) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::Failed(format!(
            "{shown} holds no data of hangar: name the server's data folder with --data-dir or HANGAR_DATA_DIR (`hangar serve` logs it when it starts)"
        ))),
        Err(error) => Err(Failure::Failed(match error.kind() {
            std::io::ErrorKind::NotFound => format!(
                "there is no folder {shown}: name the server's data folder with --data-dir or HANGAR_DATA_DIR (`hangar serve` logs it when it starts)"
            ),
            std::io::ErrorKind::NotADirectory => format!(
                "{shown} is not a folder: name the server's data folder with --data-dir or HANGAR_DATA_DIR"
            ),
            std::io::ErrorKind::PermissionDenied => format!(
                "the data folder {shown} cannot be read: {error}; run this command as the user that owns it (sudo -u USER hangar …), or name another folder with --data-dir or HANGAR_DATA_DIR"
            ),
            _ => format!(
                "the data folder {shown} cannot be read: {error}; name another one with --data-dir or HANGAR_DATA_DIR"
            ),
        })),
    }
}
