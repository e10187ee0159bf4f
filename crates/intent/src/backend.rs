//! The seam between decided state and whatever puts it into the kernel. The loop around it is written once.

use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{Delta, FamilyIntent, Intent};

/// The pure half of a backend.
pub trait Backend {
    /// What the kernel holds, or shall hold.
    type Image;
    /// Changes from one image to another; its text is the dry run.
    type Patch: Display;

    /// What the kernel shall hold.
    fn render(intent: &Intent) -> Self::Image;
    /// The changes that lead from `have` to `want`.
    fn diff(have: &Self::Image, want: &Self::Image) -> Self::Patch;
    /// Number of changes.
    fn size(patch: &Self::Patch) -> usize;
}

/// The I/O half of a backend; also keeps what little must be known to follow changes one by one.
pub trait Driver {
    /// Its pure half.
    type Backend: Backend;

    /// Reads what the kernel holds; from then on [`Self::follow`] builds on it.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], or [`Trouble::Stale`] if it changes all the time.
    fn load(&mut self) -> Result<<Self::Backend as Backend>::Image, Trouble>;

    /// The changes that follow the intent, from before `delta` to `now`, without looking at the rest; `None` if
    /// only a full comparison will do.
    fn follow(
        &mut self,
        delta: &Delta,
        now: (&FamilyIntent<Ipv4Addr>, &FamilyIntent<Ipv6Addr>),
    ) -> Option<<Self::Backend as Backend>::Patch>;

    /// Executes changes.
    ///
    /// # Errors
    /// Nothing was done, or only a beginning that does no harm.
    fn commit(&mut self, patch: &<Self::Backend as Backend>::Patch) -> Result<(), Trouble>;

    /// Removes everything that is ours.
    ///
    /// # Errors
    /// As [`Self::commit`].
    fn cleanup(&mut self) -> Result<(), Trouble>;
}

/// Why the kernel is not as it shall be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It holds something else than was thought: load, compare, and commit what differs.
    #[error("the kernel holds something else than was thought: {0}")]
    Stale(String),
    /// It cannot be asked or refuses: try again later.
    #[error("{0}")]
    Unavailable(String),
}
