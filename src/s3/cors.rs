//! CORS rules of a bucket.
