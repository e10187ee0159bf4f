//! The world of a test: a lab, servers that tell who they are, proxies, and the Services they are told of.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portway_api::types::discovery::EndpointSlice;
use portway_api::types::node::Node;
use portway_api::types::service::Service;
use portway_client::Event;
use portway_netns::Namespace;
use portway_netns::lab::Lab;
use portway_proxy::{Metrics, NodeProxy, ProxyConfig, Source, Status, Update};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};

pub use crate::ask::*;

static WORLDS: AtomicU64 = AtomicU64::new(0);

pub struct World {
    pub lab: Lab,
    pub pods: BTreeMap<&'static str, Arc<portway_netns::lab::Pod>>,
    proxies: BTreeMap<usize, Proxy>,
    objects: Mutex<Objects>,
}

#[derive(Default)]
struct Objects {
    services: BTreeMap<String, Arc<Service>>,
    slices: BTreeMap<String, Arc<EndpointSlice>>,
    revision: u64,
}

struct Proxy {
    updates: mpsc::UnboundedSender<Update>,
    sent: AtomicU64,
    status: watch::Receiver<Status>,
    metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl World {
    /// Three nodes; Pods a and b on n1, c on n2, d on n3; a proxy on each node.
    pub fn new() -> Self {
        let number = WORLDS.fetch_add(1, Ordering::Relaxed);
        let lab = Lab::routed(&format!("w{number}-"), 3).unwrap();
        let mut pods = BTreeMap::new();
        for (name, node) in [("a", 1), ("b", 1), ("c", 2), ("d", 3)] {
            let pod = lab.node(node).pod(name).unwrap();
            serve(name, pod.namespace());
            pods.insert(name, Arc::new(pod));
        }
        let mut world = Self { lab, pods, proxies: BTreeMap::new(), objects: Mutex::default() };
        for number in 1..=3 {
            world.start(number);
        }
        world
    }

    pub fn node(&self, number: usize) -> &Namespace {
        self.lab.node(number).namespace()
    }

    pub fn pod(&self, name: &str) -> &Namespace {
        self.pods[name].namespace()
    }

    pub fn outside(&self) -> &Namespace {
        self.lab.outside.namespace()
    }

    /// Address of a node; family 0 is IPv4, 1 is IPv6.
    pub fn node_ip(&self, number: usize, family: usize) -> IpAddr {
        self.lab.node(number).addresses[family]
    }

    pub fn pod_ip(&self, name: &str, family: usize) -> IpAddr {
        self.pods[name].addresses[family]
    }

    pub fn metrics(&self, number: usize) -> &Metrics {
        &self.proxies[&number].metrics
    }

    /// Starts the proxy of a node and waits until it has told the kernel all it was told.
    pub fn start(&mut self, number: usize) {
        let node = self.lab.node(number);
        let (updates, receiver) = mpsc::unbounded_channel();
        let ranges = ["10.244.0.0/16", "fd00:10:244::/48"].map(|range| range.parse().unwrap());
        let mut config = ProxyConfig::new(
            format!("n{number}"),
            node.namespace().clone(),
            Source::Channel(receiver),
            ranges.to_vec(),
        );
        config.settings.service_cidrs =
            ["10.96.0.0/16", "fd00:10:96::/112"].map(|range| range.parse().unwrap()).to_vec();
        config.addresses = node.addresses.to_vec();
        let proxy = NodeProxy::new(config);
        let (status, metrics) = (proxy.status(), proxy.metrics());
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime
                .block_on(proxy.run(async {
                    let _ = stopped.await;
                }))
                .unwrap();
        });
        let proxy = Proxy {
            updates,
            sent: AtomicU64::new(0),
            status,
            metrics,
            stop: Some(stop),
            thread: Some(thread),
        };
        self.proxies.insert(number, proxy);
        let proxy = &self.proxies[&number];
        let objects = self.objects.lock().unwrap();
        proxy.send(Update::Node(Event::Init));
        proxy.send(Update::Node(Event::InitApply(Arc::new(node_object(number)))));
        proxy.send(Update::Node(Event::InitDone));
        proxy.send(Update::Service(Event::Init));
        for service in objects.services.values() {
            proxy.send(Update::Service(Event::InitApply(service.clone())));
        }
        proxy.send(Update::Service(Event::InitDone));
        proxy.send(Update::Slice(Event::Init));
        for slice in objects.slices.values() {
            proxy.send(Update::Slice(Event::InitApply(slice.clone())));
        }
        proxy.send(Update::Slice(Event::InitDone));
        proxy.settle();
    }

    /// Ends the proxy of a node; its rules stay.
    pub fn stop(&mut self, number: usize) {
        drop(self.proxies.remove(&number));
    }

    /// Tells all proxies of a Service, and waits until all have told the kernel.
    pub fn service(&self, name: &str, spec: Value) {
        let service = self.with_revision(|revision, objects| {
            let object = json!({
                "metadata": {"namespace": "default", "name": name, "resourceVersion": revision},
                "spec": spec,
            });
            let service: Arc<Service> = Arc::new(serde_json::from_value(object).unwrap());
            objects.services.insert(name.to_owned(), service.clone());
            service
        });
        self.tell(|| Update::Service(Event::Apply(service.clone())));
    }

    /// Tells all proxies which Pods are behind a Service, in both families.
    pub fn endpoints(&self, service: &str, pods: &[&str]) {
        for (family, name) in [(0, "IPv4"), (1, "IPv6")] {
            let slice = self.slice(service, name, &self.endpoint_list(pods, family));
            self.tell(|| Update::Slice(Event::Apply(slice.clone())));
        }
    }

    fn endpoint_list(&self, pods: &[&str], family: usize) -> Vec<Value> {
        let node = |pod: &str| match pod {
            "a" | "b" => "n1",
            "c" => "n2",
            _ => "n3",
        };
        let endpoint = |pod: &&str| json!({"addresses": [self.pod_ip(pod, family)], "nodeName": node(pod)});
        pods.iter().map(endpoint).collect()
    }

    /// Makes a slice, without telling anyone.
    pub fn slice(&self, service: &str, family: &str, endpoints: &[Value]) -> Arc<EndpointSlice> {
        self.with_revision(|revision, objects| {
            let name = format!("{service}-{family}");
            let object = json!({
                "metadata": {
                    "namespace": "default", "name": name, "resourceVersion": revision,
                    "labels": {"kubernetes.io/service-name": service},
                },
                "addressType": family,
                "endpoints": endpoints,
                "ports": [
                    {"name": "tcp", "port": PORT, "protocol": "TCP"},
                    {"name": "udp", "port": PORT, "protocol": "UDP"},
                ],
            });
            let slice: Arc<EndpointSlice> = Arc::new(serde_json::from_value(object).unwrap());
            objects.slices.insert(name, slice.clone());
            slice
        })
    }

    /// Sends an update to all proxies and waits until it is in the kernels.
    pub fn tell(&self, update: impl Fn() -> Update) {
        for proxy in self.proxies.values() {
            proxy.send(update());
        }
        self.proxies.values().for_each(Proxy::settle);
    }

    fn with_revision<T>(&self, make: impl FnOnce(String, &mut Objects) -> T) -> T {
        let mut objects = self.objects.lock().unwrap();
        objects.revision += 1;
        let revision = objects.revision.to_string();
        make(revision, &mut objects)
    }
}

