//! The agent: watches the Pods of its node and gives each a task.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use futures_util::StreamExt;
use ipnet::IpNet;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_client::{Cache, Client, ListOptions};
use portway_netns::Namespace;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use crate::events::Events;
use crate::network::Network;
use crate::pod::{Message, Task, clear_away};
use crate::register::keep_registered;
use crate::shared::Shared;
use crate::state::PodDir;
use crate::supervisor;

/// What an agent needs to know.
#[derive(Clone)]
pub struct AgentConfig {
    /// Name of the node.
    pub name: String,
    /// The node's network namespace.
    pub namespace: Namespace,
    /// The node's addresses, the main one first.
    pub addresses: Vec<IpAddr>,
    /// Ranges its Pods get addresses from, at most one a family. Routes to other nodes' ranges are the caller's.
    pub pod_cidrs: Vec<IpNet>,
    /// Addresses of the cluster's DNS, for resolv.conf.
    pub cluster_dns: Vec<IpAddr>,
    /// Domain of the cluster's names.
    pub cluster_domain: String,
    /// Where the state of Pods is kept, of this agent alone.
    pub state_dir: PathBuf,
    /// Access to the API server.
    pub client: Client,
    /// Labels of the Node besides the usual ones: `topology.kubernetes.io/zone`.
    pub labels: BTreeMap<String, String>,
    /// Program and arguments that end up in [`supervisor::supervisor_main`].
    pub supervisor: Vec<OsString>,
    /// Version that the Node shows.
    pub version: String,
    /// `PATH` of containers that set none.
    pub path: String,
}

impl AgentConfig {
    /// The usual: this binary's hidden subcommand as supervisor, domain `cluster.local`, no addresses.
    pub fn new(
        name: impl Into<String>,
        namespace: Namespace,
        client: Client,
        state_dir: impl Into<PathBuf>,
    ) -> Self {
        Self {
            name: name.into(),
            namespace,
            addresses: Vec::new(),
            pod_cidrs: Vec::new(),
            cluster_dns: Vec::new(),
            cluster_domain: "cluster.local".to_owned(),
            state_dir: state_dir.into(),
            client,
            labels: BTreeMap::new(),
            supervisor: vec!["/proc/self/exe".into(), supervisor::SUBCOMMAND.into()],
            version: concat!("v", env!("CARGO_PKG_VERSION"), "-portway").to_owned(),
            path: search_path(),
        }
    }
}

/// The usual directories, and first the one of this binary: Pods may run it as a little server.
fn search_path() -> String {
    const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let own = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_str()?.to_owned()));
    own.map_or_else(|| USUAL.to_owned(), |own| format!("{own}:{USUAL}"))
}

/// Why an agent cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The node's network cannot be set up: a privilege is missing, or the namespace is gone.
    #[error("cannot set up the network of node {node}: {source}")]
    Network {
        /// Name of the node.
        node: String,
        /// What failed.
        source: portway_netns::Error,
    },
    /// The state directory cannot be used: wrong path or permissions.
    #[error("cannot use the state directory {}: {source}", path.display())]
    State {
        /// The directory.
        path: PathBuf,
        /// What failed.
        source: std::io::Error,
    },
}

/// The agent of one node; clones are the same agent.
#[derive(Clone)]
pub struct NodeAgent {
    pub(crate) config: Arc<AgentConfig>,
    pods: Arc<RwLock<Cache<Pod>>>,
}

impl NodeAgent {
    /// An agent that does nothing yet.
    pub fn new(config: AgentConfig) -> Self {
        Self { config: Arc::new(config), pods: Arc::default() }
    }

