//! Store, API server and controllers of a world.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use portway_apiserver::pki::Pki;
use portway_apiserver::podlogs::PodLogs;
use portway_apiserver::{ApiServer, Config, Identity};
use portway_client::Client;
use portway_controllers::{ControllerConfig, Controllers};
use portway_store::embedded::EmbeddedStore;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Layout, stopped};

/// The control plane, running.
pub struct ControlPlane {
    server: Arc<ApiServer>,
    ca: String,
}

impl ControlPlane {
    /// Opens the store and starts server and controllers; `listeners` answer from then on.
    pub async fn start(
        layout: &Layout,
        listeners: Vec<(std::net::TcpListener, SocketAddr)>,
        advertise: SocketAddr,
        pod_logs: Arc<dyn PodLogs>,
        tasks: &mut JoinSet<()>,
        stop: &watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let store = EmbeddedStore::open(&layout.data_dir.join("store"))
            .with_context(|| format!("cannot open the store in {}", layout.data_dir.display()))?;
        let config = Config {
            service_cidrs: layout.service_cidrs.clone(),
            node_port_range: layout.node_ports.clone(),
            advertise,
            data_dir: Some(layout.data_dir.join("pki")),
            cluster_domain: layout.cluster_domain.clone(),
            pod_logs: Some(pod_logs),
            ..Config::default()
        };
        let pki = Pki::ensure(&layout.data_dir.join("pki"), &config.subject_alt_names())?;
        let tls = pki.server_config()?;
        let server = ApiServer::open(config, Arc::new(store)).await.context("cannot open the API server")?;
        let outside = listeners.first().map_or(advertise, |(_, address)| *address);
        for (listener, address) in listeners {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            tasks.spawn(server.clone().serve(listener, tls.clone(), stopped(stop.clone())));
            tracing::info!(%address, "API server listens");
        }
        let plane = Self { server, ca: pki.ca().to_owned() };
        write_secret(&layout.kubeconfig, &pki.kubeconfig(&format!("https://{outside}")).to_string())?;
        let controllers = Controllers::new(
            plane.client("controllers"),
            ControllerConfig { root_ca: Some(plane.ca.clone()), ..ControllerConfig::default() },
        );
        tasks.spawn(controllers.run(stopped(stop.clone())));
        Ok(plane)
    }

    /// A client without a socket, for component `name`.
    pub fn client(&self, name: &str) -> Client {
        Client::in_process(self.server.service(Identity::component(name))).named(name)
    }
}

/// Writes a file that only its owner may read; a file that exists is replaced as a whole.
pub fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let what = || format!("cannot write {}", path.display());
    if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        fs::create_dir_all(parent).with_context(what)?;
    }
    let mut name = path.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(what)?;
    // The mode above holds only for a file that is new.
    file.set_permissions(fs::Permissions::from_mode(0o600)).with_context(what)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).with_context(what)?;
    fs::rename(&temporary, path).with_context(what)
}
