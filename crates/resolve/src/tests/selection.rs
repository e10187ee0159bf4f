//! Who may answer.

use serde_json::json;

use super::*;

/// Endpoints of the one pool, without ports.
fn check(endpoints: &[&str], expect: &str) {
    let lines = lines(vec![service(json!({})), slice("s", endpoints)]);
    let pool = lines.iter().find_map(|line| line.strip_prefix("pool TCP/http/cluster: ").map(str::to_owned));
    let text = pool.unwrap_or_else(|| lines[0].rsplit(' ').next().unwrap().to_owned());
    assert_eq!(text.replace(":8080", ""), expect, "{endpoints:?}");
}

#[test]
fn readiness() {
    check(&["10.244.2.2@n2", "10.244.1.2@n1"], "10.244.1.2, 10.244.2.2");
    check(&["10.244.1.2@n1", "10.244.1.3@n1 unready"], "10.244.1.2");
    check(&["10.244.1.2@n1", "10.244.1.3@n1 draining"], "10.244.1.2");
    check(&["10.244.1.2@n1 down", "10.244.1.3@n1 draining"], "10.244.1.3");
    check(&["10.244.1.2@n1 down", "10.244.1.3@n1 unready"], "reject");
    check(&[], "reject");
}

#[test]
fn addresses_are_read_leniently() {
    check(&["010.244.001.2@n1"], "10.244.1.2");
    check(&["10.244.1@n1", "10.244.1.2@n1"], "10.244.1.2");
}

#[test]
fn hints() {
    check(&["10.244.1.2@n1 zone=a", "10.244.2.2@n2 zone=b"], "10.244.1.2");
    check(&["10.244.1.2@n1 zone=a", "10.244.2.2@n2"], "10.244.1.2, 10.244.2.2");
    check(&["10.244.1.2@n1 zone=a", "10.244.2.2@n2 unready"], "10.244.1.2");
    check(&["10.244.1.2@n1 zone=c", "10.244.2.2@n2 zone=b"], "10.244.1.2, 10.244.2.2");
    check(&["10.244.1.2@n1 for=n1", "10.244.2.2@n2 for=n2"], "10.244.1.2");
    check(&["10.244.1.2@n1 for=n3 zone=a", "10.244.2.2@n2 for=n2 zone=b"], "10.244.1.2");
    check(&["10.244.1.2@n1 zone=b draining"], "10.244.1.2");
}

#[test]
fn slices_merge() {
    let objects = |first: &'static str, second: &'static str| {
        vec![service(json!({})), slice("a", &[first]), slice("b", &[second])]
    };
    let both = lines(objects("10.244.1.2@n1", "10.244.2.2@n2"));
    assert_eq!(both[1], "pool TCP/http/cluster: 10.244.1.2:8080, 10.244.2.2:8080");
    for order in [("10.244.1.2@n1", "10.244.1.2@n1 draining"), ("10.244.1.2@n1 draining", "10.244.1.2@n1")] {
        assert_eq!(lines(objects(order.0, order.1))[1], "pool TCP/http/cluster: 10.244.1.2:8080");
    }
}
