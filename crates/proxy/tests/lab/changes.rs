//! What happens while things change.

use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use portway_client::Event;
use portway_proxy::Update;
use serde_json::json;

use crate::world::*;
use crate::{Outcome, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("replacing_endpoints_loses_no_request", replacing_endpoints_loses_no_request),
        trial("restart_is_not_noticed", restart_is_not_noticed),
        trial("a_flush_is_repaired", a_flush_is_repaired),
        trial("tampering_is_repaired", tampering_is_repaired),
        trial("udp_flows_move", udp_flows_move),
        trial("tcp_connections_survive_their_endpoint", tcp_connections_survive_their_endpoint),
        trial("deleted_services_leave_nothing", deleted_services_leave_nothing),
        trial("a_restart_catches_up", a_restart_catches_up),
    ]
}

/// One of three endpoints changes its place 1,000 times; requests go on all the while.
fn replacing_endpoints_loses_no_request() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, json!({})));
    world.endpoints("web", &["b", "c", "d"]);
    let stop = AtomicBool::new(false);
    let (asked, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let to = cluster_ip(1, 0);
    std::thread::scope(|scope| {
        for from in [world.pod("a"), world.node(1)] {
            let (stop, asked, failed) = (&stop, &asked, &failed);
            scope.spawn(move || {
                from.run(|| {
                    while !stop.load(Ordering::Relaxed) {
                        asked.fetch_add(1, Ordering::Relaxed);
                        if let Err(error) = tcp(to) {
                            eprintln!("{error}");
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                })
                .unwrap();
            });
        }
        for round in 0..1000 {
            let pods: &[&str] = match round % 4 {
                0 => &["b", "c"],
                1 => &["a", "b", "c"],
                2 => &["b", "c", "d"],
                _ => &["b", "d"],
            };
            let endpoints: Vec<_> = pods
                .iter()
                .map(|pod| json!({"addresses": [world.pod_ip(pod, 0)], "nodeName": "n1"}))
                .collect();
            let slice = world.slice("web", "IPv4", &endpoints);
            world.tell(|| Update::Slice(Event::Apply(slice.clone())));
        }
        stop.store(true, Ordering::Relaxed);
    });
    let (asked, failed) = (asked.into_inner(), failed.into_inner());
    assert_eq!(failed, 0, "of {asked}");
    assert!(asked > 100, "{asked}");
    Ok(())
}

fn restart_is_not_noticed() -> Outcome {
    let mut world = World::new();
    // In this order there is no class of Services without endpoints, which a restart would remove.
    world.endpoints("web", &["c", "d"]);
    world.service("web", spec(1, json!({})));
    let to = cluster_ip(1, 0);
    let mut open = world.pod("a").run(|| TcpStream::connect(to))??;
    let had = read_line(&mut open)?;
    world.stop(1);
    // The rules work on while nobody is there.
    assert_even(&count(world.pod("a"), 60, || tcp(to)), &["c", "d"]);
    world.start(1);
    assert_eq!(world.metrics(1).changes.load(Ordering::Relaxed), 0);
    open.write_all(b"?")?;
    assert_eq!(read_line(&mut open)?, had);
    world.stop(1);
    world.endpoints("web", &["d"]);
    world.start(1);
    assert_eq!(count(world.pod("a"), 20, || tcp(to)).keys().collect::<Vec<_>>(), ["d"]);
    Ok(())
}

fn nft(world: &World, node: usize, arguments: &[&str]) -> bool {
    world.node(node).command("nft").args(arguments).status().is_ok_and(|status| status.success())
}

fn repaired(world: &World, node: usize) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while world.metrics(node).repairs.load(Ordering::Relaxed) == 0 {
        assert!(Instant::now() < deadline, "nobody repairs");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_flush_is_repaired() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, json!({})));
    world.endpoints("web", &["c"]);
    assert!(nft(&world, 1, &["flush", "ruleset"]), "nft flushes the rules");
    let start = Instant::now();
    repaired(&world, 1);
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert_eq!(world.pod("a").run(|| tcp(cluster_ip(1, 0)))??.name, "c");
    // A change right after a flush does not get lost either.
    nft(&world, 1, &["flush", "ruleset"]);
    world.endpoints("web", &["d"]);
    assert_eq!(world.pod("a").run(|| tcp(cluster_ip(1, 0)))??.name, "d");
    Ok(())
}

