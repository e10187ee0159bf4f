//! The zone beyond what the recorded cases cover.
#![allow(clippy::unwrap_used)]

mod aliases;
mod history;
mod pods;
mod world;

use expect_test::{Expect, expect};

use super::*;
use crate::wire::{Name, Question, Record};
use world::{World, namespace, service, slice};

/// The answer to `NAME TYPE` as text: code, records, `+` before additional ones.
fn ask(zone: &Zone, query: &str) -> String {
    let (name, rtype) = query.split_once(' ').unwrap();
    let question = Question::new(name.parse().unwrap(), rtype.parse().unwrap());
    let from = Origin { client: [192, 0, 2, 9].into(), local: Some([192, 0, 2, 1].into()) };
    let lines = |records: &[Record], mark: &str| -> String {
        records.iter().map(|record| format!("\n{mark}{record}")).collect()
    };
    match answer(zone, &question, &from) {
        Answer::Reply(rcode, sections) if sections.answers.is_empty() => {
            let soa = sections.authority.iter().map(|soa| soa.name.to_string()).collect::<String>();
            format!("{rcode} {soa}")
        }
        Answer::Reply(rcode, sections) => {
            format!("{rcode}{}{}", lines(&sections.answers, ""), lines(&sections.additional, "+ "))
        }
        Answer::Follow { records, target } => format!("follow {target}{}", lines(&records, "")),
        Answer::Elsewhere => "elsewhere".to_owned(),
    }
}

fn check(zone: &Zone, queries: &[&str], expect: Expect) {
    let text: String = queries.iter().map(|query| format!("{query}: {}\n", ask(zone, query))).collect();
    expect.assert_eq(&text);
}

fn zone(config: impl FnOnce(&mut ZoneConfig), objects: &[World]) -> Zone {
    let mut settings = ZoneConfig::cluster("cluster.local").unwrap();
    config(&mut settings);
    let mut zone = Zone::new(settings);
    zone.set_synced();
    for object in objects {
        object.put(&mut zone, 7);
    }
    zone
}

