//! The names of every environment variable that hangar reads or warns of.
//!
//! Of MinIO's, only names that MinIO has are listed: a cluster with a service called `minio` sets many more of that kind,
//! such as `MINIO_PORT`, in each of its containers.

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

/// Names of MinIO's that hangar does not read, and what to do instead.
pub(super) const NAMES_OF_MINIO: &[(&str, &str)] = &[
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
