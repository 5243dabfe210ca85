//! Lifecycle rules of a bucket: what expires when.
