//! The tests of the store: one suite over every engine, a model, faults, kills.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod conformance;
mod engines;
mod kill;
mod model;
