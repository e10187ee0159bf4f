//! Watches: complete, in order, from any revision kept.

use std::time::Duration;

use portway_base::Revision;
use portway_store::{Error, Watch};
use tokio::time::timeout;

use crate::engines::{Fixture, delete, events, put, take};

async fn nothing_comes(watch: &mut Watch) {
    let answer = timeout(Duration::from_millis(20), watch.next()).await;
    assert!(answer.is_err(), "{answer:?}");
}

pub async fn history_is_replayed(f: Fixture) {
    f.write(vec![put("/a", "1")]).await;
    f.write(vec![put("/a", "2")]).await;
    f.write(vec![put("/a", "3"), put("/b", "1")]).await;
    f.write(vec![delete("/a")]).await;
    f.write(vec![put("/a", "4")]).await;
    let all = ["1:/a:->1", "2:/a:1>2", "3:/a:2>3 3:/b:->1", "4:/a:3>-", "5:/a:->4"];
    for after in 0..5 {
        let mut watch = f.watch("/", after as u64).await;
        let expect = all[after..].join(" ");
        assert_eq!(events(&take(&mut watch, expect.split(' ').count()).await), expect);
        assert_eq!(watch.reached(), Revision(5));
    }
    let mut watch = f.watch("/", 5).await;
    nothing_comes(&mut watch).await;
    // Entries come whole.
    let first = &take(&mut f.watch("/", 2).await, 4).await[0];
    assert_eq!((&first.now, &first.before), (&Some(entry3()), &Some(entry2())));
}

fn entry2() -> portway_store::Entry {
    crate::engines::entry("/a", "2", 1, 2, 2)
}

fn entry3() -> portway_store::Entry {
    crate::engines::entry("/a", "3", 1, 3, 3)
}

pub async fn changes_are_live(f: Fixture) {
    let mut watch = f.watch("/", 0).await;
    nothing_comes(&mut watch).await;
    f.write(vec![put("/a", "1")]).await;
    assert_eq!(events(&watch.next().await.unwrap()), "1:/a:->1");
    f.write(vec![put("/a", "2")]).await;
    f.write(vec![delete("/a")]).await;
    assert_eq!(events(&take(&mut watch, 2).await), "2:/a:1>2 3:/a:2>-");
    nothing_comes(&mut watch).await;
}

pub async fn a_transaction_comes_together(f: Fixture) {
    let ops = |n: u32| (0..n).map(|i| put(&format!("/{i:05}"), "x")).collect::<Vec<_>>();
    let mut live = f.watch("/", 0).await.with_buffer(10);
    f.write(ops(2000)).await;
    f.write(ops(3)).await;
    assert_eq!(live.next().await.unwrap().iter().filter(|c| c.revision.0 == 1).count(), 2000);
    let mut replay = f.watch("/", 0).await;
    assert_eq!(replay.next().await.unwrap().iter().filter(|c| c.revision.0 == 1).count(), 2000);
}

pub async fn only_the_prefix_is_seen(f: Fixture) {
    let mut live = f.watch("/a/", 0).await;
    f.write(vec![put("/a/1", "x"), put("/b/1", "x")]).await;
    f.write(vec![put("/b/1", "y")]).await;
    f.write(vec![put("/a", "x"), put("/a0", "x")]).await;
    f.write(vec![delete("/b/1"), delete("/a/1")]).await;
    let expect = "1:/a/1:->x 4:/a/1:x>-";
    assert_eq!(events(&take(&mut live, 2).await), expect);
    assert_eq!(events(&take(&mut f.watch("/a/", 0).await, 2).await), expect);
}

pub async fn what_is_delivered_is_readable(f: Fixture) {
    let reader = async {
        let mut watch = f.watch("/", 0).await;
        let mut seen = 0;
        while seen < 200 {
            for change in watch.next().await.unwrap() {
                let (revision, entry) = f.store.get(&change.key).await.unwrap();
                assert!(revision >= change.revision);
                assert!(entry.unwrap().modified >= change.revision);
                assert!(f.store.revision() >= change.revision);
                let page = f.store.list("/", None, 1, Some(change.revision)).await.unwrap();
                assert_eq!(page.revision, change.revision);
                seen += 1;
            }
        }
    };
    let writer = async |key: &str| {
        for i in 0..100 {
            f.write(vec![put(key, &i.to_string())]).await;
        }
    };
    tokio::join!(reader, writer("/a"), writer("/b"));
}

pub async fn a_long_replay_has_no_gap(f: Fixture) {
    let ops = || (0..10).map(|k| put(&format!("/{k}"), "x")).collect::<Vec<_>>();
    for _ in 0..150 {
        f.write(ops()).await;
    }
    let mut watch = f.watch("/", 7).await;
    let mut seen = 70;
    while seen < 1800 {
        for change in watch.next().await.unwrap() {
            assert_eq!(change.revision.0, seen / 10 + 1);
            seen += 1;
        }
        // Writes go on meanwhile.
        while f.store.revision().0 < (seen / 10 + 20).min(180) {
            f.write(ops()).await;
        }
    }
}