    /// Runs the node's Pods until `shutdown`. Pods stay as they are then, for the next agent with the same state
    /// directory; [`NodeAgent::stop_pods`] ends them.
    ///
    /// # Errors
    /// Only at the start: when the node's network or the state directory cannot be used.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let shared = Arc::new(self.shared()?);
        // What is spawned here ends with this future, however it ends.
        let mut beside = JoinSet::new();
        beside.spawn(watch_services(shared.clone()));
        let config = self.config.clone();
        beside.spawn(async move { keep_registered(&config).await });
        let mut pods = Pods { shared, cache: self.pods.clone(), tasks: BTreeMap::new() };
        tokio::select! {
            () = pods.watch() => {}
            () = shutdown => {}
        }
        Ok(())
    }

    /// Ends all Pods there are on this node at once, and forgets them; for a node that will not come back. Not
    /// while the agent runs.
    ///
    /// # Errors
    /// As [`NodeAgent::run`].
    pub async fn stop_pods(&self) -> Result<(), Error> {
        let shared = self.shared()?;
        for (_, dir) in self.kept()? {
            clear_away(&shared, &dir).await;
        }
        Ok(())
    }

    /// A Pod of this node by name.
    pub(crate) fn pod(&self, key: &ObjectKey) -> Option<Arc<Pod>> {
        self.pods.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    fn kept(&self) -> Result<Vec<(String, PodDir)>, Error> {
        let path = &self.config.state_dir;
        PodDir::all(path).map_err(|source| Error::State { path: path.clone(), source })
    }

    fn shared(&self) -> Result<Shared, Error> {
        let config = AgentConfig::clone(&self.config);
        std::fs::create_dir_all(&config.state_dir)
            .map_err(|source| Error::State { path: config.state_dir.clone(), source })?;
        let network = Network::set_up(&config.namespace, &config.pod_cidrs)
            .map_err(|source| Error::Network { node: config.name.clone(), source })?;
        for (_, dir) in self.kept()? {
            // Before any new Pod asks for an address.
            let kept = dir.load().filter(|kept| kept.network.is_some());
            network.reserve(&kept.unwrap_or_default().addresses);
        }
        let events = Events::start(config.client.clone(), config.name.clone());
        Ok(Shared::new(config, network, events))
    }
}

async fn watch_services(shared: Arc<Shared>) {
    let mut events = shared.config.client.watch::<Service>(ListOptions::default());
    while let Some(event) = events.next().await {
        shared.on_service(event);
    }
}

/// The tasks of all Pods, by UID.
struct Pods {
    shared: Arc<Shared>,
    cache: Arc<RwLock<Cache<Pod>>>,
    tasks: BTreeMap<String, (JoinHandle<()>, mpsc::UnboundedSender<Message>)>,
}

impl Drop for Pods {
    fn drop(&mut self) {
        self.tasks.values().for_each(|(task, _)| task.abort());
    }
}

impl Pods {
    async fn watch(&mut self) {
        let own = ListOptions::default().with_fields(format!("spec.nodeName={}", self.shared.config.name));
        let mut events = self.shared.config.client.watch::<Pod>(own);
        let mut cleared = false;
        while let Some(event) = events.next().await {
            let changes = self.cache.write().unwrap_or_else(PoisonError::into_inner).apply(event);
            for change in changes {
                self.change(&change.key, change.before, change.now);
            }
            if !cleared {
                cleared = self.clear_orphans();
            }
            self.tasks.retain(|_, (task, _)| !task.is_finished());
        }
    }

    fn change(&mut self, key: &ObjectKey, before: Option<Arc<Pod>>, now: Option<Arc<Pod>>) {
        // A name may go to another Pod between two lists.
        let replaced = |old: &Arc<Pod>| now.as_ref().is_none_or(|new| new.metadata.uid != old.metadata.uid);
        if let Some(old) = before.filter(replaced) {
            self.tell(&old.metadata.uid.clone(), Message::Gone(old));
        }
        let Some(pod) = now else { return };
        let uid = pod.metadata.uid.clone();
        if self.tasks.get(&uid).is_some_and(|(task, _)| !task.is_finished()) {
            self.tell(&uid, Message::Pod(pod));
            return;
        }
        tracing::debug!(pod = %key, uid, "pod assigned");
        let (sender, inbox) = mpsc::unbounded_channel();
        let task = tokio::spawn(Task::run(self.shared.clone(), pod, sender.clone(), inbox));
        self.tasks.insert(uid, (task, sender));
    }

    fn tell(&self, uid: &str, message: Message) {
        if let Some((_, sender)) = self.tasks.get(uid) {
            // A task that has just ended needs no news.
            sender.send(message).ok();
        }
    }

    /// Ends what is kept of Pods that went while no agent ran; true once it is known which those are.
    fn clear_orphans(&self) -> bool {
        let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        if !cache.is_synced() {
            return false;
        }
        let kept = PodDir::all(&self.shared.config.state_dir).unwrap_or_default();
        for (uid, dir) in kept {
            if !cache.values().any(|pod| pod.metadata.uid == uid) {
                let shared = self.shared.clone();
                tokio::spawn(async move { clear_away(&shared, &dir).await });
            }
        }
        true
    }
}
