//! `portway node`: the node agent alone, against any API server.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use ipnet::IpNet;
use portway_netns::Namespace;
use portway_node::{AgentConfig, NodeAgent};

use super::connection::Connection;
use crate::world;

/// Arguments of `portway node`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of the Node [default: this machine's host name]
    #[arg(long, value_name = "NAME")]
    hostname_override: Option<String>,
    /// Addresses of the node, the main one first [default: found]
    #[arg(long, value_delimiter = ',', value_name = "ADDR[,ADDR]")]
    node_ip: Vec<IpAddr>,
    /// Ranges this node's Pods get addresses from, one a family
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10.244.0.0/24,fd00:10:244::/64",
        value_name = "CIDR[,CIDR]"
    )]
    pod_cidr: Vec<IpNet>,
    /// Addresses of cluster DNS
    #[arg(long, value_delimiter = ',', default_value = "10.96.0.10", value_name = "ADDR[,ADDR]")]
    cluster_dns: Vec<IpAddr>,
    /// Domain of the cluster
    #[arg(long, default_value = "cluster.local", value_name = "DOMAIN")]
    cluster_domain: String,
    /// Labels of the Node: `topology.kubernetes.io/zone=a`
    #[arg(long, value_delimiter = ',', value_parser = label, value_name = "KEY=VALUE")]
    node_labels: Vec<(String, String)>,
    /// Where to keep the state of Pods
    #[arg(long, default_value = "/var/lib/portway/node", value_name = "DIR")]
    state_dir: PathBuf,
}

fn label(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .ok_or_else(|| "a label is KEY=VALUE".to_owned())
}

/// Runs until SIGINT or SIGTERM; the Pods stay.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    world::check_ranges("--pod-cidr", &args.pod_cidr)?;
    let namespace = Namespace::current()?;
    let addresses =
        if args.node_ip.is_empty() { world::own_addresses(&namespace)? } else { args.node_ip.clone() };
    let name = args.hostname_override.clone().unwrap_or_else(world::host_name).trim().to_lowercase();
    anyhow::ensure!(!name.is_empty(), "--hostname-override: the node's name is empty");
    let config = AgentConfig {
        addresses,
        pod_cidrs: args.pod_cidr.clone(),
        cluster_dns: args.cluster_dns.clone(),
        cluster_domain: args.cluster_domain.clone(),
        labels: args.node_labels.iter().cloned().collect::<BTreeMap<_, _>>(),
        ..AgentConfig::new(name, namespace, args.connection.client("portway-node")?, &args.state_dir)
    };
    tracing::info!(node = config.name, "the node agent runs");
    world::runtime()?.block_on(async {
        NodeAgent::new(config).run(world::asked_to_stop()).await?;
        Ok(ExitCode::SUCCESS)
    })
}
