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
#[derive(serde::Serialize)]
pub struct Figure {
    /// What was measured.
    pub what: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// Smallest, median and largest value.
    pub min_median_max: [f64; 3],
}

impl Figure {
    /// A figure of several runs; `None` without any.
    pub fn of(what: &'static str, unit: &'static str, mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let median = *values.get(values.len() / 2)?;
        Some(Self { what, unit, min_median_max: [*values.first()?, median, *values.last()?] })
    }
}

/// Measures and prints.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut figures = Vec::new();
    if args.name != Name::Proxy {
        figures.extend(up::measure(args.runs)?);
    }
    if args.name != Name::Up {
        // The runtime of the first part is gone: one thread is left, which entering needs.
        portway_netns::sandbox::enter()?;
        figures.extend(proxy::measure(args.runs)?);
    }
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
