//! The `portway` binary: command line in, exit code out. All work is in the library crates and in `cmd`.
#![forbid(unsafe_code)]

mod cli;
mod cmd;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    portway_telemetry::log::init(&cli.log_level);
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            cmd::report(&error);
            ExitCode::from(1)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Completion(args) => cmd::completion::run(&args),
        Command::Man(args) => cmd::man::run(&args),
        Command::Version(args) => cmd::version::run(&args),
        Command::Echo(args) => cmd::echo::run(&args),
        Command::Probe(args) => cmd::probe::run(&args),
    }
}
