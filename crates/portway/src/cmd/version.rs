//! `portway version`.

use std::process::ExitCode;

use serde_json::json;

use super::{Output, print_value, say};

/// The Kubernetes version whose behaviour Portway has.
pub const KUBERNETES: &str = "v1.36.0";

/// Arguments of `portway version`.
#[derive(clap::Args)]
pub struct Args {
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Prints the version.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let version = env!("CARGO_PKG_VERSION");
    match args.output {
        Output::Text => say(format_args!("portway v{version} (Kubernetes {KUBERNETES})")),
        output => print_value(
            &json!({
                "portwayVersion": format!("v{version}"),
                "kubernetesVersion": KUBERNETES,
                "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
            }),
            output,
        )?,
    }
    Ok(ExitCode::SUCCESS)
}
