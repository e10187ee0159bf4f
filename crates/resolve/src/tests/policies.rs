//! What Services ask for, and what becomes of it.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

const PODS: &[&str] = &["10.244.1.2@n1", "10.244.2.2@n2"];
const FAR: &[&str] = &["10.244.2.2@n2"];

fn check(objects: Vec<Input>, expect: Expect) {
    expect.assert_eq(&(lines(objects).join("\n") + "\n"));
}

#[test]
fn cluster_ip() {
    check(
        vec![service(json!({})), slice("s", PODS)],
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: pod cluster, node cluster masqueraded, outside cluster masqueraded
            pool TCP/http/cluster: 10.244.1.2:8080, 10.244.2.2:8080
        "#]],
    );
    check(
        vec![service(json!({"sessionAffinity": "ClientIP"})), slice("s", FAR)],
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: pod cluster, node cluster masqueraded, outside cluster masqueraded
            pool TCP/http/cluster affinity 10800s: 10.244.2.2:8080
        "#]],
    );
    check(
        vec![service(json!({"internalTrafficPolicy": "Local"})), slice("s", FAR)],
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: drop
        "#]],
    );
    check(
        vec![service(json!({"internalTrafficPolicy": "Local"})), slice("s", PODS)],
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: pod local, node local masqueraded, outside local masqueraded
            pool TCP/http/local: 10.244.1.2:8080
        "#]],
    );
}

#[test]
fn nothing_for_headless_and_external_name() {
    for spec in [
        json!({"clusterIP": "None", "clusterIPs": ["None"]}),
        json!({"type": "ExternalName", "clusterIP": "", "clusterIPs": []}),
    ] {
        assert_eq!(lines(vec![service(spec), slice("s", PODS)]), [""; 0]);
    }
}

#[test]
fn node_port() {
    let spec = |policy: &str| {
        json!({
            "type": "NodePort", "externalTrafficPolicy": policy,
            "ports": [{"name": "http", "port": 80, "nodePort": 30080}],
        })
    };
    check(
        vec![service(spec("Cluster")), slice("s", PODS)],
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: pod cluster, node cluster masqueraded, outside cluster masqueraded
            front node:30080/TCP node-port: cluster masqueraded
            pool TCP/http/cluster: 10.244.1.2:8080, 10.244.2.2:8080
        "#]],
    );
    check(
        vec![service(spec("Local")), slice("s", PODS)],
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: pod cluster, node cluster masqueraded, outside cluster masqueraded
            front node:30080/TCP node-port: pod cluster, node cluster masqueraded, outside local
            pool TCP/http/cluster: 10.244.1.2:8080, 10.244.2.2:8080
            pool TCP/http/local: 10.244.1.2:8080
        "#]],
    );
    check(
        vec![service(spec("Local")), slice("s", FAR)],
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: pod cluster, node cluster masqueraded, outside cluster masqueraded
            front node:30080/TCP node-port: pod cluster, node cluster masqueraded, outside drop
            pool TCP/http/cluster: 10.244.2.2:8080
        "#]],
    );
    check(
        vec![service(spec("Local"))],
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: reject
            front node:30080/TCP node-port: reject
        "#]],
    );
}

