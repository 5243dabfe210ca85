//! The journal: the order of all changes. Changes wait in a queue, are planned against the index, and are appended to the
//! log in groups. Each group is synced before its callers get a result.
//!
//! **The storage interface of records** is narrow: [`log::Log::append`] appends a group of records and returns once the
//! whole group is durable, with the sequence and the place of each record; `record::reader::Reader` reads records from
//! a position on, in order and without gaps. The queue, the planner, the writer and the indexer know no more of the log
//! than that. A second kind of journal replaces these two.

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
