//! `portway proxy`: the node proxy alone, against any API server.

use std::process::ExitCode;

use ipnet::IpNet;
use portway_netns::Namespace;
use portway_proxy::{NodePortAddresses, NodeProxy, ProxyConfig};

use super::connection::Connection;
use crate::world;

/// Arguments of `portway proxy`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of the Node this runs on [default: this machine's host name]
    #[arg(long, value_name = "NAME")]
    hostname_override: Option<String>,
    /// How the rules get into the kernel
    #[arg(long, value_enum, default_value_t)]
    proxy_mode: Mode,
    /// Ranges of Pod addresses, one a family; traffic from elsewhere to ClusterIPs is masqueraded
    #[arg(long, value_delimiter = ',', value_name = "CIDR[,CIDR]")]
    cluster_cidr: Vec<IpNet>,
    /// Ranges of node addresses that take NodePorts [default: the node's primary addresses]
    #[arg(long, value_delimiter = ',', value_name = "CIDR[,CIDR]")]
    nodeport_addresses: Vec<IpNet>,
    /// Masquerade all traffic to ClusterIPs
    #[arg(long)]
    masquerade_all: bool,
    /// Remove all rules and exit
    #[arg(long)]
    cleanup: bool,
}

/// How the rules get into the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Mode {
    /// nftables maps over netlink.
    #[default]
    Nftables,
}

/// Runs until SIGINT or SIGTERM; the rules stay.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let namespace = Namespace::current()?;
    if args.cleanup {
        NodeProxy::cleanup(&namespace)?;
        return Ok(ExitCode::SUCCESS);
    }
    let name = args.hostname_override.clone().unwrap_or_else(world::host_name).trim().to_lowercase();
    anyhow::ensure!(!name.is_empty(), "--hostname-override: the node's name is empty");
    let source = args.connection.client("portway-proxy")?.into();
    let mut config = ProxyConfig::new(name, namespace, source, args.cluster_cidr.clone());
    config.settings.masquerade_all = args.masquerade_all;
    if !args.nodeport_addresses.is_empty() {
        config.settings.node_ports = NodePortAddresses::Ranges(args.nodeport_addresses.clone());
    }
    tracing::info!(mode = ?args.proxy_mode, node = config.node_name, "the proxy runs");
    world::runtime()?.block_on(async {
        NodeProxy::new(config).run(world::asked_to_stop()).await?;
        Ok(ExitCode::SUCCESS)
    })
}
