//! The kinds as a server drives them: recorded cases, and arbitrary values into every rule.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cases;
mod services;
mod total;
mod world;
