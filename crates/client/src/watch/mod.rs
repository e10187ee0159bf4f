//! List, then watch, for ever: the protocol as a state machine, and the stream that drives it.

mod frame;
mod state;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use frame::{Frame, Lines, TooLong};
pub use state::{Input, State, Want};
pub(crate) use stream::{Form, watch};

/// What a watch tells. A (re)list is `Init`, any number of `InitApply`, `InitDone`; whatever was known before and was
/// not in it is gone ([`Cache`](crate::Cache) finds that out). A second `Init` before `InitDone` begins the list anew.
#[derive(Debug)]
pub enum Event<T> {
    /// A list begins.
    Init,
    /// An object of the list.
    InitApply(Arc<T>),
    /// The list is complete.
    InitDone,
    /// An object is new or changed.
    Apply(Arc<T>),
    /// An object is gone, or no longer selected; its last state.
    Delete(Arc<T>),
}

impl<T> Clone for Event<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Init => Self::Init,
            Self::InitApply(object) => Self::InitApply(object.clone()),
            Self::InitDone => Self::InitDone,
            Self::Apply(object) => Self::Apply(object.clone()),
            Self::Delete(object) => Self::Delete(object.clone()),
        }
    }
}
