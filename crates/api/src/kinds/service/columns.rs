//! Cells of `kubectl get services`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kinds::column::or_none;
use crate::kinds::value::Read;

pub(super) fn cluster_ip(service: &Value) -> Value {
    or_none(service.texts("spec.clusterIPs").first().copied().unwrap_or_default())
}

pub(super) fn external_ip(service: &Value) -> Value {
    let externals = service.texts("spec.externalIPs").join(",");
    match service.text("spec.type") {
        "ClusterIP" | "NodePort" => or_none(externals),
        "LoadBalancer" => {
            let points = service.list("status.loadBalancer.ingress").iter();
            let set: BTreeSet<&str> = points
                .map(
                    |point| {
                        if point.text("ip").is_empty() { point.text("hostname") } else { point.text("ip") }
                    },
                )
                .filter(|text| !text.is_empty())
                .collect();
            let mut all: Vec<&str> = set.into_iter().collect();
            if !externals.is_empty() {
                all.push(&externals);
            }
            Value::from(if all.is_empty() { "<pending>".to_owned() } else { all.join(",") })
        }
        "ExternalName" => service.text("spec.externalName").into(),
        _ => "<unknown>".into(),
    }
}

pub(super) fn ports(service: &Value) -> Value {
    let port = |port: &Value| {
        let (number, protocol) = (port.int("port"), port.text("protocol"));
        match port.int("nodePort") {
            0 => format!("{number}/{protocol}"),
            node_port => format!("{number}:{node_port}/{protocol}"),
        }
    };
    or_none(service.list("spec.ports").iter().map(port).collect::<Vec<_>>().join(","))
}
