//! What a Service gets when its author says nothing.

use portway_base::IpFamily;
use serde_json::{Value, json};

use super::{is_externally_accessible, is_headless};
use crate::kinds::ip;
use crate::kinds::value::{Edit, Read};

/// Static defaults, the same on every decoded Service. Order matters.
pub(super) fn apply(service: &mut Value) {
    service.fill("spec.sessionAffinity", "None");
    match service.text("spec.sessionAffinity") {
        "None" => service.unset("spec.sessionAffinityConfig"),
        "ClientIP" => service.fill("spec.sessionAffinityConfig.clientIP.timeoutSeconds", 10_800),
        _ => {}
    }
    service.fill("spec.type", "ClusterIP");
    for port in service.list_mut("spec.ports") {
        port.fill("protocol", "TCP");
        let unset = match port.at("targetPort") {
            None => true,
            Some(target) => target.as_i64() == Some(0) || target.as_str() == Some(""),
        };
        if unset {
            let number = port.int("port");
            port.set("targetPort", number);
        }
    }
    if is_externally_accessible(service) {
        service.fill("spec.externalTrafficPolicy", "Cluster");
    }
    let kind = service.text("spec.type").to_owned();
    if ["ClusterIP", "NodePort", "LoadBalancer"].contains(&kind.as_str())
        && !service.has("spec.internalTrafficPolicy")
    {
        service.set("spec.internalTrafficPolicy", "Cluster");
    }
    if kind == "LoadBalancer" {
        service.fill("spec.allocateLoadBalancerNodePorts", true);
        for point in service.list_mut("status.loadBalancer.ingress") {
            if !point.text("ip").is_empty() && !point.has("ipMode") {
                point.set("ipMode", "VIP");
            }
        }
    }
}

/// Fills in what Services stored by older versions lack, and hides what an ExternalName does not show. For
/// objects read from the store; `families` are the cluster's, the default one first.
pub fn refresh(service: &mut Value, families: &[IpFamily]) {
    if service.text("spec.type") == "ExternalName" {
        service.unset("spec.internalTrafficPolicy");
        return;
    }
    let single = service.text("spec.clusterIP").to_owned();
    if service.list("spec.clusterIPs").is_empty() && !single.is_empty() {
        service.set("spec.clusterIPs", json!([single]));
    }
    if !service.list("spec.ipFamilies").is_empty() && service.has("spec.ipFamilyPolicy") {
        return;
    }
    let Some(default) = families.first() else { return };
    let (policy, computed) = if is_headless(service) {
        if selectorless(service) {
            ("RequireDualStack", vec![*default, default.other()])
        } else {
            ("SingleStack", vec![*default])
        }
    } else {
        let found: Vec<IpFamily> =
            service.texts("spec.clusterIPs").into_iter().filter_map(ip::family).collect();
        (if found.len() > 1 { "RequireDualStack" } else { "SingleStack" }, found)
    };
    if !service.has("spec.ipFamilyPolicy") && !computed.is_empty() {
        service.set("spec.ipFamilyPolicy", policy);
    }
    if service.list("spec.ipFamilies").is_empty() && !computed.is_empty() {
        service.set("spec.ipFamilies", texts(&computed));
    }
}

/// No labels to select Pods by.
pub(super) fn selectorless(service: &Value) -> bool {
    service.at("spec.selector").and_then(Value::as_object).is_none_or(serde_json::Map::is_empty)
}

/// Families in the API's spelling.
pub(super) fn texts(families: &[IpFamily]) -> Vec<Value> {
    families.iter().map(|family| family.as_str().into()).collect()
}
