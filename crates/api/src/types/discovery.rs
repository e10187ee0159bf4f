//! discovery.k8s.io/v1 EndpointSlice.

use super::meta::ObjectReference;
use super::{ObjectMeta, object, view};

/// Label that names the Service a slice belongs to.
pub const LABEL_SERVICE_NAME: &str = "kubernetes.io/service-name";
/// Label that names the controller of a slice.
pub const LABEL_MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";

object!(EndpointSlice, "discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true);
view! {
    /// Some of the endpoints of a Service, of one address type.
    pub struct EndpointSlice {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// `IPv4`, `IPv6`, `FQDN`.
        pub address_type: String,
        /// At most 1000.
        pub endpoints: Vec<Endpoint>,
        /// Ports that every endpoint of the slice has.
        pub ports: Vec<EndpointPort>,
    }

    /// One endpoint.
    pub struct Endpoint {
        /// One to 100 addresses; consumers use the first.
        pub addresses: Vec<String>,
        /// State.
        pub conditions: EndpointConditions,
        /// Host name for headless DNS names.
        pub hostname: Option<String>,
        /// The Pod behind it.
        pub target_ref: Option<ObjectReference>,
        /// Node it runs on.
        pub node_name: Option<String>,
        /// Zone it runs in.
        pub zone: Option<String>,
        /// Where it is meant to be used.
        pub hints: Option<EndpointHints>,
    }

    /// State of an endpoint; absent `ready` and `serving` count as true, absent `terminating` as false.
    pub struct EndpointConditions {
        /// Takes new connections.
        pub ready: Option<bool>,
        /// Would be ready but for its termination.
        pub serving: Option<bool>,
        /// Is going away.
        pub terminating: Option<bool>,
    }

    /// Where an endpoint is meant to be used.
    pub struct EndpointHints {
        /// Zones.
        pub for_zones: Vec<Hint>,
        /// Nodes.
        pub for_nodes: Vec<Hint>,
    }

    /// A zone or a node.
    pub struct Hint {
        /// Its name.
        pub name: String,
    }

    /// A port of a slice.
    pub struct EndpointPort {
        /// Name of the Service port; absent means every consumer must ignore the port, empty is a name.
        pub name: Option<String>,
        /// `TCP` when absent.
        pub protocol: Option<String>,
        /// Absent means all ports (and is ignored by proxies).
        pub port: Option<i32>,
        /// Protocol above the transport.
        pub app_protocol: Option<String>,
    }
}
