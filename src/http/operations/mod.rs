//! Operations: `/-/…`, for the operator and for probes, and the description of the asset API.
//!
//! *Live* means that this process answers at all. *Ready* means that it accepts uploads: the database answers, no sync
//! has failed, and the disk has room. These routes need no authentication, so the bodies hold counts and words alone,
//! never a name, a key, a path or a command: [`crate::warnings::in_public`].
mod answers;
mod docs;

pub(crate) use answers::configure;
