//! The server as a value: its parts, how it opens, and the few things every verb does with the store.
//!
//! Must not know HTTP framing or sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portway_base::Revision;
use portway_machinery::status::Status;
use portway_store::{Store, Txn, TxnOutcome};
use tokio::sync::watch;

use crate::allocate::{Grant, Ledger};
use crate::authn::Identity;
use crate::cache::{Cache, Feed};
use crate::config::Config;
use crate::docs::Documents;
use crate::metrics::Metrics;
use crate::resource::Resources;
use crate::service::LocalService;
use crate::{bootstrap, compact};

/// How long a read waits for the cache to reach a revision that a client asked for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// How long a read waits for what this process has already written.
const CATCH_UP: Duration = Duration::from_secs(30);

/// An API server over a store.
pub struct ApiServer {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) resources: Arc<Resources>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) ledger: Ledger,
    pub(crate) metrics: Metrics,
    pub(crate) documents: Documents,
    pub(crate) started: Instant,
    /// Set once the server shuts down: watches end, readiness fails.
    pub(crate) closing: watch::Sender<bool>,
    _feed: Feed,
    _compactor: compact::Compactor,
}

/// Why a server cannot open.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be read or written.
    #[error("store: {0}")]
    Store(#[from] portway_store::Error),
    /// The configuration contradicts itself or what is stored: change it.
    #[error("{0}")]
    Config(String),
    /// The default objects cannot be made.
    #[error("cannot create the default objects: {0}")]
    Bootstrap(Status),
}

impl ApiServer {
    /// Opens a server over a store: reads it, and creates the default objects that are missing.
    pub async fn open(config: Config, store: Arc<dyn Store>) -> Result<Arc<Self>, Error> {
        let resources = Arc::new(Resources::new(portway_api::kinds::all().iter().copied()));
        let (cache, feed) = Cache::open(Arc::clone(&resources), &store).await?;
        let ledger = Ledger::open(&config, &resources, &cache).map_err(Error::Config)?;
        let compactor = compact::Compactor::start(Arc::clone(&store), config.history);
        let server = Arc::new(Self {
            config,
            store,
            resources,
            cache,
            ledger,
            metrics: Metrics::default(),
            documents: Documents::new(),
            started: Instant::now(),
            closing: watch::Sender::new(false),
            _feed: feed,
            _compactor: compactor,
        });
        bootstrap::run(&server).await.map_err(Error::Bootstrap)?;
        Ok(server)
    }

    /// The server as a service in this process, acting as `identity`; no socket in between.
    pub fn service(self: &Arc<Self>, identity: Identity) -> LocalService {
        LocalService::new(Arc::clone(self), identity)
    }

    /// The store's revision.
    pub fn revision(&self) -> Revision {
        self.store.revision()
    }

    /// Ends every watch and fails readiness. Requests are still answered.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until the cache shows everything that was written before this call.
    pub(crate) async fn fresh(&self) -> Result<(), Status> {
        if self.cache.wait(self.store.revision(), CATCH_UP).await {
            Ok(())
        } else {
            Err(Status::timeout("the server is still reading what was written"))
        }
    }

    /// Waits until the cache has reached a revision a client asked for.
    pub(crate) async fn reach(&self, revision: Revision) -> Result<(), Status> {
        if self.cache.wait(revision, PATIENCE).await {
            Ok(())
        } else {
            Err(Status::version_too_large(revision.0, self.cache.reached().0))
        }
    }

    /// Commits a write with what it was granted; `None` if a guard did not hold.
    ///
    /// Runs to its end even if the request is given up meanwhile: whether the grant is kept must follow from
    /// what the store did, not from who still waits.
    pub(crate) async fn commit(&self, txn: Txn, mut grant: Grant) -> Result<Option<Revision>, Status> {
        let txn = grant.with(txn);
        let store = Arc::clone(&self.store);
        let write = tokio::spawn(async move {
            match store.commit(txn).await {
                Ok(TxnOutcome::Committed { revision }) => {
                    grant.keep();
                    Ok(Some(revision))
                }
                Ok(TxnOutcome::Conflict { .. }) => Ok(None),
                Err(error @ portway_store::Error::Unavailable(_)) => {
                    grant.leave();
                    Err(store_error(&error))
                }
                Err(error) => Err(store_error(&error)),
            }
        });
        write.await.unwrap_or_else(|_| Err(Status::internal("the write was interrupted")))
    }
}

/// A store error as a client sees it.
pub(crate) fn store_error(error: &portway_store::Error) -> Status {
    use portway_store::Error;
    match error {
        Error::Compacted { .. } => Status::expired(
            "The provided continue parameter is too old to display a consistent list result. \
             You can start a new list without the continue parameter.",
            None,
        ),
        Error::FutureRevision { current } => {
            Status::version_too_large(current.0.saturating_add(1), current.0)
        }
        Error::Unavailable(_) => Status::unavailable(error.to_string()),
        other => Status::internal(&other.to_string()),
    }
}

/// The current time, in the form objects carry.
pub(crate) fn now_text() -> String {
    time_text(Timestamp::now())
}

/// A time in the form objects carry: RFC 3339, UTC, whole seconds.
pub(crate) fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
