//! Who reaches whom, as whom.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use serde_json::json;

use crate::world::*;
use crate::{Outcome, trial};

pub fn trials() -> Vec<Trial> {
    vec![
        trial("cluster_ip_is_balanced_evenly", cluster_ip_is_balanced_evenly),
        trial("sources_are_kept_or_masqueraded", sources_are_kept_or_masqueraded),
        trial("node_port_from_everywhere", node_port_from_everywhere),
        trial("external_policy_local", external_policy_local),
        trial("hairpin", hairpin),
        trial("refusals", refusals),
        trial("source_ranges", source_ranges),
    ]
}

fn cluster_ip_is_balanced_evenly() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, json!({})));
    world.endpoints("web", &["b", "c", "d"]);
    for family in [0, 1] {
        let to = cluster_ip(1, family);
        assert_even(&count(world.pod("a"), 600, || tcp(to)), &["b", "c", "d"]);
        assert_even(&count(world.pod("a"), 600, || udp(to)), &["b", "c", "d"]);
        assert_even(&count(world.node(2), 300, || tcp(to)), &["b", "c", "d"]);
        assert_even(&count(world.node(2), 300, || udp(to)), &["b", "c", "d"]);
    }
    Ok(())
}

fn sources_are_kept_or_masqueraded() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, json!({})));
    world.endpoints("web", &["c"]);
    for family in [0, 1] {
        let to = cluster_ip(1, family);
        assert_eq!(world.pod("a").run(|| tcp(to))??.client, world.pod_ip("a", family));
        assert_eq!(world.pod("a").run(|| udp(to))??.client, world.pod_ip("a", family));
        // The router sends Service addresses to the first node.
        assert_eq!(world.outside().run(|| tcp(to))??.client, world.node_ip(1, family));
        assert_eq!(world.node(1).run(|| tcp(to))??.client, world.node_ip(1, family));
    }
    Ok(())
}

