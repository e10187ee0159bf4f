//! The life of one Pod: what was seen of it, what to do next, and its status; then the task that carries it out.

mod adopt;
mod launch;
mod seen;
mod status;
mod step;
mod task;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use adopt::clear_away;
pub use seen::{ContainerSeen, Ended, Network, Run, Seen, Stop};
pub(crate) use status::seconds;
pub use status::{Facts, status};
pub use step::{Action, Step, step};
pub(crate) use task::{Message, Task};

use portway_api::types::pod::{Container, Pod};

/// An init container that keeps running beside the others.
pub(crate) fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

/// All containers in the order they start, with whether they are init containers.
pub(crate) fn containers(pod: &Pod) -> impl DoubleEndedIterator<Item = (&Container, bool)> {
    let init = pod.spec.init_containers.iter().map(|c| (c, true));
    init.chain(pod.spec.containers.iter().map(|c| (c, false)))
}

/// A container by name.
pub(crate) fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a Container> {
    containers(pod).map(|(c, _)| c).find(|c| c.name == name)
}

/// The Pod's own grace period, in seconds.
pub(crate) fn grace(pod: &Pod) -> i64 {
    let asked = pod.metadata.deletion_grace_period_seconds.or(pod.spec.termination_grace_period_seconds);
    asked.unwrap_or(30).max(1)
}
