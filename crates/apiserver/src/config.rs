//! What an API server is told before it starts: plain, validated by type, nothing read from the environment.
//!
//! Must not know how the values were obtained (flags, files) or where the server will listen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::authn::StaticToken;
use crate::authz::Authorizer;
use crate::podlogs::PodLogs;

/// Settings of an API server.
#[derive(Clone)]
pub struct Config {
    /// One Service range, or two of different families; the first is the cluster's default family.
    pub service_cidrs: Vec<IpNet>,
    /// Node ports Services may have.
    pub node_port_range: RangeInclusive<u16>,
    /// The address clients reach this server at; published as the endpoint of `default/kubernetes`
    /// unless it is a loopback or unspecified address.
    pub advertise: SocketAddr,
    /// Where the server keeps its certificates; `None` for a server that is only used in process.
    pub data_dir: Option<PathBuf>,
    /// Names and addresses the server's certificate is to carry besides the built-in ones.
    pub extra_sans: Vec<String>,
    /// DNS domain of the cluster.
    pub cluster_domain: String,
    /// Bearer tokens that are accepted.
    pub tokens: Vec<StaticToken>,
    /// Decides who may do what.
    pub authorizer: Arc<dyn Authorizer>,
    /// Where `kubectl logs` gets its bytes from; without it logs answer 503.
    pub pod_logs: Option<Arc<dyn PodLogs>>,
    /// History kept for watches and consistent lists before it is compacted away.
    pub history: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            service_cidrs: vec![
                IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(10, 96, 0, 0), 16)),
                IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0), 112)),
            ],
            node_port_range: 30000..=32767,
            advertise: SocketAddr::from((Ipv4Addr::LOCALHOST, 6443)),
            data_dir: None,
            extra_sans: Vec::new(),
            cluster_domain: "cluster.local".to_owned(),
            tokens: Vec::new(),
            authorizer: Arc::new(crate::authz::MastersOnly),
            pod_logs: None,
            history: Duration::from_secs(300),
        }
    }
}

impl Config {
    /// The first usable address of each Service range: those of Service `default/kubernetes`.
    pub fn first_service_ips(&self) -> Vec<IpAddr> {
        self.service_cidrs.iter().filter_map(first_usable).collect()
    }

    /// Every name and address the server's certificate has to carry.
    pub fn subject_alt_names(&self) -> Vec<String> {
        let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        for service in ["kubernetes", "kubernetes.default", "kubernetes.default.svc"] {
            names.push(service.to_owned());
        }
        names.push(format!("kubernetes.default.svc.{}", self.cluster_domain));
        names.extend(self.first_service_ips().iter().map(IpAddr::to_string));
        if !self.advertise.ip().is_unspecified() {
            names.push(self.advertise.ip().to_string());
        }
        names.extend(self.extra_sans.iter().cloned());
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }
}

fn first_usable(net: &IpNet) -> Option<IpAddr> {
    match net {
        IpNet::V4(net) => u32::from(net.network()).checked_add(1).map(|ip| IpAddr::V4(ip.into())),
        IpNet::V6(net) => u128::from(net.network()).checked_add(1).map(|ip| IpAddr::V6(ip.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificate_names_cover_every_way_in() {
        let config =
            Config { extra_sans: vec!["portway.test".into(), "localhost".into()], ..Config::default() };
        assert_eq!(
            config.subject_alt_names(),
            [
                "localhost",
                "127.0.0.1",
                "::1",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
                "10.96.0.1",
                "fd00:10:96::1",
                "portway.test",
            ]
        );
    }
}
