//! Signature Version 2, for old clients: off unless `HANGAR_S3_SIGV2` says so.
