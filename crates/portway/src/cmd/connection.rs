//! How a component that runs alone finds its API server.

use std::path::PathBuf;

use anyhow::Context;
use portway_client::{Client, KubeConfig};

/// Which API server.
#[derive(clap::Args)]
pub struct Connection {
    /// Kubeconfig of the API server [default: KUBECONFIG, else the one of the Pod this runs in]
    #[arg(long, env = "KUBECONFIG", value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

impl Connection {
    /// A client named after the component.
    pub fn client(&self, name: &str) -> anyhow::Result<Client> {
        let config = match &self.kubeconfig {
            Some(path) => KubeConfig::load(path)?,
            None => KubeConfig::in_cluster().context("no --kubeconfig, and this is no Pod")?,
        };
        Ok(Client::connect(config)?.named(name))
    }
}
