//! `/healthz`, `/livez`, `/readyz`: the single checks and their forms.

use std::collections::BTreeSet;

use crate::answer::{self, Answer};
use crate::query::Query;
use crate::server::ApiServer;

struct Check {
    name: &'static str,
    /// Only asked for readiness.
    readiness: bool,
    passes: fn(&ApiServer) -> bool,
}

const CHECKS: [Check; 6] = [
    Check { name: "ping", readiness: false, passes: |_| true },
    Check { name: "log", readiness: false, passes: |_| true },
    Check { name: "etcd", readiness: false, passes: |_| true },
    Check { name: "informer-sync", readiness: true, passes: |server| server.cache.reached().0 > 0 },
    Check { name: "poststarthook/default-objects", readiness: false, passes: |_| true },
    Check { name: "shutdown", readiness: true, passes: |server| !*server.closing.borrow() },
];

pub(crate) fn answer(server: &ApiServer, endpoint: &str, check: Option<&str>, query: &Query) -> Answer {
    let ready = endpoint == "readyz";
    let mut checks = CHECKS.iter().filter(|c| ready || !c.readiness);
    if let Some(name) = check {
        return match checks.find(|c| c.name == name) {
            None => answer::text(404, "404 page not found\n"),
            Some(check) if (check.passes)(server) => answer::text(200, "ok"),
            Some(_) => answer::text(500, "internal server error: check failed\n"),
        };
    }
    let mut excluded: BTreeSet<&str> = query.all("exclude").collect();
    let (mut text, mut failed) = (String::new(), false);
    for check in checks {
        let name = check.name;
        if excluded.remove(name) {
            text.push_str(&format!("[+]{name} excluded: ok\n"));
        } else if (check.passes)(server) {
            text.push_str(&format!("[+]{name} ok\n"));
        } else {
            failed = true;
            text.push_str(&format!("[-]{name} failed: reason withheld\n"));
        }
    }
    if !excluded.is_empty() {
        let names: Vec<String> = excluded.iter().map(|n| format!("{n:?}")).collect();
        text.push_str(&format!(
            "warn: some health checks cannot be excluded: no matches for {}\n",
            names.join(",")
        ));
    }
    if failed {
        return answer::text(500, format!("{text}{endpoint} check failed\n"));
    }
    if query.flag("verbose").unwrap_or(false) {
        return answer::text(200, format!("{text}{endpoint} check passed\n"));
    }
    answer::text(200, "ok")
}
