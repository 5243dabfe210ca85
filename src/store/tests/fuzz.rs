//! Fuzz tests of the log's readers with arbitrary bytes.
mod damage;
mod records;
