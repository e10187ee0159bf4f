//! How the cost of loading, and of one change, grows with the number of Services. Runs in a sandbox.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

fn main() {
    portway_netns::sandbox::enter().unwrap();
    println!("services  resolve     load    audit  replace one endpoint: all  resolve   patch  commit");
    for services in [1_000, 10_000, 50_000] {
        let m = portway_proxy::bench::measure(services, 300).unwrap();
        let ms = |time: std::time::Duration| time.as_secs_f64() * 1e3;
        let us = |time: std::time::Duration| time.as_secs_f64() * 1e6;
        println!(
            "{services:8} {:6.0}ms {:6.0}ms {:6.0}ms {:24.1}us {:6.1}us {:5.1}us {:5.1}us",
            ms(m.resolve),
            ms(m.load),
            ms(m.audit),
            us(m.replace),
            us(m.replace_resolve),
            us(m.replace_patch),
            us(m.replace_commit)
        );
    }
}
