//! What the server counts, in the Prometheus text form.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::server::ApiServer;

/// Counters of one server.
#[derive(Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(&'static str, u16), u64>>,
    watches: AtomicI64,
}

/// Counts one watch while it lives.
pub(crate) struct Watching(Arc<ApiServer>);

impl Watching {
    pub(crate) fn new(server: &Arc<ApiServer>) -> Self {
        server.metrics.watches.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(server))
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.metrics.watches.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Metrics {
    pub(crate) fn request(&self, verb: &'static str, code: u16) {
        *self.requests.lock().unwrap_or_else(PoisonError::into_inner).entry((verb, code)).or_default() += 1;
    }

    pub(crate) fn render(&self, revision: u64, uptime_seconds: f64) -> String {
        let mut text = String::new();
        text.push_str("# HELP apiserver_request_total Requests answered, by verb and status code.\n");
        text.push_str("# TYPE apiserver_request_total counter\n");
        for ((verb, code), count) in self.requests.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(text, "apiserver_request_total{{verb=\"{verb}\",code=\"{code}\"}} {count}");
        }
        let watches = self.watches.load(Ordering::Relaxed);
        let _ = write!(
            text,
            "# HELP apiserver_longrunning_requests Watches being served.\n\
             # TYPE apiserver_longrunning_requests gauge\n\
             apiserver_longrunning_requests{{verb=\"watch\"}} {watches}\n\
             # HELP portway_store_revision Revision of the last write.\n\
             # TYPE portway_store_revision gauge\n\
             portway_store_revision {revision}\n\
             # HELP portway_uptime_seconds Seconds since the server opened.\n\
             # TYPE portway_uptime_seconds gauge\n\
             portway_uptime_seconds {uptime_seconds:.3}\n"
        );
        text
    }
}
