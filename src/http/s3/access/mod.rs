//! Access control: from a request and its operation to the permission to carry it out.

mod authorizer;
mod permitted;
mod question;
mod requester;
mod sender;
mod verify;

pub(crate) use authorizer::Authorizer;
pub(crate) use permitted::Permitted;
pub(crate) use question::looks_at_tags;
