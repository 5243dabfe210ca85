//! Warnings of settings of MinIO's that change nothing here, for a compose file that ran MinIO.

use crate::config::environment::Environment;
use crate::config::variables::NAMES_OF_MINIO;

/// A sentence for each one that is set.
pub(super) fn warnings(environment: &Environment) -> impl Iterator<Item = String> {
    NAMES_OF_MINIO
        .iter()
        .filter(|(name, _)| environment.has(name))
        .map(|(name, instead)| {
            format!("{name} is a setting of MinIO's that changes nothing here: {instead}")
        })
}
