//! Placement rules, and the controller under random orders of everything.

use std::collections::{BTreeMap, BTreeSet};

use portway_api::types::discovery::{Endpoint, EndpointSlice};
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_client::{Action, Gvr, Write};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::build::PortSet;
use super::place::{Placed, place};
use super::zones::{balance, is_overloaded, shares};
use super::*;
use crate::endpoints::EndpointsObjects;
use crate::testing::{Cluster, node, pod, service};

fn endpoint(n: usize) -> Endpoint {
    Endpoint { addresses: vec![format!("10.0.{}.{}", n / 250, n % 250 + 1)], ..Endpoint::default() }
}

fn slice(name: &str, endpoints: std::ops::Range<usize>) -> EndpointSlice {
    let mut slice =
        EndpointSlice { endpoints: endpoints.map(endpoint).collect(), ..EndpointSlice::default() };
    slice.metadata.name = name.to_owned();
    slice
}

/// Each slice as `name*size`, a `*` after changed ones; new ones are `+`; surplus ones `-name`.
fn show(placed: &Placed) -> String {
    let name = |t: &super::place::Target| t.of.as_ref().map_or("+".to_owned(), |s| s.metadata.name.clone());
    let mut parts: Vec<String> = placed
        .slices
        .iter()
        .map(|t| format!("{}:{}{}", name(t), t.endpoints.len(), if t.changed { "*" } else { "" }))
        .collect();
    parts.extend(placed.surplus.iter().map(|s| format!("-{}", s.metadata.name)));
    parts.join(" ")
}

#[test]
fn endpoints_are_placed_with_few_writes() {
    let check = |existing: &[EndpointSlice], desired: Vec<usize>, expect: &str| {
        let groups = if desired.is_empty() {
            BTreeMap::new()
        } else {
            BTreeMap::from([(PortSet::default(), desired.into_iter().map(endpoint).collect())])
        };
        let existing: Vec<&EndpointSlice> = existing.iter().collect();
        assert_eq!(show(&place(&existing, groups, &BTreeMap::new(), 100)), expect);
    };
    let range = |r: std::ops::Range<usize>| r.collect::<Vec<_>>();
    check(&[], vec![], "+:0*");
    check(&[], range(0..250), "+:100* +:100* +:50*");
    check(&[slice("a", 0..60)], range(0..60), "a:60");
    // Nothing is moved to even things out, and what does not fit whole goes elsewhere.
    check(&[slice("a", 0..60)], range(0..120), "a:60 +:60*");
    check(&[slice("a", 0..30)], range(0..100), "a:100*");
    check(&[slice("a", 0..20)], range(0..250), "a:50* +:100* +:100*");
    // Slices that change anyway are filled, the fullest first.
    check(
        &[slice("a", 0..50), slice("b", 50..90)],
        range(1..49).into_iter().chain(50..95).collect(),
        "a:53* b:40",
    );
    // The unchanged slice with the least room left takes the rest.
    check(&[slice("a", 0..50), slice("b", 50..140)], range(0..145), "a:50 b:95*");
    // A slice with nothing left to hold goes, or lives on with other content.
    check(&[slice("a", 0..50), slice("b", 50..90)], range(0..50), "a:50 -b");
    check(&[slice("a", 0..50)], range(100..130), "a:30*");
    check(&[slice("a", 0..50)], vec![], "a:0*");
    check(&[slice("a", 0..0)], vec![], "a:0");
}

#[test]
fn zones_share_in_proportion() {
    let zones = |parts: &[(&str, f64)]| parts.iter().map(|(z, r)| ((*z).to_owned(), *r)).collect();
    let even = zones(&[("a", 0.5), ("b", 0.5)]);
    assert!(shares(&even, 1).is_err(), "fewer endpoints than zones");
    assert_eq!(shares(&even, 10).unwrap()["a"].max, 5);
    let three = zones(&[("a", 1.0 / 3.0), ("b", 1.0 / 3.0), ("c", 1.0 / 3.0)]);
    assert!(shares(&three, 4).is_err(), "the minima do not fit");
    let mut counts = BTreeMap::from([("a".to_owned(), 6), ("b".to_owned(), 2)]);
    let moves = balance(&shares(&even, 8).unwrap(), &mut counts);
    assert_eq!((moves.len(), counts["a"], counts["b"]), (2, 4, 4));
    assert!(!is_overloaded(&even, &counts));
    assert!(is_overloaded(&even, &BTreeMap::from([("a".to_owned(), 8)])));
}

