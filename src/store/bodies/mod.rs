//! Bodies: the bytes of objects, outside of any index. Staging them, keeping and removing the larger ones as files, and
//! reading them back, verified.
//!
//! What it refuses to know: keys, buckets, SQL, and the order of changes.
//!
//! **The storage interface of bodies** is narrow and has four operations: store a whole body (`staging`, `blobs`), read a
//! range of it, verified (`read`), delete it (`free`), and list what is stored (`blobs`). A body is identified by its place
//! alone, and never changes. A second kind of place for bodies needs these four operations and nothing else.

mod blob_writer;
pub(in crate::store) mod blobs;
pub(in crate::store) mod free;
pub(in crate::store) mod hashing;
pub(in crate::store) mod kept;
pub(in crate::store) mod read;
pub(in crate::store) mod share;
pub(in crate::store) mod small;
pub(in crate::store) mod staging;
pub(in crate::store) mod staging_memory;
