//! What a query and a change cost, and that neither grows with the cluster.
//!
//! `cargo bench -p portway-dns`. Compare the rows of one group: a change at 10,000 Services should cost what it costs
//! at 1,000.
#![allow(clippy::unwrap_used, missing_docs)]

use divan::{Bencher, black_box};
use portway_api::types::core::Namespace;
use portway_api::types::discovery::{Endpoint, EndpointPort, EndpointSlice, LABEL_SERVICE_NAME};
use portway_api::types::service::{Service, ServicePort};
use portway_base::ObjectKey;
use portway_dns::wire::{Header, Message, Question, Rtype};
use portway_dns::zone::{Change, Origin, Zone, ZoneConfig, answer};
use portway_dns::{DnsConfig, Engine, Transport};

fn main() {
    divan::main();
}

const SIZES: [u32; 2] = [1_000, 10_000];
/// Endpoints of each Service.
const ENDPOINTS: u32 = 3;

const CLUSTER_IP: &str = "svc-7.ns-7.svc.cluster.local";
const HEADLESS: &str = "svc-8.ns-8.svc.cluster.local";
const SEARCHED: &str = "www.example.com.ns-7.svc.cluster.local";

fn key(i: u32, prefix: &str) -> ObjectKey {
    ObjectKey::new(format!("ns-{}", i % 100), format!("{prefix}-{i}"))
}

fn service(i: u32) -> Service {
    let mut service = Service::default();
    service.spec.kind = "ClusterIP".to_owned();
    let headless = i.is_multiple_of(8);
    service.spec.cluster_ip =
        if headless { "None".to_owned() } else { std::net::Ipv4Addr::from(0x0a60_0000 + i).to_string() };
    service.spec.ports = vec![ServicePort {
        name: "http".to_owned(),
        protocol: "TCP".to_owned(),
        port: 80,
        ..ServicePort::default()
    }];
    service
}

fn slice(i: u32, generation: u32) -> EndpointSlice {
    let mut slice = EndpointSlice::default();
    slice.metadata.labels.insert(LABEL_SERVICE_NAME.to_owned(), format!("svc-{i}"));
    slice.ports = vec![EndpointPort {
        name: Some("http".to_owned()),
        protocol: Some("TCP".to_owned()),
        port: Some(8080),
        ..EndpointPort::default()
    }];
    slice.endpoints = (0..ENDPOINTS)
        .map(|n| {
            let address = 0x0af4_0000 + i * ENDPOINTS + n + generation * 0x0100_0000;
            Endpoint { addresses: vec![std::net::Ipv4Addr::from(address).to_string()], ..Endpoint::default() }
        })
        .collect();
    slice
}

fn fill(zone: &mut Zone, size: u32) {
    for i in 0..100 {
        let namespace = Namespace::default();
        zone.apply(&ObjectKey::cluster(format!("ns-{i}")), Change::Namespace(Some(&namespace)), 1);
    }
    for i in 0..size {
        zone.apply(&key(i, "svc"), Change::Service(Some(&service(i))), 1);
        zone.apply(&key(i, "slice"), Change::Slice(Some(&slice(i, 0))), 1);
    }
    zone.set_synced();
}

fn zone(size: u32) -> Zone {
    let mut zone = Zone::new(ZoneConfig::cluster("cluster.local").unwrap());
    fill(&mut zone, size);
    zone
}

const FROM: Origin = Origin { client: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), local: None };

/// The pure answer.
#[divan::bench(args = [(CLUSTER_IP, "A"), (CLUSTER_IP, "AAAA"), (CLUSTER_IP, "SRV"), (HEADLESS, "A"), (SEARCHED, "A")])]
fn zone_answer(bencher: Bencher, (name, rtype): (&str, &str)) {
    let zone = zone(1_000);
    let question = Question::new(name.parse().unwrap(), rtype.parse().unwrap());
    bencher.bench_local(|| answer(&zone, black_box(&question), &FROM));
}

/// Packet in, packet out, no socket.
#[divan::bench(args = [(CLUSTER_IP, "A"), (CLUSTER_IP, "AAAA"), (CLUSTER_IP, "SRV"), (HEADLESS, "A"), (SEARCHED, "A")])]
fn packet_answer(bencher: Bencher, (name, rtype): (&str, &str)) {
    let engine = Engine::new(DnsConfig::cluster("cluster.local").unwrap());
    fill(&mut engine.zone_mut(), 1_000);
    let message = Message {
        header: Header::query(7),
        question: Some(Question::new(name.parse().unwrap(), rtype.parse::<Rtype>().unwrap())),
        answers: Vec::new(),
        authority: Vec::new(),
        additional: Vec::new(),
        edns: None,
    };
    let mut packet = Vec::new();
    message.encode(512, &mut packet);
    let mut reply = Vec::with_capacity(4096);
    bencher.bench_local(|| {
        reply.clear();
        engine.begin(black_box(&packet), Transport::Udp, FROM, &mut reply)
    });
}

/// One endpoint address after another replaced.
#[divan::bench(args = SIZES)]
fn slice_change(bencher: Bencher, size: u32) {
    let mut zone = zone(size);
    let changed = [slice(7, 1), slice(7, 0)];
    let key = key(7, "slice");
    let mut turn = 0;
    bencher.bench_local(|| {
        turn ^= 1;
        zone.apply(&key, Change::Slice(Some(&changed[turn])), 2)
    });
}

/// A Service gone and back.
#[divan::bench(args = SIZES)]
fn service_change(bencher: Bencher, size: u32) {
    let mut zone = zone(size);
    let (key, service) = (key(7, "svc"), service(7));
    bencher.bench_local(|| {
        zone.apply(&key, Change::Service(None), 2);
        zone.apply(&key, Change::Service(Some(&service)), 2)
    });
}
