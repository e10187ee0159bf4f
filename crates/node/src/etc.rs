//! The files a Pod sees in `/etc`: resolv.conf, hosts, hostname. Pure.

use std::fmt::Write;
use std::net::IpAddr;

use portway_api::types::pod::Pod;

/// What the files need to know besides the Pod.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Addresses of the cluster's DNS.
    pub cluster_dns: Vec<IpAddr>,
    /// `cluster.local`.
    pub cluster_domain: String,
    /// The node's own resolv.conf.
    pub node_resolv_conf: String,
    /// The node's name.
    pub node_name: String,
}

/// The Pod's host name: `spec.hostname` or its name, at most 63 bytes; the node's for one in the node's network.
pub fn hostname(pod: &Pod, node_name: &str) -> String {
    let wanted = match pod.spec.hostname.as_str() {
        _ if pod.spec.host_network => node_name,
        "" => &pod.metadata.name,
        hostname => hostname,
    };
    let short: String = wanted.chars().take(63).collect();
    short.trim_end_matches(['-', '.']).to_owned()
}

/// `hostname.subdomain.namespace.svc.DOMAIN`, if the Pod has a subdomain.
fn full_name(pod: &Pod, around: &Surroundings) -> Option<String> {
    if pod.spec.subdomain.is_empty() || pod.spec.host_network {
        return None;
    }
    let host = hostname(pod, &around.node_name);
    let (subdomain, namespace) = (&pod.spec.subdomain, &pod.metadata.namespace);
    Some(format!("{host}.{subdomain}.{namespace}.svc.{}", around.cluster_domain))
}

/// `/etc/hosts`: loopback names and the Pod's own.
pub fn hosts(pod: &Pod, around: &Surroundings, addresses: &[IpAddr]) -> String {
    let mut text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n\
        fe00::0\tip6-mcastprefix\nfe00::1\tip6-allnodes\nfe00::2\tip6-allrouters\n"
        .to_owned();
    let host = hostname(pod, &around.node_name);
    for address in addresses {
        let full = full_name(pod, around).map(|name| format!("{name}\t")).unwrap_or_default();
        let _ = writeln!(text, "{address}\t{full}{host}");
    }
    text
}

/// What resolv.conf says: in the order it is written.
#[derive(Default)]
struct Resolver {
    servers: Vec<String>,
    search: Vec<String>,
    options: Vec<String>,
}

/// `/etc/resolv.conf` by the Pod's `dnsPolicy` and `dnsConfig`.
pub fn resolv_conf(pod: &Pod, around: &Surroundings) -> String {
    let spec = &pod.spec;
    let cluster = match spec.dns_policy.as_str() {
        "ClusterFirstWithHostNet" => true,
        "Default" | "None" => false,
        _ => !spec.host_network,
    };
    let mut resolver = Resolver::default();
    if cluster && !around.cluster_dns.is_empty() {
        let (namespace, domain) = (&pod.metadata.namespace, &around.cluster_domain);
        resolver.servers = around.cluster_dns.iter().map(IpAddr::to_string).collect();
        resolver.search = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.clone()];
        resolver.search.extend(parse(&around.node_resolv_conf).search);
        resolver.options = vec!["ndots:5".to_owned()];
    } else if spec.dns_policy != "None" {
        resolver = parse(&around.node_resolv_conf);
    }
    if let Some(config) = &spec.dns_config {
        resolver.servers.extend(config.nameservers.iter().cloned());
        resolver.search.extend(config.searches.iter().cloned());
        for option in &config.options {
            // What the Pod says of an option stands for what was said before.
            let name = |text: &str| text.split(':').next().unwrap_or_default().to_owned();
            resolver.options.retain(|known| name(known) != option.name);
            resolver.options.push(match option.value.as_deref() {
                Some(value) if !value.is_empty() => format!("{}:{value}", option.name),
                _ => option.name.clone(),
            });
        }
    }
    resolver.to_text()
}

