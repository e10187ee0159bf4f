//! Whole Services.

use std::collections::BTreeSet;
use std::net::IpAddr;

use portway_base::IpFamily::{V4, V6};
use portway_base::Protocol::{Tcp, Udp};
use proptest::prelude::*;

use crate::{
    AddressAllocator, AddressRange, AssignedPorts, PortAllocator, PortRange, PortRequest, PortRules,
    assign_addresses, assign_ports, reassign_ports,
};

#[test]
fn addresses_come_together_or_not_at_all() {
    let ranges = ["10.96.0.0/29", "fd00::/126"].map(|c| AddressRange::new(c.parse().unwrap()).unwrap());
    let mut pool = AddressAllocator::new(ranges);
    let mut check = |wanted: &[(_, Option<&str>)], expect: Result<&[&str], &str>| {
        let wanted: Vec<_> = wanted.iter().map(|(f, at)| (*f, at.map(|at| at.parse().unwrap()))).collect();
        let got = assign_addresses(&mut pool, &wanted, &"web", || 0);
        let got = got.map(|all| all.iter().map(IpAddr::to_string).collect::<Vec<_>>());
        let expect = expect.map(|all| all.iter().map(|at| (*at).to_owned()).collect::<Vec<_>>());
        assert_eq!(got.map_err(|e| e.to_string()), expect.map_err(str::to_owned));
    };
    check(&[(V4, None), (V6, Some("fd00::2"))], Ok(&["10.96.0.1", "fd00::2"]));
    check(&[(V6, None), (V4, Some("10.96.0.5"))], Ok(&["fd00::1", "10.96.0.5"]));
    let taken = "failed to allocate IP fd00::2: provided IP is already allocated";
    check(&[(V4, Some("10.96.0.2")), (V6, Some("fd00::2"))], Err(taken));
    let outside = "failed to allocate IP 10.0.0.1: the provided network does not match the current range";
    check(&[(V6, None), (V4, Some("10.0.0.1"))], Err(outside));
    check(&[(V4, Some("10.96.0.2")), (V6, None)], Ok(&["10.96.0.2", "fd00::3"]));
    check(&[(V4, None), (V6, None)], Err("failed to allocate a serviceIP: range is full"));
    check(&[(V4, None)], Ok(&["10.96.0.3"]));
    check(&[], Ok(&[]));
}

fn request(text: &str) -> PortRequest {
    // `53/UDP:30053`, the last part optional.
    let (port, rest) = text.split_once('/').unwrap();
    let (protocol, node_port) = rest.split_once(':').unwrap_or((rest, "0"));
    PortRequest {
        port: port.parse().unwrap(),
        protocol: protocol.parse().unwrap(),
        node_port: node_port.parse().unwrap(),
    }
}

fn requests(text: &str) -> Vec<PortRequest> {
    text.split_whitespace().map(request).collect()
}

/// A pool of 30000-30015 (no static band) in which 30009 is taken.
fn pool() -> PortAllocator<&'static str> {
    let range = PortRange::new(30000..=30015).unwrap();
    PortAllocator::rebuild(range, [(30009, "other")]).0
}

#[test]
fn new_services_share_ports_by_number() {
    let check = |ports: &str, rules: PortRules, expect: Result<&[i64], &str>, held: &[u16]| {
        let mut pool = pool();
        let got = assign_ports(&mut pool, &requests(ports), rules, &"web", || 0);
        let got = got.map_err(|e| e.to_string());
        assert_eq!(got.as_ref().map(|a| &*a.node_ports).map_err(|e| &**e), expect, "{ports}");
        let ours = pool.iter().filter(|(_, owner)| **owner == "web").map(|(port, _)| port);
        assert_eq!(ours.collect::<Vec<_>>(), held, "{ports}");
        let mut taken = got.map(|a| a.taken).unwrap_or_default();
        taken.sort_unstable();
        assert_eq!(taken, held);
    };
    let normal = PortRules::NORMAL;
    let sparing = PortRules { allocate: false, ..normal };
    let dry = PortRules { dry_run: true, ..normal };
    check("80/TCP", normal, Ok(&[30000]), &[30000]);
    check("80/TCP 443/TCP", normal, Ok(&[30000, 30001]), &[30000, 30001]);
    check("53/TCP 53/UDP", normal, Ok(&[30000, 30000]), &[30000]);
    check("53/TCP 53/UDP:30005", normal, Ok(&[30005, 30005]), &[30005]);
    check("53/TCP:30005 53/UDP:30006", normal, Ok(&[30005, 30006]), &[30005, 30006]);
    check("53/TCP:30005 53/TCP:30005", normal, Ok(&[30005, 30005]), &[30005]);
    let taken = Err("provided port is already allocated");
    check("80/TCP:30005 81/TCP:30005", normal, taken, &[]);
    check("80/TCP 81/TCP:30009", normal, taken, &[]);
    let outside = Err("provided port is not in the valid range. The range of valid ports is 30000-30015");
    check("80/TCP 81/TCP:80", normal, outside, &[]);
    check("80/TCP 81/TCP:-5", normal, outside, &[]);
    check("80/TCP 81/TCP:30007", sparing, Ok(&[0, 30007]), &[30007]);
    check("53/TCP 53/UDP:30007 53/TCP", sparing, Ok(&[0, 30007, 0]), &[30007]);
    check("80/TCP 81/TCP 81/UDP 82/TCP:99", dry, Ok(&[32769, 32770, 32770, 99]), &[]);
    check("80/TCP:30009", dry, taken, &[]);
    let many: Vec<_> = (1..=16).map(|port| format!("{port}/TCP")).collect();
    check(&many.join(" "), normal, Err("failed to allocate a nodePort: range is full"), &[]);
}

