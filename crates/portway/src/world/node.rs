//! What runs on a node: the agent with its Pods, the proxy, and a DNS listener for its Pods.

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context;
use ipnet::IpNet;
use portway_netns::Namespace;
use portway_node::{AgentConfig, NodeAgent};
use portway_proxy::{NodeProxy, ProxyConfig};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{ControlPlane, Layout, stopped};

/// A node to be.
pub struct Node {
    /// Name of the Node object.
    pub name: String,
    /// Its network namespace.
    pub namespace: Namespace,
    /// Its addresses, the main one first.
    pub addresses: Vec<IpAddr>,
    /// Ranges its Pods get addresses from.
    pub pod_cidrs: Vec<IpNet>,
}

impl Node {
    /// This machine, or the namespace the process was started in.
    pub fn of_this_machine(layout: &Layout) -> anyhow::Result<Self> {
        let name = match &layout.node_name {
            Some(name) => name.trim().to_lowercase(),
            None => host_name().to_lowercase(),
        };
        let namespace = Namespace::current()?;
        let addresses = own_addresses(&namespace)?;
        Ok(Self { name, namespace, addresses, pod_cidrs: super::pod_share(&layout.pod_cidrs, 0)? })
    }

    /// The addresses DNS listens on: the gateways of the node's Pods.
    pub fn dns_addresses(&self) -> Vec<IpAddr> {
        self.pod_cidrs.iter().map(portway_node::gateway).collect()
    }

    /// Starts agent and proxy.
    pub fn start(
        &self,
        plane: &ControlPlane,
        layout: &Layout,
        tasks: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> NodeAgent {
        let agent = NodeAgent::new(AgentConfig {
            addresses: self.addresses.clone(),
            pod_cidrs: self.pod_cidrs.clone(),
            cluster_dns: super::dns::addresses(&layout.service_cidrs),
            cluster_domain: layout.cluster_domain.clone(),
            ..AgentConfig::new(
                &self.name,
                self.namespace.clone(),
                plane.client("node"),
                layout.data_dir.join("nodes").join(&self.name),
            )
        });
        let (running, stopping, name) = (agent.clone(), stop.clone(), self.name.clone());
        tasks.spawn(async move {
            if let Err(error) = running.run(stopped(stopping)).await {
                tracing::error!(node = name, %error, "the node agent ended");
            }
        });
        let source = plane.client("proxy").into();
        let proxy = NodeProxy::new(ProxyConfig {
            addresses: self.addresses.clone(),
            ..ProxyConfig::new(&self.name, self.namespace.clone(), source, layout.pod_cidrs.clone())
        });
        let (stopping, name) = (stop.clone(), self.name.clone());
        tasks.spawn(async move {
            if let Err(error) = proxy.run(stopped(stopping)).await {
                tracing::error!(node = name, %error, "the proxy ended");
            }
        });
        agent
    }

    /// The DNS sockets of the node. The agent brings the addresses up, so the first tries may come too early.
    pub async fn dns_sockets(&self) -> anyhow::Result<Vec<(UdpSocket, TcpListener)>> {
        let mut sockets = Vec::new();
        for address in self.dns_addresses() {
            let at = SocketAddr::new(address, 53);
            let start = Instant::now();
            let pair = loop {
                let pair =
                    self.namespace.udp_bind(at).and_then(|udp| Ok((udp, self.namespace.tcp_listen(at)?)));
                match pair {
                    Ok(pair) => break pair,
                    Err(error) if start.elapsed() > Duration::from_secs(5) => {
                        return Err(error).with_context(|| format!("cluster DNS of {}", self.name));
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            };
            sockets.push(pair);
        }
        Ok(sockets)
    }
}

/// This machine's host name.
pub fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Addresses of the namespace that others can reach, the one of the default route first.
pub fn own_addresses(namespace: &Namespace) -> anyhow::Result<Vec<IpAddr>> {
    let netlink = namespace.netlink()?;
    let all = netlink.addresses()?;
    let bridge = netlink.index(portway_node::BRIDGE).ok();
    let usable = |ip: &IpAddr| match ip {
        IpAddr::V4(v4) => !v4.is_loopback() && !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_loopback() && !v6.is_unicast_link_local() && !v6.is_unspecified(),
    };
    let mut found = Vec::new();
    for target in ["198.51.100.1:9", "[2001:db8::1]:9"] {
        found.extend(toward(namespace, target).filter(|ip| usable(ip)));
    }
    for v4 in [true, false] {
        if !found.iter().any(|ip| ip.is_ipv4() == v4) {
            let first = all
                .iter()
                .filter(|a| Some(a.link) != bridge)
                .map(|a| a.net.addr())
                .find(|ip| ip.is_ipv4() == v4 && usable(ip));
            found.extend(first);
        }
    }
    if found.is_empty() {
        tracing::warn!("this machine has no address but loopback: node ports are reachable from itself only");
        found.push(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    }
    Ok(found)
}

/// The source address of the route to `target`; a UDP socket that connects sends nothing.
fn toward(namespace: &Namespace, target: &str) -> Option<IpAddr> {
    let unspecified = if target.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket = namespace.udp_bind(unspecified.parse().ok()?).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
