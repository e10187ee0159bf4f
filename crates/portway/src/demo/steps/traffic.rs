//! Traffic through every kind of Service.

use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_client::ListOptions;

use crate::cmd::probe::Tally;
use crate::demo::scene::{Scene, tally};
use crate::demo::tour::Tour;

fn show(tour: &Tour, tally: &Tally) {
    for (server, times) in &tally.answers {
        tour.saw(format_args!("{times:>4} answers from {server}"));
    }
    for (failure, times) in &tally.failures {
        tour.saw(format_args!("{times:>4} failed: {failure}"));
    }
}

fn names(pods: &[Pod]) -> Vec<&str> {
    pods.iter().map(|p| p.metadata.name.as_str()).collect()
}

/// Every Pod answered, and nothing failed.
fn everyone(tally: &Tally, pods: &[Pod]) -> bool {
    tally.failures.is_empty()
        && pods.len() == tally.answers.len()
        && names(pods).iter().all(|p| tally.answers.contains_key(*p))
}

/// ClusterIP, from a Pod, over both families and protocols.
pub async fn balanced(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step("A ClusterIP, from a Pod: the kernel balances over the Pods");
    let pods = scene.app_pods().await?;
    for (url, what) in [("http://balanced/", "TCP"), ("udp://balanced:80", "UDP")] {
        let seen = tally(&scene.in_pod(tour, "client", &["probe", url, "-n", "90", "-o", "json"]).await?)?;
        show(tour, &seen);
        tour.check(
            everyone(&seen, &pods),
            format_args!("all three Pods answer over {what}, none fails (p50 {} us)", seen.p50_us),
        );
    }
    let service: portway_api::types::service::Service =
        scene.client.get(&portway_base::ObjectKey::new("default", "balanced")).await?;
    if let Some(v6) = service.spec.cluster_ips.iter().find(|ip| ip.contains(':')) {
        let seen = tally(
            &scene
                .in_pod(tour, "client", &["probe", &format!("http://[{v6}]/"), "-n", "90", "-o", "json"])
                .await?,
        )?;
        show(tour, &seen);
        tour.check(everyone(&seen, &pods), "and over IPv6");
    }
    Ok(())
}

/// NodePort, from outside, at every node.
pub async fn node_port(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step("A NodePort, from outside: every node is a door to every Pod");
    let pods = scene.app_pods().await?;
    let nodes = scene.client.list::<Node>(&ListOptions::default()).await?.items;
    for node in &nodes {
        for address in node.status.addresses.iter().filter(|a| a.kind == "InternalIP") {
            let host = if address.address.contains(':') {
                format!("[{}]", address.address)
            } else {
                address.address.clone()
            };
            let url = format!("http://{host}:30080/");
            let seen = tally(&scene.on(tour, "outside", &["probe", &url, "-n", "60", "-o", "json"]).await?)?;
            tour.check(
                everyone(&seen, &pods),
                format_args!("{} at {} reaches all three Pods", node.metadata.name, address.address),
            );
        }
    }
    Ok(())
}

/// ClientIP affinity.
pub async fn affinity(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step("Session affinity: my-service keeps a client at one Pod");
    let seen = tally(
        &scene
            .in_pod(tour, "client", &["probe", "http://my-service:8080/", "-n", "30", "-o", "json"])
            .await?,
    )?;
    show(tour, &seen);
    tour.check(
        seen.failures.is_empty() && seen.answers.len() == 1,
        "all 30 requests are answered by one Pod",
    );
    Ok(())
}

/// Headless: straight to the Pods.
pub async fn headless(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step("A headless Service: the client picks a Pod itself");
    let pods = scene.app_pods().await?;
    let seen = tally(
        &scene.in_pod(tour, "client", &["probe", "http://every-pod:8080/", "-n", "20", "-o", "json"]).await?,
    )?;
    show(tour, &seen);
    tour.check(
        seen.failures.is_empty() && seen.answers.keys().all(|a| names(&pods).contains(&a.as_str())),
        "the name leads straight to Pods",
    );
    Ok(())
}

/// ExternalName: another name for something.
pub async fn external_name(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step("An ExternalName Service: a name for another name");
    let seen = scene.in_pod(tour, "client", &["lookup", "old-name"]).await?;
    tour.saw(&seen);
    tour.check(seen.contains("CNAME my-service.default.svc.cluster.local."), "DNS answers with a CNAME");
    let seen = tally(
        &scene.in_pod(tour, "client", &["probe", "http://old-name:8080/", "-n", "5", "-o", "json"]).await?,
    )?;
    show(tour, &seen);
    tour.check(seen.failures.is_empty(), "and requests to the old name arrive");
    Ok(())
}
