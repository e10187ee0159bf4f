//! Keeps the kernel as the intent says: change by change while it is in step, by comparison when it is not.

use portway_intent::{Backend, Delta, Driver, Intent, Trouble};
use portway_resolve::Resolver;

/// Puts intents into the kernel through a driver.
#[derive(Debug)]
pub struct Reconciler<D> {
    driver: D,
    in_step: bool,
}

/// What a sync did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Everything was compared.
    pub full: bool,
    /// Objects changed in the kernel.
    pub changes: usize,
}

impl<D: Driver> Reconciler<D> {
    /// Attempts at a target that moves: others may change the rules between look and commit.
    const ATTEMPTS: usize = 8;

    /// Does not know yet what the kernel holds.
    pub fn new(driver: D) -> Self {
        Self { driver, in_step: false }
    }

    /// The next sync compares everything.
    pub fn distrust(&mut self) {
        self.in_step = false;
    }

    /// The kernel holds what the intent before this change said.
    pub fn is_in_step(&self) -> bool {
        self.in_step
    }

    /// Follows a change, or compares everything if the kernel is not in step.
    ///
    /// # Errors
    /// The kernel is not as it shall be; the next call compares everything.
    pub fn sync(&mut self, delta: &Delta, resolver: &Resolver) -> Result<Done, Trouble> {
        if self.in_step
            && let Some(patch) = self.driver.follow(delta, (resolver.v4(), resolver.v6()))
        {
            match self.driver.commit(&patch) {
                Ok(()) => return Ok(Done { full: false, changes: D::Backend::size(&patch) }),
                Err(Trouble::Stale(_)) => {}
                Err(trouble) => {
                    self.in_step = false;
                    return Err(trouble);
                }
            }
        }
        self.full(&resolver.intent())
    }

    /// Compares everything, and changes what differs.
    ///
    /// # Errors
    /// The kernel is not as it shall be.
    pub fn full(&mut self, intent: &Intent) -> Result<Done, Trouble> {
        self.in_step = false;
        let want = D::Backend::render(intent);
        let mut attempt = 1;
        loop {
            let have = self.driver.load()?;
            let patch = D::Backend::diff(&have, &want);
            let changes = D::Backend::size(&patch);
            let committed = if changes == 0 { Ok(()) } else { self.driver.commit(&patch) };
            match committed {
                Ok(()) => {
                    self.in_step = true;
                    return Ok(Done { full: true, changes });
                }
                Err(Trouble::Stale(_)) if attempt < Self::ATTEMPTS => attempt += 1,
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Removes everything that is ours.
    ///
    /// # Errors
    /// Something is left.
    pub fn cleanup(&mut self) -> Result<(), Trouble> {
        self.in_step = false;
        self.driver.cleanup()
    }
}
