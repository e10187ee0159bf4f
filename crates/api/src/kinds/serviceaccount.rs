//! ServiceAccount.

use super::Kind;

pub(super) const KIND: Kind = Kind {
    short_names: &["sa"],
    subresources: &["token"],
    delete_returns_object: true,
    ..Kind::core("ServiceAccount", "serviceaccounts", "serviceaccount", "io.k8s.api.core.v1.ServiceAccount")
};
