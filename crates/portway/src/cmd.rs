//! One module a subcommand: its arguments and what it does.

pub mod answer;
pub mod apiserver;
pub mod completion;
pub mod connection;
pub mod controllers;
pub mod dns;
pub mod echo;
pub mod lookup;
pub mod man;
pub mod node;
pub mod objects;
pub mod probe;
pub mod proxy;
pub mod render;
pub mod resolve;
pub mod sandbox;
pub mod up;
pub mod version;

use std::io::{IsTerminal, Write};

/// How a command prints its result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One YAML document.
    Yaml,
}

/// Shows an error with its causes, in red on a terminal unless NO_COLOR is set.
pub fn report(error: &anyhow::Error) {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (on, off) = if colour { ("\x1b[31m", "\x1b[0m") } else { ("", "") };
    let _ = writeln!(std::io::stderr(), "{on}error:{off} {error:#}");
}

/// Prints a line to standard output; a closed pipe is not an error of ours.
pub fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints a value as JSON or YAML.
pub fn print_value(value: &serde_json::Value, output: Output) -> anyhow::Result<()> {
    match output {
        Output::Yaml => say(serde_saphyr::to_string(value)?.trim_end()),
        Output::Json | Output::Text => say(serde_json::to_string_pretty(value)?),
    }
    Ok(())
}
