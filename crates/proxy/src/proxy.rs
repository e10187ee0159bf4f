//! The proxy of one node: feeds its worker until told to stop.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::mpsc;

use futures_util::StreamExt;
use portway_api::Object;
use portway_client::{Client, Event, ListOptions};
use portway_netns::Namespace;
use portway_nftables::netlink::Socket;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;
use tracing::warn;

use crate::worker::{Message, Worker};
use crate::{Metrics, ProxyConfig, Source, Status, Update, driver};

/// The proxy of one node. Several may run in one process, one for each network namespace.
#[derive(Debug)]
pub struct NodeProxy {
    config: ProxyConfig,
    metrics: Arc<Metrics>,
    status: watch::Sender<Status>,
}

/// Why a proxy cannot run. Troubles while it runs are retried, and told by its [`Status`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The namespace cannot be entered, or netfilter cannot be reached in it.
    #[error("open netfilter in network namespace {namespace}: {source}")]
    Netfilter {
        /// Which namespace.
        namespace: String,
        /// Why.
        source: io::Error,
    },
    /// The node cannot forward packets.
    #[error("prepare the node: {0}")]
    Sysctl(#[from] portway_netns::Error),
    /// The worker cannot be started, or it died.
    #[error("proxy thread: {0}")]
    Thread(io::Error),
}

impl NodeProxy {
    /// A proxy that does nothing yet.
    pub fn new(config: ProxyConfig) -> Self {
        Self { config, metrics: Arc::default(), status: watch::Sender::new(Status::default()) }
    }

    /// Its counters.
    pub fn metrics(&self) -> Arc<Metrics> {
        self.metrics.clone()
    }

    /// How far it is, now and whenever that changes.
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    /// Removes all rules from a namespace.
    ///
    /// # Errors
    /// Something could not be removed.
    pub fn cleanup(namespace: &Namespace) -> Result<(), Error> {
        let wrap = |source| Error::Netfilter { namespace: namespace.label(), source };
        let (mut driver, _) = driver::open(namespace).map_err(wrap)?;
        driver.cleanup().map_err(|error| wrap(io::Error::other(error)))
    }

    /// Keeps the rules until `shutdown` resolves; then leaves them as they are.
    ///
    /// # Errors
    /// The proxy cannot start.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), Error> {
        let Self { config, metrics, status } = self;
        let label = config.namespace.label();
        let netfilter = |source| Error::Netfilter { namespace: label.clone(), source };
        prepare(&config.namespace)?;
        let (driver, ears) = driver::open(&config.namespace).map_err(netfilter)?;
        let own_port = driver.port();
        let worker = Worker::new(&config, driver, metrics, status);
        let (sender, messages) = mpsc::channel();
        let (died, death) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name(format!("proxy-{}", config.node_name))
            .spawn(move || {
                worker.run(&messages);
                // If the worker panics, this end is dropped instead.
                let _ = died.send(());
            })
            .map_err(Error::Thread)?;

        let feed = feed(config.source, config.node_name.clone(), sender.clone());
        // SAFETY: the socket owns its descriptor from its opening to its drop and never changes it.
        #[allow(unsafe_code)]
        let ears = unsafe { AsyncFd::register(ears) }.map_err(|error| netfilter(error.into()))?;
        let listen = listen(ears, own_port, sender);
        // Dropping both ends of the feed ends the worker.
        let mut death = death;
        tokio::select! {
            () = shutdown => {}
            () = async { tokio::join!(feed, listen); } => {}
            _ = &mut death => return Err(Error::Thread(io::Error::other("ended early"))),
        }
        let _ = death.await;
        Ok(())
    }
}

/// Makes the node forward packets between Pods, clients and endpoints.
fn prepare(namespace: &Namespace) -> Result<(), portway_netns::Error> {
    for key in ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"] {
        // A kernel without IPv6 has no such key.
        if namespace.read_sysctl(key).is_ok_and(|value| value == "0") {
            namespace.sysctl([(key, "1")])?;
        }
    }
    Ok(())
}

/// Passes updates on to the worker, for ever.
async fn feed(source: Source, node_name: String, sender: mpsc::Sender<Message>) {
    match source {
        Source::Channel(mut updates) => {
            while let Some(update) = updates.recv().await {
                let _ = sender.send(Message::Update(Box::new(update)));
            }
            std::future::pending().await
        }
        Source::Client(client) => {
            let services = ListOptions::default()
                .with_labels("!service.kubernetes.io/service-proxy-name")
                .with_fields("spec.clusterIP!=None");
            let slices = ListOptions::default().with_labels("!service.kubernetes.io/headless");
            let node = ListOptions::default().with_fields(format!("metadata.name={node_name}"));
            tokio::join!(
                pass(&client, services, Update::Service, &sender),
                pass(&client, slices, Update::Slice, &sender),
                pass(&client, node, Update::Node, &sender),
                pass(&client, ListOptions::default(), Update::ServiceCidr, &sender),
            );
        }
    }
}

async fn pass<T: Object>(
    client: &Client,
    options: ListOptions,
    update: impl Fn(Event<T>) -> Update,
    sender: &mpsc::Sender<Message>,
) {
    let mut events = client.watch::<T>(options);
    while let Some(event) = events.next().await {
        let _ = sender.send(Message::Update(Box::new(update(event))));
    }
}

/// Tells the worker when somebody else changes the ruleset.
async fn listen(mut ears: AsyncFd<Socket>, own_port: u32, sender: mpsc::Sender<Message>) {
    loop {
        let Ok(mut ready) = ears.readable_mut().await else {
            warn!("changes of the ruleset by others are not heard of any more; only audits find them");
            return std::future::pending().await;
        };
        let mut foreign = false;
        let heard = ready.get_inner_mut().receive(false, |message| foreign |= message.port != own_port);
        match heard {
            Ok(true) => {}
            Ok(false) => ready.clear_ready(),
            // Too much at once: something was missed.
            Err(_) => foreign = true,
        }
        if foreign {
            let _ = sender.send(Message::Foreign);
        }
    }
}
