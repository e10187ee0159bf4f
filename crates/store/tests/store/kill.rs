//! `kill -9` at any moment: a child process writes and says what was acknowledged, until it is killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use portway_base::Revision;
use portway_store::embedded::EmbeddedStore;
use portway_store::{Op, Store, Txn, TxnOutcome};

const DIRECTORY: &str = "STORE_KILL_DIRECTORY";
const WRITERS: usize = 8;

/// Not a test of its own: the child's main function. Does nothing unless it is a child.
#[test]
fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    runtime.block_on(async {
        let store = EmbeddedStore::open(Path::new(&directory)).unwrap();
        let writers = (0..WRITERS).map(|writer| write_forever(&store, writer));
        // Polled together on one thread: they share commits.
        let _: Vec<()> = futures_join(writers).await;
    });
}

async fn futures_join<F: Future<Output = ()>>(futures: impl Iterator<Item = F>) -> Vec<()> {
    let mut all: Vec<_> = futures.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        for future in &mut all {
            let _ = future.as_mut().poll(context);
        }
        std::task::Poll::<Vec<()>>::Pending
    })
    .await
}

/// Writes ever higher numbers to two keys at once; says each number once it is acknowledged.
async fn write_forever(store: &EmbeddedStore, writer: usize) {
    let (a, b) = (format!("/{writer}/a"), format!("/{writer}/b"));
    let mut number = value(store, &a).await;
    loop {
        number += 1;
        let put = |key: &str| Op::Put { key: key.into(), value: number.to_string().into() };
        let txn = Txn { guards: vec![], ops: vec![put(&a), put(&b)] };
        let TxnOutcome::Committed { revision } = store.commit(txn).await.unwrap() else {
            panic!("a conflict")
        };
        // One write call: the line is in the pipe whole, or not at all.
        let line = format!("\nacknowledged {writer} {number} {revision}\n");
        std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
        if number % 50 == 0 {
            store.compact(Revision(revision.0.saturating_sub(100))).await.unwrap();
        }
    }
}

async fn value(store: &EmbeddedStore, key: &str) -> u64 {
    let entry = store.get(key).await.unwrap().1;
    entry.map_or(0, |entry| std::str::from_utf8(&entry.value).unwrap().parse().unwrap())
}

/// Ends the child however the test ends.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(directory: &Path) -> Killed {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::child", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .stdout(Stdio::piped())
        .spawn();
    Killed(child.unwrap())
}

#[tokio::test]
async fn every_acknowledged_write_survives_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut acknowledged: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
    let (mut last, mut total) = (0, 0);
    for round in 0..30 {
        let mut child = spawn(&path);
        let output = BufReader::new(child.0.stdout.take().unwrap());
        // Most are killed while they write, some while they open.
        let pause = Duration::from_micros(rng.u64(..60_000));
        let early = round % 5 == 0;
        let reader = std::thread::spawn(move || {
            let mut lines =
                output.lines().map_while(Result::ok).filter(|line| line.starts_with("acknowledged"));
            let first = if early { None } else { lines.next() };
            std::thread::sleep(pause);
            child.0.kill().unwrap();
            // What it said before it died counts.
            first.into_iter().chain(lines).collect::<Vec<_>>()
        });
        for line in reader.join().unwrap() {
            let numbers: Vec<u64> = line.split(' ').skip(1).map(|word| word.parse().unwrap()).collect();
            let [writer, number, revision] = numbers[..] else { panic!("{line}") };
            acknowledged.insert(writer as usize, (number, revision));
            last = last.max(revision);
            total += 1;
        }

        let store = EmbeddedStore::open(&path).unwrap();
        assert!(store.revision().0 >= last, "seed {seed}, round {round}");
        for writer in 0..WRITERS {
            let (a, b) = (format!("/{writer}/a"), format!("/{writer}/b"));
            let number = value(&store, &a).await;
            assert_eq!(number, value(&store, &b).await, "seed {seed}, round {round}: half a transaction");
            let (least, revision) = acknowledged.get(&writer).copied().unwrap_or_default();
            assert!(
                number >= least,
                "seed {seed}, round {round}: {least} was acknowledged, {number} is there"
            );
            if number == least && number > 0 {
                assert_eq!(store.get(&a).await.unwrap().1.unwrap().modified, Revision(revision));
            }
        }
    }
    assert!(total > 100, "{total} writes were acknowledged in all rounds");
}
