//! The node's own objects: its Node, kept up to date, and its Lease, renewed.

use std::time::Duration;

use jiff::Timestamp;
use portway_api::types::coordination::Lease;
use portway_api::types::node::Node;
use portway_base::ObjectKey;
use portway_client::{Action, Error, Write};
use serde_json::{Map, Value, json};

use crate::agent::AgentConfig;
use crate::pod::seconds;

/// Between renewals of the Lease.
const RENEW: Duration = Duration::from_secs(10);
/// Seconds a renewal lasts.
const LEASE: u32 = 40;
/// Renewals between two writes of an unchanged Node status.
const STATUS_EVERY: u32 = 30;

/// Registers the node, then renews for ever.
pub(crate) async fn keep_registered(config: &AgentConfig) {
    let mut round = 0u32;
    let mut pause = Duration::from_millis(20);
    let since = seconds(Timestamp::now());
    loop {
        let status = round.is_multiple_of(STATUS_EVERY);
        match renew(config, status, &since).await {
            Ok(()) => {
                if round == 0 {
                    tracing::info!(node = config.name, "node registered");
                }
                (round, pause) = (round.wrapping_add(1), Duration::from_millis(20));
                tokio::time::sleep(RENEW).await;
            }
            Err(error) => {
                tracing::debug!(node = config.name, %error, "the node will be registered again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(5));
            }
        }
    }
}

async fn renew(config: &AgentConfig, with_status: bool, since: &str) -> Result<(), Error> {
    if with_status {
        write_node(config, since).await?;
    }
    let now = format!("{:.6}", Timestamp::now());
    let key = ObjectKey::new("kube-node-lease", config.name.clone());
    let spec = json!({
        "holderIdentity": config.name, "leaseDurationSeconds": LEASE, "renewTime": now,
    });
    let patch = Action::MergePatch(json!({"spec": spec}));
    match config.client.write(&Write::of::<Lease>(key.clone(), patch)).await {
        Err(Error::NotFound(_)) => {
            let object = json!({
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": config.name, "namespace": "kube-node-lease"},
                "spec": spec,
            });
            match config.client.write(&Write::of::<Lease>(key, Action::Create(object))).await {
                // Only the agent's own objects; a namespace on its way is tried again at the next renewal.
                Err(Error::NotFound(_) | Error::AlreadyExists(_)) => Ok(()),
                other => other.map(drop),
            }
        }
        other => other.map(drop),
    }
}

/// Creates the Node, or brings what is the agent's in it up to date.
async fn write_node(config: &AgentConfig, since: &str) -> Result<(), Error> {
    let key = ObjectKey::cluster(config.name.clone());
    let object = node(config);
    match config.client.write(&Write::of::<Node>(key.clone(), Action::Create(object.clone()))).await {
        Ok(_) => {}
        Err(Error::AlreadyExists(_)) => {
            let patch = json!({"metadata": {"labels": object["metadata"]["labels"]}, "spec": object["spec"]});
            let labels = json!({"metadata": {"labels": object["metadata"]["labels"]}});
            match config.client.write(&Write::of::<Node>(key.clone(), Action::StrategicPatch(patch))).await {
                // Pod ranges cannot change once they are set: those that are there stay.
                Err(Error::Invalid(_) | Error::Forbidden(_)) => {
                    config
                        .client
                        .write(&Write::of::<Node>(key.clone(), Action::StrategicPatch(labels)))
                        .await?;
                }
                other => drop(other?),
            }
        }
        Err(error) => return Err(error),
    }
    let patch = Action::StrategicPatch(json!({"status": status(config, since)}));
    config.client.write(&Write::of::<Node>(key, patch).on("status")).await.map(drop)
}

fn node(config: &AgentConfig) -> Value {
    let mut labels: Map<String, Value> =
        config.labels.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect();
    for (key, value) in [
        ("kubernetes.io/hostname", config.name.as_str()),
        ("kubernetes.io/os", "linux"),
        ("kubernetes.io/arch", architecture()),
    ] {
        labels.entry(key.to_owned()).or_insert_with(|| value.into());
    }
    let mut object = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": config.name, "labels": labels},
        "spec": {},
    });
    if let Some(first) = config.pod_cidrs.first() {
        object["spec"]["podCIDR"] = first.to_string().into();
        object["spec"]["podCIDRs"] = config.pod_cidrs.iter().map(ToString::to_string).collect();
    }
    object
}

fn status(config: &AgentConfig, since: &str) -> Value {
    let now = seconds(Timestamp::now());
    let condition = |kind: &str, good: &str, reason: &str, message: &str| {
        json!({
            "type": kind, "status": good, "reason": reason, "message": message,
            "lastHeartbeatTime": now, "lastTransitionTime": since,
        })
    };
    let mut addresses: Vec<Value> = config
        .addresses
        .iter()
        .map(|address| json!({"type": "InternalIP", "address": address.to_string()}))
        .collect();
    addresses.push(json!({"type": "Hostname", "address": config.name}));
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let resources = json!({"cpu": cpus.to_string(), "memory": format!("{}Ki", memory_kib()), "pods": "110"});
    json!({
        "addresses": addresses,
        "capacity": resources,
        "allocatable": resources,
        "conditions": [
            condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "the agent does not limit memory"),
            condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "the agent does not limit disk use"),
            condition("PIDPressure", "False", "KubeletHasSufficientPID", "the agent does not limit processes"),
            condition("Ready", "True", "KubeletReady", "the node agent is ready"),
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 0}},
        "nodeInfo": {
            "architecture": architecture(),
            "operatingSystem": "linux",
            "kernelVersion": kernel(),
            "osImage": os_image(),
            "containerRuntimeVersion": concat!("portway://", env!("CARGO_PKG_VERSION")),
            "kubeletVersion": config.version,
            "kubeProxyVersion": "",
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
        },
    })
}

/// The architecture as Go calls it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

fn kernel() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

fn os_image() -> String {
    let text = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or_else(|| "Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

fn memory_kib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    line.and_then(|rest| rest.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}