impl Proxy {
    fn send(&self, update: Update) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.updates.send(update).unwrap();
    }

    fn settle(&self) {
        let sent = self.sent.load(Ordering::Relaxed);
        let deadline = Instant::now() + 4 * PATIENCE;
        while self.status.borrow().applied < sent {
            assert!(Instant::now() < deadline, "{:?}, {sent} sent", *self.status.borrow());
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.proxies.clear();
        let mut names: Vec<String> = self.pods.values().map(|pod| pod.name().to_owned()).collect();
        names.extend(self.lab.nodes.iter().map(|node| node.name().to_owned()));
        names.push(self.lab.outside.name().to_owned());
        names.push(self.lab.segment.host().name().to_owned());
        names.extend(self.lab.router.iter().map(|router| router.name().to_owned()));
        for name in names {
            let _ = Namespace::delete(&name);
        }
    }
}

/// The spec of a dual-stack Service with a TCP and a UDP port 80, number `n`, laid over with `more`.
pub fn spec(n: u8, more: Value) -> Value {
    let mut spec = json!({
        "type": "ClusterIP",
        "clusterIP": format!("10.96.0.{n}"),
        "clusterIPs": [format!("10.96.0.{n}"), format!("fd00:10:96::{n}")],
        "ipFamilies": ["IPv4", "IPv6"],
        "ports": [
            {"name": "tcp", "port": 80, "protocol": "TCP"},
            {"name": "udp", "port": 80, "protocol": "UDP"},
        ],
    });
    for (key, value) in more.as_object().unwrap() {
        spec[key] = value.clone();
    }
    spec
}

/// A node-port Service with node port 30000 + n in both protocols.
pub fn node_port(n: u8, more: Value) -> Value {
    let mut spec = spec(n, more);
    spec["type"] = "NodePort".into();
    for port in spec["ports"].as_array_mut().unwrap() {
        port["nodePort"] = (30000 + u32::from(n)).into();
    }
    spec
}

/// ClusterIP of Service `n` with its port.
pub fn cluster_ip(n: u8, family: usize) -> SocketAddr {
    let text = if family == 0 { format!("10.96.0.{n}:80") } else { format!("[fd00:10:96::{n}]:80") };
    text.parse().unwrap()
}

fn node_object(number: usize) -> Node {
    serde_json::from_value(json!({"metadata": {"name": format!("n{number}"), "resourceVersion": "1"}}))
        .unwrap()
}
