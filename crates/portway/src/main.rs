//! The `portway` binary: command line in, exit code out. All work is in the library crates and in `cmd`.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod bench;
mod cli;
mod cmd;
mod demo;
mod sandbox;
mod world;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    // The process that holds a container is this program too; it must have one thread and no log of its own.
    if std::env::args_os().nth(1).is_some_and(|first| first == portway_node::supervisor::SUBCOMMAND) {
        return portway_node::supervisor_main();
    }
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
        Command::Up(args) => cmd::up::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Sandbox(args) => cmd::sandbox::run(args),
        Command::Apiserver(args) => cmd::apiserver::run(args),
        Command::Controllers(args) => cmd::controllers::run(&args),
        Command::Proxy(args) => cmd::proxy::run(&args),
        Command::Dns(args) => cmd::dns::run(&args),
        Command::Node(args) => cmd::node::run(&args),
        Command::Render(args) => cmd::render::run(&args),
        Command::Diff(args) => cmd::render::run_diff(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completion(args) => cmd::completion::run(&args),
        Command::Man(args) => cmd::man::run(&args),
        Command::Version(args) => cmd::version::run(&args),
        Command::Echo(args) => cmd::echo::run(&args),
        Command::Probe(args) => cmd::probe::run(&args),
        Command::Lookup(args) => cmd::lookup::run(&args),
        Command::Resolve(args) => cmd::resolve::run(&args),
        Command::Answer(args) => cmd::answer::run(&args),
    }
}
