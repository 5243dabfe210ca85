//! Bucket policies: who else than the owner may do what.
