//! The rules of ARCHITECTURE.md, held against `cargo metadata` and the sources.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod layers;
mod sources;

use std::path::PathBuf;

/// Root of the workspace.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Fails with every violation at once, so that one run shows all there is to mend.
#[track_caller]
pub fn report(rule: &str, violations: Vec<String>) {
    assert!(violations.is_empty(), "{rule}\n  {}", violations.join("\n  "));
}
