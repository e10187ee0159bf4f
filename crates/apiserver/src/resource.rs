//! The served resources: the kind registry with what the server adds to each row (keys, encoded heads).
//!
//! Must not know requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_api::kinds::Kind;

/// A kind as the server stores and lists it.
pub struct Resource {
    /// The registry row.
    pub kind: &'static Kind,
    /// Position among the [`Resources`].
    pub index: usize,
    /// Start of its keys: `/registry/services/specs/`.
    pub prefix: String,
    /// `v1`, `apps/v1`.
    pub api_version: String,
    /// How every encoded object starts: `{"kind":"Service","apiVersion":"v1","metadata":{`.
    pub head: Vec<u8>,
    /// Bytes of `head` an item of a list leaves out (`"kind":"Service","apiVersion":"v1",`), behind the brace.
    pub typed: usize,
}

impl Resource {
    fn new(kind: &'static Kind, index: usize) -> Self {
        let api_version = if kind.group.is_empty() {
            kind.version.to_owned()
        } else {
            format!("{}/{}", kind.group, kind.version)
        };
        let typed = format!(r#""kind":"{}","apiVersion":"{api_version}","#, kind.kind);
        Self {
            kind,
            index,
            prefix: format!("/registry/{}/", kind.storage_prefix),
            head: format!("{{{typed}\"metadata\":{{").into_bytes(),
            typed: typed.len(),
            api_version,
        }
    }

    /// The key of an object; an empty namespace for cluster-scoped ones.
    pub fn key(&self, namespace: &str, name: &str) -> Arc<str> {
        if namespace.is_empty() || !self.kind.namespaced {
            format!("{}{name}", self.prefix).into()
        } else {
            format!("{}{namespace}/{name}", self.prefix).into()
        }
    }

    /// The start of the keys in a namespace (all namespaces if empty).
    pub fn scope(&self, namespace: &str) -> String {
        if namespace.is_empty() || !self.kind.namespaced {
            self.prefix.clone()
        } else {
            format!("{}{namespace}/", self.prefix)
        }
    }
}

/// All resources, found by name or key.
pub struct Resources {
    list: Vec<Resource>,
    by_name: BTreeMap<(&'static str, &'static str), usize>,
    by_root: BTreeMap<&'static str, usize>,
}

impl Resources {
    /// One for each row. Rows that share keys with an earlier row (another group's view) are left out.
    pub fn new(kinds: impl IntoIterator<Item = &'static Kind>) -> Self {
        let mut resources = Self { list: Vec::new(), by_name: BTreeMap::new(), by_root: BTreeMap::new() };
        for kind in kinds {
            let index = resources.list.len();
            if resources.by_root.contains_key(kind.storage_prefix) {
                continue;
            }
            resources.list.push(Resource::new(kind, index));
            resources.by_name.insert((kind.group, kind.plural), index);
            resources.by_root.insert(kind.storage_prefix, index);
        }
        resources
    }

    /// Every resource.
    pub fn iter(&self) -> impl Iterator<Item = &Resource> {
        self.list.iter()
    }

    /// The resource at this position.
    pub fn at(&self, index: usize) -> Option<&Resource> {
        self.list.get(index)
    }

    /// The resource `plural` of an API group.
    pub fn find(&self, group: &str, plural: &str) -> Option<&Resource> {
        self.by_name.get(&(group, plural)).and_then(|index| self.list.get(*index))
    }

    /// The resource a key belongs to.
    pub fn of_key(&self, key: &str) -> Option<&Resource> {
        let path = key.strip_prefix("/registry/")?;
        let first = path.find('/')?;
        let second = path.get(first + 1..)?.find('/').map(|at| first + 1 + at);
        let index = second
            .and_then(|end| self.by_root.get(path.get(..end)?))
            .or_else(|| self.by_root.get(path.get(..first)?))?;
        self.list.get(*index)
    }
}
