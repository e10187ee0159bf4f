//! Portway.
fn main() {}
