//! What is known of a subresource by its name.

use portway_api::kinds::Kind;

/// One subresource of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subresource {
    pub name: &'static str,
    /// Group, version and kind of what is sent and answered.
    pub group: &'static str,
    pub version: &'static str,
    pub kind: &'static str,
    /// Sorted.
    pub verbs: &'static [&'static str],
}

const CHANGE: &[&str] = &["get", "patch", "update"];
const CREATE: &[&str] = &["create"];
const STREAM: &[&str] = &["create", "get"];
const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];

pub(crate) fn subresource(owner: &'static Kind, name: &'static str) -> Subresource {
    let own = (owner.group, owner.version, owner.kind);
    let proxy = match owner.kind {
        "Service" => "ServiceProxyOptions",
        "Node" => "NodeProxyOptions",
        _ => "PodProxyOptions",
    };
    let ((group, version, kind), verbs) = match name {
        "scale" => (("autoscaling", "v1", "Scale"), CHANGE),
        "token" => (("authentication.k8s.io", "v1", "TokenRequest"), CREATE),
        "eviction" => (("policy", "v1", "Eviction"), CREATE),
        "binding" => (("", "v1", "Binding"), CREATE),
        "finalize" => (own, &["update"][..]),
        "log" => (own, &["get"][..]),
        "proxy" => (("", "v1", proxy), PROXY),
        "exec" => (("", "v1", "PodExecOptions"), STREAM),
        "attach" => (("", "v1", "PodAttachOptions"), STREAM),
        "portforward" => (("", "v1", "PodPortForwardOptions"), STREAM),
        _ => (own, CHANGE),
    };
    Subresource { name, group, version, kind, verbs }
}
