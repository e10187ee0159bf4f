//! The cases.

mod ends;
mod life;
mod probes;
mod server;

use std::pin::Pin;

use crate::world::Outcome;

pub type Case = fn() -> Pin<Box<dyn Future<Output = Outcome>>>;

macro_rules! cases {
    ($($module:ident :: $name:ident),* $(,)?) => {
        vec![$((stringify!($name), (|| Box::pin($module::$name())) as Case)),*]
    };
}

pub fn all() -> Vec<(&'static str, Case)> {
    cases![
        life::pod_runs_is_reached_and_ends,
        life::environment_files_and_names,
        life::restarts_and_exit_codes,
        life::readiness_follows_the_probe,
        life::pods_survive_their_agent,
        ends::agents_that_crash_while_pods_start,
        ends::grace_hooks_and_kills,
        ends::nothing_of_a_pod_survives_it,
        ends::supervisors_that_are_killed,
        ends::forced_deletion,
        probes::liveness_restarts,
        probes::startup_holds_the_others_back,
        probes::tcp_and_named_ports,
        probes::host_network_and_neighbours,
        probes::logs_follow,
        server::against_the_real_server,
    ]
}
