//! Waits until the caches show what was written, so that no decision is made on a state already left behind.

use std::collections::BTreeMap;
use std::time::Duration;

use portway_base::ObjectKey;
use portway_client::Gvr;

use crate::snapshot::{Index, ObjectRef, Snapshot};

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
    by_object: Index<ObjectRef, K>,
}

impl<K> Default for Settling<K> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), by_object: Index::default() }
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
            self.by_object.insert(reference(w), key.clone());
        }
        self.waiting.insert(key.clone(), (now + PATIENCE, written));
        false
    }

    /// An object changed: the keys that need not wait any longer.
    pub fn seen(&mut self, resource: &Gvr, object: &ObjectKey, gone: bool, snapshot: &Snapshot) -> Vec<K> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let changed = ObjectRef { resource: resource.clone(), key: object.clone() };
        let keys: Vec<K> = self.by_object.get(&changed).cloned().collect();
        let mut free = Vec::new();
        for key in keys {
            let Some((_, written)) = self.waiting.get_mut(&key) else { continue };
            let here = |w: &Written| w.key == *object && w.resource == *resource;
            // What was deleted after the write will not come back.
            written.retain(|w| !here(w) || !(gone || is_seen(w, snapshot)));
            if !written.iter().any(here) {
                self.by_object.remove(&changed, &key);
            }
            if written.is_empty() {
                self.waiting.remove(&key);
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
            for w in self.waiting.remove(key).into_iter().flat_map(|(_, written)| written) {
                self.by_object.remove(&reference(&w), key);
            }
        }
        keys
    }

    /// When the first key will have waited too long.
    pub fn deadline(&self) -> Option<Duration> {
        self.waiting.values().map(|(due, _)| *due).min()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Input;
    use portway_api::types::pod::Pod;
    use portway_client::Event;

    fn pod(name: &str, revision: u64) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = name.into();
        pod.metadata.uid = format!("uid-{name}");
        pod.metadata.resource_version = revision.to_string();
        pod
    }

    fn written(name: &str, revision: Option<u64>) -> Written {
        let uid = format!("uid-{name}");
        Written { resource: Gvr::of::<Pod>(), key: ObjectKey::cluster(name), uid, revision }
    }

    #[test]
    fn a_key_is_held_until_all_its_writes_are_seen() {
        let (pods, zero) = (Gvr::of::<Pod>(), Duration::ZERO);
        let mut snapshot = Snapshot::default();
        let mut settling = Settling::default();
        let mut see = |settling: &mut Settling<u8>, event: Event<Pod>, name: &str| {
            let gone = matches!(event, Event::Delete(_));
            snapshot.apply(Input::Pod(event));
            settling.seen(&pods, &ObjectKey::cluster(name), gone, &snapshot)
        };
        let apply = |name: &str, revision| Event::Apply(pod(name, revision).into());
        assert!(see(&mut settling, apply("a", 5), "a").is_empty());
        let before = {
            let mut snapshot = Snapshot::default();
            snapshot.apply(Input::Pod(apply("a", 5)));
            snapshot
        };
        assert!(settling.begin(&1, vec![written("a", Some(5))], &before, zero), "seen already");
        assert!(!settling.begin(&1, vec![written("a", Some(7)), written("b", Some(8))], &before, zero));
        assert!(!settling.begin(&2, vec![written("a", None)], &before, zero));
        assert!(see(&mut settling, apply("a", 6), "a").is_empty(), "older than the write");
        assert!(see(&mut settling, apply("a", 9), "a").is_empty(), "b is still to come");
        assert_eq!(see(&mut settling, apply("b", 8), "b"), [1]);
        assert_eq!(see(&mut settling, Event::Delete(pod("a", 10).into()), "a"), [2]);
        assert_eq!(settling.deadline(), None);

        assert!(!settling.begin(&3, vec![written("c", Some(20))], &before, zero));
        assert!(settling.expired(PATIENCE / 2).is_empty());
        assert_eq!(settling.expired(PATIENCE), [3], "nobody waits for ever");
        assert!(see(&mut settling, apply("c", 20), "c").is_empty());
    }
}
