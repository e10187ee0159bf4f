//! Who may do what: the question as a value, and the seam where answers come from.
//!
//! Must not know how someone proved who they are.

use crate::authn::{Identity, MASTERS};

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attributes<'a> {
    /// About API objects.
    Resource {
        /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
        verb: &'a str,
        /// API group; empty for core.
        group: &'a str,
        /// `services`.
        resource: &'a str,
        /// `status`, or empty.
        subresource: &'a str,
        /// Empty for all namespaces and for cluster-scoped resources.
        namespace: &'a str,
        /// Empty where the request names no object.
        name: &'a str,
    },
    /// About any other path.
    Path {
        /// HTTP method in lower case.
        verb: &'a str,
        /// `/healthz`.
        path: &'a str,
    },
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Go ahead.
    Allow,
    /// No; the text, if any, is appended to the error message.
    Deny(String),
}

/// Decides.
pub trait Authorizer: Send + Sync {
    /// May `who` do `what`?
    fn authorize(&self, who: &Identity, what: &Attributes<'_>) -> Decision;
}

/// Members of `system:masters` may do everything, everyone may see health and version, and whoever is
/// authenticated may discover the API and ask about themselves.
pub struct MastersOnly;

impl Authorizer for MastersOnly {
    fn authorize(&self, who: &Identity, what: &Attributes<'_>) -> Decision {
        let allowed = who.in_group(MASTERS)
            || match what {
                Attributes::Path { verb: "get" | "head", path } => {
                    public(path) || (!who.is_anonymous() && discovery(path))
                }
                Attributes::Path { .. } => false,
                Attributes::Resource { verb, group, resource, .. } => {
                    !who.is_anonymous() && *verb == "create" && about_oneself(group, resource)
                }
            };
        if allowed { Decision::Allow } else { Decision::Deny(String::new()) }
    }
}

/// Bootstrap role `system:public-info-viewer`.
fn public(path: &str) -> bool {
    ["/healthz", "/livez", "/readyz", "/version"]
        .iter()
        .any(|p| path.strip_prefix(p).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Bootstrap role `system:discovery`.
fn discovery(path: &str) -> bool {
    ["/api", "/apis", "/openapi"]
        .iter()
        .any(|p| path.strip_prefix(p).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Bootstrap role `system:basic-user`.
fn about_oneself(group: &str, resource: &str) -> bool {
    matches!(
        (group, resource),
        ("authorization.k8s.io", "selfsubjectaccessreviews" | "selfsubjectrulesreviews")
            | ("authentication.k8s.io", "selfsubjectreviews")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masters_and_the_rest() {
        let get = |path| Attributes::Path { verb: "get", path };
        let services = Attributes::Resource {
            verb: "list",
            group: "",
            resource: "services",
            subresource: "",
            namespace: "",
            name: "",
        };
        let check = |who: &Identity, what: &Attributes<'_>, allowed: bool| {
            assert_eq!(MastersOnly.authorize(who, what) == Decision::Allow, allowed, "{} {what:?}", who.user);
        };
        let (admin, ann, nobody) = (Identity::admin(), Identity::new("ann", ["dev"]), Identity::anonymous());
        check(&admin, &services, true);
        check(&ann, &services, false);
        check(&nobody, &services, false);
        check(&nobody, &get("/healthz"), true);
        check(&nobody, &get("/livez/ping"), true);
        check(&nobody, &get("/healthzz"), false);
        check(&nobody, &get("/api"), false);
        check(&ann, &get("/apis/apps/v1"), true);
        check(&ann, &get("/metrics"), false);
        check(&ann, &Attributes::Path { verb: "post", path: "/version" }, false);
    }
}
