//! What the tour acts on: the running world, seen as its users see it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use portway_api::types::discovery::{EndpointSlice, LABEL_SERVICE_NAME};
use portway_api::types::pod::Pod;
use portway_client::{Client, ListOptions};

use super::tour::Tour;
use crate::cmd::probe::Tally;

/// The world from outside.
pub struct Scene {
    /// Reads objects.
    pub client: Client,
    /// Kubeconfig of the administrator.
    pub kubeconfig: PathBuf,
    /// Where the node agents keep their state.
    pub state_dir: PathBuf,
    /// A kubectl, if the machine has one.
    pub kubectl: Option<PathBuf>,
}

impl Scene {
    /// Applies a manifest with kubectl; without one, through the API's server-side counterpart of `kubectl create`.
    pub async fn apply(&self, tour: &Tour, name: &str, manifest: &'static str) -> anyhow::Result<()> {
        let Some(kubectl) = &self.kubectl else {
            tour.did(format_args!("apply {name}  (no kubectl on this machine: using Portway's own client)"));
            return super::manifest::create(&self.client, manifest).await;
        };
        tour.did(format_args!("kubectl apply -f {name}"));
        let mut command = Command::new(kubectl);
        command.arg("--kubeconfig").arg(&self.kubeconfig).args(["apply", "-f", "-"]);
        tour.saw(run(command, Some(manifest)).await?);
        Ok(())
    }

    /// Runs kubectl for its output, if there is one.
    pub async fn show(&self, tour: &Tour, arguments: &[&str]) -> anyhow::Result<()> {
        if let Some(kubectl) = &self.kubectl {
            tour.did(format_args!("kubectl {}", arguments.join(" ")));
            let mut command = Command::new(kubectl);
            command.arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
            tour.saw(run(command, None).await?);
        }
        Ok(())
    }

    /// Runs `portway ARGUMENTS` in a Pod, with its resolv.conf, for its output.
    pub async fn in_pod(&self, tour: &Tour, pod: &str, arguments: &[&str]) -> anyhow::Result<String> {
        tour.did(format_args!("in Pod {pod}: portway {}", arguments.join(" ")));
        let mut command = Command::new(myself()?);
        command.args(arguments);
        let (data_dir, pod) = (self.state_dir.clone(), pod.to_owned());
        run_with(command, None, move |command| {
            crate::world::spawn_in_pod(&data_dir, "default", &pod, command)
        })
        .await
    }

    /// Runs `portway ARGUMENTS` on a node or on the outside client, for its output.
    pub async fn on(&self, tour: &Tour, host: &str, arguments: &[&str]) -> anyhow::Result<String> {
        tour.did(format_args!("on {host}: portway {}", arguments.join(" ")));
        let mut command = portway_netns::Namespace::open(host)?.command(myself()?);
        command.args(arguments);
        run(command, None).await
    }

    /// The Pods of the example application that exist and are not being deleted.
    pub async fn app_pods(&self) -> anyhow::Result<Vec<Pod>> {
        let pods =
            self.client.list::<Pod>(&ListOptions::namespace("default").with_labels("app=my-app")).await?;
        Ok(pods.items.into_iter().filter(|p| p.metadata.deletion_timestamp.is_none()).collect())
    }

    /// Addresses of the ready endpoints of a Service, both families.
    pub async fn ready_endpoints(&self, service: &str) -> anyhow::Result<Vec<String>> {
        let of_service = format!("{LABEL_SERVICE_NAME}={service}");
        let slices = self
            .client
            .list::<EndpointSlice>(&ListOptions::namespace("default").with_labels(of_service))
            .await?;
        let endpoints = slices.items.into_iter().flat_map(|slice| slice.endpoints);
        Ok(endpoints.filter(|e| e.conditions.ready != Some(false)).flat_map(|e| e.addresses).collect())
    }

    /// Waits until `done` says so; an error names `what` after `seconds`.
    pub async fn wait<F: Future<Output = anyhow::Result<bool>>>(
        &self,
        what: &str,
        seconds: u64,
        mut done: impl FnMut() -> F,
    ) -> anyhow::Result<Duration> {
        let start = Instant::now();
        while !done().await? {
            if start.elapsed() > Duration::from_secs(seconds) {
                bail!("{what}: not within {seconds} s");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(start.elapsed())
    }
}

/// This binary.
pub fn myself() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("cannot find this program's own file")
}

/// The output of `portway probe -o json`.
pub fn tally(output: &str) -> anyhow::Result<Tally> {
    serde_json::from_str(output).with_context(|| format!("not a tally: {output:?}"))
}

/// Runs a command off the async threads; its output, or an error with what it said. Exit code 3 (found
/// problems) is an answer too.
pub async fn run(command: Command, input: Option<&'static str>) -> anyhow::Result<String> {
    run_with(command, input, |command| {
        let program = command.get_program().to_string_lossy().into_owned();
        command.spawn().with_context(|| format!("cannot run {program}"))
    })
    .await
}

async fn run_with(
    mut command: Command,
    input: Option<&'static str>,
    spawn: impl FnOnce(&mut Command) -> anyhow::Result<Child> + Send + 'static,
) -> anyhow::Result<String> {
    tokio::task::spawn_blocking(move || {
        let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child = spawn(command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()))?;
        if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
            std::io::Write::write_all(&mut pipe, text.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() || output.status.code() == Some(3) {
            return Ok(text);
        }
        bail!("{text}{}", String::from_utf8_lossy(&output.stderr).trim())
    })
    .await?
}
