//! What a proxy is told before it starts, and while it runs.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use portway_api::types::discovery::EndpointSlice;
use portway_api::types::networking::ServiceCidr;
use portway_api::types::node::Node;
use portway_api::types::service::Service;
use portway_client::{Client, Event};
use portway_netns::Namespace;
use portway_resolve::{Detect, Settings};
use tokio::sync::mpsc;

/// What a proxy is told before it starts.
#[derive(Debug)]
pub struct ProxyConfig {
    /// Name of the Node object.
    pub node_name: String,
    /// Where the rules go: the node's network namespace.
    pub namespace: Namespace,
    /// Where objects come from.
    pub source: Source,
    /// The node's addresses, the primary one of each family first; empty to take them from the Node object.
    pub addresses: Vec<IpAddr>,
    /// How traffic is treated.
    pub settings: Settings,
    /// The rules in the kernel are compared with what they should be at least this often.
    pub audit: Duration,
}

impl ProxyConfig {
    /// The usual settings, with Pods recognised by the cluster's ranges (one a family).
    pub fn new(
        node_name: impl Into<String>,
        namespace: Namespace,
        source: Source,
        cluster_cidrs: Vec<IpNet>,
    ) -> Self {
        Self {
            node_name: node_name.into(),
            namespace,
            source,
            addresses: Vec::new(),
            settings: Settings { detect: Detect::Ranges(cluster_cidrs), ..Settings::default() },
            audit: Duration::from_secs(60),
        }
    }
}

/// Where objects come from.
pub enum Source {
    /// From an API server.
    Client(Client),
    /// From whoever holds the other end: tests, benchmarks, files.
    Channel(mpsc::UnboundedReceiver<Update>),
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client(_) => "Client",
            Self::Channel(_) => "Channel",
        })
    }
}

impl From<Client> for Source {
    fn from(client: Client) -> Self {
        Self::Client(client)
    }
}

/// Something that happened in the API. Nothing is written before a whole list of Services, of slices and of
/// Nodes was told.
#[derive(Clone, Debug)]
pub enum Update {
    /// To a Service.
    Service(Event<Service>),
    /// To an EndpointSlice.
    Slice(Event<EndpointSlice>),
    /// To the own Node (others are not looked at).
    Node(Event<Node>),
    /// To the ranges of ClusterIPs; they may be left out.
    ServiceCidr(Event<ServiceCidr>),
}
