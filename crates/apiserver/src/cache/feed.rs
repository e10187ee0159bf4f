//! What keeps the cache up to date: a task on one watch of the whole store.

use std::sync::Arc;
use std::time::Duration;

use portway_base::Revision;
use portway_store::{Error, Store, Watch};
use tokio::task::JoinHandle;

use super::Cache;

const ROOT: &str = "/registry/";
const RETRY: Duration = Duration::from_millis(200);

/// The task; it ends when this is dropped.
pub struct Feed(JoinHandle<()>);

impl Drop for Feed {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Feed {
    pub(super) async fn start(cache: Arc<Cache>, store: Arc<dyn Store>) -> Result<Self, Error> {
        let watch = load(&cache, &store).await?;
        Ok(Self(tokio::spawn(run(cache, store, watch))))
    }
}

async fn run(cache: Arc<Cache>, store: Arc<dyn Store>, mut watch: Watch) {
    loop {
        match watch.next().await {
            Ok(changes) => cache.apply(&changes),
            Err(error) => {
                tracing::warn!(%error, "the watch on the store ended; reading everything again");
                watch = reload(&cache, &store).await;
            }
        }
    }
}

async fn reload(cache: &Cache, store: &Arc<dyn Store>) -> Watch {
    loop {
        match load(cache, store).await {
            Ok(watch) => return watch,
            Err(error) => {
                tracing::error!(%error, "the store cannot be read");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Reads every resource at one revision, and watches from there.
async fn load(cache: &Cache, store: &Arc<dyn Store>) -> Result<Watch, Error> {
    let revision: Revision = store.revision();
    for resource in cache.resources.iter() {
        let page = store.list(&resource.prefix, None, 0, Some(revision)).await?;
        if let Some(shard) = cache.shards.get(resource.index) {
            shard.reset(resource, page.entries, revision);
        }
    }
    let watch = store.watch(ROOT, revision).await?;
    cache.reach(revision);
    Ok(watch)
}
