//! From a container's spec to a supervisor's order.

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use portway_api::types::pod::{Container, Pod};
use portway_netns::Namespace;

use crate::env::{self, Own};
use crate::etc;
use crate::run;
use crate::shared::Shared;
use crate::state::PodDir;
use crate::supervisor::{Bind, Order, Record};

/// Why a container does not run.
#[derive(Clone, Debug)]
pub(crate) enum StartError {
    /// It cannot be run as it is written, or something is missing: reason and message.
    Refused(&'static str, String),
    /// It was tried, and failed.
    Failed(String),
}

/// What a start needs besides the container.
pub(super) struct Start {
    pub shared: Arc<Shared>,
    pub pod: Arc<Pod>,
    pub dir: PodDir,
    pub namespace: Namespace,
    pub own: Own,
    pub attempt: u32,
}

impl Start {
    /// Starts the container; gives the time its process began.
    pub async fn run(&self, container: &Container) -> Result<Timestamp, StartError> {
        let order = self.order(container).await?;
        let run_dir = order.dir.clone();
        let program = self.shared.config.supervisor.clone();
        run::launch(program, self.namespace.clone(), order).await.map_err(StartError::Failed)?;
        Ok(Record::read(&run_dir).map_or_else(Timestamp::now, |record| record.started))
    }

    async fn order(&self, container: &Container) -> Result<Order, StartError> {
        if container.command.is_empty() && container.args.is_empty() {
            let message = format!(
                "container {:?} has no command: Portway runs processes, not images; say in the container's \
                 `command` what to run (the image may name a root directory)",
                container.name
            );
            return Err(StartError::Refused("CreateContainerError", message));
        }
        let config_error = |e: env::Missing| StartError::Refused("CreateContainerConfigError", e.to_string());
        let sources = self.shared.sources(&self.pod.metadata.namespace, &env::wanted(container)).await;
        let services = self.shared.services().await;
        let services = services.iter().map(AsRef::as_ref);
        let made =
            env::invocation(&self.pod, container, &self.own, &sources.map_err(config_error)?, services)
                .map_err(config_error)?;
        let disk_error = |e: std::io::Error| {
            StartError::Refused("CreateContainerError", format!("cannot write the Pod's files: {e}"))
        };
        let binds = self.etc().map_err(disk_error)?;
        let dir = self.dir.begin(&container.name, self.attempt).map_err(disk_error)?;
        let root = Path::new(&container.image);
        Ok(Order {
            dir,
            log: self.dir.log(&container.name, self.attempt),
            argv: made.argv,
            env: made.env,
            cwd: Some(container.working_dir.clone()).filter(|cwd| !cwd.is_empty()),
            root: (root.is_absolute() && root.is_dir()).then(|| root.to_owned()),
            hostname: self.own.hostname.clone(),
            binds,
        })
    }

    /// Writes the Pod's files for `/etc`.
    fn etc(&self) -> std::io::Result<Vec<Bind>> {
        let around = &self.shared.around;
        let files = [
            ("resolv.conf", etc::resolv_conf(&self.pod, around)),
            ("hosts", etc::hosts(&self.pod, around, &self.own.pod_ips)),
            ("hostname", format!("{}\n", self.own.hostname)),
        ];
        files
            .into_iter()
            .map(|(name, text)| {
                let source = self.dir.write_etc(name, &text)?;
                Ok(Bind { source, target: Path::new("/etc").join(name), read_only: false })
            })
            .collect()
    }
}
