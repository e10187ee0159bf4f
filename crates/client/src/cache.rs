//! A local copy of the objects of a watch.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_base::ObjectKey;

use crate::partial::Watched;
use crate::watch::Event;

/// Objects by key, kept by [`Event`]s.
#[derive(Clone, Debug)]
pub struct Cache<T> {
    objects: BTreeMap<ObjectKey, Arc<T>>,
    /// The list being received; it replaces `objects` as a whole, so that readers never see half of it.
    incoming: Option<BTreeMap<ObjectKey, Arc<T>>>,
    synced: bool,
}

/// One object that is not what it was.
#[derive(Debug)]
pub struct Change<T> {
    /// Which object.
    pub key: ObjectKey,
    /// What it was; `None` if it is new.
    pub before: Option<Arc<T>>,
    /// What it is; `None` if it is gone.
    pub now: Option<Arc<T>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { objects: BTreeMap::new(), incoming: None, synced: false }
    }
}

impl<T> Cache<T> {
    /// An empty cache that has not seen a whole list yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A whole list has been received since the start.
    pub const fn is_synced(&self) -> bool {
        self.synced
    }

    /// One object.
    pub fn get(&self, key: &ObjectKey) -> Option<&Arc<T>> {
        self.objects.get(key)
    }

    /// All objects, ordered by namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Arc<T>)> {
        self.objects.iter()
    }

    /// All objects, ordered by namespace and name.
    pub fn values(&self) -> impl Iterator<Item = &Arc<T>> {
        self.objects.values()
    }

    /// The objects of one namespace, ordered by name.
    pub fn in_namespace<'a, 'n>(
        &'a self,
        namespace: &'n str,
    ) -> impl Iterator<Item = &'a Arc<T>> + use<'a, 'n, T> {
        self.objects
            .range(ObjectKey::new(namespace, "")..)
            .take_while(move |(key, _)| key.namespace == namespace)
            .map(|(_, object)| object)
    }

    /// Number of objects.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// There are no objects.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

impl<T: Watched> Cache<T> {
    /// Takes an event in; tells what changed by it. After a relist these are the differences, deletions included.
    pub fn apply(&mut self, event: Event<T>) -> Vec<Change<T>> {
        match event {
            Event::Init => {
                self.incoming = Some(BTreeMap::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let list = self.incoming.get_or_insert_default();
                list.insert(object.object_key(), object);
                Vec::new()
            }
            Event::InitDone => {
                self.synced = true;
                let list = self.incoming.take().unwrap_or_default();
                self.replace(list)
            }
            Event::Apply(object) => {
                let key = object.object_key();
                let before = self.objects.insert(key.clone(), object.clone());
                if before.as_ref().is_some_and(|old| same(old, &object)) {
                    return Vec::new();
                }
                vec![Change { key, before, now: Some(object) }]
            }
            Event::Delete(object) => {
                let key = object.object_key();
                match self.objects.remove(&key) {
                    Some(before) => vec![Change { key, before: Some(before), now: None }],
                    None => Vec::new(),
                }
            }
        }
    }

    fn replace(&mut self, list: BTreeMap<ObjectKey, Arc<T>>) -> Vec<Change<T>> {
        let mut old = std::mem::replace(&mut self.objects, list);
        let mut changes = Vec::new();
        for (key, object) in &self.objects {
            let before = old.remove(key);
            if before.as_ref().is_none_or(|b| !same(b, object)) {
                changes.push(Change { key: key.clone(), before, now: Some(object.clone()) });
            }
        }
        changes.extend(old.into_iter().map(|(key, before)| Change { key, before: Some(before), now: None }));
        changes
    }
}

/// The same revision of the same object.
fn same<T: Watched>(a: &Arc<T>, b: &Arc<T>) -> bool {
    let (a, b) = (a.meta(), b.meta());
    !a.resource_version.is_empty() && a.resource_version == b.resource_version && a.uid == b.uid
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Partial;

    fn object(name: &str, version: u32) -> Arc<Partial> {
        let mut object = Partial::default();
        object.metadata.namespace = "ns".into();
        object.metadata.name = name.into();
        object.metadata.resource_version = version.to_string();
        Arc::new(object)
    }

    fn feed(cache: &mut Cache<Partial>, events: Vec<Event<Partial>>) -> Vec<String> {
        let version = |o: Option<Arc<Partial>>| o.map_or("-".into(), |o| o.metadata.resource_version.clone());
        let changes = events.into_iter().flat_map(|e| cache.apply(e));
        changes.map(|c| format!("{} {}->{}", c.key.name, version(c.before), version(c.now))).collect()
    }

    #[test]
    fn a_relist_tells_what_changed_and_what_is_gone() {
        let mut cache = Cache::new();
        use Event::{Apply, Delete, Init, InitApply, InitDone};
        assert!(
            feed(&mut cache, vec![Init, InitApply(object("a", 1)), InitApply(object("b", 2))]).is_empty()
        );
        assert!(!cache.is_synced() && cache.is_empty(), "half a list is not shown");
        assert_eq!(feed(&mut cache, vec![InitDone]), ["a -->1", "b -->2"]);
        assert_eq!(
            feed(&mut cache, vec![Apply(object("b", 3)), Apply(object("c", 4))]),
            ["b 2->3", "c -->4"]
        );
        assert!(feed(&mut cache, vec![Apply(object("b", 3))]).is_empty(), "the same revision is no change");
        // A list that is begun anew drops what the first had brought.
        let relist =
            vec![Init, InitApply(object("x", 9)), Init, InitApply(object("b", 3)), InitApply(object("c", 7))];
        assert!(feed(&mut cache, relist).is_empty());
        assert_eq!(cache.len(), 3, "the old state stands until the list is whole");
        assert_eq!(feed(&mut cache, vec![InitDone]), ["c 4->7", "a 1->-"]);
        assert_eq!(feed(&mut cache, vec![Delete(object("b", 8)), Delete(object("zz", 8))]), ["b 3->-"]);
        assert_eq!(cache.in_namespace("ns").count(), 1);
        assert_eq!(cache.in_namespace("n").count(), 0);
    }
}
