//! Pods come and go, and traffic follows.

use anyhow::Context;
use portway_api::types::pod::Pod;
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Preconditions, Write};

use crate::demo::scene::{Scene, tally};
use crate::demo::tour::Tour;

/// A Pod is deleted while a client asks all the time.
pub async fn killed(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step("A Pod is killed in mid-traffic: the traffic moves on");
    let victim = scene.app_pods().await?.into_iter().next().context("there is no Pod to kill")?;
    let name = victim.metadata.name.clone();
    let asking = scene.in_pod(
        tour,
        "client",
        &["probe", "http://balanced/", "-n", "400", "--interval", "5", "-o", "json"],
    );
    let killing = async {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        tour.did(format_args!("kubectl delete pod {name} --grace-period=0 --force"));
        let write = Write {
            resource: Gvr::of::<Pod>(),
            key: ObjectKey::new("default", &name),
            subresource: None,
            action: Action::Delete {
                preconditions: Preconditions::default(),
                grace: Some(0),
                propagation: None,
            },
        };
        scene.client.write(&write).await?;
        anyhow::Ok(())
    };
    let (seen, killing) = tokio::join!(asking, killing);
    killing?;
    let seen = tally(&seen?)?;
    for (server, times) in &seen.answers {
        tour.saw(format_args!("{times:>4} answers from {server}"));
    }
    let failed: u32 = seen.failures.values().sum();
    tour.saw(format_args!("{failed:>4} failed"));
    tour.check(
        failed <= 4,
        format_args!("at most the requests already on their way to it are lost ({failed} of 400)"),
    );
    let back = async || {
        let pods = scene.app_pods().await?;
        Ok(pods.len() == 3
            && pods.iter().all(Pod::is_ready)
            && scene.ready_endpoints("balanced").await?.len() == 6)
    };
    let took = scene.wait("a new Pod has taken its place", 20, back).await?;
    tour.check(true, format_args!("a new Pod has taken its place ({} ms later)", took.as_millis()));
    let seen = tally(
        &scene.in_pod(tour, "client", &["probe", "http://balanced/", "-n", "90", "-o", "json"]).await?,
    )?;
    tour.check(
        seen.failures.is_empty() && seen.answers.len() == 3 && !seen.answers.contains_key(&name),
        "and three Pods answer again",
    );
    Ok(())
}

/// A Pod reports itself not ready, and ready again.
pub async fn readiness(tour: &mut Tour, scene: &Scene) -> anyhow::Result<()> {
    tour.step("Readiness: a Pod that is not ready gets no traffic");
    let pod = scene.app_pods().await?.into_iter().next().context("there is no Pod")?;
    let name = pod.metadata.name.as_str();
    for (switch, endpoints, expected) in [("off", 4, false), ("on", 6, true)] {
        let url = format!("http://{}:8080/ready/{switch}", pod.status.pod_ip);
        scene.in_pod(tour, "client", &["probe", &url, "-X", "PUT", "-n", "1", "-o", "json"]).await?;
        let moved = async || Ok(scene.ready_endpoints("balanced").await?.len() == endpoints);
        let took = scene.wait("the EndpointSlices follow the readiness probe", 10, moved).await?;
        tour.saw(format_args!("{name} is {switch} in the EndpointSlices after {} ms", took.as_millis()));
        // The proxies follow the slices on their own; on a busy machine a moment later.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let seen = tally(
            &scene.in_pod(tour, "client", &["probe", "http://balanced/", "-n", "90", "-o", "json"]).await?,
        )?;
        for (server, times) in &seen.answers {
            tour.saw(format_args!("{times:>4} answers from {server}"));
        }
        let claim = if expected {
            "the Pod takes traffic again"
        } else {
            "the Pod takes no traffic, the others all of it"
        };
        tour.check(seen.failures.is_empty() && seen.answers.contains_key(name) == expected, claim);
    }
    Ok(())
}
