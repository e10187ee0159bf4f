//! What a request line asks for: method, path and query as a typed value.
//!
//! Pure. Knows the shape of API paths, not which groups and resources exist.

use http::Method;

use crate::query::{Query, decode};

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/`: the list of paths.
    Root,
    /// `/healthz`, `/livez`, `/readyz`, with the single check asked for, if any.
    Health {
        /// `healthz`, `livez`, `readyz`.
        endpoint: &'static str,
        /// `/readyz/ping` asks for `ping`.
        check: Option<String>,
    },
    /// `/version`.
    Version,
    /// `/metrics`.
    Metrics,
    /// `/openapi/v2`.
    OpenApiV2,
    /// `/openapi/v3`.
    OpenApiV3,
    /// `/openapi/v3/apis/apps/v1`; the text is `apis/apps/v1`.
    OpenApiV3Group(String),
    /// `/api`.
    CoreVersions,
    /// `/apis`.
    Groups,
    /// `/apis/GROUP`.
    Group(String),
    /// `/api/v1`, `/apis/GROUP/VERSION`.
    Resources {
        /// Empty for core.
        group: String,
        /// `v1`.
        version: String,
    },
    /// Objects.
    Objects(Target),
    /// Nothing is there.
    Unknown,
}

/// The objects a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// API group; empty for core.
    pub group: String,
    /// API version.
    pub version: String,
    /// Plural resource name.
    pub resource: String,
    /// Empty for cluster-scoped objects and for all namespaces.
    pub namespace: String,
    /// Empty for a collection.
    pub name: String,
    /// `status`; empty for the object itself.
    pub subresource: String,
    /// What follows the subresource (`proxy/PATH`), without a leading slash.
    pub rest: String,
    /// `/api/v1/watch/...`, the old form of `?watch`.
    pub watch: bool,
}

/// What is to be done with a [`Target`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read a collection.
    List,
    /// Follow a collection.
    Watch,
    /// Add an object.
    Create,
    /// Replace an object.
    Update,
    /// Change an object.
    Patch,
    /// Remove an object.
    Delete,
    /// Remove every object that matches.
    DeleteCollection,
}

impl Verb {
    /// As authorization, discovery and logs spell it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::DeleteCollection => "deletecollection",
        }
    }
}

/// Reads a path. Empty segments (duplicate slashes) are ignored.
pub fn parse(path: &str) -> Route {
    let segments: Vec<String> = path.split('/').filter(|s| !s.is_empty()).map(|s| decode(s, false)).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        [] => Route::Root,
        ["healthz", rest @ ..] => health("healthz", rest),
        ["livez", rest @ ..] => health("livez", rest),
        ["readyz", rest @ ..] => health("readyz", rest),
        ["version"] => Route::Version,
        ["metrics"] => Route::Metrics,
        ["openapi", "v2"] => Route::OpenApiV2,
        ["openapi", "v3"] => Route::OpenApiV3,
        ["openapi", "v3", rest @ ..] => Route::OpenApiV3Group(rest.join("/")),
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["apis", group] => Route::Group((*group).to_owned()),
        ["api", version] => Route::Resources { group: String::new(), version: (*version).to_owned() },
        ["apis", group, version] => {
            Route::Resources { group: (*group).to_owned(), version: (*version).to_owned() }
        }
        ["api", version, rest @ ..] => objects("", version, rest),
        ["apis", group, version, rest @ ..] => objects(group, version, rest),
        _ => Route::Unknown,
    }
}

fn health(endpoint: &'static str, rest: &[&str]) -> Route {
    Route::Health { endpoint, check: (!rest.is_empty()).then(|| rest.join("/")) }
}

fn objects(group: &str, version: &str, mut rest: &[&str]) -> Route {
    let mut target = Target { group: group.to_owned(), version: version.to_owned(), ..Target::default() };
    if let ["watch", after @ ..] = rest
        && !after.is_empty()
    {
        target.watch = true;
        rest = after;
    }
    let owned = |text: &str| text.to_owned();
    let rest = match rest {
        // A Namespace object, its subresources, or what is inside: told apart by the third segment.
        ["namespaces", name, "status" | "finalize"] if target.group.is_empty() => {
            target.resource = owned("namespaces");
            target.name = owned(name);
            target.namespace = owned(name);
            &rest[2..]
        }
        ["namespaces", name] if target.group.is_empty() => {
            target.resource = owned("namespaces");
            target.name = owned(name);
            target.namespace = owned(name);
            &[]
        }
        ["namespaces", namespace, resource, rest @ ..] => {
            target.namespace = owned(namespace);
            target.resource = owned(resource);
            match rest {
                [name, rest @ ..] => {
                    target.name = owned(name);
                    rest
                }
                [] => &[],
            }
        }
        [resource, rest @ ..] => {
            target.resource = owned(resource);
            match rest {
                [name, rest @ ..] => {
                    target.name = owned(name);
                    rest
                }
                [] => &[],
            }
        }
        [] => return Route::Unknown,
    };
    if let [subresource, rest @ ..] = rest {
        target.subresource = owned(subresource);
        target.rest = rest.join("/");
    }
    Route::Objects(target)
}

/// The verb of a request on objects; `None` where the method has none there (405).
pub fn verb(method: &Method, target: &Target, query: &Query) -> Option<Verb> {
    let collection = target.name.is_empty();
    let watch = target.watch || query.flag("watch").unwrap_or(false);
    match (method.as_str(), collection) {
        ("GET" | "HEAD", true) if watch => Some(Verb::Watch),
        ("GET" | "HEAD", true) => Some(Verb::List),
        ("GET" | "HEAD", false) if watch && target.subresource.is_empty() => Some(Verb::Watch),
        ("GET" | "HEAD", false) => Some(Verb::Get),
        ("POST", true) => Some(Verb::Create),
        ("POST", false) if !target.subresource.is_empty() => Some(Verb::Create),
        ("PUT", false) => Some(Verb::Update),
        ("PATCH", false) => Some(Verb::Patch),
        ("DELETE", true) => Some(Verb::DeleteCollection),
        ("DELETE", false) => Some(Verb::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
