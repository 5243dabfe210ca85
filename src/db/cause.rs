//! The cause of an error, for a line of the log that names the error itself.

use std::error::Error;

/// What an error gives as its cause. `None`: it has none, and the log then has no such field.
pub(crate) fn cause_of(error: &dyn Error) -> Option<String> {
    error.source().map(ToString::to_string)
}
