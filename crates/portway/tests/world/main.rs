//! The binary as its users run it, in a sandbox the test made: start, crash, restart, tour.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod crash;
mod machine;
mod tour;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    portway_netns::sandbox::enter().expect("these tests need user namespaces or root");
    let trials = vec![
        Trial::test("the_tour_holds", || tour::the_tour_holds().map_err(Into::into)),
        Trial::test("a_killed_portway_loses_nothing", || {
            crash::a_killed_portway_loses_nothing().map_err(Into::into)
        }),
        Trial::test("bad_usage_names_the_flag", || tour::bad_usage_names_the_flag().map_err(Into::into)),
    ];
    // Each trial has the machine for itself: their ports and the data plane are the namespace's only ones.
    libtest_mimic::run(&Arguments { test_threads: Some(1), ..arguments }, trials).exit();
}
