//! What a server in memory does in a second: creates, lists, watch fan-out.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use bytes::Bytes;
use divan::Bencher;
use divan::counter::ItemsCount;
use http::Request;
use http_body_util::{BodyExt, Full};
use portway_apiserver::{ApiServer, Body, Config, Identity};
use portway_store::memory::MemoryStore;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tower_service::Service;

const MAPS: &str = "/api/v1/namespaces/default/configmaps";
const SERVICES: &str = "/api/v1/namespaces/default/services";

fn main() {
    divan::main();
}

async fn open() -> Arc<ApiServer> {
    ApiServer::open(Config::default(), Arc::new(MemoryStore::new())).await.unwrap()
}

async fn ask(server: &Arc<ApiServer>, method: &str, path: &str, body: String) -> http::Response<Body> {
    let request = Request::builder().method(method).uri(path).body(Full::new(Bytes::from(body))).unwrap();
    server.service(Identity::admin()).call(request).await.unwrap()
}

async fn text(response: http::Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

fn config_map(name: &str) -> String {
    json!({"metadata": {"name": name, "labels": {"app": "bench"}}, "data": {"key": "value"}}).to_string()
}

fn service(name: &str) -> String {
    json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "name": "http"}]},
    })
    .to_string()
}

/// Creates by several clients at once.
#[divan::bench(args = [1, 16], sample_count = 10)]
fn create_config_maps(bencher: Bencher<'_, '_>, clients: usize) {
    const EACH: usize = 200;
    let runtime = Runtime::new().unwrap();
    bencher.counter(ItemsCount::new(clients * EACH)).with_inputs(|| runtime.block_on(open())).bench_values(
        |server| {
            runtime.block_on(async {
                let writers: Vec<_> = (0..clients)
                    .map(|client| {
                        let server = server.clone();
                        tokio::spawn(async move {
                            for round in 0..EACH {
                                let body = config_map(&format!("c{client}-{round}"));
                                assert_eq!(ask(&server, "POST", MAPS, body).await.status(), 201);
                            }
                        })
                    })
                    .collect();
                for writer in writers {
                    writer.await.unwrap();
                }
            });
        },
    );
}

/// Creates of Services, with an address each.
#[divan::bench(args = [1, 16], sample_count = 10)]
fn create_services(bencher: Bencher<'_, '_>, clients: usize) {
    const EACH: usize = 100;
    let runtime = Runtime::new().unwrap();
    bencher.counter(ItemsCount::new(clients * EACH)).with_inputs(|| runtime.block_on(open())).bench_values(
        |server| {
            runtime.block_on(async {
                let writers: Vec<_> = (0..clients)
                    .map(|client| {
                        let server = server.clone();
                        tokio::spawn(async move {
                            for round in 0..EACH {
                                let body = service(&format!("s{client}-{round}"));
                                assert_eq!(ask(&server, "POST", SERVICES, body).await.status(), 201);
                            }
                        })
                    })
                    .collect();
                for writer in writers {
                    writer.await.unwrap();
                }
            });
        },
    );
}

fn with_services(runtime: &Runtime, count: usize) -> Arc<ApiServer> {
    runtime.block_on(async {
        let server = open().await;
        for index in 0..count {
            assert_eq!(ask(&server, "POST", SERVICES, service(&format!("s{index}"))).await.status(), 201);
        }
        server
    })
}

/// A list of 2,000 Services, joined from the cached bytes.
#[divan::bench]
fn list_services_joined(bencher: Bencher<'_, '_>) {
    let runtime = Runtime::new().unwrap();
    let server = with_services(&runtime, 2000);
    bencher.bench(|| {
        runtime.block_on(async { text(ask(&server, "GET", SERVICES, String::new()).await).await.len() })
    });
}

/// The same list, decoded and encoded again: what joining saves.
#[divan::bench]
fn list_services_encoded_again(bencher: Bencher<'_, '_>) {
    let runtime = Runtime::new().unwrap();
    let server = with_services(&runtime, 2000);
    let bytes = runtime.block_on(async { text(ask(&server, "GET", SERVICES, String::new()).await).await });
    let list: Value = serde_json::from_slice(&bytes).unwrap();
    bencher.bench(|| serde_json::to_vec(&list).unwrap().len());
}

/// One write seen by many watches.
#[divan::bench(args = [1, 100, 1000], sample_count = 20)]
fn watch_fan_out(bencher: Bencher<'_, '_>, watches: usize) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(open());
    runtime.block_on(ask(&server, "POST", MAPS, config_map("c")));
    let (seen, mut count) = tokio::sync::mpsc::unbounded_channel();
    for _ in 0..watches {
        let (server, seen) = (server.clone(), seen.clone());
        runtime.spawn(async move {
            let path = format!("{MAPS}?watch=1&resourceVersion={}", server.revision());
            let mut body = ask(&server, "GET", &path, String::new()).await.into_body();
            let _ = seen.send(());
            while let Some(Ok(_)) = body.frame().await {
                let _ = seen.send(());
            }
        });
    }
    runtime.block_on(async {
        for _ in 0..watches {
            count.recv().await.unwrap();
        }
    });
    let mut round = 0u64;
    bencher.counter(ItemsCount::new(watches)).bench_local(|| {
        round += 1;
        let body = json!({"metadata": {"name": "c"}, "data": {"round": round.to_string()}}).to_string();
        runtime.block_on(async {
            assert_eq!(ask(&server, "PUT", &format!("{MAPS}/c"), body).await.status(), 200);
            for _ in 0..watches {
                count.recv().await.unwrap();
            }
        });
    });
}
