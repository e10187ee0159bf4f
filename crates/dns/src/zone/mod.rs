//! The cluster's zone: records made of Services, EndpointSlices, Namespaces and Pods, and answers from them.
//!
//! Pure values: no clock, no socket, no async. The parts of Kubernetes' DNS schema live here and only here.
//! A change costs what the changed object holds, however large the cluster is.

mod answer;
mod config;
mod label;
mod locate;
mod pods;
mod reverse;
mod slot;
mod update;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use portway_base::ObjectKey;

pub use answer::{Answer, Origin, Sections, answer};
pub use config::{PodMode, ZoneConfig, reverse_zones};
pub use update::Change;

use config::Site;
use pods::Pods;
use slot::Slot;

/// Name and namespace of a Service as two lower-case labels in wire form: what a query's name is looked up by.
type SlotKey = Arc<[u8]>;

/// All names of one cluster, in all configured zones.
///
/// Nothing iterates over its hash maps to make an answer, so their order never shows.
pub struct Zone {
    config: ZoneConfig,
    sites: Vec<Site>,
    /// Until the first full list of everything is in, "there is no such name" cannot be said.
    synced: bool,
    /// When the data last changed, seconds since the epoch.
    serial: u32,
    /// Labels of the Namespaces that exist and are exposed.
    namespaces: HashSet<Box<[u8]>>,
    slots: HashMap<SlotKey, Slot>,
    /// Where each EndpointSlice went.
    slices: HashMap<ObjectKey, SlotKey>,
    /// Cluster IPs, for PTR.
    vips: HashMap<IpAddr, SlotKey>,
    /// Endpoint addresses, for PTR: in which slots, and how many times there.
    backs: HashMap<IpAddr, Vec<(SlotKey, u32)>>,
    pods: Pods,
}

impl Zone {
    /// An empty zone that is not synchronised yet.
    pub fn new(config: ZoneConfig) -> Self {
        Self {
            sites: config.sites(),
            config,
            synced: false,
            serial: 0,
            namespaces: HashSet::new(),
            slots: HashMap::new(),
            slices: HashMap::new(),
            vips: HashMap::new(),
            backs: HashMap::new(),
            pods: Pods::default(),
        }
    }

    /// The settings it was made with.
    pub fn config(&self) -> &ZoneConfig {
        &self.config
    }

    /// Whether everything was listed once.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// Everything was listed once: from now on unknown names are NXDOMAIN instead of SERVFAIL.
    pub fn set_synced(&mut self) {
        self.synced = true;
    }
}

#[cfg(test)]
mod tests;