#[test]
fn nothing_is_denied_before_everything_was_listed() {
    let mut zone = Zone::new(ZoneConfig::cluster("cluster.local").unwrap());
    let queries = ["web.ns.svc.cluster.local A", "1.0.96.10.in-addr.arpa PTR", "example.com A"];
    check(
        &zone,
        &queries,
        expect![[r#"
            web.ns.svc.cluster.local A: SERVFAIL 
            1.0.96.10.in-addr.arpa PTR: SERVFAIL 
            example.com A: elsewhere
        "#]],
    );
    zone.set_synced();
    check(
        &zone,
        &queries,
        expect![[r#"
            web.ns.svc.cluster.local A: NXDOMAIN cluster.local.
            1.0.96.10.in-addr.arpa PTR: elsewhere
            example.com A: elsewhere
        "#]],
    );
}

#[test]
fn a_namespace_carries_all_below_it() {
    let mut zone = zone(|_| {}, &[service("ns/web", "10.96.1.1", &["http:80"])]);
    let queries = ["web.ns.svc.cluster.local A", "ns.svc.cluster.local A", "1.1.96.10.in-addr.arpa PTR"];
    check(
        &zone,
        &queries,
        expect![[r#"
            web.ns.svc.cluster.local A: NXDOMAIN cluster.local.
            ns.svc.cluster.local A: NXDOMAIN cluster.local.
            1.1.96.10.in-addr.arpa PTR: elsewhere
        "#]],
    );
    namespace("ns").put(&mut zone, 8);
    check(
        &zone,
        &queries,
        expect![[r#"
            web.ns.svc.cluster.local A: NOERROR
            web.ns.svc.cluster.local. 30 IN A 10.96.1.1
            ns.svc.cluster.local A: NOERROR cluster.local.
            1.1.96.10.in-addr.arpa PTR: NOERROR
            1.1.96.10.in-addr.arpa. 30 IN PTR web.ns.svc.cluster.local.
        "#]],
    );
}

#[test]
fn endpoints_below_a_cluster_ip() {
    let zone = zone(
        |_| {},
        &[
            namespace("ns"),
            service("ns/web", "10.96.1.1", &["http:80", ":81"]),
            slice("ns/web-1", "web", &["http:8080"], &["10.244.1.1=h", "10.244.1.2=h", "10.244.1.3"]),
        ],
    );
    check(
        &zone,
        &[
            "h.web.ns.svc.cluster.local A",
            "h.web.ns.svc.cluster.local SRV",
            "10-244-1-3.web.ns.svc.cluster.local A",
            "10-244-1-1.web.ns.svc.cluster.local A",
            "3.1.244.10.in-addr.arpa PTR",
            "_http._tcp.web.ns.svc.cluster.local SRV",
            "web.ns.svc.cluster.local SRV",
            "__http._tcp.web.ns.svc.cluster.local SRV",
            "_._tcp.web.ns.svc.cluster.local SRV",
            "a.b.c.web.ns.svc.cluster.local A",
        ],
        expect![[r#"
            h.web.ns.svc.cluster.local A: NOERROR
            h.web.ns.svc.cluster.local. 30 IN A 10.244.1.1
            h.web.ns.svc.cluster.local. 30 IN A 10.244.1.2
            h.web.ns.svc.cluster.local SRV: NOERROR
            h.web.ns.svc.cluster.local. 30 IN SRV 0 100 8080 h.web.ns.svc.cluster.local.
            + h.web.ns.svc.cluster.local. 30 IN A 10.244.1.1
            + h.web.ns.svc.cluster.local. 30 IN A 10.244.1.2
            10-244-1-3.web.ns.svc.cluster.local A: NOERROR
            10-244-1-3.web.ns.svc.cluster.local. 30 IN A 10.244.1.3
            10-244-1-1.web.ns.svc.cluster.local A: NXDOMAIN cluster.local.
            3.1.244.10.in-addr.arpa PTR: NOERROR
            3.1.244.10.in-addr.arpa. 30 IN PTR 10-244-1-3.web.ns.svc.cluster.local.
            _http._tcp.web.ns.svc.cluster.local SRV: NOERROR
            _http._tcp.web.ns.svc.cluster.local. 30 IN SRV 0 100 80 web.ns.svc.cluster.local.
            + web.ns.svc.cluster.local. 30 IN A 10.96.1.1
            web.ns.svc.cluster.local SRV: NOERROR
            web.ns.svc.cluster.local. 30 IN SRV 0 50 80 web.ns.svc.cluster.local.
            web.ns.svc.cluster.local. 30 IN SRV 0 50 81 web.ns.svc.cluster.local.
            + web.ns.svc.cluster.local. 30 IN A 10.96.1.1
            __http._tcp.web.ns.svc.cluster.local SRV: NXDOMAIN cluster.local.
            _._tcp.web.ns.svc.cluster.local SRV: NXDOMAIN cluster.local.
            a.b.c.web.ns.svc.cluster.local A: NXDOMAIN cluster.local.
        "#]],
    );
}

#[test]
fn options_hide_what_they_name() {
    let objects = [
        namespace("ns"),
        namespace("hid"),
        service("ns/empty", "10.96.1.1", &["http:80"]),
        service("ns/full", "10.96.1.2", &["http:80"]),
        service("ns/hl", "None", &[]),
        service("hid/web", "10.96.1.3", &["http:80"]),
        slice("ns/full-1", "full", &["http:80"], &["10.244.1.1"]),
        slice("ns/hl-1", "hl", &[], &["10.244.1.2"]),
    ];
    let queries = [
        "empty.ns.svc.cluster.local A",
        "1.1.96.10.in-addr.arpa PTR",
        "full.ns.svc.cluster.local A",
        "web.hid.svc.cluster.local A",
        "hl.ns.svc.cluster.local A",
        "hl.ns.svc.cluster.local SRV",
        "2.1.244.10.in-addr.arpa PTR",
    ];
    let hidden = |config: &mut ZoneConfig| {
        config.ignore_empty = true;
        config.namespaces = Some(["ns".to_owned()].into());
    };
    check(
        &zone(hidden, &objects),
        &queries,
        expect![[r#"
            empty.ns.svc.cluster.local A: NXDOMAIN cluster.local.
            1.1.96.10.in-addr.arpa PTR: NOERROR
            1.1.96.10.in-addr.arpa. 30 IN PTR empty.ns.svc.cluster.local.
            full.ns.svc.cluster.local A: NOERROR
            full.ns.svc.cluster.local. 30 IN A 10.96.1.2
            web.hid.svc.cluster.local A: NXDOMAIN cluster.local.
            hl.ns.svc.cluster.local A: NOERROR
            hl.ns.svc.cluster.local. 30 IN A 10.244.1.2
            hl.ns.svc.cluster.local SRV: NOERROR cluster.local.
            2.1.244.10.in-addr.arpa PTR: NOERROR
            2.1.244.10.in-addr.arpa. 30 IN PTR 10-244-1-2.hl.ns.svc.cluster.local.
        "#]],
    );
    check(
        &zone(|config| config.no_endpoints = true, &objects),
        &queries[4..],
        expect![[r#"
            hl.ns.svc.cluster.local A: NXDOMAIN cluster.local.
            hl.ns.svc.cluster.local SRV: NXDOMAIN cluster.local.
            2.1.244.10.in-addr.arpa PTR: elsewhere
        "#]],
    );
}

#[test]
fn several_zones_and_their_apex() {
    let zone = zone(
        |config| {
            config.zones = ["cluster.local", "k8s.cluster.local", "96.10.in-addr.arpa"]
                .map(|z| z.parse().unwrap())
                .into();
            config.fall_through = vec!["k8s.cluster.local".parse().unwrap()];
            config.addresses = vec!["10.244.1.5".parse().unwrap(), "10.244.1.6".parse().unwrap()];
        },
        &[
            namespace("ns"),
            service("ns/dns", "10.96.0.10", &["dns:53"]),
            slice("ns/dns-1", "dns", &["dns:53"], &["10.244.1.5", "10.244.1.6"]),
            service("ns/hl", "None", &[]),
            slice("ns/hl-1", "hl", &["dns:53"], &["10.244.1.6=b"]),
        ],
    );
    check(
        &zone,
        &[
            "dns.ns.svc.K8s.cluster.local SRV",
            "x.k8s.cluster.local A",
            "x.cluster.local A",
            "k8s.cluster.local SOA",
            "k8s.cluster.local DS",
            "cluster.local DS",
            "96.10.in-addr.arpa SOA",
            "1.96.10.in-addr.arpa PTR",
            "10.0.96.10.in-addr.arpa PTR",
            "10.0.96.10.in-addr.arpa A",
            "1.0.97.10.in-addr.arpa PTR",
            "cluster.local NS",
            "ns.dns.cluster.local A",
        ],
        expect![[r#"
            dns.ns.svc.K8s.cluster.local SRV: NOERROR
            dns.ns.svc.K8s.cluster.local. 30 IN SRV 0 100 53 dns.ns.svc.K8s.cluster.local.
            + dns.ns.svc.K8s.cluster.local. 30 IN A 10.96.0.10
            x.k8s.cluster.local A: elsewhere
            x.cluster.local A: NXDOMAIN cluster.local.
            k8s.cluster.local SOA: NOERROR
            k8s.cluster.local. 30 IN SOA ns.dns.k8s.cluster.local. hostmaster.k8s.cluster.local. 7 7200 1800 86400 30
            k8s.cluster.local DS: elsewhere
            cluster.local DS: NOERROR cluster.local.
            96.10.in-addr.arpa SOA: NOERROR
            96.10.in-addr.arpa. 30 IN SOA ns.dns.96.10.in-addr.arpa. hostmaster.96.10.in-addr.arpa. 7 7200 1800 86400 30
            1.96.10.in-addr.arpa PTR: NXDOMAIN 96.10.in-addr.arpa.
            10.0.96.10.in-addr.arpa PTR: NOERROR
            10.0.96.10.in-addr.arpa. 30 IN PTR dns.ns.svc.cluster.local.
            10.0.96.10.in-addr.arpa A: NOERROR 96.10.in-addr.arpa.
            1.0.97.10.in-addr.arpa PTR: elsewhere
            cluster.local NS: NOERROR
            cluster.local. 30 IN NS dns.ns.svc.cluster.local.
            cluster.local. 30 IN NS b.hl.ns.svc.cluster.local.
            + dns.ns.svc.cluster.local. 30 IN A 10.96.0.10
            + b.hl.ns.svc.cluster.local. 30 IN A 10.244.1.6
            ns.dns.cluster.local A: NOERROR
            ns.dns.cluster.local. 30 IN A 10.96.0.10
            ns.dns.cluster.local. 30 IN A 10.244.1.6
        "#]],
    );
}

#[test]
fn serials_follow_changes_and_nothing_else() {
    let mut zone = zone(|_| {}, &[namespace("ns")]);
    let serial = |zone: &Zone| ask(zone, "cluster.local SOA").split(' ').nth(6).map(str::to_owned).unwrap();
    assert_eq!(serial(&zone), "7");
    service("ns/web", "10.96.1.1", &[]).put(&mut zone, 9);
    assert_eq!(serial(&zone), "9");
    service("ns/web", "10.96.1.1", &[]).put(&mut zone, 10);
    assert_eq!(serial(&zone), "9");
    service("ns/none", "10.96.1.1", &[]).remove(&mut zone, 11);
    assert_eq!(serial(&zone), "9");
}

#[test]
fn names_that_do_not_fit_are_left_out() {
    let long = ["x".repeat(63), "y".repeat(63), "z".repeat(63)].join(".");
    let apex: Name = long.parse().unwrap();
    let host = "h".repeat(60);
    let zone = zone(
        |config| config.zones = vec![apex],
        &[
            namespace("ns"),
            service("ns/hl", "None", &[]),
            slice("ns/hl-1", "hl", &["a:1"], &[&format!("10.1.1.1={host}")]),
        ],
    );
    assert_eq!(ask(&zone, &format!("hl.ns.svc.{long} SRV")), format!("NOERROR {long}."));
    assert!(ask(&zone, &format!("hl.ns.svc.{long} A")).contains("10.1.1.1"));
}
