//! Benchmarks of the store: what sharing an fsync gains, lists, watches, opening.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use portway_base::Revision;
use portway_store::embedded::EmbeddedStore;
use portway_store::memory::MemoryStore;
use portway_store::{Op, Store, Txn};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

/// About the size of a Service in JSON.
const VALUE: [u8; 1200] = [b'v'; 1200];

fn main() {
    divan::main();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A directory on a real disk: /tmp may be memory.
fn directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

fn put(key: String) -> Txn {
    Txn { guards: vec![], ops: vec![Op::Put { key: key.into(), value: (&VALUE[..]).into() }] }
}

fn fill(runtime: &Runtime, store: &dyn Store, count: usize) {
    runtime.block_on(async {
        for chunk in (0..count).collect::<Vec<_>>().chunks(500) {
            let ops = chunk.iter().flat_map(|i| put(format!("/registry/x/default/{i:06}")).ops).collect();
            store.commit(Txn { guards: vec![], ops }).await.unwrap();
        }
    });
}

fn engine(name: &str, directory: &Path) -> Arc<dyn Store> {
    match name {
        "memory" => Arc::new(MemoryStore::new()),
        _ => Arc::new(EmbeddedStore::open(directory).unwrap()),
    }
}

/// So many writers, each with one write at a time.
#[divan::bench(args = [1, 16, 64], sample_count = 50)]
fn writers_sharing_fsyncs(bencher: Bencher, writers: usize) {
    const EACH: usize = 10;
    let (runtime, directory) = (runtime(), directory());
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::open(directory.path()).unwrap());
    bencher.counter(ItemsCount::new(writers * EACH)).bench_local(|| {
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for writer in 0..writers {
                let store = store.clone();
                tasks.spawn(async move {
                    for i in 0..EACH {
                        store.commit(put(format!("/registry/x/{writer}/{i}"))).await.unwrap();
                    }
                });
            }
            tasks.join_all().await;
        });
    });
}

/// The same work with one fsync for every write.
#[divan::bench(args = [16, 64], sample_count = 10)]
fn writers_one_fsync_each(bencher: Bencher, writers: usize) {
    let (runtime, directory) = (runtime(), directory());
    let store = EmbeddedStore::open(directory.path()).unwrap();
    bencher.counter(ItemsCount::new(writers)).bench_local(|| {
        runtime.block_on(async {
            for writer in 0..writers {
                store.commit(put(format!("/registry/x/{writer}/0"))).await.unwrap();
            }
        });
    });
}

#[divan::bench(args = ["memory", "embedded"])]
fn get(bencher: Bencher, name: &str) {
    let (runtime, directory) = (runtime(), directory());
    let store = engine(name, directory.path());
    fill(&runtime, &*store, 10_000);
    bencher.bench_local(|| runtime.block_on(store.get("/registry/x/default/004711")).unwrap());
}

#[divan::bench(args = ["memory", "embedded"], sample_count = 20)]
fn list_10000(bencher: Bencher, name: &str) {
    let (runtime, directory) = (runtime(), directory());
    let store = engine(name, directory.path());
    fill(&runtime, &*store, 10_000);
    bencher
        .counter(ItemsCount::new(10_000usize))
        .bench_local(|| runtime.block_on(store.list("/registry/x/", None, 0, None)).unwrap());
}

/// A page of 500 from the middle of 10,000, of a state since which a tenth was written again.
#[divan::bench(args = ["memory", "embedded"], sample_count = 20)]
fn list_page_of_an_older_state(bencher: Bencher, name: &str) {
    let (runtime, directory) = (runtime(), directory());
    let store = engine(name, directory.path());
    fill(&runtime, &*store, 10_000);
    let at = store.revision();
    fill(&runtime, &*store, 1_000);
    let after = Some("/registry/x/default/000500");
    bencher.bench_local(|| runtime.block_on(store.list("/registry/x/", after, 500, Some(at))).unwrap());
}

/// From a commit's call to the last of so many watches having its change.
#[divan::bench(args = [1, 16, 128], sample_count = 50)]
fn watch_fan_out(bencher: Bencher, watches: usize) {
    let runtime = runtime();
    let store = MemoryStore::new();
    let mut all: Vec<_> = (0..watches)
        .map(|_| runtime.block_on(store.watch("/registry/x/", Revision::ZERO)).unwrap())
        .collect();
    bencher.counter(ItemsCount::new(watches)).bench_local(|| {
        runtime.block_on(async {
            store.commit(put("/registry/x/default/a".to_owned())).await.unwrap();
            for watch in &mut all {
                watch.next().await.unwrap();
            }
        });
    });
}

/// Reading the history of 10,000 writes.
#[divan::bench(args = ["memory", "embedded"], sample_count = 20)]
fn watch_replay_10000(bencher: Bencher, name: &str) {
    let (runtime, directory) = (runtime(), directory());
    let store = engine(name, directory.path());
    fill(&runtime, &*store, 10_000);
    bencher.counter(ItemsCount::new(10_000usize)).bench_local(|| {
        runtime.block_on(async {
            let mut watch = store.watch("/registry/x/", Revision::ZERO).await.unwrap();
            let mut seen = 0;
            while seen < 10_000 {
                seen += watch.next().await.unwrap().len();
            }
        });
    });
}

/// Opening a store with so many entries, with the check of the whole file that it includes.
#[divan::bench(args = [0, 100, 10_000], sample_count = 10)]
fn open(bencher: Bencher, entries: usize) {
    let (runtime, directory) = (runtime(), directory());
    let store = EmbeddedStore::open(directory.path()).unwrap();
    fill(&runtime, &store, entries);
    drop(store);
    bencher.bench_local(|| EmbeddedStore::open(directory.path()).unwrap());
}

/// Making a new one.
#[divan::bench(sample_count = 10)]
fn create(bencher: Bencher) {
    bencher
        .with_inputs(directory)
        .bench_local_refs(|directory| EmbeddedStore::open(directory.path()).unwrap());
}
