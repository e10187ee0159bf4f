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
    let root = rustix::process::geteuid().is_root();
    // Before the sandbox: from inside, there is no way to become someone else outside.
    let ordinary = (root && !arguments.list && arguments.filter.is_none()).then(as_ordinary_user);
    if let Err(error) = sandbox::enter().and_then(|()| sandbox::contain()) {
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let mut trials: Vec<Trial> =
        cases::all().into_iter().map(|(name, case)| Trial::test(name, move || run(case))).collect();
    if let Some(outcome) = ordinary {
        trials.push(Trial::test("pods_of_an_ordinary_user", move || outcome.map_err(Into::into)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The first case again, under another uid with no groups and no capabilities.
fn as_ordinary_user() -> Result<(), String> {
    use std::os::unix::process::CommandExt;
    /// `nobody`, as every Linux has it.
    const ORDINARY: u32 = 65534;
    // By descriptor: the directories above the binary may be closed to that user.
    let mut command = std::process::Command::new("/proc/self/exe");
    command.args(["--exact", "environment_files_and_names"]).uid(ORDINARY).gid(ORDINARY).current_dir("/");
    let output = command.output().map_err(|e| e.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(()) } else { Err(text(&output.stdout) + &text(&output.stderr)) }
}

fn run(case: cases::Case) -> Outcome {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(case())
}
