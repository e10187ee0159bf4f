//! A few kinds of the real registry, for tests.

use portway_api::kinds::{self, Kind};

pub(crate) fn service() -> &'static Kind {
    kinds::find("", "v1", "services").unwrap()
}

pub(crate) fn node() -> &'static Kind {
    kinds::find("", "v1", "nodes").unwrap()
}

pub(crate) fn kinds() -> Vec<&'static Kind> {
    vec![service(), node(), kinds::find("apps", "v1", "deployments").unwrap()]
}
