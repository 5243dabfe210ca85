//! What MinIO's settings are called here, for whoever brings MinIO's environment along.
//!
//! Only names that MinIO has are spoken of: a cluster with a service called `minio` sets many more of that kind, such as
//! `MINIO_PORT`, in each of its containers.

use super::Environment;

/// Names of MinIO's that hangar does not read, and what to do instead.
const NAMES: &[(&str, &str)] = &[
    ("MINIO_ACCESS_KEY", ROOT_PAIR),
    ("MINIO_ADDRESS", "set HANGAR_LISTEN"),
    ("MINIO_BROWSER", NO_CONSOLE),
    ("MINIO_BROWSER_REDIRECT_URL", NO_CONSOLE),
    ("MINIO_CONSOLE_ADDRESS", NO_CONSOLE),
    ("MINIO_DOMAIN", "set HANGAR_S3_DOMAIN"),
    ("MINIO_KMS_SECRET_KEY", NO_ENCRYPTION),
    ("MINIO_KMS_SECRET_KEY_FILE", NO_ENCRYPTION),
    ("MINIO_REGION", "set AWS_REGION"),
    ("MINIO_REGION_NAME", "set AWS_REGION"),
    ("MINIO_SECRET_KEY", ROOT_PAIR),
    ("MINIO_SERVER_URL", "set HANGAR_PUBLIC_URL"),
    ("MINIO_SITE_REGION", "set AWS_REGION"),
    (
        "MINIO_VOLUMES",
        "name the folder as in `hangar server /export`, or set HANGAR_DATA_DIR",
    ),
];
const ROOT_PAIR: &str = "set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD";
const NO_CONSOLE: &str = "hangar has no console";
const NO_ENCRYPTION: &str =
    "hangar does not encrypt objects; HANGAR_KEY_FILE seals the secrets of access keys";

pub(super) fn names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// A sentence for each one that is set.
pub(super) fn warnings(environment: &Environment) -> impl Iterator<Item = String> {
    NAMES
        .iter()
        .filter(|(name, _)| environment.has(name))
        .map(|(name, instead)| {
            format!("{name} is a setting of MinIO's that changes nothing here: {instead}")
        })
}
