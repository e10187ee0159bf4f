//! Whether a Pod may run on a node.

use portway_api::types::node::{Node, Taint};
use portway_api::types::pod::{Pod, Toleration};
use serde_json::Value;

use crate::selection::protocol;

const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
const NOT_READY: &str = "node.kubernetes.io/not-ready";

/// Fails with the reason, as `kubectl describe` shows it after a number of nodes.
pub fn check(pod: &Pod, node: &Node, there: &[&Pod]) -> Result<(), String> {
    if pod.spec.node_selector.iter().any(|(k, v)| node.metadata.labels.get(k) != Some(v)) {
        return Err("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    let implied =
        |key: &str| Taint { key: key.to_owned(), effect: "NoSchedule".to_owned(), ..Taint::default() };
    if node.spec.unschedulable && !bears(pod, &implied(UNSCHEDULABLE)) {
        return Err("node(s) were unschedulable".to_owned());
    }
    let repels = |t: &&Taint| matches!(t.effect.as_str(), "NoSchedule" | "NoExecute") && !bears(pod, t);
    if let Some(taint) = node.spec.taints.iter().find(repels) {
        return Err(format!("node(s) had untolerated taint {{{}: {}}}", taint.key, taint.value));
    }
    if !is_ready(node) && !bears(pod, &implied(NOT_READY)) {
        return Err("node(s) were not ready".to_owned());
    }
    if there.iter().any(|other| ports_clash(pod, other)) {
        return Err("node(s) didn't have free ports for the requested pod ports".to_owned());
    }
    let limit = node.status.allocatable.get("pods").and_then(whole);
    if limit.is_some_and(|limit| there.len() >= limit) {
        return Err("Too many pods".to_owned());
    }
    Ok(())
}

/// How many `PreferNoSchedule` taints the Pod does not bear.
pub fn avoided(pod: &Pod, node: &Node) -> usize {
    node.spec.taints.iter().filter(|t| t.effect == "PreferNoSchedule" && !bears(pod, t)).count()
}

/// The node's condition `Ready` is `True`.
pub fn is_ready(node: &Node) -> bool {
    node.status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True")
}

fn bears(pod: &Pod, taint: &Taint) -> bool {
    pod.spec.tolerations.iter().any(|t| tolerates(t, taint))
}

/// The toleration matches the taint.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let key = toleration.key.is_empty() || toleration.key == taint.key;
    effect
        && key
        && match toleration.operator.as_str() {
            "Exists" => true,
            "" | "Equal" => !toleration.key.is_empty() && toleration.value == taint.value,
            _ => false,
        }
}

/// They want the same port of the node.
fn ports_clash(a: &Pod, b: &Pod) -> bool {
    let any = |ip: &str| matches!(ip, "" | "0.0.0.0" | "::");
    let of = |pod: &Pod| -> Vec<(i32, String, String)> {
        let ports = pod.spec.containers.iter().flat_map(|c| &c.ports).filter(|p| p.host_port > 0);
        ports.map(|p| (p.host_port, protocol(&p.protocol).to_owned(), p.host_ip.clone())).collect()
    };
    let theirs = of(b);
    of(a).iter().any(|(port, protocol, ip)| {
        theirs.iter().any(|(p, q, i)| p == port && q == protocol && (i == ip || any(i) || any(ip)))
    })
}

fn whole(quantity: &Value) -> Option<usize> {
    match quantity {
        Value::String(text) => text.parse().ok(),
        other => usize::try_from(other.as_u64()?).ok(),
    }
}
