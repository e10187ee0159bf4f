//! Names of API objects and of Service ports.

use std::fmt;
use std::str::FromStr;

use crate::Protocol;

/// Namespace and name of an API object; `namespace` is empty for cluster-scoped objects.
///
/// Ordered by namespace, then name, as Kubernetes lists are.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Namespace, or empty for a cluster-scoped object.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
}

impl ObjectKey {
    /// Key of a namespaced object (or of a cluster-scoped one, with an empty namespace).
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// Key of a cluster-scoped object.
    pub fn cluster(name: impl Into<String>) -> Self {
        Self::new("", name)
    }
}

/// `namespace/name`, or `name` alone for cluster-scoped objects (client-go's `MetaNamespaceKey`).
impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// A key text with more than one `/`, or with an empty part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseKeyError(pub String);

impl fmt::Display for ParseKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unexpected key format: {:?}", self.0)
    }
}

impl std::error::Error for ParseKeyError {}

impl FromStr for ObjectKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseKeyError(text.to_owned());
        match text.split_once('/') {
            None if !text.is_empty() => Ok(Self::cluster(text)),
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::new(namespace, name))
            }
            _ => Err(bad()),
        }
    }
}

/// One port of one Service: the unit that proxies program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServicePortId {
    /// The Service.
    pub service: ObjectKey,
    /// `spec.ports[].name`; empty for an unnamed port.
    pub port: String,
    /// Transport protocol of the port.
    pub protocol: Protocol,
}

/// kube-proxy's display name: `namespace/name:port`, or `namespace/name` for an unnamed port.
impl fmt::Display for ServicePortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.port.is_empty() {
            write!(f, "{}", self.service)
        } else {
            write!(f, "{}:{}", self.service, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_text_round_trips() {
        let check = |text: &str, expect: Option<ObjectKey>| assert_eq!(text.parse().ok(), expect, "{text}");
        check("default/web", Some(ObjectKey::new("default", "web")));
        check("node-1", Some(ObjectKey::cluster("node-1")));
        check("", None);
        check("/web", None);
        check("default/", None);
        check("a/b/c", None);
        assert_eq!(ObjectKey::new("default", "web").to_string(), "default/web");
        assert_eq!(ObjectKey::cluster("node-1").to_string(), "node-1");
    }
}
