//! Real packets: three nodes with a proxy each, Pods behind them, a client outside.
//!
//! The proxies are fed by hand, so nothing here needs an API server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "lab/affinity.rs"]
mod affinity;
#[path = "lab/ask.rs"]
mod ask;
#[path = "lab/changes.rs"]
mod changes;
#[path = "lab/traffic.rs"]
mod traffic;
#[path = "lab/world.rs"]
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if let Err(error) = portway_netns::sandbox::enter() {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let trials = [traffic::trials(), affinity::trials(), changes::trials()];
    libtest_mimic::run(&arguments, trials.into_iter().flatten().collect()).exit_code()
}

type Outcome = Result<(), libtest_mimic::Failed>;

fn trial(name: &str, test: fn() -> Outcome) -> Trial {
    Trial::test(name, test)
}