/// What a user or a node does next.
#[derive(Clone, Debug)]
enum Act {
    /// Create the Pod, or delete it if it is there.
    Toggle(u8),
    /// Set its readiness.
    Ready(u8, bool),
    /// Move it to the other label.
    Label(u8, bool),
    /// Ask for its end.
    Terminate(u8),
    /// Change the Service: target port, publishing, labels.
    Port(u16),
    Publish(bool),
    ServiceLabel(u8),
    /// Someone deletes or empties a slice.
    DeleteSlice,
    EditSlice,
    /// The controller sees some news, or works.
    Read(u8),
    Work(u8),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (0u8..8).prop_map(Act::Toggle),
        2 => (0u8..8, any::<bool>()).prop_map(|(n, r)| Act::Ready(n, r)),
        1 => (0u8..8, any::<bool>()).prop_map(|(n, l)| Act::Label(n, l)),
        1 => (0u8..8).prop_map(Act::Terminate),
        1 => (8080u16..8082).prop_map(Act::Port),
        1 => any::<bool>().prop_map(Act::Publish),
        1 => (0u8..3).prop_map(Act::ServiceLabel),
        1 => Just(Act::DeleteSlice),
        1 => Just(Act::EditSlice),
        6 => any::<u8>().prop_map(Act::Read),
        6 => any::<u8>().prop_map(Act::Work),
    ]
}

fn pod_key(n: u8) -> ObjectKey {
    ObjectKey::new("ns", format!("p{n}"))
}

fn patch<T: Object>(cluster: &mut Cluster, key: ObjectKey, sub: Option<&'static str>, body: Value) {
    let mut write = Write::of::<T>(key, Action::StrategicPatch(body));
    write.subresource = sub;
    let _ = cluster.world.write(&write);
}

fn apply(cluster: &mut Cluster, act: Act) {
    let pods = Gvr::of::<Pod>();
    let slices = Gvr::of::<EndpointSlice>();
    let web = || ObjectKey::new("ns", "web");
    match act {
        Act::Toggle(n) => {
            if cluster.world.get(&pods, &pod_key(n)).is_some() {
                cluster.world.remove(&pods, &pod_key(n));
            } else {
                let ip = format!("10.1.0.{}", n + 1);
                let object =
                    pod(&format!("p{n}"), json!({"app": "web"}), ["n1", "n2"][usize::from(n % 2)], &ip, true);
                cluster.world.create(object).unwrap();
            }
        }
        Act::Ready(n, ready) => {
            let status = if ready { "True" } else { "False" };
            let body = json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
            patch::<Pod>(cluster, pod_key(n), Some("status"), body);
        }
        Act::Label(n, in_service) => {
            let app = if in_service { "web" } else { "other" };
            patch::<Pod>(cluster, pod_key(n), None, json!({"metadata": {"labels": {"app": app}}}));
        }
        Act::Terminate(n) => {
            let _ = cluster.world.delete(&pods, &pod_key(n), None, None);
        }
        Act::Port(port) => {
            let body = json!({"spec": {"ports": [{"name": "http", "port": 80, "targetPort": port}]}});
            patch::<Service>(cluster, web(), None, body);
        }
        Act::Publish(on) => {
            patch::<Service>(cluster, web(), None, json!({"spec": {"publishNotReadyAddresses": on}}))
        }
        Act::ServiceLabel(n) => {
            patch::<Service>(cluster, web(), None, json!({"metadata": {"labels": {"l": n.to_string()}}}));
        }
        Act::DeleteSlice | Act::EditSlice => {
            let first =
                cluster.world.all(&slices).next().map(|s| s["metadata"]["name"].as_str().unwrap().to_owned());
            let Some(name) = first else { return };
            let key = ObjectKey::new("ns", name);
            if matches!(act, Act::DeleteSlice) {
                cluster.world.remove(&slices, &key);
            } else {
                let write = Write::of::<EndpointSlice>(key, Action::MergePatch(json!({"endpoints": []})));
                cluster.world.write(&write).unwrap();
            }
        }
        Act::Read(which) => {
            let unread = cluster.unread();
            if !unread.is_empty() {
                cluster.read(&unread[usize::from(which) % unread.len()]);
            }
        }
        Act::Work(which) => {
            if cluster.running() > 0 && which % 4 != 0 {
                cluster.work(usize::from(which) % cluster.running());
            } else {
                cluster.start_job();
            }
        }
    }
}

