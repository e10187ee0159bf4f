//! What all Pods of one agent share.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};

use portway_api::types::core::{ConfigMap, Secret};
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_client::{Cache, Error};
use std::sync::Arc;
use tokio::sync::watch;

use crate::agent::AgentConfig;
use crate::env::{Missing, Sources, Wanted};
use crate::etc::Surroundings;
use crate::events::Events;
use crate::network::Network;
use crate::pod::Facts;

/// The agent's configuration, network and caches.
pub(crate) struct Shared {
    pub config: AgentConfig,
    pub network: Network,
    pub events: Events,
    pub around: Surroundings,
    pub facts: Facts,
    services: RwLock<Cache<Service>>,
    synced: watch::Sender<bool>,
}

impl Shared {
    pub fn new(config: AgentConfig, network: Network, events: Events) -> Self {
        let around = Surroundings {
            cluster_dns: config.cluster_dns.clone(),
            cluster_domain: config.cluster_domain.clone(),
            // Without one, names outside the cluster are the cluster DNS's business alone.
            node_resolv_conf: std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default(),
            node_name: config.name.clone(),
        };
        let facts = Facts { host_ips: config.addresses.clone() };
        let (synced, _) = watch::channel(false);
        Self { config, network, events, around, facts, services: RwLock::default(), synced }
    }

    /// Takes an event of the Services' watch.
    pub fn on_service(&self, event: portway_client::Event<Service>) {
        let mut cache = self.services.write().unwrap_or_else(PoisonError::into_inner);
        cache.apply(event);
        if cache.is_synced() {
            self.synced.send_replace(true);
        }
    }

    /// All Services, once they are known.
    pub async fn services(&self) -> Vec<Arc<Service>> {
        // Fails only when the sender is gone, and that is ours.
        self.synced.subscribe().wait_for(|synced| *synced).await.ok();
        self.services.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The ConfigMaps and Secrets that are wanted, as far as they exist.
    pub async fn sources(&self, namespace: &str, wanted: &Wanted) -> Result<Sources, Missing> {
        let mut sources = Sources::default();
        for name in &wanted.config_maps {
            if let Some(object) = self.find::<ConfigMap>(namespace, name).await? {
                sources.config_maps.insert(name.clone(), object.data);
            }
        }
        for name in &wanted.secrets {
            if let Some(object) = self.find::<Secret>(namespace, name).await? {
                let decode = |(key, text): (String, String)| {
                    use base64::Engine;
                    let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
                    Some((key, String::from_utf8_lossy(&bytes).into_owned()))
                };
                let data: BTreeMap<_, _> = object.data.into_iter().filter_map(decode).collect();
                sources.secrets.insert(name.clone(), data);
            }
        }
        Ok(sources)
    }

    async fn find<T: portway_api::Object>(&self, namespace: &str, name: &str) -> Result<Option<T>, Missing> {
        match self.config.client.get::<T>(&ObjectKey::new(namespace, name)).await {
            Ok(object) => Ok(Some(object)),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(Missing(format!("cannot read {} {name:?}: {error}", T::KIND.to_lowercase()))),
        }
    }
}
