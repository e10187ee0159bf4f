//! The engines under test, and short ways to use them.

use std::sync::Arc;

use portway_base::Revision;
use portway_store::embedded::EmbeddedStore;
use portway_store::memory::MemoryStore;
use portway_store::{Change, Entry, Guard, Op, Page, Store, Txn, TxnOutcome, Watch};

/// A fresh store, with whatever must live as long.
pub struct Fixture {
    pub store: Arc<dyn Store>,
    pub _dir: Option<tempfile::TempDir>,
}

pub fn memory() -> Fixture {
    Fixture { store: Arc::new(MemoryStore::new()), _dir: None }
}

pub fn embedded() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    Fixture { store: Arc::new(EmbeddedStore::open(dir.path()).unwrap()), _dir: Some(dir) }
}

pub fn put(key: &str, value: &str) -> Op {
    Op::Put { key: key.into(), value: value.to_owned().into() }
}

pub fn delete(key: &str) -> Op {
    Op::Delete { key: key.into() }
}

pub fn guard(key: &str, modified: u64) -> Guard {
    Guard { key: key.into(), modified: Revision(modified) }
}

pub fn entry(key: &str, value: &str, created: u64, modified: u64, version: u64) -> Entry {
    Entry {
        key: key.into(),
        value: value.to_owned().into(),
        created: Revision(created),
        modified: Revision(modified),
        version,
    }
}

impl Fixture {
    /// Commits operations without guards; answers the revision.
    pub async fn write(&self, ops: Vec<Op>) -> u64 {
        match self.store.commit(Txn { guards: vec![], ops }).await.unwrap() {
            TxnOutcome::Committed { revision } => revision.0,
            TxnOutcome::Conflict { .. } => panic!("a conflict without guards"),
        }
    }

    pub async fn get(&self, key: &str) -> Option<Entry> {
        self.store.get(key).await.unwrap().1
    }

    pub async fn list(&self, prefix: &str, at: Option<u64>) -> Page {
        self.store.list(prefix, None, 0, at.map(Revision)).await.unwrap()
    }

    pub async fn watch(&self, prefix: &str, after: u64) -> Watch {
        self.store.watch(prefix, Revision(after)).await.unwrap()
    }
}

/// Reads a watch until it has returned `count` changes.
pub async fn take(watch: &mut Watch, count: usize) -> Vec<Change> {
    let mut changes = Vec::new();
    while changes.len() < count {
        changes.extend(watch.next().await.unwrap());
    }
    assert_eq!(changes.len(), count, "{changes:?}");
    changes
}

/// `key=value@modified` of each entry.
pub fn text(entries: &[Entry]) -> String {
    let show = |e: &Entry| format!("{}={}@{}", e.key, String::from_utf8_lossy(&e.value), e.modified);
    entries.iter().map(show).collect::<Vec<_>>().join(" ")
}

/// `revision:key:before>now` of each change, `-` for no entry.
pub fn events(changes: &[Change]) -> String {
    let value = |e: &Option<Entry>| match e {
        Some(e) => String::from_utf8_lossy(&e.value).into_owned(),
        None => "-".to_owned(),
    };
    let show = |c: &Change| format!("{}:{}:{}>{}", c.revision, c.key, value(&c.before), value(&c.now));
    changes.iter().map(show).collect::<Vec<_>>().join(" ")
}
