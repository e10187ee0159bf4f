//! Checks on the workspace itself: which crate may know which, what pure code may not use, how files look.
//!
//! Everything is in `tests/`; the crate exists so that `cargo test` runs it.
#![forbid(unsafe_code)]
