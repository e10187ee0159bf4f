//! The binary as its users run it, in a sandbox the test made: start, crash, restart, tour.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

mod crash;
mod machine;
mod tour;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let arguments = Arguments::from_args();
    portway_netns::sandbox::enter().expect("these tests need user namespaces or root");
    // The machine has a network card, with addresses of both families and nobody at the other end.
    let machine = portway_netns::Namespace::current().and_then(|ns| ns.netlink()).expect("netlink");
    machine.add_veth(&portway_netns::Veth::new("eth0", "eth0-peer")).expect("a link");
    machine.set_up("eth0").and_then(|()| machine.set_up("eth0-peer")).expect("the link is up");
    for net in ["192.0.2.1/24", "fd00:192:0:2::1/64"] {
        machine.add_address("eth0", net.parse().expect("a net")).expect("an address");
    }
    for gateway in ["192.0.2.254", "fd00:192:0:2::254"] {
        let route = portway_netns::Route::default_via(gateway.parse().expect("an address"));
        machine.add_route(&route).expect("a default route");
    }
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
