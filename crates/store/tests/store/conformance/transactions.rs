//! Commits: guards, revisions, atomicity.

use portway_base::Revision;
use portway_store::{Error, MAX_KEY, MAX_VALUE, Txn, TxnOutcome};

use crate::engines::{Fixture, delete, entry, guard, put, text};

pub async fn an_empty_store_is_at_zero(f: Fixture) {
    assert_eq!(f.store.revision(), Revision::ZERO);
    assert_eq!(f.store.get("/a").await.unwrap(), (Revision::ZERO, None));
    let page = f.list("", Some(0)).await;
    assert_eq!((page.revision, page.entries, page.more, page.remaining), (Revision::ZERO, vec![], false, 0));
}

pub async fn entries_carry_their_history(f: Fixture) {
    assert_eq!(f.write(vec![put("/a", "1")]).await, 1);
    assert_eq!(f.get("/a").await, Some(entry("/a", "1", 1, 1, 1)));
    assert_eq!(f.write(vec![put("/b", "x")]).await, 2);
    assert_eq!(f.write(vec![put("/a", "2")]).await, 3);
    assert_eq!(f.store.get("/a").await.unwrap(), (Revision(3), Some(entry("/a", "2", 1, 3, 2))));
    assert_eq!(f.write(vec![delete("/a")]).await, 4);
    assert_eq!(f.get("/a").await, None);
    assert_eq!(f.write(vec![put("/a", "")]).await, 5);
    assert_eq!(f.get("/a").await, Some(entry("/a", "", 5, 5, 1)));
    assert_eq!(f.store.revision(), Revision(5));
}

pub async fn guards_decide_and_report(f: Fixture) {
    f.write(vec![put("/a", "1")]).await;
    f.write(vec![put("/b", "1")]).await;
    let commit = async |guards, ops| f.store.commit(Txn { guards, ops }).await.unwrap();
    let conflict = |current| TxnOutcome::Conflict { current };
    let committed = |revision| TxnOutcome::Committed { revision: Revision(revision) };
    let (a, b) = (Some(entry("/a", "1", 1, 1, 1)), Some(entry("/b", "1", 2, 2, 1)));

    assert_eq!(f.store.commit(Txn::create("/a", "2")).await.unwrap(), conflict(vec![a.clone()]));
    assert_eq!(f.store.commit(Txn::update("/a", Revision(2), "2")).await.unwrap(), conflict(vec![a.clone()]));
    assert_eq!(f.store.commit(Txn::delete("/c", Revision(2))).await.unwrap(), conflict(vec![None]));
    // One wrong guard of several is enough, and all are reported.
    let guards = vec![guard("/c", 0), guard("/b", 2), guard("/a", 9)];
    assert_eq!(commit(guards, vec![put("/c", "x"), delete("/b")]).await, conflict(vec![None, b, a]));
    assert_eq!(f.store.revision(), Revision(2));
    assert_eq!(text(&f.list("", None).await.entries), "/a=1@1 /b=1@2");

    // Guards may name keys that are not written.
    assert_eq!(commit(vec![guard("/a", 1), guard("/c", 0)], vec![put("/c", "x")]).await, committed(3));
    assert_eq!(f.store.commit(Txn::update("/a", Revision(1), "2")).await.unwrap(), committed(4));
    assert_eq!(f.store.commit(Txn::delete("/b", Revision(2))).await.unwrap(), committed(5));
    assert_eq!(text(&f.list("", None).await.entries), "/a=2@4 /c=x@3");
    let both = Txn::create("/d", "1").and(Txn::delete("/c", Revision(3)));
    assert_eq!(f.store.commit(both).await.unwrap(), committed(6));
    assert_eq!(text(&f.list("", None).await.entries), "/a=2@4 /d=1@6");
}

pub async fn a_transaction_is_one_revision(f: Fixture) {
    f.write(vec![put("/a", "1"), put("/b", "1")]).await;
    assert_eq!(f.write(vec![put("/c", "1"), delete("/a"), put("/b", "2")]).await, 2);
    assert_eq!(text(&f.list("", None).await.entries), "/b=2@2 /c=1@2");
    assert_eq!(text(&f.list("", Some(1)).await.entries), "/a=1@1 /b=1@1");
}

pub async fn what_changes_nothing_makes_no_revision(f: Fixture) {
    assert_eq!(f.write(vec![]).await, 0);
    f.write(vec![put("/a", "1")]).await;
    assert_eq!(f.write(vec![delete("/b")]).await, 1);
    let held = Txn { guards: vec![guard("/a", 1)], ops: vec![] };
    assert_eq!(f.store.commit(held).await.unwrap(), TxnOutcome::Committed { revision: Revision(1) });
    // The same value again is a write all the same: who does not want it does not ask for it.
    assert_eq!(f.write(vec![put("/a", "1"), delete("/b")]).await, 2);
}

pub async fn bad_transactions_are_refused(f: Fixture) {
    let long = "k".repeat(MAX_KEY + 1);
    let huge = "v".repeat(MAX_VALUE + 1);
    for ops in [
        vec![put("", "x")],
        vec![delete("")],
        vec![put(&long, "x")],
        vec![put("/ok", "x"), put("/a", &huge)],
        vec![put("/a", "x"), put("/a", "y")],
        vec![put("/a", "x"), delete("/a")],
    ] {
        let answer = f.store.commit(Txn { guards: vec![], ops }).await;
        assert!(matches!(answer, Err(Error::Invalid(_))), "{answer:?}");
    }
    assert_eq!(f.store.revision(), Revision::ZERO);
    assert_eq!(f.list("", None).await.entries, []);
    assert_eq!(f.write(vec![put(&long[1..], "x")]).await, 1);
    assert_eq!(f.list("k", None).await.entries.len(), 1);
}

pub async fn large_transactions_and_values(f: Fixture) {
    f.write((0..1000).map(|i| put(&format!("/many/{i:04}"), &i.to_string())).collect()).await;
    f.write((0..1000).map(|i| delete(&format!("/many/{i:04}"))).collect()).await;
    assert_eq!(f.list("/many/", None).await.entries, []);
    let before = f.list("/many/", Some(1)).await.entries;
    assert_eq!(before.len(), 1000);
    assert_eq!(before[417], entry("/many/0417", "417", 1, 1, 1));
    let big = "v".repeat(3 << 20);
    f.write(vec![put("/big", &big)]).await;
    f.write(vec![put("/big", "small")]).await;
    assert_eq!(f.list("/big", Some(3)).await.entries, [entry("/big", &big, 3, 3, 1)]);
}

pub async fn racing_increments_lose_nothing(f: Fixture) {
    f.write(vec![put("/n", "0")]).await;
    let increment = async |times: usize| {
        let mut done = 0;
        while done < times {
            let old = f.get("/n").await.unwrap();
            let n: u64 = std::str::from_utf8(&old.value).unwrap().parse().unwrap();
            let txn = Txn::update("/n", old.modified, (n + 1).to_string());
            if let TxnOutcome::Committed { .. } = f.store.commit(txn).await.unwrap() {
                done += 1;
            }
            tokio::task::yield_now().await;
        }
    };
    let (a, b, c, d) = (increment(20), increment(20), increment(20), increment(20));
    tokio::join!(a, b, c, d);
    assert_eq!(f.get("/n").await, Some(entry("/n", "80", 1, 81, 81)));
}
