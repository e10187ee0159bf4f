//! The server as `dig` (dnsutils) sees it. Runs when PORTWAY_TEST_TOOLS names `dig`, so that the tests need no tools
//! where none are asked for.

use std::net::{TcpListener, UdpSocket};
use std::process::Command;

use portway_dns::{DnsConfig, DnsServer, Listeners};

use super::case::Case;
use super::objects::{Cluster, feed};

/// Whether `dig` is to be used.
pub fn wanted() -> bool {
    std::env::var("PORTWAY_TEST_TOOLS").is_ok_and(|tools| tools.split(',').any(|tool| tool == "dig"))
}

/// Asks what people ask with dig.
pub fn run(truncation: &Case) -> Result<(), Vec<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (udp, tcp) = std::iter::repeat_with(|| {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        TcpListener::bind(udp.local_addr().unwrap()).map(|tcp| (udp, tcp))
    })
    .find_map(Result::ok)
    .unwrap();
    let port = udp.local_addr().unwrap().port().to_string();
    let config = DnsConfig { forward: None, ..DnsConfig::cluster("cluster.local").unwrap() };
    let server = DnsServer::new(config, Listeners { udp: vec![udp], tcp: vec![tcp] });
    let handle = server.handle();
    handle.update(portway_dns::zone::Zone::set_synced);
    Cluster::start(truncation, &mut |id, object| handle.update(|zone| feed(zone, id, object)));
    runtime.spawn(server.run(std::future::pending()));

    let dig = |arguments: &[&str]| -> String {
        let output = Command::new("dig")
            .args(["@127.0.0.1", "-p", &port, "+tries=1", "+timeout=10"])
            .args(arguments)
            .output()
            .unwrap_or_else(|error| panic!("cannot run dig ({error}); install dnsutils"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut failures = Vec::new();
    let mut check = |arguments: &[&str], expect: &[&str]| {
        let got = dig(arguments);
        failures.extend(
            expect
                .iter()
                .filter(|text| !got.contains(**text))
                .map(|text| format!("{arguments:?}: no {text:?} in\n{got}")),
        );
    };
    check(&["+short", "kubernetes.default.svc.cluster.local"], &["10.96.0.1"]);
    check(
        &["kubernetes.default.svc.cluster.local"],
        &["status: NOERROR", "flags: qr aa rd", "EDNS: version: 0"],
    );
    check(&["+short", "-x", "10.96.0.1"], &["kubernetes.default.svc.cluster.local."]);
    check(
        &["+tcp", "+short", "_https._tcp.kubernetes.default.svc.cluster.local", "SRV"],
        &["443 kubernetes.default."],
    );
    check(&["nope.default.svc.cluster.local"], &["status: NXDOMAIN", "SOA", "hostmaster.cluster.local."]);
    check(&["+ignore", "+noedns", "big.dns-big.svc.cluster.local"], &["flags: qr aa tc rd"]);
    check(&["+noedns", "big.dns-big.svc.cluster.local"], &["Truncated, retrying in TCP mode", "ANSWER: 120"]);
    check(&["+bufsize=4096", "big.dns-big.svc.cluster.local"], &["flags: qr aa rd", "ANSWER: 120"]);
    check(&["+edns=1", "+noednsneg", "cluster.local", "SOA"], &["status: BADVERS"]);
    check(&["+cookie", "+nsid", "+subnet=192.0.2.0/24", "cluster.local", "SOA"], &["status: NOERROR"]);
    check(&["-c", "CH", "version.bind", "TXT"], &["status: REFUSED"]);
    check(&["example.com"], &["status: REFUSED"]);
    check(&["cluster.local", "AXFR"], &["Transfer failed"]);
    if failures.is_empty() { Ok(()) } else { Err(failures) }
}
