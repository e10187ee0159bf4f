//! Slim typed views of the objects, for code that computes with them.
//!
//! Unknown fields are ignored on reading; absent ones read as their defaults.

pub mod apps;
pub mod coordination;
pub mod core;
pub mod discovery;
pub mod meta;
pub mod networking;
pub mod node;
pub mod pod;
pub mod service;

use portway_base::ObjectKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use meta::ObjectMeta;

/// A typed view of one kind of object.
pub trait Object: DeserializeOwned + Serialize + Clone + Send + Sync + 'static {
    /// API group; empty for core.
    const GROUP: &'static str;
    /// API version within the group.
    const VERSION: &'static str;
    /// `Service`.
    const KIND: &'static str;
    /// `services`.
    const PLURAL: &'static str;
    /// Lives in namespaces.
    const NAMESPACED: bool;

    /// `metadata`.
    fn metadata(&self) -> &ObjectMeta;

    /// Namespace and name.
    fn key(&self) -> ObjectKey {
        ObjectKey::new(self.metadata().namespace.clone(), self.metadata().name.clone())
    }

    /// `v1`, `apps/v1`.
    fn api_version() -> String {
        if Self::GROUP.is_empty() {
            Self::VERSION.to_owned()
        } else {
            format!("{}/{}", Self::GROUP, Self::VERSION)
        }
    }
}

macro_rules! object {
    ($type:ty, $group:literal, $version:literal, $kind:literal, $plural:literal, $namespaced:literal) => {
        impl $crate::types::Object for $type {
            const GROUP: &'static str = $group;
            const VERSION: &'static str = $version;
            const KIND: &'static str = $kind;
            const PLURAL: &'static str = $plural;
            const NAMESPACED: bool = $namespaced;
            fn metadata(&self) -> &$crate::types::ObjectMeta {
                &self.metadata
            }
        }
    };
}
pub(crate) use object;

macro_rules! view {
    ($($(#[$attr:meta])* pub struct $name:ident { $($(#[$fattr:meta])* pub $field:ident : $ty:ty,)* })*) => {$(
        $(#[$attr])*
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub struct $name {
            $($(#[$fattr])*
            #[serde(deserialize_with = "crate::types::meta::null_default", skip_serializing_if = "crate::types::meta::is_default")]
            pub $field: $ty,)*
        }
    )*};
}
pub(crate) use view;
