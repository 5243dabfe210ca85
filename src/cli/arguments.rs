//! The command line: the commands, their one-line descriptions, and how one is run.

use crate::cli::commands::{
    access_key, anchor, backup, demo, fsck, gc, rebuild, serve, token, upload, user, workspace,
};
use crate::cli::failure::Failure;
use crate::config::{self, Environment, Flag};
use crate::telemetry::LogSettings;
use clap::{Parser, Subcommand};
use std::future::Future;
use std::time::Duration;
use tracing::level_filters::LevelFilter;

/// File storage for a self-hosted Plane: its asset API, the S3 bucket behind it, and static serving.
#[derive(Debug, Parser)]
#[command(
    name = "hangar",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "Try it, with nothing to set up:
  hangar demo

Run it:
  hangar serve
  hangar token create --user me@example.com
  HANGAR_TOKEN=plane_api_… hangar upload me.png

Every setting has an environment variable; `hangar serve --help` names them.")]
pub struct Cli {
    /// How much is logged to stderr: LEVEL[,json], where LEVEL is error, warn, info, debug, trace or off [default: info, and warn for commands that are no server] [env: HANGAR_LOG]
    #[arg(long, global = true, value_name = "LOG")]
    log: Option<String>,
    /// Print errors only, as for cron: the same as --log error
    #[arg(long, short, global = true, conflicts_with = "log")]
    quiet: bool,
    #[command(subcommand)]
    command: Command,
}

// One line for each, for the list of commands: a doc comment would take the place of the long text of its type.
#[derive(Debug, Subcommand)]
enum Command {
    #[command(about = "Run the server: asset API, S3 and static files")]
    Serve(serve::Serve),
    #[command(about = "Run in MinIO's place, with MinIO's command line")]
    Server(serve::Server),
    #[command(about = "Make, list and revoke tokens of the asset API")]
    Token(token::Token),
    #[command(about = "Make and list workspaces, and add and remove their members")]
    Workspace(workspace::Workspace),
    #[command(about = "List and remove users")]
    User(user::User),
    #[command(about = "Publish projects to everyone who knows an anchor")]
    Anchor(anchor::Anchor),
    #[command(about = "Make, list and revoke keys of S3 clients")]
    AccessKey(access_key::AccessKey),
    #[command(about = "Read everything in the data folder, and report damage")]
    Fsck(fsck::Fsck),
    #[command(about = "Copy everything to another folder, also while a server runs")]
    Backup(backup::Backup),
    #[command(about = "Restore a backup into a new data folder")]
    Restore(backup::Restore),
    #[command(about = "Rebuild the database from the log")]
    Rebuild(rebuild::Rebuild),
    #[command(about = "Delete expired assets and uploads, and free their space")]
    Gc(gc::Gc),
    #[command(about = "Upload a file and print its address")]
    Upload(upload::Upload),
    #[command(about = "Start a temporary server, and show an upload step by step")]
    Demo(demo::Demo),
}

impl Cli {
    /// Reads the arguments of this process.
    /// # Errors
    /// When they are not a command, or only ask for help.
    pub fn from_arguments() -> Result<Self, Failure> {
        Self::try_parse().map_err(Failure::from)
    }

    /// Servers log what they do; other commands log warnings and errors only, unless `HANGAR_LOG` asks for more.
    /// # Errors
    /// When it is not a level.
    pub fn log_settings(&self, environment: &Environment) -> Result<LogSettings, Failure> {
        let default = match self.command {
            Command::Serve(_) | Command::Server(_) => LevelFilter::INFO,
            _ => LevelFilter::WARN,
        };
        let said = if self.quiet {
            Flag::given("--quiet", Some("error"))
        } else {
            Flag::given("--log", self.log.as_deref())
        };
        let said = config::log_settings(said.as_ref(), environment)?;
        Ok(said.unwrap_or(LogSettings::at(default)))
    }

    /// Runs the command.
    /// # Errors
    /// When the command fails.
    pub fn run(&self, environment: &Environment) -> Result<(), Failure> {
        #[cfg(debug_assertions)]
        crate::faults::arm(
            environment.get("CRASH_AT").ok().flatten(),
            environment.get("FAULT_AT").ok().flatten(),
        );
        // Only its own user may read the files that hangar writes.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        match &self.command {
            Command::Serve(command) => block_on(command.run(environment)),
            Command::Server(command) => block_on(command.run(environment)),
            Command::Token(command) => block_on(command.run(environment)),
            Command::Workspace(command) => block_on(command.run(environment)),
            Command::User(command) => block_on(command.run(environment)),
            Command::Anchor(command) => block_on(command.run(environment)),
            Command::AccessKey(command) => block_on(command.run(environment)),
            Command::Fsck(command) => block_on(command.run(environment)),
            Command::Backup(command) => block_on(command.run(environment)),
            Command::Restore(command) => block_on(command.run(environment)),
            Command::Rebuild(command) => block_on(command.run(environment)),
            Command::Gc(command) => block_on(command.run(environment)),
            Command::Upload(command) => block_on(command.run(environment)),
            Command::Demo(command) => block_on(command.run(environment)),
        }
    }
}

/// The runtime of a command. The server's workers bring their own threads.
fn block_on(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    /// Background work that is left when a command ends is abandoned after this time.
    const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Failure::Failed(format!(
                "the system gives no event loop ({error}): raise its limit of open files"
            ))
        })?;
    let outcome = tokio::task::LocalSet::new().block_on(&runtime, command);
    runtime.shutdown_timeout(SHUTDOWN_TIMEOUT);
    outcome
}
