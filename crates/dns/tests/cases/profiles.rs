//! The server profiles the cases name.

use std::net::SocketAddr;

use portway_dns::DnsConfig;
use portway_dns::forward::{CacheConfig, ForwardConfig};
use portway_dns::wire::Name;
use portway_dns::zone::{PodMode, ZoneConfig, reverse_zones};

/// The server's own address, as far as NS records are concerned.
pub const LOCAL: &str = "192.0.2.53";

/// Settings of the cluster zone.
pub fn zone(profile: &str) -> ZoneConfig {
    let names = |names: &[&str]| -> Vec<Name> { names.iter().map(|name| name.parse().unwrap()).collect() };
    let cluster = |zones: &[&str], ttl, pods| ZoneConfig { ttl, pods, ..ZoneConfig::new(names(zones)) };
    match profile {
        "default" => ZoneConfig::cluster("cluster.local").unwrap(),
        "bare" => ZoneConfig::new(names(&["cluster.local"])),
        "verified" => ZoneConfig {
            endpoint_pod_names: true,
            ..cluster(&["cluster.local", "in-addr.arpa"], 10, PodMode::Verified)
        },
        "options" => {
            let mut zones = names(&["cluster.local", "k8s.example"]);
            zones.extend(reverse_zones("10.96.0.0/16".parse().unwrap()));
            ZoneConfig {
                ttl: 60,
                namespaces: Some(["dns-pub", "default"].map(str::to_owned).into()),
                ignore_empty: true,
                fall_through: names(&["k8s.example"]),
                ..ZoneConfig::new(zones)
            }
        }
        "features" => ZoneConfig {
            fall_through: names(&["in-addr.arpa"]),
            ..cluster(&["cluster.local", "in-addr.arpa"], 30, PodMode::Disabled)
        },
        "xfer" => ZoneConfig {
            addresses: vec![LOCAL.parse().unwrap()],
            ..cluster(&["cluster.local", "in-addr.arpa"], 5, PodMode::Verified)
        },
        other => panic!("unknown profile {other}"),
    }
}

/// Settings of the whole server.
pub fn server(profile: &str, upstream: SocketAddr) -> DnsConfig {
    let forward = !matches!(profile, "bare" | "xfer");
    let cache = match profile {
        "default" => Some(CacheConfig::default()),
        "features" => Some(CacheConfig { max_ttl: 60, max_denial_ttl: 20, min_ttl: 1, capacity: 1024 }),
        _ => None,
    };
    DnsConfig {
        zone: zone(profile),
        forward: forward.then(|| ForwardConfig::new(vec![upstream])),
        cache,
        ..DnsConfig::cluster("cluster.local").unwrap()
    }
}
