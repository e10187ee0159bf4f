//! The server: settings, listeners, and the tasks that run on them. All state shared between them is in the engine.

mod engine;
mod order;
mod packet_info;
mod tcp;
mod udp;

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, RwLockWriteGuard};
use std::time::Duration;

use futures_util::future::BoxFuture;
use portway_client::Client;
use tokio::sync::watch;

use crate::feed;
use crate::forward::{CacheConfig, ForwardConfig};
use crate::wire::NameError;
use crate::zone::{Zone, ZoneConfig};

pub use engine::{Begun, Engine, Pending, Transport};

/// Everything a server is told.
#[derive(Clone)]
pub struct DnsConfig {
    /// Where the cluster's objects come from; without one the zone is fed through [`DnsHandle::update`].
    pub client: Option<Client>,
    /// The cluster zone.
    pub zone: ZoneConfig,
    /// Who knows all other names; without it they are refused.
    pub forward: Option<ForwardConfig>,
    /// Keeps answers of others; without it every query goes out.
    pub cache: Option<CacheConfig>,
    /// Addresses in an answer come in random order.
    pub shuffle: bool,
    /// Limits of TCP.
    pub tcp: TcpLimits,
}

/// What TCP clients may hold on to.
#[derive(Clone, Copy, Debug)]
pub struct TcpLimits {
    /// Connections at once, over all listeners; more are closed at once.
    pub connections: usize,
    /// Queries of one connection under way at once; more wait.
    pub pipeline: usize,
    /// How long a connection may be silent.
    pub idle: Duration,
}

impl Default for TcpLimits {
    fn default() -> Self {
        Self { connections: 1024, pipeline: 32, idle: Duration::from_secs(10) }
    }
}

impl DnsConfig {
    /// Cluster DNS as clusters have it: zone `domain`, all reverse names, unknown names forwarded to this machine's
    /// own name servers and cached for up to 30 seconds.
    ///
    /// # Errors
    /// When `domain` is no domain name.
    pub fn cluster(domain: &str) -> Result<Self, NameError> {
        Ok(Self {
            client: None,
            zone: ZoneConfig::cluster(domain)?,
            forward: Some(ForwardConfig::new(crate::forward::system_nameservers())),
            cache: Some(CacheConfig::default()),
            shuffle: true,
            tcp: TcpLimits::default(),
        })
    }
}

/// Sockets to serve on, bound by the caller (in whatever network namespace). All share one zone.
#[derive(Debug, Default)]
pub struct Listeners {
    /// For UDP. An answer leaves from the address the query was sent to.
    pub udp: Vec<UdpSocket>,
    /// For TCP.
    pub tcp: Vec<TcpListener>,
}

/// Why a server stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A socket cannot be used; fix what it is bound to.
    #[error("cannot serve on {socket}: {source}")]
    Socket {
        /// Which socket.
        socket: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A DNS server that was not started yet.
pub struct DnsServer {
    engine: Arc<Engine>,
    listeners: Listeners,
    client: Option<Client>,
    tcp: TcpLimits,
    synced: watch::Sender<bool>,
}

/// A view into a running server.
#[derive(Clone)]
pub struct DnsHandle {
    engine: Arc<Engine>,
    synced: watch::Sender<bool>,
}

impl DnsServer {
    /// A server on these sockets.
    pub fn new(config: DnsConfig, listeners: Listeners) -> Self {
        let client = config.client.clone();
        let tcp = config.tcp;
        Self {
            engine: Arc::new(Engine::new(config)),
            listeners,
            client,
            tcp,
            synced: watch::Sender::new(false),
        }
    }

    /// A view that outlives [`DnsServer::run`].
    pub fn handle(&self) -> DnsHandle {
        DnsHandle { engine: self.engine.clone(), synced: self.synced.clone() }
    }

    /// Serves until `shutdown` is done, or a socket fails.
    ///
    /// # Errors
    /// When a socket cannot be put to use or fails for good.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), ServerError> {
        let handle = self.handle();
        let mut tasks: Vec<BoxFuture<'static, Result<(), ServerError>>> = Vec::new();
        let connections = Arc::new(tokio::sync::Semaphore::new(self.tcp.connections));
        for socket in self.listeners.udp {
            let name = format!("udp {}", address(socket.local_addr()));
            let task = udp::serve(self.engine.clone(), socket);
            tasks.push(Box::pin(async {
                task.await.map_err(|source| ServerError::Socket { socket: name, source })
            }));
        }
        for listener in self.listeners.tcp {
            let name = format!("tcp {}", address(listener.local_addr()));
            let task = tcp::serve(self.engine.clone(), listener, self.tcp, connections.clone());
            tasks.push(Box::pin(async {
                task.await.map_err(|source| ServerError::Socket { socket: name, source })
            }));
        }
        if let Some(client) = self.client {
            tasks.push(Box::pin(async move {
                feed::run(client, handle).await;
                Ok(())
            }));
        }
        // Each on its own task, so that all cores are used.
        let mut running = tokio::task::JoinSet::new();
        for task in tasks {
            running.spawn(task);
        }
        let failed = async {
            while let Some(ended) = running.join_next().await {
                if let Ok(Err(error)) = ended {
                    return error;
                }
            }
            std::future::pending().await
        };
        let result = tokio::select! {
            () = shutdown => Ok(()),
            error = failed => Err(error),
        };
        // Waits until the sockets are free.
        running.shutdown().await;
        result
    }
}

fn address(address: io::Result<std::net::SocketAddr>) -> String {
    address.map_or_else(|_| "(unknown)".to_owned(), |address| address.to_string())
}

impl DnsHandle {
    /// Whether the zone is complete; until then cluster names are SERVFAIL.
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Resolves once the zone is complete.
    pub async fn synced(&self) {
        // The sender is held by `self`, so this cannot fail.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// Changes the zone; readers wait meanwhile.
    pub fn update<T>(&self, change: impl FnOnce(&mut Zone) -> T) -> T {
        let mut zone: RwLockWriteGuard<'_, Zone> = self.engine.zone_mut();
        let result = change(&mut zone);
        let synced = zone.is_synced();
        drop(zone);
        self.synced.send_if_modified(|was| std::mem::replace(was, synced) != synced);
        result
    }
}

#[cfg(test)]
mod tests;
