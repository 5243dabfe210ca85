//! The commands: their arguments, and what they share (the data folder, orders to a server, signals, output).
//!
//! Results go to stdout, messages go to stderr, and a command that fails states the cause and the remedy in one sentence.
//! Exit codes: 0 for success, 2 for a wrong command line or a wrong setting, 1 for any other failure. With `--quiet`, or
//! `HANGAR_LOG=error`, reports of success are left out, so that cron sends no mail.
#![expect(
    clippy::doc_markdown,
    reason = "clap prints the comments of arguments on terminals, where backticks are noise"
)]

mod arguments;
mod commands;
mod data_folder;
mod failure;
mod order;
mod signals;
mod terminal;

#[cfg(test)]
mod tests;

pub use arguments::Cli;
pub use failure::Failure;
