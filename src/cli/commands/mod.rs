//! The commands, a file for each family.

pub(super) mod access_key;
pub(super) mod anchor;
pub(super) mod backup;
pub(super) mod demo;
pub(super) mod fsck;
pub(super) mod gc;
pub(super) mod rebuild;
pub(super) mod serve;
pub(super) mod token;
pub(super) mod upload;
pub(super) mod user;
pub(super) mod workspace;
