//! core/v1 Pod: what controllers, DNS and the node agent read of it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::meta::{Condition, IntOrString};
use super::{ObjectMeta, object, view};

object!(Pod, "", "v1", "Pod", "pods", true);
view! {
    /// One or more processes that share a network namespace.
    pub struct Pod {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: PodSpec,
        /// Observed state.
        pub status: PodStatus,
    }

    /// `spec` of a Pod.
    pub struct PodSpec {
        /// Node it was placed on; empty until scheduled.
        pub node_name: String,
        /// Labels a node must have.
        pub node_selector: BTreeMap<String, String>,
        /// Containers.
        pub containers: Vec<Container>,
        /// Containers that run before them; those with `restartPolicy: Always` are sidecars.
        pub init_containers: Vec<Container>,
        /// `Always`, `OnFailure`, `Never`.
        pub restart_policy: String,
        /// Seconds between SIGTERM and SIGKILL; absent means 30.
        pub termination_grace_period_seconds: Option<i64>,
        /// Uses the node's network namespace.
        pub host_network: bool,
        /// Host name; absent means the Pod's name.
        pub hostname: String,
        /// With `hostname`, the Pod's DNS name under a headless Service.
        pub subdomain: String,
        /// `ClusterFirst`, `ClusterFirstWithHostNet`, `Default`, `None`.
        pub dns_policy: String,
        /// Additions to resolv.conf.
        pub dns_config: Option<PodDnsConfig>,
        /// Who places it; empty means `default-scheduler`.
        pub scheduler_name: String,
        /// It is not placed while there are any.
        pub scheduling_gates: Vec<Value>,
        /// Taints it bears.
        pub tolerations: Vec<Toleration>,
        /// Conditions that must hold besides the containers' readiness.
        pub readiness_gates: Vec<PodReadinessGate>,
        /// Service variables in the environment; absent means true.
        pub enable_service_links: Option<bool>,
        /// ServiceAccount.
        pub service_account_name: String,
        /// Volumes, as written.
        pub volumes: Vec<Value>,
    }

    /// A container: here, a process (or a tree of them).
    pub struct Container {
        /// Name.
        pub name: String,
        /// Recorded; may name a root directory.
        pub image: String,
        /// Program and first arguments.
        pub command: Vec<String>,
        /// Further arguments.
        pub args: Vec<String>,
        /// Directory it starts in.
        pub working_dir: String,
        /// Ports it listens on.
        pub ports: Vec<ContainerPort>,
        /// Environment.
        pub env: Vec<EnvVar>,
        /// Environment from ConfigMaps and Secrets, as written.
        pub env_from: Vec<Value>,
        /// Does it take traffic?
        pub readiness_probe: Option<Probe>,
        /// Must it be restarted?
        pub liveness_probe: Option<Probe>,
        /// Has it started? Holds the other two back.
        pub startup_probe: Option<Probe>,
        /// Hooks, as written.
        pub lifecycle: Option<Value>,
        /// `Always` makes an init container a sidecar.
        pub restart_policy: Option<String>,
    }

    /// A port of a container.
    pub struct ContainerPort {
        /// Name that `targetPort` may refer to.
        pub name: String,
        /// Number.
        pub container_port: i32,
        /// The same port on the node; 0 for none.
        pub host_port: i32,
        /// Address on the node.
        #[serde(rename = "hostIP")]
        pub host_ip: String,
        /// `TCP`, `UDP`, `SCTP`.
        pub protocol: String,
    }

    /// One environment variable.
    pub struct EnvVar {
        /// Name.
        pub name: String,
        /// Value; `$(NAME)` refers to earlier ones.
        pub value: String,
        /// Where the value comes from.
        pub value_from: Option<EnvVarSource>,
    }

    /// Where a variable's value comes from.
    pub struct EnvVarSource {
        /// A field of the Pod.
        pub field_ref: Option<ObjectFieldSelector>,
        /// A key of a ConfigMap.
        pub config_map_key_ref: Option<KeySelector>,
        /// A key of a Secret.
        pub secret_key_ref: Option<KeySelector>,
    }

    /// A field of the Pod.
    pub struct ObjectFieldSelector {
        /// `metadata.name`, `status.podIP`, ...
        pub field_path: String,
    }

    /// A key of a ConfigMap or Secret.
    pub struct KeySelector {
        /// Object.
        pub name: String,
        /// Key.
        pub key: String,
        /// The container may start without it.
        pub optional: bool,
    }

    /// A periodic check.
    pub struct Probe {
        /// Run a command in the container.
        pub exec: Option<ExecAction>,
        /// GET a URL.
        pub http_get: Option<HttpGetAction>,
        /// Connect to a port.
        pub tcp_socket: Option<TcpSocketAction>,
        /// Ask the gRPC health service.
        pub grpc: Option<GrpcAction>,
        /// Seconds before the first check.
        pub initial_delay_seconds: i32,
        /// Seconds a check may take; 0 means 1.
        pub timeout_seconds: i32,
        /// Seconds between checks; 0 means 10.
        pub period_seconds: i32,
        /// Successes in a row that count; 0 means 1.
        pub success_threshold: i32,
        /// Failures in a row that count; 0 means 3.
        pub failure_threshold: i32,
        /// Overrides the Pod's grace period when the probe kills.
        pub termination_grace_period_seconds: Option<i64>,
    }

    /// Run a command.
    pub struct ExecAction {
        /// Program and arguments, no shell.
        pub command: Vec<String>,
    }

    /// GET a URL.
    pub struct HttpGetAction {
        /// Path.
        pub path: String,
        /// Number or name.
        pub port: IntOrString,
        /// Host; absent means the Pod's address.
        pub host: String,
        /// `HTTP` or `HTTPS`.
        pub scheme: String,
        /// Request headers.
        pub http_headers: Vec<HttpHeader>,
    }

    /// A request header.
    pub struct HttpHeader {
        /// Name.
        pub name: String,
        /// Value.
        pub value: String,
    }

    /// Connect to a port.
    pub struct TcpSocketAction {
        /// Number or name.
        pub port: IntOrString,
        /// Host; absent means the Pod's address.
        pub host: String,
    }

    /// Ask the gRPC health service.
    pub struct GrpcAction {
        /// Number.
        pub port: i32,
        /// Service to ask for.
        pub service: Option<String>,
    }

    /// Additions to resolv.conf.
    pub struct PodDnsConfig {
        /// `nameserver` lines.
        pub nameservers: Vec<String>,
        /// `search` words.
        pub searches: Vec<String>,
        /// `options` words.
        pub options: Vec<PodDnsOption>,
    }

    /// One resolver option.
    pub struct PodDnsOption {
        /// Name.
        pub name: String,
        /// Value.
        pub value: Option<String>,
    }

    /// A taint a Pod bears.
    pub struct Toleration {
        /// Key; empty with `Exists` matches all.
        pub key: String,
        /// `Equal` (default) or `Exists`.
        pub operator: String,
        /// Value.
        pub value: String,
        /// Effect; empty matches all.
        pub effect: String,
        /// How long a `NoExecute` taint is borne.
        pub toleration_seconds: Option<i64>,
    }

    /// A condition that must hold for the Pod to be ready.
    pub struct PodReadinessGate {
        /// Type of the condition.
        pub condition_type: String,
    }

    /// `status` of a Pod.
    pub struct PodStatus {
        /// `Pending`, `Running`, `Succeeded`, `Failed`.
        pub phase: String,
        /// Conditions.
        pub conditions: Vec<Condition>,
        /// Reason for people and programs.
        pub reason: String,
        /// For people.
        pub message: String,
        /// First address of the node.
        #[serde(rename = "hostIP")]
        pub host_ip: String,
        /// First of `pod_ips`.
        #[serde(rename = "podIP")]
        pub pod_ip: String,
        /// One address a family.
        #[serde(rename = "podIPs")]
        pub pod_ips: Vec<PodIp>,
        /// RFC 3339.
        pub start_time: Option<String>,
        /// One a container, as written.
        pub container_statuses: Vec<Value>,
        /// One an init container, as written.
        pub init_container_statuses: Vec<Value>,
    }

    /// An address of a Pod.
    pub struct PodIp {
        /// The address.
        pub ip: String,
    }
}

impl Pod {
    /// The condition `Ready` is `True`.
    pub fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True")
    }
}
