//! Invariants of the IR, which backends rely on.

use thiserror::Error;

use crate::{Action, Address, FamilyIntent, Front, Intent, NodeAddresses, PoolId, Rule};

/// A broken invariant: a defect of whoever made the intent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Violation {
    /// A front names a pool that does not exist.
    #[error("front {front} balances over {pool}, which does not exist")]
    NoPool {
        /// The front.
        front: String,
        /// The pool.
        pool: PoolId,
    },
    /// A pool is empty, unordered, or repeats an endpoint.
    #[error("pool {0} is empty, unordered, or repeats an endpoint")]
    Pool(PoolId),
    /// Pods and node processes are balanced over different pools, or refused differently from the outside.
    #[error("front {0} combines its sources in a way no backend offers")]
    Sources(String),
    /// The mark bit is above 31.
    #[error("masquerade bit {0} is not within 0 to 31")]
    Bit(u8),
    /// A loopback address is to claim node ports.
    #[error("node ports on loopback addresses are not possible")]
    Loopback,
    /// Source ranges overlap, or there are none.
    #[error("source ranges of front {0} overlap or are empty")]
    Ranges(String),
}

impl Intent {
    /// Checks both families.
    ///
    /// # Errors
    /// The first broken invariant.
    pub fn check(&self) -> Result<(), Violation> {
        self.v4.check()?;
        self.v6.check()
    }
}

impl<A: Address> FamilyIntent<A> {
    /// Checks what backends rely on.
    ///
    /// # Errors
    /// The first broken invariant.
    pub fn check(&self) -> Result<(), Violation> {
        if self.masquerade.bit > 31 {
            return Err(Violation::Bit(self.masquerade.bit));
        }
        if let NodeAddresses::Only(addresses) = &self.node_addresses
            && addresses.iter().any(|address| address.is_loopback())
        {
            return Err(Violation::Loopback);
        }
        for (id, pool) in &self.pools {
            if pool.endpoints.is_empty() || !pool.endpoints.is_sorted_by(|a, b| a < b) {
                return Err(Violation::Pool(id.clone()));
            }
        }
        self.fronts.iter().try_for_each(|(front, rule)| self.check_rule(front, rule))
    }

    fn check_rule(&self, front: &Front<A>, rule: &Rule<A>) -> Result<(), Violation> {
        for pool in rule.pools() {
            if !self.pools.contains_key(pool) {
                return Err(Violation::NoPool { front: front.to_string(), pool: pool.clone() });
            }
        }
        let bad = || Err(Violation::Sources(front.to_string()));
        match (&rule.sources.pod, &rule.sources.node) {
            (Action::Balance { pool: a, .. }, Action::Balance { pool: b, .. }) if a == b => {}
            (a, b) if a == b && *a == rule.sources.outside => {}
            _ => return bad(),
        }
        if let Some(ranges) = &rule.allow_from {
            let overlap = ranges.iter().any(|a| ranges.iter().any(|b| a != b && a.covers(*b)));
            if overlap || ranges.is_empty() {
                return Err(Violation::Ranges(front.to_string()));
            }
        }
        Ok(())
    }
}

impl<A> Rule<A> {
    /// The pools it names, one for each source that is balanced.
    pub fn pools(&self) -> impl Iterator<Item = &PoolId> {
        [&self.sources.pod, &self.sources.node, &self.sources.outside].into_iter().filter_map(Action::pool)
    }
}

impl Action {
    /// The pool it balances over.
    pub fn pool(&self) -> Option<&PoolId> {
        match self {
            Self::Balance { pool, .. } => Some(pool),
            Self::Reject | Self::Drop => None,
        }
    }
}
