//! `portway resolve`: what the dataplane of a node shall do, from objects alone.

use std::net::IpAddr;
use std::process::ExitCode;

use ipnet::IpNet;
use portway_intent::Intent;
use portway_resolve::{Detect, Diagnostic, Input, NodeFacts, NodePortAddresses, Settings, resolve_all};

use super::objects::{Objects, Source};
use super::say;

/// Arguments of `portway resolve`.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    view: View,
}

/// Whose dataplane, and how its proxy is configured.
#[derive(clap::Args)]
pub struct View {
    /// The node; a Node object of that name in the input gives its addresses, zone and Pod ranges
    #[arg(long, default_value = "node-1", value_name = "NAME")]
    node: String,
    /// Address of the node (repeatable)
    #[arg(long, value_name = "ADDR")]
    node_ip: Vec<IpAddr>,
    /// Ranges of Pod addresses of the cluster
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10.244.0.0/16,fd00:10:244::/48",
        value_name = "CIDR[,CIDR]"
    )]
    cluster_cidr: Vec<IpNet>,
    /// Ranges of node addresses that take NodePorts [default: the node's primary addresses]
    #[arg(long, value_delimiter = ',', value_name = "CIDR[,CIDR]")]
    nodeport_addresses: Vec<IpNet>,
}

impl View {
    /// Resolves all objects at once.
    pub fn resolve(&self, objects: &Objects) -> (Intent, Vec<Diagnostic>) {
        let node = objects.nodes.iter().find(|n| n.metadata.name == self.node);
        let reported = node.iter().flat_map(|n| &n.status.addresses).filter(|a| a.kind == "InternalIP");
        let addresses: Vec<IpAddr> =
            self.node_ip.iter().copied().chain(reported.filter_map(|a| a.address.parse().ok())).collect();
        let facts = NodeFacts {
            name: self.node.clone(),
            zone: node.and_then(|n| n.metadata.labels.get("topology.kubernetes.io/zone").cloned()),
            interface_addresses: addresses.clone(),
            addresses,
            pod_cidrs: node.iter().flat_map(|n| &n.spec.pod_cidrs).filter_map(|c| c.parse().ok()).collect(),
        };
        let settings = Settings {
            detect: Detect::Ranges(self.cluster_cidr.clone()),
            node_ports: match self.nodeport_addresses.as_slice() {
                [] => NodePortAddresses::Primary,
                ranges => NodePortAddresses::Ranges(ranges.to_vec()),
            },
            ..Settings::default()
        };
        let services = objects.services.iter().cloned().map(Input::Service);
        let slices = objects.slices.iter().cloned().map(Input::Slice);
        resolve_all(settings, facts, services.chain(slices))
    }
}

/// Prints the intent; what has no effect goes to standard error, with exit code 3.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (intent, diagnostics) = args.view.resolve(&args.source.read()?);
    say(intent.to_string().trim_end());
    Ok(complain(&diagnostics))
}

/// Shows diagnostics; the exit code says whether there were any.
pub fn complain(diagnostics: &[Diagnostic]) -> ExitCode {
    for diagnostic in diagnostics {
        super::report(&anyhow::anyhow!("{diagnostic}"));
    }
    if diagnostics.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(3) }
}
