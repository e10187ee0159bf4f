//! Answers to "which objects", kept up to date change by change.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use portway_base::ObjectKey;
use portway_client::Gvr;

/// Sets of things by some key; empty sets are dropped.
#[derive(Debug)]
pub struct Index<K, V> {
    sets: BTreeMap<K, BTreeSet<V>>,
}

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self { sets: BTreeMap::new() }
    }
}

impl<K: Ord, V: Ord> Index<K, V> {
    /// Adds `value` under `key`.
    pub fn insert(&mut self, key: K, value: V) {
        self.sets.entry(key).or_default().insert(value);
    }

    /// Takes `value` from under `key`.
    pub fn remove(&mut self, key: &K, value: &V) {
        if let Some(set) = self.sets.get_mut(key) {
            set.remove(value);
            if set.is_empty() {
                self.sets.remove(key);
            }
        }
    }

    /// What is under `key`, in order.
    pub fn get<'a, Q>(&'a self, key: &Q) -> impl Iterator<Item = &'a V> + use<'a, K, V, Q>
    where
        K: Borrow<Q>,
        Q: Ord + ?Sized,
    {
        self.sets.get(key).into_iter().flatten()
    }

    /// How much is under `key`.
    pub fn count(&self, key: &K) -> usize {
        self.sets.get(key).map_or(0, BTreeSet::len)
    }
}

/// A label with its value, in a namespace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelPair {
    /// Namespace of the objects.
    pub namespace: String,
    /// Label key.
    pub key: String,
    /// Label value.
    pub value: String,
}

impl LabelPair {
    /// The pair of one entry of a label map.
    pub fn new(namespace: &str, key: &str, value: &str) -> Self {
        Self { namespace: namespace.to_owned(), key: key.to_owned(), value: value.to_owned() }
    }
}

/// An object of any kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Its kind.
    pub resource: Gvr,
    /// Namespace and name.
    pub key: ObjectKey,
}
