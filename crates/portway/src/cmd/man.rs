//! `portway man`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::CommandFactory;

/// Arguments of `portway man`.
#[derive(clap::Args)]
pub struct Args {
    /// Directory to write portway.1 and one page a subcommand into
    directory: PathBuf,
}

/// Writes the man pages.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    std::fs::create_dir_all(&args.directory)
        .with_context(|| format!("cannot create {}", args.directory.display()))?;
    clap_mangen::generate_to(crate::cli::Cli::command(), &args.directory)
        .with_context(|| format!("cannot write man pages into {}", args.directory.display()))?;
    Ok(ExitCode::SUCCESS)
}
