//! Group, version and resource: where objects of a kind live on the server.

use std::borrow::Cow;
use std::fmt;

use portway_api::Object;
use portway_base::ObjectKey;

/// Group, version and plural name of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gvr {
    /// API group; empty for core.
    pub group: Cow<'static, str>,
    /// API version within the group.
    pub version: Cow<'static, str>,
    /// `services`.
    pub resource: Cow<'static, str>,
}

impl Gvr {
    /// A resource known at compile time.
    pub const fn new(group: &'static str, version: &'static str, resource: &'static str) -> Self {
        Self {
            group: Cow::Borrowed(group),
            version: Cow::Borrowed(version),
            resource: Cow::Borrowed(resource),
        }
    }

    /// The resource of a typed view.
    pub const fn of<T: Object>() -> Self {
        Self::new(T::GROUP, T::VERSION, T::PLURAL)
    }

    /// `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_string()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// Path of all objects in `namespace`, or of all there are when it is empty.
    pub fn collection_path(&self, namespace: &str) -> String {
        let mut path = if self.group.is_empty() {
            "/api/".to_owned()
        } else {
            format!("/apis/{}/", escape(&self.group))
        };
        path.push_str(&escape(&self.version));
        if !namespace.is_empty() {
            path.push_str("/namespaces/");
            path.push_str(&escape(namespace));
        }
        path.push('/');
        path.push_str(&escape(&self.resource));
        path
    }

    /// Path of one object, or of a subresource of it.
    pub fn object_path(&self, key: &ObjectKey, subresource: Option<&str>) -> String {
        let mut path = self.collection_path(&key.namespace);
        path.push('/');
        path.push_str(&escape(&key.name));
        if let Some(subresource) = subresource {
            path.push('/');
            path.push_str(subresource);
        }
        path
    }
}

/// `services`, `deployments.apps`.
impl fmt::Display for Gvr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.group.is_empty() {
            f.write_str(&self.resource)
        } else {
            write!(f, "{}.{}", self.resource, self.group)
        }
    }
}

/// Percent-encodes all but unreserved characters; right for a path segment and for a query value.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    if text.bytes().all(plain) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portway_api::types::apps::Deployment;
    use portway_api::types::service::Service;

    #[test]
    fn paths() {
        let services = Gvr::of::<Service>();
        assert_eq!(services.collection_path(""), "/api/v1/services");
        assert_eq!(
            services.object_path(&ObjectKey::new("a", "b"), Some("status")),
            "/api/v1/namespaces/a/services/b/status"
        );
        assert_eq!(Gvr::of::<Deployment>().collection_path("x"), "/apis/apps/v1/namespaces/x/deployments");
        assert_eq!(
            services.object_path(&ObjectKey::new("a/..", "ü"), None),
            "/api/v1/namespaces/a%2F../services/%C3%BC"
        );
    }
}
