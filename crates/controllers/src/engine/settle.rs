//! Waits until the caches show what was written, so that no decision is made on a state already left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use portway_base::ObjectKey;
use portway_client::Gvr;

use crate::snapshot::{ObjectRef, Snapshot};

/// How long a cache may take; after that the key goes on (a stale write fails on its `resourceVersion`).
const PATIENCE: Duration = Duration::from_secs(2);

/// The result of one write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Kind of the object.
    pub resource: Gvr,
    /// Its name.
    pub key: ObjectKey,
    /// Its UID; empty if not known.
    pub uid: String,
    /// Its revision; `None` after a delete.
    pub revision: Option<u64>,
}

/// Keys whose writes are not yet seen.
#[derive(Debug)]
pub struct Settling<K> {
    waiting: BTreeMap<K, (Duration, Vec<Written>)>,
    by_object: BTreeMap<ObjectRef, BTreeSet<K>>,
}

impl<K> Default for Settling<K> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), by_object: BTreeMap::new() }
    }
}

impl<K: Ord + Clone> Settling<K> {
    /// Holds `key` until the snapshot shows all of `written`. Returns true if it does already.
    pub fn begin(&mut self, key: &K, mut written: Vec<Written>, snapshot: &Snapshot, now: Duration) -> bool {
        written.retain(|w| !is_seen(w, snapshot));
        if written.is_empty() {
            return true;
        }
        for w in &written {
            self.by_object.entry(reference(w)).or_default().insert(key.clone());
        }
        self.waiting.insert(key.clone(), (now + PATIENCE, written));
        false
    }

    /// An object changed: the keys that need not wait any longer.
    pub fn seen(&mut self, resource: &Gvr, object: &ObjectKey, gone: bool, snapshot: &Snapshot) -> Vec<K> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let reference = ObjectRef { resource: resource.clone(), key: object.clone() };
        let Some(keys) = self.by_object.get(&reference).cloned() else { return Vec::new() };
        let mut free = Vec::new();
        for key in keys {
            let Some((_, written)) = self.waiting.get_mut(&key) else { continue };
            // What was deleted after the write will not come back.
            written.retain(|w| {
                let deleted = gone && w.key == *object && w.resource == *resource;
                !deleted && !is_seen(w, snapshot)
            });
            if written.is_empty() {
                self.end(&key);
                free.push(key);
            }
        }
        free
    }

    /// The keys that waited too long.
    pub fn expired(&mut self, now: Duration) -> Vec<K> {
        let late = self.waiting.iter().filter(|(_, (due, _))| *due <= now);
        let keys: Vec<K> = late.map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.end(key);
        }
        keys
    }

    /// When the first key will have waited too long.
    pub fn deadline(&self) -> Option<Duration> {
        self.waiting.values().map(|(due, _)| *due).min()
    }

    fn end(&mut self, key: &K) {
        self.waiting.remove(key);
        self.by_object.retain(|_, keys| {
            keys.remove(key);
            !keys.is_empty()
        });
    }
}

fn reference(written: &Written) -> ObjectRef {
    ObjectRef { resource: written.resource.clone(), key: written.key.clone() }
}

fn is_seen(written: &Written, snapshot: &Snapshot) -> bool {
    if !snapshot.watches(&written.resource) {
        return true;
    }
    match (snapshot.meta(&written.resource, &written.key), written.revision) {
        (None, None) => true,
        (None, Some(_)) => false,
        (Some(meta), None) => meta.uid != written.uid || meta.deletion_timestamp.is_some(),
        (Some(meta), Some(revision)) => {
            meta.resource_version.parse::<u64>().map_or(true, |seen| seen >= revision)
        }
    }
}