pub async fn a_slow_watch_loses_nothing(f: Fixture) {
    let mut watch = f.watch("/", 0).await.with_buffer(4);
    f.write(vec![put("/a", "0")]).await;
    assert_eq!(events(&watch.next().await.unwrap()), "1:/a:->0");
    for i in 1..50 {
        f.write(vec![put("/a", &i.to_string())]).await;
    }
    let changes = take(&mut watch, 49).await;
    assert!(changes.iter().zip(2..).all(|(change, revision)| change.revision.0 == revision));
    f.write(vec![delete("/a")]).await;
    assert_eq!(events(&watch.next().await.unwrap()), "51:/a:49>-");
}

pub async fn a_slow_watch_learns_of_compaction(f: Fixture) {
    let mut watch = f.watch("/", 0).await.with_buffer(4);
    f.write(vec![put("/a", "0")]).await;
    watch.next().await.unwrap();
    for i in 1..50 {
        f.write(vec![put("/a", &i.to_string())]).await;
    }
    f.store.compact(Revision(40)).await.unwrap();
    let mut last = 1;
    let error = loop {
        match watch.next().await {
            Ok(changes) => {
                for change in changes {
                    assert_eq!(change.revision.0, last + 1);
                    last += 1;
                }
            }
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::Compacted { oldest: Revision(40) });
    assert!(last < 40);
}

pub async fn a_running_watch_survives_compaction(f: Fixture) {
    let mut watch = f.watch("/", 0).await;
    for i in 0..5 {
        f.write(vec![put("/a", &i.to_string())]).await;
    }
    take(&mut watch, 5).await;
    f.write(vec![put("/a", "5")]).await;
    f.store.compact(Revision(6)).await.unwrap();
    f.write(vec![put("/a", "6")]).await;
    assert_eq!(events(&take(&mut watch, 2).await), "6:/a:4>5 7:/a:5>6");
}

pub async fn an_abandoned_wait_loses_nothing(f: Fixture) {
    f.write(vec![put("/a", "x")]).await;
    let mut watch = f.watch("/", 0).await;
    let reader = async {
        let (mut seen, mut ticks) = (0, tokio::time::interval(Duration::from_micros(300)));
        while seen < 200 {
            tokio::select! {
                biased;
                _ = ticks.tick() => {}
                changes = watch.next() => {
                    for change in changes.unwrap() {
                        seen += 1;
                        assert_eq!(change.revision.0, seen);
                    }
                }
            }
        }
    };
    let writer = async {
        for _ in 1..200 {
            f.write(vec![put("/a", "x")]).await;
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), async { tokio::join!(reader, writer) }).await.unwrap();
}

pub async fn racing_writers_are_seen_in_order(f: Fixture) {
    let mut watch = f.watch("/", 0).await.with_buffer(32);
    let writer = |id: usize| {
        let f = &f;
        async move {
            let mut revisions = Vec::new();
            for i in 0..40 {
                revisions.push(f.write(vec![put(&format!("/{id}"), &i.to_string())]).await);
            }
            assert!(revisions.is_sorted());
            revisions
        }
    };
    let reader = async {
        let mut last = 0;
        while last < 160 {
            for change in watch.next().await.unwrap() {
                assert_eq!(change.revision.0, last + 1);
                last += 1;
            }
        }
    };
    let (a, b, c, d, ()) = tokio::join!(writer(0), writer(1), writer(2), writer(3), reader);
    let mut all = [a, b, c, d].concat();
    all.sort_unstable();
    assert_eq!(all, (1..=160).collect::<Vec<_>>());
}

pub async fn progress_is_known_without_changes(f: Fixture) {
    let mut watch = f.watch("/a/", 0).await;
    f.write(vec![put("/b/1", "x")]).await;
    nothing_comes(&mut watch).await;
    assert_eq!(watch.reached(), Revision(1));
    f.write(vec![put("/b/1", "y")]).await;
    assert_eq!(watch.reached(), Revision(2));
    f.write(vec![put("/a/1", "x")]).await;
    assert!(watch.reached() < Revision(3));
    watch.next().await.unwrap();
    assert_eq!(watch.reached(), Revision(3));
}

pub async fn closing_ends_the_watch(f: Fixture) {
    let mut waiting = f.watch("/", 0).await;
    nothing_comes(&mut waiting).await;
    let mut late = f.watch("/", 0).await;
    drop(f.store);
    assert!(matches!(waiting.next().await, Err(Error::Unavailable(_))));
    assert!(matches!(late.next().await, Err(Error::Unavailable(_))));
}
