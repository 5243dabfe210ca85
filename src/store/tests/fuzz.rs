//! What the log's readers make of any bytes.
mod damage;
mod records;