impl Resolver {
    fn to_text(&self) -> String {
        /// Resolvers read three.
        const SERVERS: usize = 3;
        let mut text = String::new();
        let mut search: Vec<&str> = Vec::new();
        for domain in &self.search {
            if !search.contains(&domain.as_str()) {
                search.push(domain);
            }
        }
        if !search.is_empty() {
            let _ = writeln!(text, "search {}", search.join(" "));
        }
        let mut servers: Vec<&String> = Vec::new();
        for server in &self.servers {
            if !servers.contains(&server) {
                servers.push(server);
            }
        }
        for server in servers.iter().take(SERVERS) {
            let _ = writeln!(text, "nameserver {server}");
        }
        if !self.options.is_empty() {
            let _ = writeln!(text, "options {}", self.options.join(" "));
        }
        text
    }
}

fn parse(text: &str) -> Resolver {
    let mut resolver = Resolver::default();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace().map(str::to_owned);
        match words.next().as_deref() {
            Some("nameserver") => resolver.servers.extend(words.next()),
            Some("search" | "domain") => resolver.search = words.filter(|w| w != ".").collect(),
            Some("options") => resolver.options.extend(words),
            _ => {}
        }
    }
    resolver
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn pod(spec: Value) -> Pod {
        serde_json::from_value(json!({"metadata": {"name": "web-1", "namespace": "shop"}, "spec": spec}))
            .unwrap()
    }

    fn around() -> Surroundings {
        Surroundings {
            cluster_dns: vec!["10.96.0.10".parse().unwrap(), "fd00:10:96::a".parse().unwrap()],
            cluster_domain: "cluster.local".into(),
            node_resolv_conf: "# mine\nsearch lan\nnameserver 192.0.2.1\noptions edns0 trust-ad\n".into(),
            node_name: "n1".into(),
        }
    }

    #[test]
    fn resolvers() {
        let check = |spec: Value, expect: &str| {
            assert_eq!(resolv_conf(&pod(spec.clone()), &around()), expect, "{spec}")
        };
        let cluster = "search shop.svc.cluster.local svc.cluster.local cluster.local lan\n\
            nameserver 10.96.0.10\nnameserver fd00:10:96::a\noptions ndots:5\n";
        let node = "search lan\nnameserver 192.0.2.1\noptions edns0 trust-ad\n";
        check(json!({}), cluster);
        check(json!({"dnsPolicy": "ClusterFirst"}), cluster);
        check(json!({"dnsPolicy": "Default"}), node);
        check(json!({"dnsPolicy": "ClusterFirst", "hostNetwork": true}), node);
        check(json!({"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": true}), cluster);
        let config = json!({"nameservers": ["192.0.2.9"], "searches": ["x.org"],
            "options": [{"name": "ndots", "value": "2"}, {"name": "rotate"}]});
        check(
            json!({"dnsPolicy": "None", "dnsConfig": config}),
            "search x.org\nnameserver 192.0.2.9\noptions ndots:2 rotate\n",
        );
        check(
            json!({"dnsConfig": config}),
            "search shop.svc.cluster.local svc.cluster.local cluster.local lan x.org\n\
             nameserver 10.96.0.10\nnameserver fd00:10:96::a\nnameserver 192.0.2.9\noptions ndots:2 rotate\n",
        );
    }

    #[test]
    fn names() {
        let ip = ["10.244.1.2".parse().unwrap()];
        let last = |spec: Value| hosts(&pod(spec), &around(), &ip).lines().last().unwrap().to_owned();
        assert_eq!(last(json!({})), "10.244.1.2\tweb-1");
        assert_eq!(
            last(json!({"hostname": "db", "subdomain": "pg"})),
            "10.244.1.2\tdb.pg.shop.svc.cluster.local\tdb"
        );
        assert_eq!(last(json!({"hostNetwork": true})), "10.244.1.2\tn1");
        let mut long = pod(json!({}));
        long.metadata.name = format!("{}-{}", "a".repeat(62), "b".repeat(20));
        assert_eq!(hostname(&long, "n1"), "a".repeat(62));
    }
}
