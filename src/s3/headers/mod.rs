//! Headers of requests and answers: which ones each operation knows, and how their texts are kept and sent.

pub mod header_text;
pub mod request_headers;
