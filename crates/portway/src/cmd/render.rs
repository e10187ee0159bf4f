//! `portway render` and `portway diff`: what a backend makes of objects, from objects alone.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::objects::{Objects, Source};
use super::resolve::{View, complain};
use super::say;

/// Arguments of `portway render`.
#[derive(clap::Args)]
pub struct Args {
    /// The backend
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    view: View,
}

/// Arguments of `portway diff`.
#[derive(clap::Args)]
pub struct DiffArgs {
    /// The backend
    #[arg(long, value_enum, default_value_t)]
    mode: Mode,
    /// Objects as they were
    before: PathBuf,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    view: View,
}

/// The backends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// nftables maps.
    #[default]
    Nftables,
}

/// Prints what the kernel shall hold.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let Mode::Nftables = args.mode;
    let (intent, diagnostics) = args.view.resolve(&args.source.read()?);
    say(portway_nftables::render(&intent).to_string().trim_end());
    Ok(complain(&diagnostics))
}

/// Prints the operations that lead from one set of objects to another.
pub fn run_diff(args: &DiffArgs) -> anyhow::Result<ExitCode> {
    let Mode::Nftables = args.mode;
    let text = std::fs::read_to_string(&args.before)
        .with_context(|| format!("cannot read {}", args.before.display()))?;
    let (before, _) = args.view.resolve(&Objects::parse(&text)?);
    let (now, diagnostics) = args.view.resolve(&args.source.read()?);
    let patch = portway_nftables::diff(&portway_nftables::render(&before), &portway_nftables::render(&now));
    say(patch.to_string().trim_end());
    Ok(complain(&diagnostics))
}
