//! The verbs, each once, over any resource.
//!
//! What differs between kinds comes from the registry; what a Service additionally needs (addresses and
//! ports) from the ledger.

pub(crate) mod apply;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod update;
pub(crate) mod watch;
