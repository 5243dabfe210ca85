//! What people type. One file per command family.
//!
//! Results go to stdout, talk goes to stderr, and a command that fails says why and what to do in one sentence. Exit
//! codes: 0 when it is done, 2 for a wrong use or a wrong setting, 1 for the rest. With `--quiet`, or `HANGAR_LOG=error`,
//! reports of work that went well are left out, so that cron sends no mail.
#![expect(
    clippy::doc_markdown,
    reason = "the comments of arguments are read in terminals, where backticks are noise"
)]

mod access_key;
mod anchor;
mod arguments;
mod backup;
mod data_folder;
mod demo;
mod failure;
mod fsck;
mod gc;
mod order;
mod rebuild;
mod serve;
mod signals;
mod terminal;
mod token;
mod upload;
mod user;
mod workspace;

#[cfg(test)]
mod tests;

pub use arguments::Cli;
pub use failure::Failure;
