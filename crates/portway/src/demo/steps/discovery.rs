//! Nodes, manifests and names.

use std::net::IpAddr;

use anyhow::Context;
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_client::ListOptions;

use crate::demo::scene::Scene;
use crate::demo::tour::Tour;

/// The cluster stands.
pub async fn nodes(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    let ready = async || {
        let nodes = scene.client.list::<Node>(&ListOptions::default()).await?.items;
        Ok(nodes
            .iter()
            .filter(|n| n.status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True"))
            .count()
            == 3)
    };
    let took = scene.wait("three nodes are Ready", 20, ready).await?;
    scene.show(tour, &["get", "nodes", "-o", "wide"]).await?;
    tour.check(true, format_args!("three nodes are Ready (after {} ms)", took.as_millis()));
    Ok(())
}

/// The example manifests with their names.
pub const MANIFESTS: [(&str, &str); 7] = [
    ("examples/my-app.yaml", include_str!("../../../../../examples/my-app.yaml")),
    ("examples/my-service.yaml", include_str!("../../../../../examples/my-service.yaml")),
    ("examples/balanced.yaml", include_str!("../../../../../examples/balanced.yaml")),
    ("examples/node-port.yaml", include_str!("../../../../../examples/node-port.yaml")),
    ("examples/headless.yaml", include_str!("../../../../../examples/headless.yaml")),
    ("examples/external-name.yaml", include_str!("../../../../../examples/external-name.yaml")),
    ("examples/client.yaml", include_str!("../../../../../examples/client.yaml")),
];

/// The example manifests, applied as they are.
pub async fn manifests(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step(
        "The example manifests: an application of three Pods, and Services of every kind in front of it",
    );
    for (name, manifest) in MANIFESTS {
        scene.apply(tour, name, manifest).await?;
    }
    let serving = async || {
        let client = scene.client.get::<Pod>(&ObjectKey::new("default", "client")).await?;
        Ok(client.is_ready() && scene.ready_endpoints("balanced").await?.len() == 6)
    };
    let took = scene.wait("all Pods are ready and in both families' EndpointSlices", 30, serving).await?;
    scene.show(tour, &["get", "pods", "-o", "wide"]).await?;
    scene.show(tour, &["get", "services"]).await?;
    scene.show(tour, &["get", "endpointslices"]).await?;
    tour.check(
        true,
        format_args!("three Pods serve, on both IP families (after {:.1} s)", took.as_secs_f64()),
    );
    Ok(())
}

/// What cluster DNS says of them.
pub async fn names(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step("Names: what a Pod's resolver gets from cluster DNS");
    let service: Service = scene.client.get(&ObjectKey::new("default", "balanced")).await?;
    let seen = scene.in_pod(tour, "client", &["lookup", "balanced"]).await?;
    tour.saw(&seen);
    tour.check(
        service.spec.cluster_ips.first().is_some_and(|ip| seen.contains(ip.as_str())),
        "the short name answers with the ClusterIP",
    );
    let seen = scene.in_pod(tour, "client", &["lookup", "balanced", "AAAA"]).await?;
    tour.saw(&seen);
    let v6 = service.spec.cluster_ips.get(1).context("balanced has no IPv6 ClusterIP")?;
    tour.check(seen.contains(v6.as_str()), "and with the IPv6 ClusterIP");
    let seen = scene.in_pod(tour, "client", &["lookup", "every-pod"]).await?;
    tour.saw(&seen);
    let pods = scene.app_pods().await?;
    tour.check(
        !pods.is_empty() && pods.iter().all(|p| seen.contains(p.status.pod_ip.as_str())),
        "a headless Service answers with the addresses of its Pods",
    );
    let seen = scene.in_pod(tour, "client", &["lookup", "_http._tcp.balanced", "SRV"]).await?;
    tour.saw(&seen);
    tour.check(seen.contains(" 80 balanced.default.svc.cluster.local."), "SRV names port and Service");
    let address: IpAddr = service.spec.cluster_ip.parse().context("balanced has no ClusterIP")?;
    let seen = scene.in_pod(tour, "client", &["lookup", &address.to_string(), "PTR"]).await?;
    tour.saw(&seen);
    tour.check(seen.contains("balanced.default.svc.cluster.local."), "PTR leads back from the ClusterIP");
    Ok(())
}
