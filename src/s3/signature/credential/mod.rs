//! Credentials: the scope that a key is derived for, where keys are found, and which signatures are accepted.

pub(in crate::s3) mod keys;
pub(in crate::s3) mod rules;
pub(in crate::s3) mod scope;
