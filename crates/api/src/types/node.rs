//! core/v1 Node.

use std::collections::BTreeMap;

use serde_json::Value;

use super::meta::Condition;
use super::{ObjectMeta, object, view};

object!(Node, "", "v1", "Node", "nodes", false);
view! {
    /// A machine that runs Pods.
    pub struct Node {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: NodeSpec,
        /// Observed state.
        pub status: NodeStatus,
    }

    /// `spec` of a Node.
    pub struct NodeSpec {
        /// First of `pod_cidrs`.
        #[serde(rename = "podCIDR")]
        pub pod_cidr: String,
        /// Ranges its Pods get addresses from, one a family.
        #[serde(rename = "podCIDRs")]
        pub pod_cidrs: Vec<String>,
        /// The scheduler leaves it out.
        pub unschedulable: bool,
        /// What repels Pods.
        pub taints: Vec<Taint>,
    }

    /// What repels Pods.
    pub struct Taint {
        /// Key.
        pub key: String,
        /// Value.
        pub value: String,
        /// `NoSchedule`, `PreferNoSchedule`, `NoExecute`.
        pub effect: String,
        /// RFC 3339; since when, for `NoExecute`.
        pub time_added: Option<String>,
    }

    /// `status` of a Node.
    pub struct NodeStatus {
        /// Conditions.
        pub conditions: Vec<Condition>,
        /// Addresses.
        pub addresses: Vec<NodeAddress>,
        /// Quantities of `cpu`, `memory`, `pods`, ... that Pods may use.
        pub allocatable: BTreeMap<String, Value>,
    }

    /// An address of a Node.
    pub struct NodeAddress {
        /// `InternalIP`, `ExternalIP`, `Hostname`.
        #[serde(rename = "type")]
        pub kind: String,
        /// The address.
        pub address: String,
    }
}
