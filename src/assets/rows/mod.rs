//! The rows of assets and pointers: every statement of `assets`, and what its effects do to the index.
pub(super) mod effects;
pub(super) mod reading;

#[cfg(test)]
mod tests;
