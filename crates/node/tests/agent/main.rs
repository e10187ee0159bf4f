//! The agent with real Pods: processes in namespaces, in a sandbox of the test's own, against a fake API server.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cases;
mod echo;
mod fake;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use portway_netns::sandbox;
use world::Outcome;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        // Pods' supervisors and servers are this binary too.
        Some("pod-supervisor") => return portway_node::supervisor_main(),
        Some("echo") => {
            echo::serve(arguments);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    let arguments = Arguments::from_args();
    if let Err(error) = sandbox::enter().and_then(|()| sandbox::contain()) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let trials = cases::all().into_iter().map(|(name, case)| Trial::test(name, move || run(case))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(case: cases::Case) -> Outcome {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(case())
}
