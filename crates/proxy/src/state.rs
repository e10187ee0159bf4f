//! Updates in, resolver inputs out. Pure.

use std::sync::Arc;

use portway_api::types::discovery::EndpointSlice;
use portway_api::types::networking::ServiceCidr;
use portway_api::types::node::Node;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_client::Cache;
use portway_resolve::{Input, Resolver};

use crate::Update;

/// What was told so far.
#[derive(Debug)]
pub(crate) struct State {
    node_name: String,
    services: Cache<Service>,
    slices: Cache<EndpointSlice>,
    nodes: Cache<Node>,
    ranges: Cache<ServiceCidr>,
}

/// What an update concerns besides Services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Touched {
    /// The own Node.
    pub node: bool,
    /// The ranges of ClusterIPs.
    pub ranges: bool,
}

impl State {
    pub(crate) fn new(node_name: &str) -> Self {
        Self {
            node_name: node_name.to_owned(),
            services: Cache::new(),
            slices: Cache::new(),
            nodes: Cache::new(),
            ranges: Cache::new(),
        }
    }

    /// Everything was told once: from here on, what is missing is really not there.
    pub(crate) fn is_complete(&self) -> bool {
        self.services.is_synced() && self.slices.is_synced() && self.nodes.is_synced()
    }

    pub(crate) fn take(&mut self, update: Update, resolver: &mut Resolver) -> Touched {
        let mut touched = Touched::default();
        match update {
            Update::Service(event) => {
                for change in self.services.apply(event) {
                    resolver.apply(change.now.map_or(Input::ServiceGone(change.key), Input::Service));
                }
            }
            Update::Slice(event) => {
                for change in self.slices.apply(event) {
                    resolver.apply(change.now.map_or(Input::SliceGone(change.key), Input::Slice));
                }
            }
            Update::Node(event) => {
                let changes = self.nodes.apply(event);
                touched.node = changes.iter().any(|change| change.key.name == self.node_name);
            }
            Update::ServiceCidr(event) => touched.ranges = !self.ranges.apply(event).is_empty(),
        }
        touched
    }

    /// The own Node.
    pub(crate) fn node(&self) -> Option<&Arc<Node>> {
        self.nodes.get(&ObjectKey::cluster(&self.node_name))
    }

    /// The ranges of ClusterIPs.
    pub(crate) fn service_cidrs(&self) -> Vec<ipnet::IpNet> {
        self.ranges
            .values()
            .flat_map(|range| &range.spec.cidrs)
            .filter_map(|cidr| cidr.parse().ok())
            .collect()
    }
}
