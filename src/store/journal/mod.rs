//! The journal: the order of all changes. They wait in a queue, are planned against the index, and appended to the log in
//! groups, each synced before its callers are answered.
//!
//! **Where records go** is one narrow seam: [`log::Log::append`] appends a group of records and answers once all of it is
//! durable, with the sequence and the place of each record; `record::reader::Reader` reads records from a position on, in
//! order and without gaps. The queue, the planner, the writer and the indexer know no more of the log than that. A second
//! kind of journal takes the places of these two.

pub(in crate::store) mod hook;
pub(in crate::store) mod indexer;
pub(in crate::store) mod locks;
pub(in crate::store) mod log;
pub(in crate::store) mod pinned;
pub(in crate::store) mod planner;
pub(in crate::store) mod queue;
pub(in crate::store) mod request;
pub(in crate::store) mod state;
pub(in crate::store) mod work;
pub(in crate::store) mod writer;
