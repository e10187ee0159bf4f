//! How soon a fresh `portway up` is of use, and what it weighs then. Everything is seen from other processes.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use portway_api::types::discovery::EndpointSlice;
use portway_api::types::service::Service;
use portway_base::ObjectKey;
use portway_client::{Client, KubeConfig, ListOptions};
use serde_json::{Value, json};

use super::Figure;
use crate::{sandbox, world};

/// A `portway up --sandbox` in a process of its own; killed when dropped.
struct Subject {
    name: String,
    process: Child,
    began: Instant,
}

impl Drop for Subject {
    fn drop(&mut self) {
        let stop = Command::new(std::env::current_exe().unwrap_or_default())
            .args(["sandbox", "stop", &self.name])
            .output();
        if stop.is_err() {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

#[derive(Default)]
struct Samples {
    first_write: Vec<f64>,
    first_request: Vec<f64>,
    rss: Vec<f64>,
}

/// Runs the whole measurement `runs` times.
pub fn measure(runs: u32) -> anyhow::Result<Vec<Figure>> {
    let mut samples = Samples::default();
    for run in 0..runs {
        world::runtime()?.block_on(once(run, &mut samples))?;
    }
    let figures = [
        Figure::of("process start to first accepted write", "ms", samples.first_write),
        Figure::of("Pod created to first answer through its ClusterIP", "ms", samples.first_request),
        Figure::of("resident memory, idle, with the demo's objects", "MB", samples.rss),
    ];
    Ok(figures.into_iter().flatten().collect())
}

async fn once(run: u32, samples: &mut Samples) -> anyhow::Result<()> {
    let subject = start(&format!("bench-{}-{run}", std::process::id()))?;
    let client = connect(&subject).await?;
    samples.first_write.push(millis(subject.began));
    let address = client.get::<Service>(&ObjectKey::new("default", "bench")).await?.spec.cluster_ip;

    // One can step in once the sandbox is noted.
    while sandbox::Note::read(&sandbox::directory(&subject.name)?).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut asking = Command::new(std::env::current_exe()?)
        .args(["sandbox", "exec", "--name", &subject.name, "node-1", "--"])
        .arg(std::env::current_exe()?)
        .args(["probe", "--patient", "-n", "1", "--timeout", "1000", &format!("http://{address}/")])
        .stdout(Stdio::null())
        .spawn()?;
    // The asking process is to be asking already when the Pod is made.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let created = Instant::now();
    post(&client, "/api/v1/namespaces/default/pods", &pod()).await?;
    let status = tokio::task::spawn_blocking(move || asking.wait()).await??;
    if !status.success() {
        bail!("no answer through ClusterIP {address}");
    }
    samples.first_request.push(millis(created));

    crate::demo::create_examples(&client).await?;
    settled(&client).await?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    samples.rss.push(resident(&subject.name)?);
    Ok(())
}

fn start(name: &str) -> anyhow::Result<Subject> {
    // The port is free at this moment; nothing else on this machine asks for it in between, or the start fails.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let began = Instant::now();
    let process = Command::new(std::env::current_exe()?)
        .args([
            "--log-level",
            "error",
            "up",
            "--sandbox",
            "--name",
            name,
            "--listen",
            &format!("127.0.0.1:{port}"),
        ])
        .stdin(Stdio::null())
        .spawn()
        .context("cannot start portway up")?;
    Ok(Subject { name: name.to_owned(), process, began })
}

/// A client whose first write, a Service, has been accepted.
async fn connect(subject: &Subject) -> anyhow::Result<Client> {
    let kubeconfig = sandbox::directory(&subject.name)?.join("kubeconfig");
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "bench"},
        "spec": {"selector": {"app": "bench"}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    loop {
        let tried = async {
            let client = Client::connect(KubeConfig::load(&kubeconfig)?)?;
            post(&client, "/api/v1/namespaces/default/services", &service).await?;
            anyhow::Ok(client)
        };
        match tried.await {
            Ok(client) => return Ok(client),
            Err(error) if subject.began.elapsed() > Duration::from_secs(20) => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    }
}

async fn post(client: &Client, path: &str, body: &Value) -> anyhow::Result<()> {
    client.request(http::Method::POST, path, body).await?;
    Ok(())
}

fn pod() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bench", "labels": {"app": "bench"}},
        "spec": {"containers": [{"name": "server", "image": "portway.dev/echo", "command": ["portway", "echo", "--http=8080"]}]},
    })
}

/// Waits until every example Service with a selector has its endpoints.
async fn settled(client: &Client) -> anyhow::Result<()> {
    for _ in 0..1000 {
        let slices = client.list::<EndpointSlice>(&ListOptions::namespace("default")).await?.items;
        let ready =
            slices.iter().flat_map(|s| &s.endpoints).filter(|e| e.conditions.ready != Some(false)).count();
        // my-service 3, balanced 6, front-door 6, every-pod 3, bench 1, and the API server's own.
        if ready >= 19 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    bail!("the example Pods did not become ready within 20 s")
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Resident memory of a sandbox's process in MB.
fn resident(name: &str) -> anyhow::Result<f64> {
    let pid = sandbox::Note::read(&sandbox::directory(name)?).context("the sandbox is not noted")?.pid;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
