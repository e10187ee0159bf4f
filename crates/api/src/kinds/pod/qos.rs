//! The quality-of-service class of a Pod, from what its containers ask for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::kinds::value::Read;
use crate::quantity::Quantity;

/// `BestEffort`, `Burstable` or `Guaranteed`.
pub(super) fn class(pod: &Value) -> &'static str {
    let mut guaranteed = true;
    let (mut requests, mut limits) = (BTreeMap::new(), BTreeMap::new());
    let all = ["spec.containers", "spec.initContainers"].into_iter().flat_map(|list| pod.list(list));
    for container in all {
        add(&mut requests, container, "resources.requests");
        guaranteed &= add(&mut limits, container, "resources.limits") == 2;
    }
    if requests.is_empty() && limits.is_empty() {
        "BestEffort"
    } else if guaranteed && requests == limits {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

/// Adds the CPU and memory a container names, and returns how many of the two it names.
fn add(total: &mut BTreeMap<String, i128>, container: &Value, path: &str) -> usize {
    let mut found = 0;
    for (name, text) in container.pairs(path) {
        let amount = text.parse::<Quantity>().ok().filter(|q| !q.is_negative() && !q.is_zero());
        if let Some(amount) = amount.filter(|_| ["cpu", "memory"].contains(&name)) {
            let sum = total.entry(name.to_owned()).or_default();
            *sum = sum.saturating_add(amount.milli());
            found += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn classes() {
        let check = |resources: Value, expect: &str| {
            assert_eq!(
                class(&json!({"spec": {"containers": [{"resources": resources}]}})),
                expect,
                "{resources}"
            );
        };
        check(json!({}), "BestEffort");
        check(json!({"requests": {"cpu": "1"}}), "Burstable");
        let both = json!({"cpu": "1", "memory": "1Gi"});
        check(json!({"requests": both, "limits": {"cpu": "1000m", "memory": "1024Mi"}}), "Guaranteed");
        check(json!({"requests": {"cpu": "1"}, "limits": both}), "Burstable");
        check(json!({"requests": {"example.com/gpu": "1"}}), "BestEffort");
    }
}