fn node_port_from_everywhere() -> Outcome {
    let world = World::new();
    world.service("web", node_port(2, json!({})));
    world.endpoints("web", &["a", "c", "d"]);
    for family in [0, 1] {
        for node in [1, 2, 3] {
            let to = SocketAddr::new(world.node_ip(node, family), 30002);
            assert_even(&count(world.outside(), 150, || tcp(to)), &["a", "c", "d"]);
            assert_even(&count(world.outside(), 150, || udp(to)), &["a", "c", "d"]);
            // An address of the node: towards an endpoint of its own, that of the endpoint's gateway.
            let seen = world.outside().run(|| tcp(to))??;
            if !(node == 1 && seen.name == "a"
                || node == 2 && seen.name == "c"
                || node == 3 && seen.name == "d")
            {
                assert_eq!(seen.client, world.node_ip(node, family));
            }
            assert_ne!(seen.client, portway_netns::lab::OUTSIDE[0][family]);
            // A Pod, the node itself, and another node.
            world.pod("b").run(|| tcp(to))??;
            world.node(1).run(|| tcp(to))??;
            world.node(2).run(|| udp(to))??;
        }
    }
    // Not on other addresses: the host's own stack answers there.
    let second: SocketAddr = "10.89.0.11:30002".parse()?;
    let refused = world.outside().run(|| tcp(second))?.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let loopback: SocketAddr = "127.0.0.1:30002".parse()?;
    assert_eq!(world.node(1).run(|| tcp(loopback))?.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    Ok(())
}

fn external_policy_local() -> Outcome {
    let world = World::new();
    world.service("web", node_port(3, json!({"externalTrafficPolicy": "Local"})));
    world.endpoints("web", &["a", "b", "c"]);
    for family in [0, 1] {
        let to = |node| SocketAddr::new(world.node_ip(node, family), 30003);
        let outside = portway_netns::lab::OUTSIDE[0][family];
        assert_even(&count(world.outside(), 100, || tcp(to(1))), &["a", "b"]);
        assert_eq!(world.outside().run(|| tcp(to(1)))??.client, outside);
        assert_eq!(world.outside().run(|| udp(to(2)))??.client, outside);
        let silence = world.outside().run(|| tcp_within(to(3), Duration::from_millis(300)))?;
        assert_eq!(silence.unwrap_err().kind(), ErrorKind::TimedOut);
        // From inside, any endpoint will do: a Pod keeps its address, the node does not.
        assert_even(&count(world.pod("d"), 150, || tcp(to(3))), &["a", "b", "c"]);
        assert_eq!(world.pod("d").run(|| tcp(to(3)))??.client, world.pod_ip("d", family));
        assert_eq!(world.node(3).run(|| tcp(to(3)))??.client, world.node_ip(3, family));
    }
    Ok(())
}

fn hairpin() -> Outcome {
    let world = World::new();
    world.service("web", spec(1, json!({})));
    world.endpoints("web", &["a"]);
    for family in [0, 1] {
        let to = cluster_ip(1, family);
        for answer in [world.pod("a").run(|| tcp(to))??, world.pod("a").run(|| udp(to))??] {
            assert_eq!(answer.name, "a");
            assert_ne!(answer.client, world.pod_ip("a", family));
        }
    }
    Ok(())
}

fn refusals() -> Outcome {
    let world = World::new();
    world.service("web", node_port(4, json!({})));
    let refused = |from: &portway_netns::Namespace, to: SocketAddr| {
        let start = Instant::now();
        let error = from.run(|| tcp(to)).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused, "{to}");
        assert!(start.elapsed() < Duration::from_secs(2), "{to}");
    };
    for family in [0, 1] {
        refused(world.pod("a"), cluster_ip(4, family));
        refused(world.node(1), cluster_ip(4, family));
        refused(world.outside(), cluster_ip(4, family));
        refused(world.outside(), SocketAddr::new(world.node_ip(1, family), 30004));
        refused(world.pod("a"), SocketAddr::new(world.node_ip(2, family), 30004));
        // UDP learns it from an ICMP error.
        let error = world.pod("a").run(|| udp(cluster_ip(4, family)))?.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // A port the Service does not have, and an address no Service has.
        let mut other = cluster_ip(4, family);
        other.set_port(81);
        refused(world.pod("a"), other);
        let nobody = cluster_ip(9, family);
        let silence = world.pod("a").run(|| tcp_within(nobody, Duration::from_millis(200)))?;
        assert_eq!(silence.unwrap_err().kind(), ErrorKind::TimedOut);
    }
    world.endpoints("web", &["c"]);
    assert_eq!(world.pod("a").run(|| tcp(cluster_ip(4, 0)))??.name, "c");
    world.endpoints("web", &[]);
    refused(world.pod("a"), cluster_ip(4, 0));
    Ok(())
}

fn source_ranges() -> Outcome {
    let world = World::new();
    let mut object = json!({
        "metadata": {"namespace": "default", "name": "lb", "resourceVersion": "1000000"},
        "spec": spec(5, json!({
            "type": "LoadBalancer", "loadBalancerSourceRanges": ["198.51.100.10/32", "fd98::10/128"],
        })),
    });
    object["status"]["loadBalancer"]["ingress"] = json!([{"ip": "203.0.113.1"}, {"ip": "fdab:1::1"}]);
    let service: portway_api::types::service::Service = serde_json::from_value(object)?;
    let service = std::sync::Arc::new(service);
    world.tell(|| portway_proxy::Update::Service(portway_client::Event::Apply(service.clone())));
    world.endpoints("lb", &["c"]);
    for to in ["203.0.113.1:80", "[fdab:1::1]:80"] {
        let to: SocketAddr = to.parse()?;
        let family = usize::from(to.is_ipv6());
        assert_eq!(world.outside().run(|| tcp(to))??.name, "c");
        let silence = world.pod("a").run(|| tcp_within(to, Duration::from_millis(200)))?;
        assert_eq!(silence.unwrap_err().kind(), ErrorKind::TimedOut);
        // The ClusterIP is not restricted.
        assert_eq!(world.pod("a").run(|| tcp(cluster_ip(5, family)))??.name, "c");
    }
    Ok(())
}
