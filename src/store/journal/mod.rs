//! The journal: the order of all changes. They wait in a queue, are planned against the index, and appended to the log in
//! groups, each synced before its callers are answered.

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
