//! The variables that tell a container of the Services of its namespace.

use std::collections::BTreeMap;

use portway_api::types::pod::Pod;
use portway_api::types::service::Service;

/// Variables of all Services with an address in the Pod's namespace (unless it asks for none), and of
/// `default/kubernetes`, which the namespace's own Service of that name hides.
pub fn service_variables<'a>(
    pod: &Pod,
    services: impl IntoIterator<Item = &'a Service>,
) -> Vec<(String, String)> {
    let links = pod.spec.enable_service_links.unwrap_or(true);
    let mut chosen: BTreeMap<&str, &Service> = BTreeMap::new();
    for service in services {
        let meta = &service.metadata;
        let address = service.spec.cluster_ip.as_str();
        if address.is_empty() || address == "None" {
            continue;
        }
        if links && meta.namespace == pod.metadata.namespace {
            chosen.insert(&meta.name, service);
        } else if meta.namespace == "default" && meta.name == "kubernetes" {
            chosen.entry(&meta.name).or_insert(service);
        }
    }
    let mut out = Vec::new();
    for (name, service) in chosen {
        variables(&screaming(name), service, &mut out);
    }
    out
}

fn variables(name: &str, service: &Service, out: &mut Vec<(String, String)>) {
    let host = &service.spec.cluster_ip;
    let bracketed = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    let Some(first) = service.spec.ports.first() else { return };
    let mut add = |key: String, value: String| out.push((key, value));
    add(format!("{name}_SERVICE_HOST"), host.clone());
    add(format!("{name}_SERVICE_PORT"), first.port.to_string());
    for port in service.spec.ports.iter().filter(|p| !p.name.is_empty()) {
        add(format!("{name}_SERVICE_PORT_{}", screaming(&port.name)), port.port.to_string());
    }
    for (index, port) in service.spec.ports.iter().enumerate() {
        let protocol = if port.protocol.is_empty() { "TCP" } else { &port.protocol };
        let url = format!("{}://{bracketed}:{}", protocol.to_lowercase(), port.port);
        if index == 0 {
            add(format!("{name}_PORT"), url.clone());
        }
        let prefix = format!("{name}_PORT_{}_{}", port.port, protocol.to_uppercase());
        add(format!("{prefix}_PROTO"), protocol.to_lowercase());
        add(format!("{prefix}_PORT"), port.port.to_string());
        add(format!("{prefix}_ADDR"), host.clone());
        add(prefix, url);
    }
}

fn screaming(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}
