//! The wiring of a whole cluster in one process: control plane, and for each node its agent, proxy and DNS.
//!
//! Components see a `Client` and their own namespace; nothing here decides what they do.

mod control_plane;
mod dns;
mod logs;
mod node;
mod segment;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use ipnet::IpNet;
use portway_base::IpFamily;
use portway_client::Client;
use portway_dns::{DnsConfig, DnsServer, Listeners};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sandbox::{self, Note};
use logs::Agents;

pub use control_plane::{ControlPlane, write_secret};
pub use node::{Node, host_name, own_addresses};

/// Where the world stands.
pub enum Place {
    /// This machine, or the namespace the process was started in.
    Machine,
    /// Private namespaces, already entered.
    Sandbox {
        /// Where the sandbox is noted.
        directory: PathBuf,
        /// This process, as numbered outside.
        pid: u32,
    },
}

/// What the world is like.
pub struct Layout {
    /// Number of nodes.
    pub nodes: u8,
    /// Name of the node, where there is one and the user named it.
    pub node_name: Option<String>,
    /// Listeners of the API server that are open already, with their addresses.
    pub api: Vec<(TcpListener, SocketAddr)>,
    /// Where the administrator's kubeconfig goes.
    pub kubeconfig: PathBuf,
    /// Where state is kept.
    pub data_dir: PathBuf,
    /// Ranges of ClusterIPs.
    pub service_cidrs: Vec<IpNet>,
    /// Ports that NodePorts come from.
    pub node_ports: RangeInclusive<u16>,
    /// Ranges of Pod addresses.
    pub pod_cidrs: Vec<IpNet>,
    /// Domain of cluster DNS.
    pub cluster_domain: String,
    /// DNS servers for other names; `None` means those of /etc/resolv.conf.
    pub forward: Option<Vec<IpAddr>>,
}

/// A cluster that runs.
pub struct World {
    /// Kubeconfig of the administrator.
    pub kubeconfig: PathBuf,
    plane: ControlPlane,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
    /// A sandbox's hosts, and where it is noted.
    sandboxed: Option<(segment::Network, PathBuf)>,
}

impl World {
    /// Starts everything; the API server answers when this returns.
    pub async fn start(place: Place, mut layout: Layout) -> anyhow::Result<Self> {
        let (nodes, sandboxed) = match place {
            Place::Machine => (vec![Node::of_this_machine(&layout)?], None),
            Place::Sandbox { directory, pid } => {
                let (nodes, network) = sandbox_nodes(&mut layout)?;
                (nodes, Some((network, directory, pid)))
            }
        };
        let first = nodes.first().context("a world without nodes")?;
        let port = layout.api.first().map_or(6443, |(_, address)| address.port());
        let advertise = SocketAddr::new(*first.addresses.first().context("a node without addresses")?, port);
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let logs = Arc::new(Agents::default());
        let listeners = std::mem::take(&mut layout.api);
        let plane =
            ControlPlane::start(&layout, listeners, advertise, logs.clone(), &mut tasks, &stopping).await?;
        let mut sockets = Listeners::default();
        let mut answering = BTreeMap::new();
        for node in &nodes {
            let agent = node.start(&plane, &layout, &mut tasks, &stopping);
            logs.add(&node.name, agent);
            for (udp, tcp) in node.dns_sockets().await? {
                sockets.udp.push(udp);
                sockets.tcp.push(tcp);
            }
            answering.insert(node.name.clone(), node.dns_addresses());
        }
        start_dns(&layout, &plane, sockets, &mut tasks, &stopping)?;
        dns::publish(&plane.client("dns"), &dns::addresses(&layout.service_cidrs), &answering).await?;
        if let Some((_, directory, pid)) = &sandboxed {
            let hosts = nodes.iter().map(|n| n.name.clone()).chain([segment::OUTSIDE.to_owned()]).collect();
            let started = sandbox::own_start_time().context("cannot read this process's start time")?;
            Note { pid: *pid, started, hosts, kubeconfig: layout.kubeconfig.clone() }.write(directory)?;
        }
        let sandboxed = sandboxed.map(|(network, directory, _)| (network, directory));
        Ok(Self { kubeconfig: layout.kubeconfig, plane, stop, tasks, sandboxed })
    }

    /// A client without a socket, for `name`.
    pub fn client(&self, name: &str) -> Client {
        self.plane.client(name)
    }

    /// Ends everything that runs here. On a machine the Pods and the rules stay, for the next start; of a sandbox
    /// nothing stays: its processes end with this one.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(10), finished).await.is_err() {
            tracing::warn!("some parts have not ended within 10 s");
        }
        if let Some((_network, directory)) = self.sandboxed
            && let Err(error) = std::fs::remove_dir_all(&directory)
        {
            tracing::warn!(%error, directory = %directory.display(), "cannot remove the sandbox's note");
        }
    }
}

