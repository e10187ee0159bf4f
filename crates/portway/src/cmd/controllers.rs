//! `portway controllers`: the controllers alone, against any API server.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use portway_controllers::{ControllerConfig, Controllers};

use super::connection::Connection;
use crate::world;

/// Arguments of `portway controllers`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Endpoints an EndpointSlice takes at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    max_endpoints_per_slice: u32,
    /// CA certificate to publish in every namespace as ConfigMap kube-root-ca.crt
    #[arg(long, value_name = "FILE")]
    root_ca_file: Option<PathBuf>,
}

/// Runs until SIGINT or SIGTERM.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let root_ca = match &args.root_ca_file {
        Some(path) => {
            Some(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?)
        }
        None => None,
    };
    let client = args.connection.client("portway-controllers")?;
    let max_endpoints_per_slice = usize::try_from(args.max_endpoints_per_slice)?;
    let config = ControllerConfig { max_endpoints_per_slice, root_ca, ..ControllerConfig::default() };
    world::runtime()?.block_on(async {
        tracing::info!("controllers run");
        Controllers::new(client, config).run(world::asked_to_stop()).await;
        Ok(ExitCode::SUCCESS)
    })
}
