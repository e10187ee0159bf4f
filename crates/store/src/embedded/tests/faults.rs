//! Whatever the disk does, an acknowledged write stays and a transaction is whole.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use portway_base::Revision;

use super::disk::{Disk, Fault};
use crate::embedded::EmbeddedStore;
use crate::{Change, Error, Op, Store, Txn, TxnOutcome};

fn open(disk: &Disk) -> Result<EmbeddedStore, Error> {
    EmbeddedStore::on(Box::new(disk.clone()))
}

/// How many runs; `STORE_SEEDS` asks for more than a test run should take.
fn seeds() -> u64 {
    std::env::var("STORE_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Every transaction of the workload writes its number to a key of its own and to three shared ones.
fn txn(writer: u64, number: u64) -> Txn {
    let put = |key: String| Op::Put { key: key.into(), value: number.to_string().into() };
    let shared = ["a", "b", "c"].map(|key| put(format!("/shared/{writer}/{key}")));
    Txn { guards: vec![], ops: [put(format!("/own/{writer}/{number}"))].into_iter().chain(shared).collect() }
}

/// What was acknowledged: (writer, number) → revision.
type Acknowledged = BTreeMap<(u64, u64), Revision>;

/// Four writers write until `count` transactions were tried, or one fails.
async fn write(store: &EmbeddedStore, first: u64, count: u64) -> Acknowledged {
    let next = AtomicU64::new(first);
    let writer = async |writer: u64| {
        let mut acknowledged = Acknowledged::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= first + count {
                return acknowledged;
            }
            match store.commit(txn(writer, number)).await {
                Ok(TxnOutcome::Committed { revision }) => acknowledged.insert((writer, number), revision),
                Ok(TxnOutcome::Conflict { .. }) => panic!("a conflict without guards"),
                Err(Error::Unavailable(_)) => return acknowledged,
                Err(error) => panic!("{error}"),
            };
        }
    };
    let (mut a, b, c, d) = tokio::join!(writer(0), writer(1), writer(2), writer(3));
    a.extend(b);
    a.extend(c);
    a.extend(d);
    a
}

/// Acknowledged writes are there, transactions are whole, and history tells the same as the present.
async fn verify(store: &EmbeddedStore, acknowledged: &Acknowledged) {
    let current = store.list("/", None, 0, None).await.unwrap();
    assert_eq!(current.revision, store.revision());
    let own: BTreeMap<String, Revision> = current
        .entries
        .iter()
        .filter(|entry| entry.key.starts_with("/own/"))
        .map(|entry| (entry.key.to_string(), entry.modified))
        .collect();
    for ((writer, number), revision) in acknowledged {
        assert_eq!(own.get(&format!("/own/{writer}/{number}")), Some(revision));
    }
    // As many revisions as transactions, none twice.
    let mut revisions: Vec<_> = own.values().map(|revision| revision.0).collect();
    revisions.sort_unstable();
    assert_eq!(revisions, (1..=current.revision.0).collect::<Vec<_>>());

    let mut replayed = BTreeMap::new();
    for change in replay(store, Revision::ZERO).await {
        let value = change.now.unwrap();
        assert_eq!(replayed.insert(change.key, value), change.before);
    }
    let current: BTreeMap<_, _> =
        current.entries.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
    assert_eq!(replayed, current);
}

/// The changes after a revision up to now; whole transactions, no gap.
async fn replay(store: &EmbeddedStore, after: Revision) -> Vec<Change> {
    let mut watch = store.watch("/", after).await.unwrap();
    let mut changes: Vec<Change> = Vec::new();
    while watch.reached() < store.revision() {
        changes.extend(watch.next().await.unwrap());
    }
    check_order(&changes, after);
    changes
}

fn check_order(changes: &[Change], after: Revision) {
    assert_eq!(changes.len() % 4, 0);
    for (i, txn) in changes.chunks(4).enumerate() {
        assert!(txn.iter().all(|change| change.revision.0 == after.0 + i as u64 + 1), "{txn:?}");
    }
}

#[tokio::test]
async fn a_power_cut_loses_nothing_acknowledged() {
    for seed in 0..seeds() {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut disk = Disk::default();
        let mut acknowledged = Acknowledged::new();
        // Three cuts in the life of one store; the first may hit its creation.
        for round in 0..3 {
            disk.fault_after(rng.u64(..if round == 0 { 300 } else { 900 }), Fault::PowerCut);
            if let Ok(store) = open(&disk) {
                acknowledged.extend(write(&store, round * 1000, 60).await);
            }
            disk = disk.after_power_cut(&mut rng);
            let store = match open(&disk) {
                Ok(store) => store,
                // Only the file's creation is not atomic here; a real one gets its name when it is complete.
                Err(_) if acknowledged.is_empty() => {
                    disk = Disk::default();
                    open(&disk).unwrap()
                }
                Err(error) => panic!("seed {seed}: {error}"),
            };
            verify(&store, &acknowledged).await;
        }
    }
}

#[tokio::test]
async fn a_fault_costs_only_the_writes_it_hits() {
    for seed in 0..seeds() {
        let mut rng = fastrand::Rng::with_seed(seed);
        let fault = if rng.bool() { Fault::Fails } else { Fault::Short };
        let disk = Disk::default();
        let store = open(&disk).unwrap();
        let mut watch = store.watch("/", Revision::ZERO).await.unwrap();
        let mut acknowledged = write(&store, 0, 10).await;
        disk.fault_after(rng.u64(..400), fault);
        let mut number = 1000;
        while disk.armed() {
            acknowledged.extend(write(&store, number, 20).await);
            number += 1000;
        }
        // It recovers by itself, at the latest at the second attempt to open it.
        let mut tries = 0;
        while write(&store, number, 1).await.is_empty() {
            tries += 1;
            assert!(tries < 100, "seed {seed}: {:?}", store.get("/x").await);
            number += 1000;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // That one was acknowledged as well, but what counts here are the others.
        verify(&store, &acknowledged).await;

        // The watch that was there all the time saw it all.
        let mut seen = Vec::new();
        while watch.reached() < store.revision() {
            seen.extend(watch.next().await.unwrap());
        }
        check_order(&seen, Revision::ZERO);
        let revision = store.revision();
        drop(store);
        let store = open(&disk).unwrap();
        assert_eq!(store.revision(), revision);
        verify(&store, &acknowledged).await;
    }
}

#[tokio::test]
async fn a_failed_read_is_healed_without_a_write() {
    let disk = Disk::default();
    let store = open(&disk).unwrap();
    // More than the cache holds.
    for i in 0..40 {
        let value = vec![b'x'; 200_000];
        let op = Op::Put { key: format!("/{i}").into(), value: value.into() };
        store.commit(Txn { guards: vec![], ops: vec![op] }).await.unwrap();
    }
    disk.fault_after(3, Fault::Fails);
    let list = async || store.list("/", None, 0, None).await;
    assert!(matches!(list().await, Err(Error::Unavailable(_))));
    let mut tries = 0;
    while list().await.is_err() {
        tries += 1;
        assert!(tries < 100);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(list().await.unwrap().entries.len(), 40);
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_keeps_the_rest() {
    for tells_free in [true, false] {
        let mut disk = Disk::default();
        disk.tells_free = tells_free;
        let store = open(&disk).unwrap();
        let mut acknowledged = write(&store, 0, 40).await;
        disk.set_capacity(Some(disk.used() + if tells_free { 9 << 20 } else { 1 << 20 }));
        let fill = |i: u64| {
            let value = vec![b'x'; 200_000];
            Txn {
                guards: vec![],
                ops: vec![Op::Put { key: format!("/fill/{i}").into(), value: value.into() }],
            }
        };
        let mut filled = 0;
        let error = loop {
            match store.commit(fill(filled)).await {
                Ok(_) => filled += 1,
                Err(error) => break error,
            }
            assert!(filled < 100);
        };
        assert!(matches!(error, Error::Unavailable(_)), "{error}");
        if tells_free {
            assert!(error.to_string().contains("no space left"), "{error}");
            // Reading goes on, and so does making room.
            assert!(store.get("/own/0/0").await.is_ok());
            store.compact(Revision(1)).await.unwrap();
        }
        disk.set_capacity(None);
        let mut tries = 0;
        while store.commit(fill(filled)).await.is_err() {
            tries += 1;
            assert!(tries < 100);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for i in 0..=filled {
            assert_eq!(store.get(&format!("/fill/{i}")).await.unwrap().1.unwrap().value.len(), 200_000);
        }
        for ((writer, number), revision) in std::mem::take(&mut acknowledged) {
            let entry = store.get(&format!("/own/{writer}/{number}")).await.unwrap().1.unwrap();
            assert_eq!(entry.modified, revision);
        }
    }
}
