//! What the Node object and the namespace tell of the node.

use std::net::IpAddr;

use portway_api::types::node::Node;
use portway_netns::Namespace;
use portway_resolve::NodeFacts;

const LABEL_ZONE: &str = "topology.kubernetes.io/zone";

/// Facts of the node; `configured` addresses win over those of the object.
pub(crate) fn node_facts(
    name: &str,
    configured: &[IpAddr],
    node: Option<&Node>,
    interface_addresses: Vec<IpAddr>,
) -> NodeFacts {
    let addresses = match (configured, node) {
        ([], Some(node)) => of_object(node),
        ([], None) => Vec::new(),
        (configured, _) => configured.to_vec(),
    };
    NodeFacts {
        name: name.to_owned(),
        zone: node.and_then(|node| node.metadata.labels.get(LABEL_ZONE)).cloned(),
        addresses,
        interface_addresses,
        pod_cidrs: node
            .map(|node| node.spec.pod_cidrs.iter().filter_map(|cidr| cidr.parse().ok()).collect())
            .unwrap_or_default(),
    }
}

/// InternalIPs, and ExternalIPs of families that have none.
fn of_object(node: &Node) -> Vec<IpAddr> {
    let of = |kind: &'static str| {
        let all = node.status.addresses.iter().filter(move |address| address.kind == kind);
        all.filter_map(|address| address.address.parse::<IpAddr>().ok())
    };
    let mut found: Vec<IpAddr> = of("InternalIP").collect();
    for external in of("ExternalIP") {
        if !found.iter().any(|ip| ip.is_ipv4() == external.is_ipv4()) {
            found.push(external);
        }
    }
    found
}

/// Every address on an interface of the namespace.
pub(crate) fn interface_addresses(namespace: &Namespace) -> Result<Vec<IpAddr>, portway_netns::Error> {
    let mut addresses: Vec<IpAddr> =
        namespace.netlink()?.addresses()?.into_iter().map(|address| address.net.addr()).collect();
    addresses.sort_unstable();
    Ok(addresses)
}