#[test]
fn load_balancer() {
    let objects = || {
        let spec = json!({
            "type": "LoadBalancer", "externalIPs": ["192.0.2.7", "fd99::7"],
            "loadBalancerSourceRanges": [" 198.51.100.0/24", "198.51.100.0/25", "10.88.0.0/24"],
        });
        let ingress =
            json!([{"ip": "203.0.113.1"}, {"ip": "203.0.113.2", "ipMode": "Proxy"}, {"hostname": "lb"}]);
        vec![named("web", spec, json!({"loadBalancer": {"ingress": ingress}})), slice("s", FAR)]
    };
    check(
        objects(),
        expect![[r#"
            front 10.96.0.1:80/TCP cluster-ip: pod cluster, node cluster masqueraded, outside cluster masqueraded
            front 192.0.2.7:80/TCP external-ip: cluster masqueraded
            front 203.0.113.1:80/TCP load-balancer from 10.88.0.0/24 from 198.51.100.0/24 from 203.0.113.1/32: cluster masqueraded
            pool TCP/http/cluster: 10.244.2.2:8080
        "#]],
    );
    let off = lines_with(Settings { external_ips: false, ..settings() }, objects());
    assert!(!off.iter().any(|line| line.contains("external-ip")), "{off:?}");
}

#[test]
fn masquerade_follows_the_settings() {
    let front = |settings| lines_with(settings, vec![service(json!({})), slice("s", FAR)]).swap_remove(0);
    let off = Settings { detect: Detect::Ranges(Vec::new()), ..settings() };
    assert_eq!(front(off), "front 10.96.0.1:80/TCP cluster-ip: cluster");
    let all = Settings { masquerade_all: true, ..settings() };
    assert_eq!(front(all), "front 10.96.0.1:80/TCP cluster-ip: cluster masqueraded");
}

#[test]
fn dual_stack() {
    check(
        vec![
            service(json!({
                "clusterIPs": ["10.96.0.1", "fd00:10:96::1"], "ipFamilies": ["IPv4", "IPv6"],
                "ports": [{"name": "dns", "port": 53, "protocol": "UDP"}],
            })),
            slice("s4", FAR),
            slice_of("web", "s6", "IPv6", &["fd00:10:244:2::2@n2"]),
        ],
        expect![[r#"
            front 10.96.0.1:53/UDP cluster-ip of default/web:dns: pod cluster, node cluster masqueraded, outside cluster masqueraded
            pool UDP/dns/cluster: 10.244.2.2:53
            front [fd00:10:96::1]:53/UDP cluster-ip of default/web:dns: pod cluster, node cluster masqueraded, outside cluster masqueraded
            pool UDP/dns/cluster: [fd00:10:244:2::2]:53
        "#]],
    );
}

#[test]
fn node_addresses() {
    let check = |node_ports, expect: &[&str]| {
        let (intent, _) = resolve_all(Settings { node_ports, ..settings() }, facts(), []);
        let text = intent.v4.to_string();
        let found: Vec<_> = text.lines().filter_map(|l| l.trim().strip_prefix("node ports on ")).collect();
        assert_eq!(found, expect);
    };
    check(NodePortAddresses::Primary, &["10.88.0.11"]);
    check(NodePortAddresses::All, &["all addresses"]);
    check(NodePortAddresses::Ranges(vec!["10.89.0.0/16".parse().unwrap()]), &["10.89.0.11"]);
    check(NodePortAddresses::Ranges(vec!["fd88::/64".parse().unwrap()]), &["all addresses"]);
}

#[test]
fn health_check_port() {
    let spec = json!({
        "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 32000,
        "ports": [{"name": "http", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}],
    });
    let objects = [service(spec), slice("s", &["10.244.1.2@n1", "10.244.1.3@n1 draining", "10.244.2.2@n2"])];
    let (intent, _) = resolve_all(settings(), facts(), objects);
    let check = &intent.v4.health_ports[&32000];
    assert_eq!((check.service.to_string().as_str(), check.local_endpoints), ("default/web", 1));
    assert_eq!(intent.v4.hairpin.iter().map(ToString::to_string).collect::<Vec<_>>(), ["10.244.1.2"]);
}

#[test]
fn what_is_ignored_is_told() {
    let objects = [
        service(
            json!({"externalIPs": ["nonsense"], "ports": [{"port": 80, "nodePort": 30080}, {"port": 70000}]}),
        ),
        named(
            "a",
            json!({"clusterIP": "10.96.0.2", "clusterIPs": [], "ports": [{"port": 81, "nodePort": 30080}]}),
            json!({}),
        ),
    ];
    let (intent, diagnostics) = resolve_all(settings(), facts(), objects);
    let text: Vec<_> = diagnostics.iter().map(ToString::to_string).collect();
    let expect = expect![[r#"
        default/web: spec.externalIPs: "nonsense" is not an address, ignored
        default/web: spec.ports.port: 70000 is not a port, ignored
        default/web: node:30080/TCP already belongs to default/a, ignored"#]];
    expect.assert_eq(&text.join("\n"));
    assert_eq!(intent.v4.fronts.len(), 3);
}

#[test]
fn udp_flows_name_everyone_who_serves() {
    let mut resolver = Resolver::new(settings(), facts());
    resolver.apply(service(
        json!({"ports": [{"name": "dns", "port": 53, "protocol": "UDP", "nodePort": 30053}]}),
    ));
    resolver.apply(slice("s", &["10.244.1.2@n1", "10.244.1.3@n1 draining", "10.244.1.4@n1 down"]));
    let outcome = resolver.commit();
    let flows = &outcome.udp_v4[0];
    assert_eq!(
        flows.fronts.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["10.96.0.1:53/UDP", "node:30053/UDP"]
    );
    let serving: Vec<_> = flows.serving.iter().map(ToString::to_string).collect();
    assert_eq!(serving, ["10.244.1.2:53", "10.244.1.3:53"]);
}
