//! What a controller decided: values only.

use std::time::Duration;

use portway_base::ObjectKey;
use portway_client::{Gvr, Write};

/// The outcome of one reconcile.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Must hold on the server right before the writes, else the plan is tried again later.
    pub guards: Vec<Guard>,
    /// Changes to ask for; one after another, unless `parallel`.
    pub writes: Vec<Write>,
    /// The writes do not depend on each other.
    pub parallel: bool,
    /// Look at the key again after this time, even if nothing changes.
    pub again: Option<Duration>,
    /// Something is not as it should be: try again with growing delays. The writes are done nevertheless.
    pub problem: Option<String>,
    /// Events to publish, whatever becomes of the writes.
    pub notes: Vec<Note>,
}

/// A condition that only the server can tell, because caches lag behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Guard {
    /// No object of this kind is left in the namespace.
    Empty {
        /// The kind.
        resource: Gvr,
        /// The namespace.
        namespace: String,
    },
    /// No object with this UID is under this name.
    Absent {
        /// The kind.
        resource: Gvr,
        /// The name.
        key: ObjectKey,
        /// The UID; empty for any.
        uid: String,
    },
}

/// Something worth telling people, published as an Event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// `v1`, `apps/v1`.
    pub api_version: String,
    /// Kind of the object it is about.
    pub kind: &'static str,
    /// The object.
    pub key: ObjectKey,
    /// Its UID.
    pub uid: String,
    /// `Warning` rather than `Normal`.
    pub warning: bool,
    /// One CamelCase word.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

impl Plan {
    /// Nothing to do.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// These writes, one after another.
    pub fn writes(writes: Vec<Write>) -> Self {
        Self { writes, ..Self::default() }
    }

    /// Look again after `delay`, or sooner if that was already wanted.
    pub fn look_again(&mut self, delay: Duration) {
        self.again = Some(self.again.map_or(delay, |earlier| earlier.min(delay)));
    }

    /// Nothing to write, publish or wait for.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
