//! The commands. One file for each family of commands.
//!
//! Results go to stdout, messages go to stderr, and a command that fails states the cause and the remedy in one sentence.
//! Exit codes: 0 for success, 2 for a wrong command line or a wrong setting, 1 for any other failure. With `--quiet`, or `HANGAR_LOG=error`,
//! reports of success are left out, so that cron sends no mail.
#![expect(
    clippy::doc_markdown,
    reason = "clap prints the comments of arguments on terminals, where backticks are noise"
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
