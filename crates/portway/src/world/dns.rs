//! Cluster DNS as a Service: `kube-system/kube-dns` with the address every Pod has in its resolv.conf, and a slice
//! per family that lists the DNS listener of each node.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::Context;
use ipnet::IpNet;
use portway_api::Object;
use portway_api::types::discovery::{self, EndpointSlice};
use portway_api::types::service::Service;
use portway_base::{IpFamily, ObjectKey};
use portway_client::{Action, Client, Error, Gvr, Write};
use serde_json::{Value, json};

/// The tenth address of each Service range, kubeadm's convention.
pub fn addresses(service_cidrs: &[IpNet]) -> Vec<IpAddr> {
    service_cidrs
        .iter()
        .filter_map(|range| match range {
            IpNet::V4(net) => u32::from(net.network()).checked_add(10).map(|n| IpAddr::V4(n.into())),
            IpNet::V6(net) => u128::from(net.network()).checked_add(10).map(|n| IpAddr::V6(n.into())),
        })
        .filter(|address| service_cidrs.iter().any(|range| range.contains(address)))
        .collect()
}

/// Makes the Service and its slices what they should be; `listeners` are the addresses of each node's DNS.
pub async fn publish(
    client: &Client,
    vips: &[IpAddr],
    listeners: &BTreeMap<String, Vec<IpAddr>>,
) -> anyhow::Result<()> {
    let service = service(vips);
    put::<Service>(client, "kube-system", "kube-dns", service)
        .await
        .context("cannot publish Service kube-system/kube-dns")?;
    for family in vips.iter().map(|vip| IpFamily::of(*vip)) {
        let name = format!("kube-dns-{}", family.as_str().to_lowercase());
        put::<EndpointSlice>(client, "kube-system", &name, slice(&name, family, listeners))
            .await
            .with_context(|| format!("cannot publish EndpointSlice kube-system/{name}"))?;
    }
    Ok(())
}

const PORTS: [(&str, &str); 2] = [("dns", "UDP"), ("dns-tcp", "TCP")];

fn service(vips: &[IpAddr]) -> Value {
    let families: Vec<_> = vips.iter().map(|vip| IpFamily::of(*vip).as_str()).collect();
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "namespace": "kube-system", "name": "kube-dns",
            "labels": {"k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true", "kubernetes.io/name": "CoreDNS"},
        },
        "spec": {
            "clusterIP": vips.first(), "clusterIPs": vips, "ipFamilies": families,
            "ipFamilyPolicy": if vips.len() > 1 { "RequireDualStack" } else { "SingleStack" },
            // Every node answers for its own Pods.
            "internalTrafficPolicy": "Local",
            "ports": PORTS.map(|(name, protocol)| json!({"name": name, "port": 53, "targetPort": 53, "protocol": protocol})),
        },
    })
}

fn slice(name: &str, family: IpFamily, listeners: &BTreeMap<String, Vec<IpAddr>>) -> Value {
    let endpoints: Vec<_> = listeners
        .iter()
        .flat_map(|(node, addresses)| addresses.iter().map(move |address| (node, address)))
        .filter(|(_, address)| IpFamily::of(**address) == family)
        .map(|(node, address)| json!({"addresses": [address], "nodeName": node, "conditions": {"ready": true, "serving": true, "terminating": false}}))
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "namespace": "kube-system", "name": name,
            "labels": {discovery::LABEL_SERVICE_NAME: "kube-dns", discovery::LABEL_MANAGED_BY: "portway.dev"},
        },
        "addressType": family.as_str(),
        "endpoints": endpoints,
        "ports": PORTS.map(|(name, protocol)| json!({"name": name, "port": 53, "protocol": protocol})),
    })
}

/// Creates the object, or makes an existing one equal to it.
async fn put<T: Object>(client: &Client, namespace: &str, name: &str, object: Value) -> Result<(), Error> {
    let write = |action| Write {
        resource: Gvr::of::<T>(),
        key: ObjectKey::new(namespace, name),
        subresource: None,
        action,
    };
    // A patch first: a second create of a Service fails on its address, not on its name.
    match client.write(&write(Action::MergePatch(object.clone()))).await {
        Err(Error::NotFound(_)) => client.write(&write(Action::Create(object))).await.map(drop),
        result => result.map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dns_has_the_tenth_address() {
        let ranges = ["10.96.0.0/16".parse().unwrap(), "fd00:10:96::/112".parse().unwrap()];
        assert_eq!(
            addresses(&ranges),
            ["10.96.0.10".parse::<IpAddr>().unwrap(), "fd00:10:96::a".parse().unwrap()]
        );
        assert!(
            addresses(&["10.0.0.0/29".parse().unwrap()]).is_empty(),
            "too small a range has no tenth address"
        );
    }
}
