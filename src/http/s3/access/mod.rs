//! Who may do what: from a request and its operation to the permission to carry it out.

mod permitted;
pub(crate) mod verify;

pub(crate) use permitted::{Permitted, looks_at_tags, permit, permit_form, require_signed};