#[test]
fn updated_services_keep_take_and_drop() {
    type Assigned<'a> = (&'a [i64], &'a [u16], &'a [u16]);
    let check = |ports: &str, rules: PortRules, expect: Result<Assigned<'_>, &str>| {
        let mut pool = pool();
        let old = BTreeSet::from([30001, 30002]);
        for port in &old {
            pool.allocate((*port).into(), "web").unwrap();
        }
        let before = pool.clone();
        let got = reassign_ports(&mut pool, &requests(ports), &old, rules, &"web", || 0);
        match (&got, expect) {
            (Ok(AssignedPorts { node_ports, taken, dropped }), Ok(expect)) => {
                assert_eq!((&**node_ports, &**taken, &**dropped), expect, "{ports}");
            }
            _ => {
                assert_eq!(got.map_err(|e| e.to_string()), Err(expect.unwrap_err().to_owned()), "{ports}");
                assert_eq!(pool, before);
            }
        }
    };
    let normal = PortRules::NORMAL;
    let sparing = PortRules { allocate: false, ..normal };
    check("80/TCP:30001 81/TCP:30002", normal, Ok((&[30001, 30002], &[], &[])));
    check("80/TCP:30001 81/TCP", normal, Ok((&[30001, 30000], &[30000], &[30002])));
    check("80/TCP:30001 81/TCP:30005", normal, Ok((&[30001, 30005], &[30005], &[30002])));
    check("80/TCP:30005 80/UDP:30005", normal, Ok((&[30005, 30005], &[30005], &[30001, 30002])));
    check("80/TCP:30001", sparing, Ok((&[30001], &[], &[30002])));
    check("80/TCP 81/TCP", sparing, Ok((&[0, 0], &[], &[30001, 30002])));
    check("", normal, Ok((&[], &[], &[30001, 30002])));
    check("80/TCP 81/TCP:30009", normal, Err("provided port is already allocated"));
    check("80/TCP:30004 81/TCP:30004", normal, Err("duplicate nodePort: {TCP 30004}"));
    let dry = PortRules { dry_run: true, ..normal };
    check("80/TCP:30001 81/TCP:30005 82/TCP", dry, Ok((&[30001, 30005, 32769], &[], &[])));
}

proptest! {
    #[test]
    fn a_refused_service_holds_nothing(
        ports in proptest::collection::vec((1i64..5, any::<bool>(), 29998i64..30018, any::<bool>()), 0..8),
        seed in any::<u64>(),
        update in any::<bool>(),
    ) {
        let ports: Vec<_> = ports
            .into_iter()
            .map(|(port, tcp, node_port, explicit)| PortRequest {
                port,
                protocol: if tcp { Tcp } else { Udp },
                node_port: if explicit { node_port } else { 0 },
            })
            .collect();
        let mut pool = pool();
        let before = pool.clone();
        let (rules, old) = (PortRules::NORMAL, BTreeSet::new());
        let got = if update {
            reassign_ports(&mut pool, &ports, &old, rules, &"web", || seed)
        } else {
            assign_ports(&mut pool, &ports, rules, &"web", || seed)
        };
        if let Ok(assigned) = got {
            for (port, node_port) in ports.iter().zip(&assigned.node_ports) {
                prop_assert!(port.node_port == 0 || port.node_port == *node_port);
                prop_assert_eq!(pool.owner(*node_port as u16), Some(&"web"));
            }
            for port in assigned.taken {
                pool.release(port);
            }
        }
        prop_assert_eq!(pool, before);
    }
}
