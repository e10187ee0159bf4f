//! Tests of the pure half: images against the oracle, patches against a strict kernel in memory.
#![allow(clippy::unwrap_used)]

mod codec;
mod intents;
mod layout;

use std::net::{Ipv4Addr, Ipv6Addr};

use portway_intent::{Address, FamilyIntent, Intent};
use proptest::prelude::*;

use crate::trace::remember;
use crate::*;

/// Both families.
pub(crate) fn intent() -> impl Strategy<Value = Intent> {
    (intents::family::<Ipv4Addr>(), intents::family::<Ipv6Addr>()).prop_map(|(v4, v6)| Intent { v4, v6 })
}
