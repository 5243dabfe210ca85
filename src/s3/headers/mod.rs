//! Headers of requests and answers: which ones each operation acts on, and how their texts are sent.

pub mod header_text;
pub mod request_headers;
