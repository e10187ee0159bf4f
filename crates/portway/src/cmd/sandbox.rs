//! `portway sandbox`: a private world that keeps running, and stepping into it.

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::{Output, print_value, say};
use crate::cmd::up;
use crate::sandbox::{self, Note};
use crate::world;

/// Arguments of `portway sandbox`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    world: up::World,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Run a command on a node, in a Pod or on the outside client of a running sandbox
    Exec(Exec),
    /// List the running sandboxes
    List(List),
    /// End a running sandbox and everything in it
    Stop(Stop),
}

#[derive(clap::Args)]
struct Exec {
    /// Which sandbox
    #[arg(long, default_value = "default")]
    name: String,
    /// `node-1`, `outside`, or a Pod as `NAME` or `NAMESPACE/NAME`
    target: String,
    /// The command and its arguments
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

#[derive(clap::Args)]
struct List {
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

#[derive(clap::Args)]
struct Stop {
    /// Which sandbox
    #[arg(default_value = "default")]
    name: String,
}

/// Runs a sandbox, or acts on one that runs.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.action {
        None => up::run(up::Args { sandbox: true, world: args.world }),
        Some(Action::Exec(exec)) => step_in(&exec),
        Some(Action::List(list)) => print_list(&list),
        Some(Action::Stop(stop)) => end(&stop),
    }
}

fn running(name: &str) -> anyhow::Result<Note> {
    Note::read(&sandbox::directory(name)?).with_context(|| {
        format!("no sandbox {name:?} is running: start one with `portway sandbox --name {name}`")
    })
}

fn print_list(args: &List) -> anyhow::Result<ExitCode> {
    let all = Note::all()?;
    if args.output == Output::Text {
        for (name, note) in all {
            say(format_args!(
                "{name}\tpid {}\t{}\tKUBECONFIG={}",
                note.pid,
                note.hosts.join(","),
                note.kubeconfig.display()
            ));
        }
    } else {
        let items: Vec<_> =
            all.iter().map(|(name, note)| serde_json::json!({"name": name, "sandbox": note})).collect();
        print_value(&items.into(), args.output)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn end(args: &Stop) -> anyhow::Result<ExitCode> {
    let note = running(&args.name)?;
    let pid = i32::try_from(note.pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .context("the noted pid is not one")?;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).context("cannot end the sandbox")?;
    for _ in 0..200 {
        if sandbox::start_time(note.pid) != Some(note.started) {
            return Ok(ExitCode::SUCCESS);
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    bail!("the sandbox (pid {}) has not ended within 10 s", note.pid)
}

/// Runs the command inside the target, with this terminal.
fn step_in(args: &Exec) -> anyhow::Result<ExitCode> {
    let note = running(&args.name)?;
    let (program, arguments) = args.command.split_first().context("the command is missing")?;
    portway_netns::sandbox::join(note.pid).context("cannot step into the sandbox")?;
    let mut child = if note.hosts.contains(&args.target) {
        let mut command = portway_netns::Namespace::open(&args.target)?.command(program);
        command
            .args(arguments)
            .spawn()
            .with_context(|| format!("cannot run {}", program.to_string_lossy()))?
    } else {
        let (namespace, pod) = args.target.split_once('/').unwrap_or(("default", &args.target));
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        world::spawn_in_pod(&up::state_dir(None, true), namespace, pod, &mut command).with_context(|| {
            format!("{} is neither one of {} nor a Pod that runs", args.target, note.hosts.join(", "))
        })?
    };
    let status = child.wait()?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
