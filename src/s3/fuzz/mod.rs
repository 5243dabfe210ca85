//! Values of the protocol that are small enough to be fuzzed together.
mod documents;
mod headers;
mod operations;
mod ranges;
