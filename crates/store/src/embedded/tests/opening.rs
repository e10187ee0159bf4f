//! Opening: what is created, what is refused.

use std::fs;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

use portway_base::Revision;

use crate::embedded::EmbeddedStore;
use crate::{Error, Store, Txn};

async fn filled(dir: &Path, keys: usize) {
    let store = EmbeddedStore::open(dir).unwrap();
    for i in 0..keys {
        store.commit(Txn::create(format!("/k/{i:05}"), vec![b'v'; 300])).await.unwrap();
    }
}

/// The error with the file's own path taken out.
fn refusal(dir: &Path) -> Error {
    EmbeddedStore::open(dir).err().unwrap()
}

#[tokio::test]
async fn files_are_private_and_the_path_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("a/b");
    filled(&inner, 1).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir.path().join("a")), 0o700);
    assert_eq!(mode(&inner), 0o700);
    assert_eq!(mode(&inner.join("store.redb")), 0o600);
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
}

#[tokio::test]
async fn closing_and_opening_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 20).await;
    let store = EmbeddedStore::open(dir.path()).unwrap();
    assert_eq!(store.revision(), Revision(20));
    store.compact(Revision(7)).await.unwrap();
    drop(store);
    let store = EmbeddedStore::open(dir.path()).unwrap();
    assert_eq!(store.list("", None, 0, Some(Revision(7))).await.unwrap().entries.len(), 7);
    let compacted = Err(Error::Compacted { oldest: Revision(7) });
    assert_eq!(store.list("", None, 0, Some(Revision(6))).await, compacted);
}

#[tokio::test]
async fn a_directory_is_used_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let first = EmbeddedStore::open(dir.path()).unwrap();
    let watch = first.watch("/", Revision::ZERO).await.unwrap();
    let expect = format!("store in use: another process has data directory {} open", dir.path().display());
    assert_eq!(refusal(dir.path()).to_string(), expect);
    first.commit(Txn::create("/a", "1")).await.unwrap();
    // A watch that lives on does not keep the directory.
    drop(first);
    EmbeddedStore::open(dir.path()).unwrap();
    drop(watch);
}

#[tokio::test]
async fn an_unfinished_creation_is_started_over() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("store.redb.new"), vec![0; 100_000]).unwrap();
    filled(dir.path(), 1).await;
    assert_eq!(EmbeddedStore::open(dir.path()).unwrap().revision(), Revision(1));
}

#[test]
fn what_is_no_store_is_refused() {
    let check = |content: &[u8]| {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("store.redb"), content).unwrap();
        let error = refusal(dir.path());
        assert!(matches!(error, Error::Corrupt(_)), "{error}");
        assert!(error.to_string().contains("store.redb"), "{error}");
        assert_eq!(fs::read(dir.path().join("store.redb")).unwrap(), content);
    };
    check(b"hello");
    check(&vec![0; 100_000]);
    check(&b"#!/bin/sh\n".repeat(1000));
}

#[test]
fn anothers_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let other = redb::Database::create(dir.path().join("store.redb")).unwrap();
    let txn = other.begin_write().unwrap();
    let table = redb::TableDefinition::<u64, u64>::new("other");
    txn.open_table(table).unwrap().insert(1, 1).unwrap();
    txn.commit().unwrap();
    drop(other);
    assert!(matches!(refusal(dir.path()), Error::Corrupt(_)));
}

#[test]
fn an_unusable_directory_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), "").unwrap();
    let error = refusal(&dir.path().join("file/data"));
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
    assert!(error.to_string().contains("file"), "{error}");
}

#[tokio::test]
async fn damage_is_found_or_harmless() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path(), 200).await;
    let file = dir.path().join("store.redb");
    let sound = fs::read(&file).unwrap();
    let mut rng = fastrand::Rng::with_seed(1);
    let mut found = 0;
    for _ in 0..60 {
        fs::write(&file, &sound).unwrap();
        let open = fs::OpenOptions::new().write(true).open(&file).unwrap();
        match rng.u8(..4) {
            0 => open.set_len(rng.u64(1..sound.len() as u64)).unwrap(),
            _ => {
                let at = rng.u64(..sound.len() as u64 - 64);
                open.write_all_at(&std::array::from_fn::<u8, 64, _>(|_| rng.u8(..)), at).unwrap();
            }
        }
        match EmbeddedStore::open(dir.path()) {
            Err(Error::Corrupt(_)) => found += 1,
            Err(error) => panic!("{error}"),
            // Free space was hit: everything is there.
            Ok(store) => assert_eq!(store.list("/k/", None, 0, None).await.unwrap().entries.len(), 200),
        }
    }
    assert!(found > 0);
}
