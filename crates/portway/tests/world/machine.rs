//! `portway up` on the sandbox's root namespace, as on a machine.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portway_client::{Client, KubeConfig};

/// Path of the binary under test.
pub const PORTWAY: &str = env!("CARGO_BIN_EXE_portway");

/// A running `portway up`; killed without warning when dropped.
pub struct Machine {
    process: Child,
    kubeconfig: PathBuf,
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Machine {
    /// Starts on `data_dir`, listening on loopback.
    pub fn start(data_dir: &Path) -> Self {
        let process = Command::new(PORTWAY)
            .args([
                "--log-level",
                "warn",
                "up",
                "--node-name",
                "machine",
                "--listen",
                "127.0.0.1:6443",
                "--data-dir",
            ])
            .arg(data_dir)
            .stdin(Stdio::null())
            .spawn()
            .expect("portway up starts");
        Self { process, kubeconfig: data_dir.join("admin.kubeconfig") }
    }

    /// A client, once the server answers.
    pub async fn client(&mut self) -> Client {
        let start = Instant::now();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("portway up ended: {status}");
            }
            if let Ok(config) = KubeConfig::load(&self.kubeconfig) {
                let client = Client::connect(config).unwrap();
                if client.request(http::Method::GET, "/readyz", &serde_json::Value::Null).await.is_ok()
                    || client
                        .request(http::Method::GET, "/api/v1/namespaces/default", &serde_json::Value::Null)
                        .await
                        .is_ok()
                {
                    return client;
                }
            }
            assert!(start.elapsed() < Duration::from_secs(20), "portway up does not answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
