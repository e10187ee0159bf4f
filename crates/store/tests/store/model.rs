//! Every engine against a model that keeps every state there ever was.

use std::collections::BTreeMap;

use portway_base::Revision;
use portway_store::embedded::EmbeddedStore;
use portway_store::memory::MemoryStore;
use portway_store::{Change, Entry, Error, Guard, Op, Page, Store, Txn, TxnOutcome, Watch};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Keys and how each one's guard is meant: what is there, nothing, or some revision.
    Commit {
        guards: Vec<(usize, u8)>,
        ops: Vec<(usize, Option<u8>)>,
    },
    List {
        prefix: usize,
        after: Option<usize>,
        limit: usize,
        back: Option<u64>,
    },
    Replay {
        prefix: usize,
        back: u64,
    },
    /// Starts a watch with a buffer of this size that runs until the end, or the next reopening.
    Watch {
        prefix: usize,
        buffer: usize,
    },
    /// Lets all running watches read once.
    Read,
    Compact {
        back: u64,
    },
    Reopen,
}

const KEYS: [&str; 9] = ["/a", "/a/", "/a/1", "/a/2", "/a/20", "/b/1", "/b/2", "/b/ü", "/c"];
const PREFIXES: [&str; 7] = ["", "/", "/a", "/a/", "/b/", "/b/2", "/x"];

fn step() -> impl Strategy<Value = Step> {
    let key = 0..KEYS.len();
    let prefix = 0..PREFIXES.len();
    let commit = (
        proptest::collection::vec((key.clone(), 0..6u8), 0..3),
        proptest::collection::btree_map(key.clone(), proptest::option::weighted(0.7, any::<u8>()), 0..4),
    );
    let list = (prefix.clone(), proptest::option::of(key), 0..5usize, proptest::option::of(0..12u64));
    prop_oneof![
        8 => commit.prop_map(|(guards, ops)| Step::Commit { guards, ops: ops.into_iter().collect() }),
        3 => list.prop_map(|(prefix, after, limit, back)| Step::List { prefix, after, limit, back }),
        1 => (prefix.clone(), 0..12u64).prop_map(|(prefix, back)| Step::Replay { prefix, back }),
        1 => (prefix, 0..6usize).prop_map(|(prefix, buffer)| Step::Watch { prefix, buffer }),
        2 => Just(Step::Read),
        1 => (0..8u64).prop_map(|back| Step::Compact { back }),
        1 => Just(Step::Reopen),
    ]
}

/// States and changes by revision; index 0 is the empty state before the first write.
struct Model {
    states: Vec<BTreeMap<&'static str, Entry>>,
    changes: Vec<Vec<Change>>,
    oldest: u64,
}

impl Model {
    fn revision(&self) -> u64 {
        self.states.len() as u64 - 1
    }

    fn now(&self) -> &BTreeMap<&'static str, Entry> {
        &self.states[self.states.len() - 1]
    }

    fn back(&self, by: u64) -> Revision {
        Revision((self.revision() + 1).saturating_sub(by))
    }

    fn check(&self, at: Revision) -> Result<(), Error> {
        if at.0 < self.oldest {
            return Err(Error::Compacted { oldest: Revision(self.oldest) });
        }
        if at.0 > self.revision() {
            return Err(Error::FutureRevision { current: Revision(self.revision()) });
        }
        Ok(())
    }

    fn commit(&mut self, guards: &[Guard], ops: &[(usize, Option<u8>)]) -> TxnOutcome {
        let current: Vec<_> = guards.iter().map(|guard| self.now().get(&*guard.key).cloned()).collect();
        let modified = |entry: &Option<Entry>| entry.as_ref().map_or(Revision::ZERO, |entry| entry.modified);
        if guards.iter().zip(&current).any(|(guard, entry)| guard.modified != modified(entry)) {
            return TxnOutcome::Conflict { current };
        }
        let revision = Revision(self.revision() + 1);
        let mut state = self.now().clone();
        let mut changes = Vec::new();
        for (key, value) in ops {
            let key = KEYS[*key];
            let before = state.get(key).cloned();
            let now = value.map(|value| Entry {
                key: key.into(),
                value: vec![value; usize::from(value)].into(),
                created: before.as_ref().map_or(revision, |before| before.created),
                modified: revision,
                version: before.as_ref().map_or(0, |before| before.version) + 1,
            });
            match &now {
                Some(entry) => drop(state.insert(key, entry.clone())),
                None => drop(state.remove(key)),
            }
            if now.is_some() || before.is_some() {
                changes.push(Change { revision, key: key.into(), now, before });
            }
        }
        if changes.is_empty() {
            return TxnOutcome::Committed { revision: Revision(self.revision()) };
        }
        self.states.push(state);
        self.changes.push(changes);
        TxnOutcome::Committed { revision }
    }

    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        at: Option<Revision>,
    ) -> Result<Page, Error> {
        let at = at.unwrap_or(Revision(self.revision()));
        self.check(at)?;
        let state = &self.states[at.0 as usize];
        let all = state
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after.is_none_or(|after| **key > after));
        let mut entries: Vec<_> = all.map(|(_, entry)| entry.clone()).collect();
        let keep = if limit == 0 { entries.len() } else { limit.min(entries.len()) };
        let remaining = entries.split_off(keep).len() as u64;
        Ok(Page { revision: at, entries, more: remaining > 0, remaining })
    }

    fn changes(&self, prefix: &str, after: Revision) -> Vec<Change> {
        let all = self.changes.iter().flatten();
        all.filter(|change| change.revision > after && change.key.starts_with(prefix)).cloned().collect()
    }
}