fn tampering_is_repaired() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, json!({})));
    world.endpoints("web", &["c"]);
    assert!(nft(&world, 1, &["flush", "map", "ip", "portway", "endpoints"]), "nft flushes the map");
    repaired(&world, 1);
    assert_eq!(world.pod("a").run(|| tcp(cluster_ip(1, 0)))??.name, "c");
    Ok(())
}

fn udp_flows_move() -> Outcome {
    let world = World::new();
    world.service("dns", spec(1, json!({})));
    world.endpoints("dns", &["c"]);
    for family in [0, 1] {
        world.endpoints("dns", &["c"]);
        let to = cluster_ip(1, family);
        let socket = world.pod("a").run(|| udp_socket(to))??;
        assert_eq!(udp_on(&socket)?.name, "c");
        world.endpoints("dns", &["d"]);
        // One datagram may still be on the old way: after several changes the old ways are looked for together.
        let deadline = Instant::now() + Duration::from_secs(3);
        while udp_on(&socket)?.name != "d" {
            assert!(Instant::now() < deadline);
            std::thread::sleep(Duration::from_millis(10));
        }
        // Counted once the kernel has answered, which may be after the first datagram on the new way.
        while world.metrics(1).connections_deleted.load(Ordering::Relaxed) == 0 {
            assert!(Instant::now() < deadline, "the deletion is counted");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Ok(())
}

fn tcp_connections_survive_their_endpoint() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, json!({})));
    world.endpoints("web", &["c"]);
    let mut open = world.pod("a").run(|| TcpStream::connect(cluster_ip(1, 0)))??;
    assert_eq!(read_line(&mut open)?.name, "c");
    world.endpoints("web", &["d"]);
    open.write_all(b"?")?;
    assert_eq!(read_line(&mut open)?.name, "c");
    assert_eq!(world.pod("a").run(|| tcp(cluster_ip(1, 0)))??.name, "d");
    Ok(())
}

fn deleted_services_leave_nothing() -> Outcome {
    let world = World::new();
    let before = world.node(1).command("nft").args(["list", "ruleset"]).output();
    world.service("web", node_port(1, json!({})));
    world.endpoints("web", &["c"]);
    let service = portway_api::types::service::Service {
        metadata: portway_api::ObjectMeta {
            namespace: "default".into(),
            name: "web".into(),
            ..Default::default()
        },
        ..Default::default()
    };
    let service = std::sync::Arc::new(service);
    world.tell(|| Update::Service(Event::Delete(service.clone())));
    let error = world.pod("a").run(|| tcp_within(cluster_ip(1, 0), Duration::from_millis(200)))?;
    assert!(error.is_err());
    if let Ok(before) = before {
        let now =
            world.node(1).command("nft").args(["list", "map", "ip", "portway", "endpoints"]).output()?;
        assert!(!String::from_utf8_lossy(&now.stdout).contains("elements"));
        assert!(before.status.success());
    }
    Ok(())
}

/// Services that went while the proxy was away are gone once it is back.
fn a_restart_catches_up() -> Outcome {
    let mut world = World::new();
    world.service("web", spec(1, json!({})));
    world.endpoints("web", &["c"]);
    world.stop(1);
    // It moves to another address.
    world.service("web", spec(2, json!({})));
    world.start(1);
    assert_eq!(world.pod("a").run(|| tcp(cluster_ip(2, 0)))??.name, "c");
    let gone = world.pod("a").run(|| tcp_within(cluster_ip(1, 0), Duration::from_millis(200)))?;
    assert!(gone.is_err());
    Ok(())
}
