//! core/v1 Service.

use std::collections::BTreeMap;

use super::meta::{Condition, IntOrString};
use super::{ObjectMeta, object, view};

object!(Service, "", "v1", "Service", "services", true);
view! {
    /// A stable name and address for a changing set of Pods.
    pub struct Service {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: ServiceSpec,
        /// Observed state.
        pub status: ServiceStatus,
    }

    /// `spec` of a Service.
    pub struct ServiceSpec {
        /// Ports.
        pub ports: Vec<ServicePort>,
        /// Pods behind it; absent (`None`) and empty both mean hand-made endpoints.
        pub selector: Option<BTreeMap<String, String>>,
        /// First of `cluster_ips`; `None` text for headless.
        #[serde(rename = "clusterIP")]
        pub cluster_ip: String,
        /// One address a family.
        #[serde(rename = "clusterIPs")]
        pub cluster_ips: Vec<String>,
        /// `ClusterIP`, `NodePort`, `LoadBalancer`, `ExternalName`.
        #[serde(rename = "type")]
        pub kind: String,
        /// Addresses outside Portway's care that nodes accept traffic for.
        #[serde(rename = "externalIPs")]
        pub external_ips: Vec<String>,
        /// `None` or `ClientIP`.
        pub session_affinity: String,
        /// Details of ClientIP affinity.
        pub session_affinity_config: Option<SessionAffinityConfig>,
        /// Address asked for.
        #[serde(rename = "loadBalancerIP")]
        pub load_balancer_ip: String,
        /// Who may use the load-balancer address.
        pub load_balancer_source_ranges: Vec<String>,
        /// Target name of an ExternalName Service.
        pub external_name: String,
        /// `Cluster` or `Local`.
        pub external_traffic_policy: String,
        /// `Cluster` or `Local`.
        pub internal_traffic_policy: Option<String>,
        /// Port of the health check for `externalTrafficPolicy: Local`.
        pub health_check_node_port: i32,
        /// Endpoints count as ready from the start.
        pub publish_not_ready_addresses: bool,
        /// Families, in the order of `cluster_ips`.
        pub ip_families: Vec<String>,
        /// `SingleStack`, `PreferDualStack`, `RequireDualStack`.
        pub ip_family_policy: Option<String>,
        /// NodePorts for LoadBalancer Services; absent means true.
        pub allocate_load_balancer_node_ports: Option<bool>,
        /// Which load balancer serves it.
        pub load_balancer_class: Option<String>,
        /// `PreferClose`, `PreferSameZone`, `PreferSameNode`.
        pub traffic_distribution: Option<String>,
    }

    /// One port of a Service.
    pub struct ServicePort {
        /// Name; may be empty if there is only one.
        pub name: String,
        /// `TCP`, `UDP`, `SCTP`.
        pub protocol: String,
        /// Protocol above the transport, for load balancers and ingresses.
        pub app_protocol: Option<String>,
        /// Port of the Service.
        pub port: i32,
        /// Port of the Pod: a number or the name of a container port.
        pub target_port: IntOrString,
        /// Port on every node; 0 for none.
        pub node_port: i32,
    }

    /// Details of session affinity.
    pub struct SessionAffinityConfig {
        /// For `ClientIP`.
        #[serde(rename = "clientIP")]
        pub client_ip: Option<ClientIpConfig>,
    }

    /// Details of ClientIP affinity.
    pub struct ClientIpConfig {
        /// How long a client sticks, in seconds; absent means 10800.
        pub timeout_seconds: Option<i32>,
    }

    /// `status` of a Service.
    pub struct ServiceStatus {
        /// What the load balancer gave.
        pub load_balancer: LoadBalancerStatus,
        /// Conditions.
        pub conditions: Vec<Condition>,
    }

    /// Addresses of a load balancer.
    pub struct LoadBalancerStatus {
        /// One entry an address.
        pub ingress: Vec<LoadBalancerIngress>,
    }

    /// One address of a load balancer.
    pub struct LoadBalancerIngress {
        /// IP address.
        pub ip: String,
        /// DNS name.
        pub hostname: String,
        /// `VIP` (also when absent) or `Proxy`.
        pub ip_mode: Option<String>,
    }
}
