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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::sync::Arc;

    use portway_intent::FamilyIntent;
    use portway_nftables::{Classes, Fake, Image, Patch};
    use portway_resolve::{Input, NodeFacts, Settings};

    use super::*;
    use crate::bench::{service, slice};

    /// A kernel in memory that can be tampered with and made to fail.
    #[derive(Default)]
    struct Kernel {
        fake: Fake,
        classes: Classes,
        loads: u32,
        /// Troubles to come, last first.
        troubles: Vec<Trouble>,
    }

    impl Driver for Kernel {
        type Backend = portway_nftables::Backend;

        fn load(&mut self) -> Result<Image, Trouble> {
            self.loads += 1;
            self.classes = Classes::of(&self.fake.image);
            Ok(self.fake.image.clone())
        }

        fn follow(
            &mut self,
            delta: &Delta,
            now: (&FamilyIntent<Ipv4Addr>, &FamilyIntent<Ipv6Addr>),
        ) -> Option<Patch> {
            portway_nftables::patch(delta, now, &self.classes)
        }

        fn commit(&mut self, patch: &Patch) -> Result<(), Trouble> {
            if let Some(trouble) = self.troubles.pop() {
                return Err(trouble);
            }
            self.fake.commit(patch).map_err(|refused| Trouble::Stale(refused.to_string()))?;
            self.classes.follow(patch);
            Ok(())
        }

        fn cleanup(&mut self) -> Result<(), Trouble> {
            self.fake = Fake::default();
            Ok(())
        }
    }

    fn start() -> (Reconciler<Kernel>, Resolver) {
        let mut resolver = Resolver::new(Settings::default(), NodeFacts::default());
        for n in 0..3 {
            resolver.apply(Input::Service(Arc::new(service(n))));
            resolver.apply(Input::Slice(Arc::new(slice(n, 0))));
        }
        let delta = resolver.commit().delta;
        let mut reconciler = Reconciler::new(Kernel::default());
        assert!(reconciler.sync(&delta, &resolver).unwrap().full);
        (reconciler, resolver)
    }

    fn replace(resolver: &mut Resolver, round: u32) -> Delta {
        resolver.apply(Input::Slice(Arc::new(slice(1, round))));
        resolver.commit().delta
    }

    fn assert_right(reconciler: &Reconciler<Kernel>, resolver: &Resolver) {
        assert_eq!(reconciler.driver.fake.image, portway_nftables::render(&resolver.intent()));
    }

    #[test]
    fn changes_are_followed_without_looking() {
        let (mut reconciler, mut resolver) = start();
        for round in 1..5 {
            let delta = replace(&mut resolver, round);
            // One element goes, another comes.
            assert_eq!(reconciler.sync(&delta, &resolver).unwrap(), Done { full: false, changes: 2 });
        }
        assert_eq!(reconciler.driver.loads, 1);
        assert_right(&reconciler, &resolver);
    }

    #[test]
    fn drift_leads_to_a_comparison() {
        let (mut reconciler, mut resolver) = start();
        reconciler.driver.fake.image.v4 = None;
        let delta = replace(&mut resolver, 1);
        assert!(reconciler.sync(&delta, &resolver).unwrap().full);
        assert_right(&reconciler, &resolver);
    }

    #[test]
    fn a_moving_target_is_aimed_at_again() {
        let (mut reconciler, mut resolver) = start();
        reconciler.driver.troubles = vec![Trouble::Stale("moved".into()); 3];
        let delta = replace(&mut resolver, 1);
        assert!(reconciler.sync(&delta, &resolver).unwrap().full);
        assert_right(&reconciler, &resolver);
        reconciler.driver.troubles = vec![Trouble::Stale("moved".into()); 20];
        let delta = replace(&mut resolver, 2);
        assert!(reconciler.sync(&delta, &resolver).is_err());
    }

    #[test]
    fn what_a_failure_lost_is_made_up_for() {
        let (mut reconciler, mut resolver) = start();
        reconciler.driver.troubles = vec![Trouble::Unavailable("no memory".into())];
        let delta = replace(&mut resolver, 1);
        assert!(reconciler.sync(&delta, &resolver).is_err());
        assert!(!reconciler.is_in_step());
        assert_eq!(reconciler.sync(&Delta::default(), &resolver).unwrap(), Done { full: true, changes: 2 });
        assert_right(&reconciler, &resolver);
        reconciler.cleanup().unwrap();
        assert_eq!(reconciler.driver.fake.image, Image::default());
    }
}
