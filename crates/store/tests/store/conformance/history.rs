//! Lists, now and in the past, and what compaction leaves of them.

use portway_base::Revision;
use portway_store::Error;

use crate::engines::{Fixture, delete, put, text};

pub async fn lists_are_ordered_and_prefixed(f: Fixture) {
    for key in ["/b/2", "/b/10", "/a", "/b", "/b0", "/b/ä", "/b/", "/c/1", "/b/\u{10ffff}"] {
        f.write(vec![put(key, "")]).await;
    }
    let keys = async |prefix| {
        f.list(prefix, None).await.entries.iter().map(|e| e.key.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(keys("/b/").await, ["/b/", "/b/10", "/b/2", "/b/ä", "/b/\u{10ffff}"]);
    assert_eq!(keys("/b").await.len(), 7);
    assert_eq!(keys("").await.len(), 9);
    assert_eq!(keys("/d").await.len(), 0);
    assert_eq!(keys("/c/1").await, ["/c/1"]);
}

pub async fn lists_are_cut_and_continued(f: Fixture) {
    for i in 0..10 {
        f.write(vec![put(&format!("/x/{i}"), "")]).await;
    }
    f.write(vec![put("/w", ""), put("/y", "")]).await;
    let check = async |after: Option<&str>, limit, expect: &[u32], remaining| {
        let page = f.store.list("/x/", after, limit, None).await.unwrap();
        let keys: Vec<_> = page.entries.iter().map(|e| e.key.to_string()).collect();
        let expect: Vec<_> = expect.iter().map(|i| format!("/x/{i}")).collect();
        assert_eq!(
            (keys, page.remaining, page.more),
            (expect, remaining, remaining > 0),
            "{after:?} {limit}"
        );
    };
    check(None, 3, &[0, 1, 2], 7).await;
    check(Some("/x/2"), 3, &[3, 4, 5], 4).await;
    check(Some("/x/2/absent"), 2, &[3, 4], 5).await;
    check(Some("/x/6"), 3, &[7, 8, 9], 0).await;
    check(Some("/x/9"), 3, &[], 0).await;
    check(Some("/x/7"), 0, &[8, 9], 0).await;
    check(Some("/a"), 10, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], 0).await;
    check(Some("/z"), 10, &[], 0).await;
}

pub async fn pages_show_one_snapshot(f: Fixture) {
    f.write((0..20).map(|i| put(&format!("/x/{i:02}"), "old")).collect()).await;
    let mut seen = Vec::new();
    let mut page = f.store.list("/x/", None, 3, None).await.unwrap();
    let snapshot = page.revision;
    let mut round = 0;
    loop {
        assert_eq!(page.revision, snapshot);
        let rest = 20 - seen.len() - page.entries.len();
        assert_eq!((page.more, page.remaining), (rest > 0, rest as u64));
        seen.extend(page.entries);
        if !page.more {
            break;
        }
        // Change everything around the next page.
        f.write(vec![
            put(&format!("/x/{round:02}"), "new"),
            put(&format!("/x/{:02}", round + 3), "new"),
            delete(&format!("/x/{:02}", 19 - round)),
            put(&format!("/x/{round:02}+"), "new"),
        ])
        .await;
        round += 1;
        let after = seen.last().unwrap().key.clone();
        page = f.store.list("/x/", Some(&after), 3, Some(snapshot)).await.unwrap();
    }
    let expect: Vec<_> = (0..20).map(|i| format!("/x/{i:02}=old@1")).collect();
    assert_eq!(text(&seen), expect.join(" "));
}

pub async fn older_revisions_can_be_listed(f: Fixture) {
    f.write(vec![put("/a", "1")]).await;
    f.write(vec![put("/b", "1")]).await;
    f.write(vec![put("/a", "2")]).await;
    f.write(vec![delete("/b")]).await;
    f.write(vec![put("/b", "3"), put("/c", "1")]).await;
    f.write(vec![delete("/a")]).await;
    let check = async |at, expect: &str| {
        let page = f.list("/", Some(at)).await;
        assert_eq!((text(&page.entries).as_str(), page.revision), (expect, Revision(at)));
    };
    check(0, "").await;
    check(1, "/a=1@1").await;
    check(2, "/a=1@1 /b=1@2").await;
    check(3, "/a=2@3 /b=1@2").await;
    check(4, "/a=2@3").await;
    check(5, "/a=2@3 /b=3@5 /c=1@5").await;
    check(6, "/b=3@5 /c=1@5").await;
    let page = f.store.list("/", None, 1, Some(Revision(2))).await.unwrap();
    assert_eq!((text(&page.entries).as_str(), page.remaining), ("/a=1@1", 1));
    let page = f.store.list("/", Some("/a"), 1, Some(Revision(5))).await.unwrap();
    assert_eq!((text(&page.entries).as_str(), page.remaining), ("/b=3@5", 1));
}

pub async fn the_future_is_refused(f: Fixture) {
    f.write(vec![put("/a", "1")]).await;
    let future = Error::FutureRevision { current: Revision(1) };
    assert_eq!(f.store.list("", None, 0, Some(Revision(2))).await, Err(future.clone()));
    assert_eq!(f.store.watch("", Revision(2)).await.err(), Some(future.clone()));
    assert_eq!(f.store.compact(Revision(2)).await, Err(future));
}

pub async fn compaction_forgets_only_the_past(f: Fixture) {
    f.write(vec![put("/a", "1"), put("/gone", "1")]).await;
    f.write(vec![put("/b", "1")]).await;
    f.write(vec![put("/a", "2"), delete("/gone")]).await;
    f.write(vec![put("/a", "3")]).await;
    f.write(vec![put("/a", "4")]).await;
    f.store.compact(Revision(4)).await.unwrap();
    let compacted = Error::Compacted { oldest: Revision(4) };
    for at in 0..4 {
        assert_eq!(f.store.list("", None, 0, Some(Revision(at))).await, Err(compacted.clone()));
        assert_eq!(f.store.watch("", Revision(at)).await.err(), Some(compacted.clone()));
    }
    assert_eq!(text(&f.list("", Some(4)).await.entries), "/a=3@4 /b=1@2");
    assert_eq!(text(&f.list("", None).await.entries), "/a=4@5 /b=1@2");
    assert_eq!(f.store.revision(), Revision(5));
    // Again, and further back: nothing to do.
    f.store.compact(Revision(4)).await.unwrap();
    f.store.compact(Revision(2)).await.unwrap();
    assert_eq!(text(&f.list("", Some(4)).await.entries), "/a=3@4 /b=1@2");
    f.store.compact(Revision(5)).await.unwrap();
    assert_eq!(
        f.store.list("", None, 0, Some(Revision(4))).await,
        Err(Error::Compacted { oldest: Revision(5) })
    );
    assert_eq!(f.write(vec![put("/b", "2")]).await, 6);
    assert_eq!(text(&f.list("", Some(5)).await.entries), "/a=4@5 /b=1@2");
}
