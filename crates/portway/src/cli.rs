//! The command line, as one table of subcommands; completions and man pages come from it.

use clap::{Parser, Subcommand};

use crate::cmd;

/// The Kubernetes Service system in one small binary.
///
/// Services give a changing set of Pods one stable name, one stable address and load balancing. `portway up`
/// does that job whole on this machine; every component also runs alone against any API server.
#[derive(Parser)]
#[command(name = "portway", version, disable_help_subcommand = true, max_term_width = 100)]
pub struct Cli {
    /// What to log: error, warn, info, debug, trace, or directives such as `info,portway_proxy=debug`
    #[arg(long, global = true, default_value = "info", env = "PORTWAY_LOG", value_name = "FILTER")]
    pub log_level: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Subcommand)]
pub enum Command {
    /// Run everything on this machine: API server, controllers, DNS, proxy, node agent
    Up(cmd::up::Args),
    /// Take the guided tour, in a private sandbox
    Demo(crate::demo::Args),
    /// Keep a private world running, and step into it
    Sandbox(cmd::sandbox::Args),
    /// Run the API server alone
    Apiserver(cmd::apiserver::Args),
    /// Run the controllers alone
    Controllers(cmd::controllers::Args),
    /// Run the node proxy alone
    Proxy(cmd::proxy::Args),
    /// Run cluster DNS alone
    Dns(cmd::dns::Args),
    /// Run the node agent alone
    Node(cmd::node::Args),
    /// Print what a proxy mode puts into the kernel for these objects
    Render(cmd::render::Args),
    /// Print the operations that lead from one set of objects to another
    Diff(cmd::render::DiffArgs),
    /// Measure Portway on this machine
    Bench(crate::bench::Args),
    /// Ask a URL many times and show who answered
    Probe(cmd::probe::Args),
    /// Ask cluster DNS for a name
    Lookup(cmd::lookup::Args),
    /// Print what the dataplane of a node shall do for these objects
    Resolve(cmd::resolve::Args),
    /// Print what cluster DNS answers for these objects
    Answer(cmd::answer::Args),
    /// Answer requests with this Pod's name (the server of the examples)
    Echo(cmd::echo::Args),
    /// Print the version
    Version(cmd::version::Args),
    /// Print a completion script for a shell
    Completion(cmd::completion::Args),
    /// Write the man pages into a directory
    Man(cmd::man::Args),
}