/// The hosts of a sandbox, and the API server's listeners inside of it.
fn sandbox_nodes(layout: &mut Layout) -> anyhow::Result<(Vec<Node>, segment::Network)> {
    let shares =
        (0..layout.nodes).map(|i| pod_share(&layout.pod_cidrs, i)).collect::<anyhow::Result<Vec<_>>>()?;
    let network = segment::Network::new(layout.nodes, &shares)?;
    let mut nodes = Vec::new();
    for (i, pod_cidrs) in (0..layout.nodes).zip(shares) {
        let (namespace, addresses) = network.node(i)?;
        nodes.push(Node { name: segment::name(i + 1), namespace, addresses, pod_cidrs });
    }
    let port = layout.api.first().map_or(6443, |(_, address)| address.port());
    let mut inside =
        vec![TcpListener::bind(("127.0.0.1", port)).context("cannot listen inside the sandbox")?];
    if let Some(first) = nodes.first() {
        for address in &first.addresses {
            inside.push(first.namespace.tcp_listen(SocketAddr::new(*address, port))?);
        }
    }
    for listener in inside {
        let address = listener.local_addr()?;
        layout.api.push((listener, address));
    }
    Ok((nodes, network))
}

fn start_dns(
    layout: &Layout,
    plane: &ControlPlane,
    sockets: Listeners,
    tasks: &mut JoinSet<()>,
    stop: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let mut config = DnsConfig::cluster(&layout.cluster_domain)
        .map_err(|error| anyhow::anyhow!("--cluster-domain {}: {error}", layout.cluster_domain))?;
    config.client = Some(plane.client("dns"));
    if let Some(servers) = &layout.forward {
        let servers = servers.iter().map(|ip| SocketAddr::new(*ip, 53)).collect();
        config.forward = Some(portway_dns::forward::ForwardConfig::new(servers));
    }
    let stopping = stop.clone();
    tasks.spawn(async move {
        if let Err(error) = DnsServer::new(config, sockets).run(stopped(stopping)).await {
            tracing::error!(%error, "cluster DNS ended");
        }
    });
    Ok(())
}

/// Starts a command in a Pod of whichever node of this world runs it; `data_dir` is the world's.
pub fn spawn_in_pod(
    data_dir: &Path,
    namespace: &str,
    pod: &str,
    command: &mut Command,
) -> anyhow::Result<Child> {
    for node in std::fs::read_dir(data_dir.join("nodes")).context("no node runs here")? {
        match portway_node::exec::spawn(&node?.path(), namespace, pod, command) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            started => return Ok(started?),
        }
    }
    bail!("no container of Pod {namespace}/{pod} runs on any node")
}

/// The runtime of a whole cluster: two workers are enough, and their stacks count.
pub fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the async runtime")
}

/// One range, or two of different families.
pub fn check_ranges(flag: &str, ranges: &[IpNet]) -> anyhow::Result<()> {
    let families: Vec<IpFamily> = ranges.iter().map(|r| IpFamily::of(r.addr())).collect();
    match families.as_slice() {
        [_] => Ok(()),
        [a, b] if a != b => Ok(()),
        [_, _] => bail!("{flag}: two ranges must be of different IP families"),
        _ => bail!("{flag}: one range, or one of each IP family, is needed"),
    }
}

/// The `index`th (from 0) node's share of the Pod ranges: a /24 of IPv4, a /64 of IPv6.
pub fn pod_share(ranges: &[IpNet], index: u8) -> anyhow::Result<Vec<IpNet>> {
    ranges
        .iter()
        .map(|range| {
            let prefix = if range.addr().is_ipv4() { 24 } else { 64 };
            range
                .subnets(prefix.max(range.prefix_len()))
                .ok()
                .and_then(|mut subnets| subnets.nth(usize::from(index)))
                .with_context(|| format!("--cluster-cidr {range} has no /{prefix} for node {}", index + 1))
        })
        .collect()
}

/// Waits for SIGINT or SIGTERM.
pub async fn until_asked_to_stop() -> anyhow::Result<()> {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    Ok(())
}

/// Resolves at SIGINT or SIGTERM; where signals cannot be had, never.
pub async fn asked_to_stop() {
    if let Err(error) = until_asked_to_stop().await {
        tracing::error!(%error, "cannot wait for signals");
        std::future::pending::<()>().await;
    }
}

/// Resolves once the world is asked to stop; every component gets one.
pub async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}
