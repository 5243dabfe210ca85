//! The parts of a request that a signature of either version is checked against: the head, its date, and the headers
//! that a presigned query states.

pub(in crate::s3) mod date;
pub(in crate::s3) mod head;
pub(in crate::s3) mod presigned_headers;