/// A watch of the store, and what the model has yet to see from it.
struct Running {
    watch: Watch,
    prefix: &'static str,
    seen: Revision,
}

impl Running {
    /// Reads once if there must be something; false when the watch has ended rightly.
    async fn read(&mut self, model: &Model) -> bool {
        let expect = model.changes(self.prefix, self.seen);
        if expect.is_empty() {
            return true;
        }
        match self.watch.next().await {
            Ok(changes) => {
                assert_eq!(changes, expect[..changes.len()]);
                self.seen = changes[changes.len() - 1].revision;
                // Whole transactions.
                assert!(expect.get(changes.len()).is_none_or(|next| next.revision > self.seen));
                true
            }
            Err(error) => {
                assert_eq!(error, Error::Compacted { oldest: Revision(model.oldest) });
                assert!(self.watch.reached().0 < model.oldest);
                false
            }
        }
    }
}

async fn run(open: impl Fn() -> Box<dyn Store>, durable: bool, steps: Vec<Step>) {
    let mut store = open();
    let mut model = Model { states: vec![BTreeMap::new()], changes: vec![], oldest: 0 };
    let mut running: Vec<Running> = Vec::new();
    for step in steps {
        match step {
            Step::Commit { guards, ops } => {
                let guard = |(key, kind): &(usize, u8)| {
                    let modified = model.now().get(KEYS[*key]).map_or(Revision::ZERO, |entry| entry.modified);
                    let modified = match kind {
                        0 => Revision::ZERO,
                        1 => model.back(2),
                        _ => modified,
                    };
                    Guard { key: KEYS[*key].into(), modified }
                };
                let guards: Vec<_> = guards.iter().map(guard).collect();
                let op = |(key, value): &(usize, Option<u8>)| match value {
                    Some(v) => Op::Put { key: KEYS[*key].into(), value: vec![*v; usize::from(*v)].into() },
                    None => Op::Delete { key: KEYS[*key].into() },
                };
                let txn = Txn { guards: guards.clone(), ops: ops.iter().map(op).collect() };
                assert_eq!(store.commit(txn).await.unwrap(), model.commit(&guards, &ops));
                for key in KEYS {
                    let expect = (Revision(model.revision()), model.now().get(key).cloned());
                    assert_eq!(store.get(key).await.unwrap(), expect);
                }
            }
            Step::List { prefix, after, limit, back } => {
                let (prefix, after, at) =
                    (PREFIXES[prefix], after.map(|key| KEYS[key]), back.map(|b| model.back(b)));
                let expect = model.list(prefix, after, limit, at);
                assert_eq!(store.list(prefix, after, limit, at).await, expect);
            }
            Step::Replay { prefix, back } => {
                let (prefix, after) = (PREFIXES[prefix], model.back(back));
                match (store.watch(prefix, after).await, model.check(after)) {
                    (Ok(watch), Ok(())) => {
                        let mut replay = Running { watch, prefix, seen: after };
                        while replay.seen.0 < model.revision()
                            && !model.changes(prefix, replay.seen).is_empty()
                        {
                            assert!(replay.read(&model).await);
                        }
                    }
                    (got, expect) => assert_eq!(got.err(), expect.err()),
                }
            }
            Step::Watch { prefix, buffer } => {
                let (prefix, seen) = (PREFIXES[prefix], Revision(model.revision()));
                let watch = store.watch(prefix, seen).await.unwrap().with_buffer(buffer);
                running.push(Running { watch, prefix, seen });
            }
            Step::Read => {
                let mut kept = Vec::new();
                for mut watch in std::mem::take(&mut running) {
                    if watch.read(&model).await {
                        kept.push(watch);
                    }
                }
                running = kept;
            }
            Step::Compact { back } => {
                let before = model.back(back);
                let expect = if before.0 > model.revision() { model.check(before) } else { Ok(()) };
                if expect.is_ok() {
                    model.oldest = model.oldest.max(before.0);
                }
                assert_eq!(store.compact(before).await, expect);
            }
            Step::Reopen if durable => {
                running.clear();
                drop(store);
                store = open();
            }
            Step::Reopen => {}
        }
        assert_eq!(store.revision(), Revision(model.revision()));
    }
    for mut watch in running {
        while !model.changes(watch.prefix, watch.seen).is_empty() && watch.read(&model).await {}
    }
}

fn check(open: impl Fn() -> Box<dyn Store>, durable: bool, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(open, durable, steps));
}

proptest! {
    #[test]
    fn memory(steps in proptest::collection::vec(step(), 0..120)) {
        check(|| Box::new(MemoryStore::new()), false, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]
    #[test]
    fn embedded(steps in proptest::collection::vec(step(), 0..80)) {
        let dir = tempfile::tempdir().unwrap();
        check(|| Box::new(EmbeddedStore::open(dir.path()).unwrap()), true, steps);
    }
}
