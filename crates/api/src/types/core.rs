//! The small kinds of core/v1: Endpoints, Namespace, ConfigMap, Secret, ServiceAccount, Event.

use std::collections::BTreeMap;

use super::meta::{Condition, ObjectReference};
use super::{ObjectMeta, object, view};

object!(Endpoints, "", "v1", "Endpoints", "endpoints", true);
object!(Namespace, "", "v1", "Namespace", "namespaces", false);
object!(ConfigMap, "", "v1", "ConfigMap", "configmaps", true);
object!(Secret, "", "v1", "Secret", "secrets", true);
object!(ServiceAccount, "", "v1", "ServiceAccount", "serviceaccounts", true);
object!(Event, "", "v1", "Event", "events", true);
view! {
    /// The legacy form of a Service's endpoints.
    pub struct Endpoints {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Each a cross product of addresses and ports.
        pub subsets: Vec<EndpointSubset>,
    }

    /// Addresses times ports.
    pub struct EndpointSubset {
        /// Ready addresses.
        pub addresses: Vec<EndpointAddress>,
        /// Addresses that are not ready.
        pub not_ready_addresses: Vec<EndpointAddress>,
        /// Ports.
        pub ports: Vec<EndpointPort>,
    }

    /// One address.
    pub struct EndpointAddress {
        /// IP address.
        pub ip: String,
        /// Host name for headless DNS names.
        pub hostname: String,
        /// Node it runs on.
        pub node_name: Option<String>,
        /// The Pod behind it.
        pub target_ref: Option<ObjectReference>,
    }

    /// One port.
    pub struct EndpointPort {
        /// Name of the Service port.
        pub name: String,
        /// Number.
        pub port: i32,
        /// `TCP`, `UDP`, `SCTP`.
        pub protocol: String,
        /// Protocol above the transport.
        pub app_protocol: Option<String>,
    }

    /// A scope for names.
    pub struct Namespace {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: NamespaceSpec,
        /// Observed state.
        pub status: NamespaceStatus,
    }

    /// `spec` of a Namespace.
    pub struct NamespaceSpec {
        /// Deletion waits until this is empty.
        pub finalizers: Vec<String>,
    }

    /// `status` of a Namespace.
    pub struct NamespaceStatus {
        /// `Active`, `Terminating`.
        pub phase: String,
        /// Conditions.
        pub conditions: Vec<Condition>,
    }

    /// Configuration data.
    pub struct ConfigMap {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Text values.
        pub data: BTreeMap<String, String>,
        /// base64 values.
        pub binary_data: BTreeMap<String, String>,
    }

    /// Confidential data.
    pub struct Secret {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// base64 values.
        pub data: BTreeMap<String, String>,
        /// `Opaque`, `kubernetes.io/tls`, ...
        #[serde(rename = "type")]
        pub kind: String,
    }

    /// An identity for Pods.
    pub struct ServiceAccount {
        /// Metadata.
        pub metadata: ObjectMeta,
    }

    /// Something that happened to an object.
    pub struct Event {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// The object.
        pub involved_object: ObjectReference,
        /// One CamelCase word.
        pub reason: String,
        /// For people.
        pub message: String,
        /// `Normal`, `Warning`.
        #[serde(rename = "type")]
        pub kind: String,
        /// How often.
        pub count: i32,
        /// RFC 3339.
        pub first_timestamp: Option<String>,
        /// RFC 3339.
        pub last_timestamp: Option<String>,
    }
}
