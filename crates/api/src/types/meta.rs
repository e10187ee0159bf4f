//! `metadata` and the pieces of meta/v1 that several kinds share.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

use super::view;

/// Reads `null` as the type's default, as Go's decoder does.
pub(crate) fn null_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    d: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(d).map(Option::unwrap_or_default)
}

/// Unset fields are left out of the JSON form.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

view! {
    /// `metadata` of every object.
    pub struct ObjectMeta {
        /// Unique within kind and namespace.
        pub name: String,
        /// Prefix the server makes a name from.
        pub generate_name: String,
        /// Empty for cluster-scoped objects.
        pub namespace: String,
        /// Unique in time and space.
        pub uid: String,
        /// Revision of the last write, opaque text.
        pub resource_version: String,
        /// Counts changes of the desired state.
        pub generation: i64,
        /// RFC 3339.
        pub creation_timestamp: Option<String>,
        /// Set once deletion was asked for.
        pub deletion_timestamp: Option<String>,
        /// Seconds between the request to delete and the deletion.
        pub deletion_grace_period_seconds: Option<i64>,
        /// Labels.
        pub labels: BTreeMap<String, String>,
        /// Annotations.
        pub annotations: BTreeMap<String, String>,
        /// Owners.
        pub owner_references: Vec<OwnerReference>,
        /// Deletion waits until this is empty.
        pub finalizers: Vec<String>,
    }

    /// A pointer to an owning object.
    pub struct OwnerReference {
        /// `apps/v1`.
        pub api_version: String,
        /// `ReplicaSet`.
        pub kind: String,
        /// Name of the owner.
        pub name: String,
        /// UID of the owner.
        pub uid: String,
        /// The owner manages this object.
        pub controller: bool,
        /// Foreground deletion of the owner waits for this object.
        pub block_owner_deletion: bool,
    }

    /// A label query; empty selects everything.
    pub struct LabelSelector {
        /// All must be equal.
        pub match_labels: BTreeMap<String, String>,
        /// All must hold.
        pub match_expressions: Vec<LabelSelectorRequirement>,
    }

    /// One term of a label query.
    pub struct LabelSelectorRequirement {
        /// Label key.
        pub key: String,
        /// `In`, `NotIn`, `Exists`, `DoesNotExist`.
        pub operator: String,
        /// For `In` and `NotIn`.
        pub values: Vec<String>,
    }

    /// One aspect of an object's state.
    pub struct Condition {
        /// `Ready`.
        #[serde(rename = "type")]
        pub kind: String,
        /// `True`, `False`, `Unknown`.
        pub status: String,
        /// RFC 3339; when the status changed.
        pub last_transition_time: Option<String>,
        /// RFC 3339; when it was last confirmed (Nodes only).
        pub last_heartbeat_time: Option<String>,
        /// RFC 3339; when anything of it changed (Deployments only).
        pub last_update_time: Option<String>,
        /// One CamelCase word.
        pub reason: String,
        /// For people.
        pub message: String,
    }

    /// A reference to another object.
    pub struct ObjectReference {
        /// `Pod`.
        pub kind: String,
        /// Its namespace.
        pub namespace: String,
        /// Its name.
        pub name: String,
        /// Its UID.
        pub uid: String,
        /// `v1`.
        pub api_version: String,
        /// Its revision.
        pub resource_version: String,
        /// A part of it.
        pub field_path: String,
    }
}

/// A number or a text (`targetPort`, `maxSurge`).
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum IntOrString {
    /// A number.
    Int(i32),
    /// A text: a port name or a percentage.
    String(String),
}

impl Default for IntOrString {
    fn default() -> Self {
        Self::Int(0)
    }
}
