//! `portway bench`: the figures of the README, measured anew on the user's machine.

mod proxy;
mod up;

use std::process::ExitCode;

use crate::cmd::{Output, print_value, say};

/// Arguments of `portway bench`.
#[derive(clap::Args)]
pub struct Args {
    /// What to measure
    #[arg(value_enum)]
    name: Name,
    /// Runs of each measurement
    #[arg(short = 'n', long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    runs: u32,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Name {
    /// Start of `portway up`: first accepted write, first request through a ClusterIP, memory when idle
    Up,
    /// The node proxy at 1,000 and 10,000 Services
    Proxy,
    /// All of them
    All,
}

/// One measured figure.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// Its unit.
    pub unit: String,
    /// Smallest, median and largest value.
    pub min_median_max: [f64; 3],
}

impl Figure {
    /// A figure of several runs; `None` without any.
    pub fn of(what: &str, unit: &str, mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len() / 2)?;
        Some(Self {
            what: what.to_owned(),
            unit: unit.to_owned(),
            min_median_max: [*values.first()?, median, *values.last()?],
        })
    }
}

/// Measures and prints.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let figures = match args.name {
        Name::Up => up::measure(args.runs)?,
        Name::Proxy => {
            portway_netns::sandbox::enter()?;
            proxy::measure(args.runs)?
        }
        // Entering a sandbox takes a process of one thread, which this one is no longer after the first part.
        Name::All => {
            let mut figures = up::measure(args.runs)?;
            figures.extend(elsewhere("proxy", args.runs)?);
            figures
        }
    };
    if args.output == Output::Text {
        say(format_args!("{:<58} {:>9} {:>9} {:>9}", format!("{} runs", args.runs), "min", "median", "max"));
        for figure in figures {
            let [min, median, max] = figure.min_median_max;
            say(format_args!("{:<58} {min:>9.1} {median:>9.1} {max:>9.1} {}", figure.what, figure.unit));
        }
    } else {
        print_value(&serde_json::to_value(figures)?, args.output)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The figures of another benchmark, measured by another process.
fn elsewhere(name: &str, runs: u32) -> anyhow::Result<Vec<Figure>> {
    let output = std::process::Command::new(std::env::current_exe()?)
        .args(["bench", name, "-o", "json", "-n", &runs.to_string()])
        .output()?;
    anyhow::ensure!(
        output.status.success(),
        "bench {name}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}
