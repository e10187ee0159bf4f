//! Objects of any kind, as far as their metadata.

use portway_api::{Object, ObjectMeta};
use portway_base::ObjectKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// meta/v1 PartialObjectMetadata: an object without spec and status.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Partial {
    /// Metadata.
    pub metadata: ObjectMeta,
}

/// What a watch needs to know of an object.
pub trait Watched: DeserializeOwned + Send + Sync + 'static {
    /// `metadata`.
    fn meta(&self) -> &ObjectMeta;

    /// Namespace and name.
    fn object_key(&self) -> ObjectKey {
        ObjectKey::new(self.meta().namespace.clone(), self.meta().name.clone())
    }
}

impl<T: Object> Watched for T {
    fn meta(&self) -> &ObjectMeta {
        self.metadata()
    }
}

impl Watched for Partial {
    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }
}
