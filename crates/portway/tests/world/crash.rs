//! `kill -9` at random moments of a write load.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http::Method;
use portway_api::types::core::ConfigMap;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_client::{Client, ListOptions};
use serde_json::{Value, json};

use crate::machine::Machine;

const KILLS: usize = 100;
const WRITERS: usize = 4;

/// Every acknowledged write is there afterwards, traffic and an open connection go on while nothing runs, the Pod
/// is adopted rather than restarted.
pub fn a_killed_portway_loses_nothing() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(run());
    Ok(())
}

async fn run() {
    let data = tempfile::tempdir().unwrap();
    let seed = std::env::var("PORTWAY_TEST_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| fastrand::u64(..));
    println!("PORTWAY_TEST_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);

    let mut machine = Machine::start(data.path());
    let mut client = machine.client().await;
    create(
        &client,
        "services",
        &json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }),
    )
    .await
    .unwrap();
    create(&client, "pods", &json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "labels": {"app": "web"}},
        "spec": {"containers": [{"name": "server", "image": "portway.dev/echo", "command": ["portway", "echo", "--http=8080"]}]},
    })).await.unwrap();
    let vip = client.get::<Service>(&ObjectKey::new("default", "web")).await.unwrap().spec.cluster_ip;
    let mut kept = Kept::open(&vip);
    assert!(kept.ask().starts_with("web "));

    let acknowledged = Arc::new(Mutex::new(BTreeSet::new()));
    for round in 0..KILLS {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write(client.clone(), format!("r{round}-w{writer}"), acknowledged.clone()))
            })
            .collect();
        tokio::time::sleep(Duration::from_micros(rng.u64(1_000..60_000))).await;
        machine.kill();
        for writer in writers {
            writer.abort();
        }
        assert!(kept.ask().starts_with("web "), "the open connection goes on while nothing runs");
        assert!(Kept::open(&vip).ask().starts_with("web "), "new connections too");

        machine = Machine::start(data.path());
        client = machine.client().await;
        let there: BTreeSet<String> = client
            .list::<ConfigMap>(&ListOptions::namespace("default"))
            .await
            .unwrap()
            .items
            .into_iter()
            .map(|map| map.metadata.name)
            .collect();
        let lost: Vec<_> = acknowledged.lock().unwrap().difference(&there).cloned().collect();
        assert!(lost.is_empty(), "round {round}: acknowledged and lost: {lost:?}");
        assert!(kept.ask().starts_with("web "), "the open connection goes on after the restart");
    }
    assert!(acknowledged.lock().unwrap().len() > KILLS, "the writers wrote");
    let pod: Pod = client.get(&ObjectKey::new("default", "web")).await.unwrap();
    let restarts = pod.status.container_statuses.first().map(|s| s["restartCount"].clone());
    assert_eq!(restarts, Some(json!(0)), "the Pod was adopted, not restarted");
}

async fn create(client: &Client, resource: &str, body: &Value) -> Result<Value, portway_client::Error> {
    client.request(Method::POST, &format!("/api/v1/namespaces/default/{resource}"), body).await
}

async fn write(client: Client, prefix: String, acknowledged: Arc<Mutex<BTreeSet<String>>>) {
    for i in 0.. {
        let name = format!("{prefix}-{i}");
        let body =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"k": "v"}});
        if create(&client, "configmaps", &body).await.is_err() {
            return;
        }
        acknowledged.lock().unwrap().insert(name);
    }
}

/// One HTTP connection that is kept.
struct Kept {
    stream: BufReader<TcpStream>,
}

impl Kept {
    fn open(vip: &str) -> Self {
        let start = Instant::now();
        loop {
            match TcpStream::connect_timeout(&format!("{vip}:80").parse().unwrap(), Duration::from_secs(1)) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                    return Self { stream: BufReader::new(stream) };
                }
                Err(error) => {
                    assert!(start.elapsed() < Duration::from_secs(10), "cannot connect to {vip}: {error}")
                }
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn ask(&mut self) -> String {
        self.stream.get_mut().write_all(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n").unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }
}
