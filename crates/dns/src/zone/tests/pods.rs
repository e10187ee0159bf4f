//! Names of Pods.

use expect_test::expect;

use super::super::{PodMode, Zone};
use super::world::{ending, namespace, pod};
use super::{ask, check, zone};

#[test]
fn pods() {
    let objects =
        [namespace("ns"), pod("ns/p", "10.244.1.1", "Running"), pod("ns/done", "10.244.1.2", "Failed")];
    let queries = [
        "10-244-1-1.ns.pod.cluster.local A",
        "10-244-1-1.ns.pod.cluster.local AAAA",
        "10-244-1-2.ns.pod.cluster.local A",
        "fd00--1.ns.pod.cluster.local AAAA",
        "10-244-1-1.none.pod.cluster.local A",
        "x.10-244-1-1.ns.pod.cluster.local A",
        "web.ns.pod.cluster.local A",
        "ns.pod.cluster.local A",
        "pod.cluster.local A",
    ];
    check(
        &zone(|_| {}, &objects),
        &queries,
        expect![[r#"
            10-244-1-1.ns.pod.cluster.local A: NOERROR
            10-244-1-1.ns.pod.cluster.local. 30 IN A 10.244.1.1
            10-244-1-1.ns.pod.cluster.local AAAA: NOERROR cluster.local.
            10-244-1-2.ns.pod.cluster.local A: NOERROR
            10-244-1-2.ns.pod.cluster.local. 30 IN A 10.244.1.2
            fd00--1.ns.pod.cluster.local AAAA: NOERROR
            fd00--1.ns.pod.cluster.local. 30 IN AAAA fd00::1
            10-244-1-1.none.pod.cluster.local A: NXDOMAIN cluster.local.
            x.10-244-1-1.ns.pod.cluster.local A: NXDOMAIN cluster.local.
            web.ns.pod.cluster.local A: NXDOMAIN cluster.local.
            ns.pod.cluster.local A: NOERROR cluster.local.
            pod.cluster.local A: NOERROR cluster.local.
        "#]],
    );
    check(
        &zone(|config| config.pods = PodMode::Verified, &objects),
        &queries[..4],
        expect![[r#"
            10-244-1-1.ns.pod.cluster.local A: NOERROR
            10-244-1-1.ns.pod.cluster.local. 30 IN A 10.244.1.1
            10-244-1-1.ns.pod.cluster.local AAAA: NOERROR cluster.local.
            10-244-1-2.ns.pod.cluster.local A: NXDOMAIN cluster.local.
            fd00--1.ns.pod.cluster.local AAAA: NXDOMAIN cluster.local.
        "#]],
    );
}

#[test]
fn terminating_pods_stay_but_do_not_come() {
    let mut zone = zone(|config| config.pods = PodMode::Verified, &[namespace("ns")]);
    let found = |zone: &Zone| ask(zone, "10-1-1-1.ns.pod.cluster.local A").starts_with("NOERROR");
    let ending = ending(pod("ns/p", "10.1.1.1", "Running"));
    ending.put(&mut zone, 1);
    assert!(!found(&zone));
    pod("ns/p", "10.1.1.1", "Running").put(&mut zone, 1);
    assert!(found(&zone));
    ending.put(&mut zone, 1);
    assert!(found(&zone));
    // Another Pod may have the address already when the first goes.
    pod("ns/q", "10.1.1.1", "Running").put(&mut zone, 1);
    ending.remove(&mut zone, 1);
    assert!(found(&zone));
    pod("ns/q", "10.1.1.1", "Succeeded").put(&mut zone, 1);
    assert!(!found(&zone));
}
