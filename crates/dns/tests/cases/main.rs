//! The recorded cases of `conformance/dns`, one test a file and subject: `zone` asks the pure zone, `server` a whole
//! server over UDP and TCP with canned upstreams. The cases say what the reference server answered; none is bent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod case;
mod compare;
mod dig;
mod objects;
mod profiles;
mod pure;
mod server;
mod upstream;

use std::path::Path;

use libtest_mimic::{Arguments, Failed, Trial};

use case::Case;

/// Cases (or single queries, as `case: name type`) whose features are not built yet, with the feature.
const LATER: &[(&str, &str)] = &[
    ("hosts-entries", "hosts"),
    ("serve-stale", "cache option serve_stale"),
    ("stub-domain", "several forwards"),
    ("zone-transfer: cluster.local. AXFR", "zone transfer"),
];

/// Why a case (`query` empty) or a query of it waits.
fn later(case: &str, query: &str) -> Option<&'static str> {
    let name = if query.is_empty() { case.to_owned() } else { format!("{case}: {query}") };
    LATER.iter().find(|(waiting, _)| *waiting == name).map(|(_, why)| *why)
}

fn main() {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/dns");
    let cases = case::load(&folder);
    assert!(!cases.is_empty(), "no cases in {}", folder.display());
    let mut trials = Vec::new();
    for case in cases.into_iter().filter(|case| later(&case.name, "").is_none()) {
        trials.push(trial("zone", &case, pure::run));
        trials.push(trial("server", &case, server::run));
        if case.name == "truncation" && dig::wanted() {
            trials.push(trial("dig", &case, dig::run));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// A test that lists every query that failed.
fn trial(subject: &str, case: &Case, run: fn(&Case) -> Result<(), Vec<String>>) -> Trial {
    let case = case.clone();
    Trial::test(format!("{subject}::{}", case.name), move || {
        run(&case).map_err(|failures| Failed::from(failures.join("\n")))
    })
}
