//! What a controller is.

use std::time::Duration;

use jiff::Timestamp;
use portway_base::ObjectKey;

use crate::plan::Plan;
use crate::snapshot::{Changed, Snapshot};

/// A rule that keeps some objects as they should be.
///
/// `reconcile` is a function of its arguments; a controller may remember things, but must come to the same
/// result (perhaps by more writes) when it forgets them, as after a restart.
pub trait Controller: Send {
    /// For logs, Events and the `User-Agent`: `endpointslice-controller`.
    fn name(&self) -> &'static str;

    /// The keys to look at because of a change. `snapshot` holds the state after it.
    fn touched(&self, change: &Changed, snapshot: &Snapshot, dirty: &mut Dirty);

    /// What to do for one key.
    fn reconcile(&mut self, snapshot: &Snapshot, key: &ObjectKey, now: Timestamp) -> Plan;
}

/// Keys to look at.
#[derive(Debug, Default)]
pub struct Dirty {
    /// Each with how long it may wait.
    pub keys: Vec<(ObjectKey, Duration)>,
}

impl Dirty {
    /// Look at once.
    pub fn now(&mut self, key: ObjectKey) {
        self.keys.push((key, Duration::ZERO));
    }

    /// Look after a while.
    pub fn later(&mut self, key: ObjectKey, delay: Duration) {
        self.keys.push((key, delay));
    }
}
