//! The way in: all controllers over one client.

use std::future::Future;
use std::time::Duration;

use portway_client::Client;
use tokio::sync::watch;

use crate::controller::Controller;
use crate::deployment::Deployments;
use crate::discover::{Found, discover};
use crate::endpoints::EndpointsObjects;
use crate::endpointslice::{EndpointSlices, MAX_ENDPOINTS};
use crate::garbage::Garbage;
use crate::mirror::Mirror;
use crate::namespace::Namespaces;
use crate::node_lifecycle::{NodeLifecycle, NodeTimes};
use crate::pod_gc::PodGc;
use crate::replicaset::ReplicaSets;
use crate::run::run;
use crate::scheduler::Scheduler;
use crate::service_account::NamespaceFurniture;

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// Endpoints an EndpointSlice takes, 1 to 1000.
    pub max_endpoints_per_slice: usize,
    /// PEM of the cluster's CA, published in every namespace; absent means it is not.
    pub root_ca: Option<String>,
    /// When nodes count as lost.
    pub node_times: NodeTimes,
    /// Watch over nodes (off where another program does).
    pub node_lifecycle: bool,
    /// Place Pods (off where another program does).
    pub scheduler: bool,
    /// How long a node must be gone before its Pods are removed.
    pub pod_gc_quarantine: Duration,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            max_endpoints_per_slice: MAX_ENDPOINTS,
            root_ca: None,
            node_times: NodeTimes::default(),
            node_lifecycle: true,
            scheduler: true,
            pod_gc_quarantine: Duration::from_secs(40),
        }
    }
}

/// All controllers.
pub struct Controllers {
    client: Client,
    config: ControllerConfig,
    leading: Option<watch::Receiver<bool>>,
}

impl Controllers {
    /// Controllers that speak through `client`.
    pub const fn new(client: Client, config: ControllerConfig) -> Self {
        Self { client, config, leading: None }
    }

    /// Acts only while `leading` is true (several control planes over one store); follows the cluster all the time.
    #[must_use]
    pub fn while_leading(mut self, leading: watch::Receiver<bool>) -> Self {
        self.leading = Some(leading);
        self
    }

    /// Runs until `shutdown`. Failures of the server are waited out.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        tokio::pin!(shutdown);
        let others = tokio::select! {
            others = discover(&self.client) => others,
            () = &mut shutdown => return,
        };
        let controllers = controllers(&self.config, &others);
        let leading = self.leading.unwrap_or_else(|| watch::channel(true).1);
        let others = others.into_iter().map(|found| found.resource).collect();
        run(self.client, controllers, others, leading, shutdown).await;
    }
}

fn controllers(config: &ControllerConfig, others: &[Found]) -> Vec<Box<dyn Controller>> {
    let namespaced =
        others.iter().filter(|found| found.namespaced).map(|found| found.resource.clone()).collect();
    let kinds = others.iter().map(|found| (found.resource.clone(), found.kind.clone(), found.namespaced));
    // The order is that of urgency: what changes the way of traffic comes first.
    let mut all: Vec<Box<dyn Controller>> = vec![
        Box::new(EndpointSlices::new(config.max_endpoints_per_slice)),
        Box::new(EndpointsObjects::default()),
        Box::new(Mirror),
        Box::new(ReplicaSets),
        Box::new(Deployments),
        Box::new(NamespaceFurniture { root_ca: config.root_ca.clone() }),
        Box::new(Namespaces { others: namespaced }),
        Box::new(Garbage::new(kinds)),
        Box::new(PodGc { quarantine: config.pod_gc_quarantine }),
    ];
    if config.scheduler {
        all.push(Box::new(Scheduler::default()));
    }
    if config.node_lifecycle {
        all.push(Box::new(NodeLifecycle::new(config.node_times)));
    }
    all
}
