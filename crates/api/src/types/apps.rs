//! apps/v1 Deployment and ReplicaSet. Pod templates stay as written, so that nothing of them is lost.

use serde_json::Value;

use super::meta::{Condition, IntOrString, LabelSelector};
use super::{ObjectMeta, object, view};

object!(Deployment, "apps", "v1", "Deployment", "deployments", true);
object!(ReplicaSet, "apps", "v1", "ReplicaSet", "replicasets", true);
view! {
    /// Keeps ReplicaSets, one a version of the template.
    pub struct Deployment {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: DeploymentSpec,
        /// Observed state.
        pub status: DeploymentStatus,
    }

    /// `spec` of a Deployment.
    pub struct DeploymentSpec {
        /// Absent means 1.
        pub replicas: Option<i32>,
        /// Which Pods are its own.
        pub selector: LabelSelector,
        /// The Pod to run, as written.
        pub template: Value,
        /// How to replace Pods.
        pub strategy: DeploymentStrategy,
        /// Seconds a Pod must be ready to count as available.
        pub min_ready_seconds: i32,
        /// Old ReplicaSets kept; absent means 10.
        pub revision_history_limit: Option<i32>,
        /// No rollout while set.
        pub paused: bool,
        /// Seconds without progress that count as failure; absent means 600.
        pub progress_deadline_seconds: Option<i32>,
    }

    /// How to replace Pods.
    pub struct DeploymentStrategy {
        /// `RollingUpdate` or `Recreate`.
        #[serde(rename = "type")]
        pub kind: String,
        /// Bounds of a rolling update.
        pub rolling_update: Option<RollingUpdate>,
    }

    /// Bounds of a rolling update.
    pub struct RollingUpdate {
        /// Absent means 25%.
        pub max_unavailable: Option<IntOrString>,
        /// Absent means 25%.
        pub max_surge: Option<IntOrString>,
    }

    /// `status` of a Deployment.
    pub struct DeploymentStatus {
        /// Generation this status is of.
        pub observed_generation: i64,
        /// Pods.
        pub replicas: i32,
        /// Pods of the current template.
        pub updated_replicas: i32,
        /// Ready Pods.
        pub ready_replicas: i32,
        /// Pods ready for `min_ready_seconds`.
        pub available_replicas: i32,
        /// Pods that are wanted and not available.
        pub unavailable_replicas: i32,
        /// Conditions.
        pub conditions: Vec<Condition>,
        /// Guards against hash collisions of templates.
        pub collision_count: Option<i32>,
    }

    /// Keeps a number of equal Pods.
    pub struct ReplicaSet {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: ReplicaSetSpec,
        /// Observed state.
        pub status: ReplicaSetStatus,
    }

    /// `spec` of a ReplicaSet.
    pub struct ReplicaSetSpec {
        /// Absent means 1.
        pub replicas: Option<i32>,
        /// Seconds a Pod must be ready to count as available.
        pub min_ready_seconds: i32,
        /// Which Pods are its own.
        pub selector: LabelSelector,
        /// The Pod to run, as written.
        pub template: Value,
    }

    /// `status` of a ReplicaSet.
    pub struct ReplicaSetStatus {
        /// Pods.
        pub replicas: i32,
        /// Pods whose labels match the template's.
        pub fully_labeled_replicas: i32,
        /// Ready Pods.
        pub ready_replicas: i32,
        /// Pods ready for `min_ready_seconds`.
        pub available_replicas: i32,
        /// Generation this status is of.
        pub observed_generation: i64,
        /// Conditions.
        pub conditions: Vec<Condition>,
    }
}
