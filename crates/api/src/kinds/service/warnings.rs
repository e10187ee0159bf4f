//! `Warning` headers about a Service that was accepted.

use serde_json::Value;

use super::validate::HINTS;
use super::{is_external_name, is_headless};
use crate::kinds::ip;
use crate::kinds::value::Read;

pub(super) fn all(service: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |when: bool, text: &str| {
        if when {
            warnings.push(text.to_owned());
        }
    };
    let (headless, external_name) = (is_headless(service), is_external_name(service));
    let external_ips = !service.list("spec.externalIPs").is_empty();
    warn(
        service.annotation(HINTS).is_some(),
        "annotation service.kubernetes.io/topology-aware-hints is deprecated, please use \
         service.kubernetes.io/topology-mode instead",
    );
    warn(
        headless && !service.text("spec.loadBalancerIP").is_empty(),
        "spec.loadBalancerIP is ignored for headless services",
    );
    warn(headless && external_ips, "spec.externalIPs is ignored for headless services");
    warn(
        headless && service.text("spec.sessionAffinity") != "None",
        "spec.SessionAffinity is ignored for headless services",
    );
    warn(
        external_ips && !headless && !external_name,
        "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    );
    warn(external_name && external_ips, "spec.externalIPs is ignored when spec.type is \"ExternalName\"");
    warn(
        !external_name && !service.text("spec.externalName").is_empty(),
        "spec.externalName is ignored when spec.type is not \"ExternalName\"",
    );
    warn(
        service.text("spec.trafficDistribution") == "PreferClose",
        "spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"",
    );
    warnings.extend(texts(service));
    warnings
}

/// Addresses and ranges in odd spellings.
fn texts(service: &Value) -> Vec<String> {
    let mut warnings = Vec::new();
    for path in ["spec.clusterIPs", "spec.externalIPs"] {
        for (index, address) in service.texts(path).into_iter().enumerate() {
            if !address.is_empty() && address != "None" {
                warnings.extend(ip::warn(&format!("{path}[{index}]"), address));
            }
        }
    }
    warnings.extend(ip::warn("spec.loadBalancerIP", service.text("spec.loadBalancerIP")));
    for (index, range) in service.texts("spec.loadBalancerSourceRanges").into_iter().enumerate() {
        warnings.extend(ip::warn_cidr(&format!("spec.loadBalancerSourceRanges[{index}]"), range.trim()));
    }
    for (index, point) in service.list("status.loadBalancer.ingress").iter().enumerate() {
        warnings.extend(ip::warn(&format!("status.loadBalancer.ingress[{index}]"), point.text("ip")));
    }
    warnings
}
