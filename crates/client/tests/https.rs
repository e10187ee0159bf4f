//! The client against the real API server, over TLS on a loopback port.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::future::pending;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use portway_api::types::core::ConfigMap;
use portway_api::types::service::Service;
use portway_apiserver::pki::Pki;
use portway_apiserver::{ApiServer, Config};
use portway_base::ObjectKey;
use portway_client::{Action, Cache, Client, Error, Event, KubeConfig, ListOptions, Write};
use portway_store::Store;
use portway_store::memory::MemoryStore;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

struct Server {
    pki: Arc<Pki>,
    store: Arc<dyn Store>,
    address: SocketAddr,
    api: Arc<ApiServer>,
    task: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        let pki = Arc::new(Pki::ephemeral(&["127.0.0.1".to_owned(), "kubernetes".to_owned()]).unwrap());
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(pki, store, listener).await
    }

    async fn on(pki: Arc<Pki>, store: Arc<dyn Store>, listener: TcpListener) -> Self {
        let api = ApiServer::open(Config::default(), store.clone()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(api.clone().serve(listener, pki.server_config().unwrap(), pending()));
        Self { pki, store, address, api, task }
    }

    /// The same cluster from a new process, as it were: every connection is cut.
    async fn restart(self) -> Self {
        self.task.abort();
        let _ = self.task.await;
        self.api.close();
        drop(self.api);
        let listener = loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => break listener,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        Self::on(self.pki, self.store, listener).await
    }

    fn config(&self) -> KubeConfig {
        let text = self.pki.kubeconfig(&format!("https://{}", self.address)).to_string();
        KubeConfig::parse(&text, Path::new("."), None).unwrap()
    }

    fn client(&self) -> Client {
        Client::connect(self.config()).unwrap()
    }
}

fn config_map(name: &str) -> Write {
    let body =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "default", "name": name}});
    Write::of::<ConfigMap>(ObjectKey::new("default", name), Action::Create(body))
}

/// Reads events until the cache holds just these objects.
async fn follow(
    events: &mut (impl Stream<Item = Event<ConfigMap>> + Unpin),
    cache: &mut Cache<ConfigMap>,
    names: &[&str],
) {
    while !(cache.is_synced() && cache.values().map(|m| m.metadata.name.as_str()).eq(names.iter().copied())) {
        let event = tokio::time::timeout(Duration::from_secs(30), events.next()).await;
        cache.apply(event.expect("an event in time").unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_writes_and_refusals() {
    let server = Server::start().await;
    let client = server.client();
    let kubernetes: Service = client.get(&ObjectKey::new("default", "kubernetes")).await.unwrap();
    assert_eq!(kubernetes.spec.ports[0].port, 443);

    for i in 0..5 {
        client.write(&config_map(&format!("m{i}"))).await.unwrap();
    }
    let again = client.write(&config_map("m0")).await.unwrap_err();
    assert!(matches!(again, Error::AlreadyExists(_)), "{again:?}");
    let missing = client.get::<ConfigMap>(&ObjectKey::new("default", "zz")).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound(_)), "{missing:?}");
    let stale = json!({"metadata": {"resourceVersion": "1"}, "data": {"a": "b"}});
    let stale = Write::of::<ConfigMap>(ObjectKey::new("default", "m0"), Action::MergePatch(stale));
    let conflict = client.write(&stale).await.unwrap_err();
    assert!(matches!(conflict, Error::Conflict(_)), "{conflict:?}");
    let invalid = client.write(&config_map("Not_A_Name")).await.unwrap_err();
    assert!(matches!(&invalid, Error::Invalid(s) if s.details.is_some()), "{invalid:?}");

    let page = ListOptions { limit: 2, ..ListOptions::namespace("default") };
    let first = client.list::<ConfigMap>(&page).await.unwrap();
    let rest = ListOptions { limit: 0, continue_token: first.metadata.continue_token, ..page };
    assert_eq!((first.items.len(), client.list::<ConfigMap>(&rest).await.unwrap().items.len()), (2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_lives_through_a_restart_of_the_server() {
    let server = Server::start().await;
    let client = server.client();
    for i in 0..5 {
        client.write(&config_map(&format!("m{i}"))).await.unwrap();
    }
    let mut cache = Cache::new();
    let mut events = client.watch::<ConfigMap>(ListOptions { limit: 2, ..ListOptions::namespace("default") });
    follow(&mut events, &mut cache, &["m0", "m1", "m2", "m3", "m4"]).await;
    client.write(&config_map("live")).await.unwrap();
    follow(&mut events, &mut cache, &["live", "m0", "m1", "m2", "m3", "m4"]).await;

    let server = server.restart().await;
    // Another client, so that the watch has to find its own way back.
    let other = server.client();
    other.write(&config_map("later")).await.unwrap();
    other.write(&Write::delete::<ConfigMap>(ObjectKey::new("default", "m0"))).await.unwrap();
    other.write(&config_map("last")).await.unwrap();
    follow(&mut events, &mut cache, &["last", "later", "live", "m1", "m2", "m3", "m4"]).await;
    // The client itself reconnects as well.
    client.get::<ConfigMap>(&ObjectKey::new("default", "last")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_are_believed_only_with_reason() {
    let server = Server::start().await;
    let ask = |config: KubeConfig| async move {
        let client = Client::connect(config)?;
        client.get::<Service>(&ObjectKey::new("default", "kubernetes")).await.map(drop)
    };
    let with = |change: &dyn Fn(&mut KubeConfig)| {
        let mut config = server.config();
        change(&mut config);
        config
    };
    ask(server.config()).await.unwrap();
    ask(with(&|c| c.tls.server_name = Some("kubernetes".to_owned()))).await.unwrap();
    ask(with(&|c| {
        c.tls.ca = None;
        c.tls.insecure = true;
    }))
    .await
    .unwrap();
    let other_name = ask(with(&|c| c.tls.server_name = Some("elsewhere".to_owned()))).await.unwrap_err();
    assert!(matches!(&other_name, Error::Transport(text) if text.contains("certificate")), "{other_name:?}");
    let other_ca = Pki::ephemeral(&["127.0.0.1".to_owned()]).unwrap().ca().as_bytes().to_vec();
    let unknown = ask(with(&|c| c.tls.ca = Some(other_ca.clone()))).await.unwrap_err();
    assert!(matches!(&unknown, Error::Transport(text) if text.contains("certificate")), "{unknown:?}");
    let nobody = ask(with(&|c| c.identity = None)).await.unwrap_err();
    assert!(matches!(nobody, Error::Unauthorized(_) | Error::Forbidden(_)), "{nobody:?}");
    let garbage = ask(with(&|c| c.tls.ca = Some(b"nonsense".to_vec()))).await.unwrap_err();
    assert!(matches!(&garbage, Error::Config(text) if text.contains("certificate-authority")), "{garbage:?}");
    let closed = ask(with(&|c| c.server = "https://127.0.0.1:1".to_owned())).await.unwrap_err();
    assert!(matches!(closed, Error::Transport(_)), "{closed:?}");
}