/// Each Pod's endpoint, as the slices on the server have it: address, conditions, port numbers.
fn published(cluster: &Cluster) -> Vec<(String, Value, Value)> {
    let mut all = Vec::new();
    for slice in cluster.world.all(&Gvr::of::<EndpointSlice>()) {
        let ports: Value =
            slice["ports"].as_array().into_iter().flatten().map(|p| p["port"].clone()).collect();
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            let address = endpoint["addresses"][0].as_str().unwrap().to_owned();
            all.push((address, endpoint["conditions"].clone(), ports.clone()));
        }
    }
    all.sort_by_key(|(address, _, _)| address.clone());
    all
}

/// The same from the rules alone.
fn expected(cluster: &Cluster) -> Vec<(String, Value, Value)> {
    let service = cluster.world.get(&Gvr::of::<Service>(), &ObjectKey::new("ns", "web")).unwrap();
    let publish = service["spec"]["publishNotReadyAddresses"] == true;
    let mut all = Vec::new();
    for pod in cluster.world.all(&Gvr::of::<Pod>()).filter(|p| p["metadata"]["labels"]["app"] == "web") {
        let serving = pod["status"]["conditions"][0]["status"] == "True";
        let terminating = !pod["metadata"]["deletionTimestamp"].is_null();
        let conditions = json!({"ready": publish || (serving && !terminating), "serving": serving,
            "terminating": terminating});
        let ports = json!([service["spec"]["ports"][0]["targetPort"]]);
        all.push((pod["status"]["podIP"].as_str().unwrap().to_owned(), conditions, ports));
    }
    all.sort_by_key(|(address, _, _)| address.clone());
    all
}

fn cluster(max: usize) -> Cluster {
    let mut cluster =
        Cluster::new(vec![Box::new(EndpointSlices::new(max)), Box::new(EndpointsObjects::default())]);
    cluster.world.create(node("n1", "a")).unwrap();
    cluster.world.create(node("n2", "b")).unwrap();
    cluster.world.create(service("web", json!({"app": "web"}))).unwrap();
    cluster
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever happens in whatever order: once things are quiet the slices are right, each endpoint is in one slice,
    /// no slice is too full, and another look writes nothing.
    #[test]
    fn slices_come_right_after_any_order(acts in prop::collection::vec(act(), 0..60), max in 1usize..5) {
        let mut cluster = cluster(max);
        for act in acts {
            apply(&mut cluster, act);
        }
        cluster.settle_for(Duration::from_secs(300));
        prop_assert_eq!(published(&cluster), expected(&cluster));
        for slice in cluster.world.all(&Gvr::of::<EndpointSlice>()) {
            prop_assert!(slice["endpoints"].as_array().is_none_or(|e| e.len() <= max));
        }
        let writes = cluster.world.writes;
        let web = ObjectKey::new("ns", "web");
        let plan = EndpointSlices::new(max).reconcile(cluster.engine.snapshot(), &web, cluster.now().wall);
        prop_assert!(plan.writes.is_empty(), "{:?}", plan.writes);
        cluster.settle_for(Duration::from_secs(300));
        prop_assert_eq!(writes, cluster.world.writes);
    }

    /// A Pod that is ready, selected and published stays published while others come and go, write by write.
    #[test]
    fn a_ready_pod_is_never_in_no_slice(acts in prop::collection::vec(act(), 0..60), max in 1usize..4) {
        let mut cluster = cluster(max);
        cluster.world.create(pod("steady", json!({"app": "web"}), "n1", "10.1.0.99", true)).unwrap();
        cluster.settle();
        for act in acts {
            // What a user does to a slice is not the controller's doing.
            if matches!(act, Act::DeleteSlice | Act::EditSlice) {
                continue;
            }
            apply(&mut cluster, act.clone());
            let there: BTreeSet<String> = published(&cluster).into_iter().map(|(address, _, _)| address).collect();
            prop_assert!(there.contains("10.1.0.99"), "gone after {:?}", act);
        }
    }
}
