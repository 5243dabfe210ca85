//! `hangar`: parses the command line, starts logging, runs the command. The only place that sets the exit code.

use hangar::cli::{Cli, Failure};
use hangar::config::Environment;
use hangar::telemetry;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run(&Environment::from_process()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(environment: &Environment) -> Result<(), Failure> {
    let cli = Cli::from_arguments()?;
    telemetry::init(cli.log_settings(environment)?);
    cli.run(environment)
}
