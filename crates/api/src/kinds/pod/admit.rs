//! What the server's admission adds to a new Pod, as a stock cluster does: an identity, a priority, and how long
//! it stays on a node that went away.

use serde_json::{Value, json};

use crate::kinds::value::{Edit, Read};

/// Seconds a Pod stays on a node that is lost.
const STAY: i64 = 300;

pub(super) fn admit(pod: &mut Value) {
    pod.fill("spec.serviceAccountName", "default");
    pod.copy_within("spec.serviceAccountName", "spec.serviceAccount");
    pod.fill("spec.preemptionPolicy", "PreemptLowerPriority");
    if !pod.has("spec.priority") {
        pod.set("spec.priority", 0);
    }
    let mut tolerations = pod.list("spec.tolerations").to_vec();
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        if !tolerations.iter().any(|toleration| puts_up_with(toleration, key)) {
            tolerations.push(
                json!({"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": STAY}),
            );
        }
    }
    pod.set("spec.tolerations", tolerations);
}

/// The toleration covers eviction by this taint, for however long.
fn puts_up_with(toleration: &Value, key: &str) -> bool {
    ["", key].contains(&toleration.text("key")) && ["", "NoExecute"].contains(&toleration.text("effect"))
}
