//! A node with an agent on it, for one test.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use portway_client::Client;
use portway_netns::lab::Host;
use portway_node::{AgentConfig, NodeAgent};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::fake::Fake;

/// Patience with things that take milliseconds, on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

pub type Outcome = Result<(), Failed>;

pub struct World {
    pub fake: Fake,
    pub host: Host,
    pub agent: NodeAgent,
    task: Option<JoinHandle<()>>,
    config: AgentConfig,
    _state: tempfile::TempDir,
}

impl World {
    /// A node of its own with an agent that runs.
    pub fn new() -> Self {
        static NODES: AtomicU8 = AtomicU8::new(1);
        let number = NODES.fetch_add(1, Ordering::Relaxed);
        let host = Host::anonymous("node").unwrap();
        host.netlink().add_address("lo", "192.0.2.11/32".parse().unwrap()).unwrap();
        let fake = Fake::default();
        let state = tempfile::tempdir().unwrap();
        let client = Client::in_process(fake.clone());
        let name = format!("n{number}");
        let config = AgentConfig {
            addresses: vec!["192.0.2.11".parse().unwrap()],
            pod_cidrs: vec![
                format!("10.244.{number}.0/24").parse().unwrap(),
                format!("fd00:10:244:{number}::/64").parse().unwrap(),
            ],
            cluster_dns: vec!["10.96.0.10".parse().unwrap()],
            ..AgentConfig::new(name, host.namespace().clone(), client, state.path())
        };
        let agent = NodeAgent::new(config.clone());
        let mut world = Self { fake, host, agent, task: None, config, _state: state };
        world.start();
        world
    }

    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// Starts the agent, as a new one.
    pub fn start(&mut self) {
        self.agent = NodeAgent::new(self.config.clone());
        let agent = self.agent.clone();
        self.task = Some(tokio::spawn(async move { agent.run(std::future::pending()).await.unwrap() }));
    }

    /// Ends the agent without a word, as a crash would.
    pub async fn crash(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            task.await.ok();
        }
    }

    /// Creates a Pod on this node; gives its path.
    pub fn create(&self, name: &str, spec: Value) -> String {
        self.create_with(name, json!({}), spec)
    }

    pub fn create_with(&self, name: &str, meta: Value, mut spec: Value) -> String {
        let path = path(name);
        spec["nodeName"] = self.name().into();
        for key in ["containers", "initContainers"] {
            for (index, container) in spec[key].as_array_mut().into_iter().flatten().enumerate() {
                if container.get("name").is_none() {
                    container["name"] = ["c", "d", "e"][index].into();
                }
            }
        }
        if spec.get("restartPolicy").is_none() {
            spec["restartPolicy"] = "Always".into();
        }
        let uid = format!("{:016x}", fastrand::u64(..));
        let mut object = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "uid": uid},
            "spec": spec, "status": {"phase": "Pending"},
        });
        for (key, value) in meta.as_object().into_iter().flatten() {
            object["metadata"][key] = value.clone();
        }
        self.fake.put(&path, object);
        path
    }

    /// Waits until the object holds what `holds` says.
    pub async fn until(
        &self,
        path: &str,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<Value, Failed> {
        let begun = Instant::now();
        loop {
            let now = self.fake.get(path);
            if let Some(now) = now.as_ref().filter(|now| holds(now)) {
                return Ok(now.clone());
            }
            if begun.elapsed() > SOON {
                return Err(format!("{what} never came: {}", now.unwrap_or_default()["status"]).into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub async fn until_gone(&self, path: &str) -> Outcome {
        let begun = Instant::now();
        while self.fake.get(path).is_some() {
            if begun.elapsed() > SOON {
                return Err(format!("still there: {}", self.fake.get(path).unwrap_or_default()).into());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Waits for the log of a container to hold a text; gives the log.
    pub async fn until_logged(&self, pod: &str, container: &str, text: &str) -> Result<String, Failed> {
        let begun = Instant::now();
        loop {
            let log = self.log(pod, container, Default::default()).await.unwrap_or_else(|e| e.to_string());
            if log.contains(text) {
                return Ok(log);
            }
            if begun.elapsed() > SOON {
                return Err(format!("{text:?} is not in the log: {log}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub async fn log(
        &self,
        pod: &str,
        container: &str,
        options: portway_node::LogOptions,
    ) -> Result<String, portway_node::LogError> {
        use futures_util::StreamExt;
        let stream = self.agent.logs("default", pod, Some(container), options).await?;
        let all: Vec<_> = stream.collect().await;
        Ok(String::from_utf8(all.concat()).unwrap())
    }

    /// One exchange with a Pod's echo server, from the node.
    pub fn ask(&self, address: IpAddr, port: u16) -> Result<String, Failed> {
        crate::echo::ask(self.host.namespace(), SocketAddr::new(address, port))
    }
}

/// Nothing of a test may survive it, though Pods survive their agent.
impl Drop for World {
    fn drop(&mut self) {
        let (task, agent) = (self.task.take(), self.agent.clone());
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                if let Some(task) = task {
                    task.abort();
                    task.await.ok();
                }
                agent.stop_pods().await.ok()
            })
        });
    }
}

pub fn path(name: &str) -> String {
    format!("/api/v1/namespaces/default/pods/{name}")
}

/// A container that runs a shell script.
pub fn shell(script: &str) -> Value {
    json!({"image": "none", "command": ["/bin/sh", "-c", script]})
}

/// A container that runs this binary's echo server on a port.
pub fn echo(port: u16) -> Value {
    json!({"image": "none", "command": [std::env::current_exe().unwrap(), "echo", port.to_string()]})
}

pub fn is_ready(pod: &Value) -> bool {
    condition(pod, "Ready") == "True"
}

pub fn condition<'a>(pod: &'a Value, kind: &str) -> &'a str {
    let all = pod["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|c| c["type"] == kind).and_then(|c| c["status"].as_str()).unwrap_or_default()
}

pub fn container(pod: &Value, index: usize) -> &Value {
    &pod["status"]["containerStatuses"][index]
}

pub fn address(pod: &Value, family: usize) -> IpAddr {
    pod["status"]["podIPs"][family]["ip"].as_str().unwrap().parse().unwrap()
}
