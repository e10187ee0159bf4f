//! Measurements a user can rerun: how long the rules of N Services take to load, and one endpoint to replace.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_api::types::discovery::{Endpoint, EndpointPort, EndpointSlice, LABEL_SERVICE_NAME};
use portway_api::types::service::{Service, ServicePort};
use portway_intent::{Backend as _, Delta, Trouble};
use portway_netns::Namespace;
use portway_resolve::{Detect, Input, NodeFacts, Resolver, Settings};

use crate::{Reconciler, driver};

/// What was measured with one number of Services.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Services, of three endpoints each.
    pub services: u32,
    /// Objects to intent.
    pub resolve: Duration,
    /// Intent to an empty kernel.
    pub load: Duration,
    /// A comparison that finds nothing to do: what a restart, or an audit, takes.
    pub audit: Duration,
    /// One endpoint replaced, from the slice to the kernel: the median of many.
    pub replace: Duration,
    /// Of that, resolving.
    pub replace_resolve: Duration,
    /// Of that, making the patch.
    pub replace_patch: Duration,
    /// Of that, the kernel.
    pub replace_commit: Duration,
}

/// Measures in a fresh namespace; needs the privilege to make one.
///
/// # Errors
/// No namespace, no netfilter, or the kernel refuses.
pub fn measure(services: u32, replaces: u32) -> io::Result<Measured> {
    let namespace = Namespace::anonymous().map_err(io::Error::other)?;
    let (mut driver, _) = driver::open(&namespace)?;
    let facts = NodeFacts {
        name: "node".into(),
        addresses: vec![Ipv4Addr::new(192, 0, 2, 1).into()],
        ..NodeFacts::default()
    };
    let pods = "10.128.0.0/9".parse().map_err(io::Error::other)?;
    let settings = Settings { detect: Detect::Ranges(vec![pods]), ..Settings::default() };
    let mut resolver = Resolver::new(settings, facts);
    let start = Instant::now();
    for n in 0..services {
        resolver.apply(Input::Service(Arc::new(service(n))));
        resolver.apply(Input::Slice(Arc::new(slice(n, 0))));
    }
    resolver.commit();
    let resolve = start.elapsed();

    let intent = resolver.intent();
    let trouble = |trouble: Trouble| io::Error::other(trouble);
    let start = Instant::now();
    portway_intent::Driver::load(&mut driver).map_err(trouble)?;
    let want = portway_nftables::render(&intent);
    let patch = portway_nftables::Backend::diff(&portway_nftables::Image::default(), &want);
    portway_intent::Driver::commit(&mut driver, &patch).map_err(trouble)?;
    let load = start.elapsed();
    drop((want, patch));

    let mut times = [const { Vec::new() }; 4];
    for round in 1..=replaces {
        let mut at = [Instant::now(); 4];
        resolver.apply(Input::Slice(Arc::new(slice(round.wrapping_mul(7919) % services, round))));
        let outcome = resolver.commit();
        at[1] = Instant::now();
        let now = (resolver.v4(), resolver.v6());
        let patch = portway_intent::Driver::follow(&mut driver, &outcome.delta, now).unwrap_or_default();
        at[2] = Instant::now();
        portway_intent::Driver::commit(&mut driver, &patch).map_err(trouble)?;
        at[3] = Instant::now();
        for (i, time) in times.iter_mut().enumerate().skip(1) {
            time.push(at[i] - at[i - 1]);
        }
        times[0].push(at[3] - at[0]);
    }
    let [replace, replace_resolve, replace_patch, replace_commit] = times.map(median);

    let mut reconciler = Reconciler::new(driver);
    let intent = resolver.intent();
    let start = Instant::now();
    let done = reconciler.full(&intent).map_err(trouble)?;
    let audit = start.elapsed();
    if done.changes > 0 {
        return Err(io::Error::other(format!("{} objects were not as they should be", done.changes)));
    }
    let _ = reconciler.sync(&Delta::default(), &resolver).map_err(trouble)?;
    Ok(Measured { services, resolve, load, audit, replace, replace_resolve, replace_patch, replace_commit })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Service number `n`.
pub fn service(n: u32) -> Service {
    let mut service = Service::default();
    service.metadata.namespace = "bench".into();
    service.metadata.name = format!("service-{n}");
    service.spec.kind = "ClusterIP".into();
    let ip = Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 64, 0, 0)) + n).to_string();
    service.spec.cluster_ip.clone_from(&ip);
    service.spec.cluster_ips = vec![ip];
    service.spec.ip_families = vec!["IPv4".into()];
    service.spec.ports =
        vec![ServicePort { name: "http".into(), protocol: "TCP".into(), port: 80, ..ServicePort::default() }];
    service
}

/// Its slice with three endpoints, one of which changes with `round`.
pub fn slice(n: u32, round: u32) -> EndpointSlice {
    let mut slice = EndpointSlice::default();
    slice.metadata.namespace = "bench".into();
    slice.metadata.name = format!("service-{n}-x");
    slice.metadata.labels.insert(LABEL_SERVICE_NAME.into(), format!("service-{n}"));
    slice.address_type = "IPv4".into();
    let base = u32::from(Ipv4Addr::new(10, 128, 0, 0));
    let address = |bits: u32| Ipv4Addr::from_bits(bits).to_string();
    let changing = base + (1 << 22) + round % (1 << 20);
    let endpoint = |text| Endpoint { addresses: vec![text], ..Endpoint::default() };
    slice.endpoints =
        [base + n * 2, base + n * 2 + 1, changing].map(address).into_iter().map(endpoint).collect();
    slice.ports = vec![EndpointPort {
        name: Some("http".into()),
        protocol: Some("TCP".into()),
        port: Some(8080),
        app_protocol: None,
    }];
    slice
}
