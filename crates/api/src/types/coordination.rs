//! coordination.k8s.io/v1 Lease.

use super::{ObjectMeta, object, view};

object!(Lease, "coordination.k8s.io", "v1", "Lease", "leases", true);
view! {
    /// A claim that its holder renews: heartbeats and leader election.
    pub struct Lease {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// The claim.
        pub spec: LeaseSpec,
    }

    /// `spec` of a Lease.
    pub struct LeaseSpec {
        /// Who holds it.
        pub holder_identity: Option<String>,
        /// Seconds it lasts after a renewal.
        pub lease_duration_seconds: Option<i32>,
        /// RFC 3339 with microseconds.
        pub acquire_time: Option<String>,
        /// RFC 3339 with microseconds.
        pub renew_time: Option<String>,
        /// Changes of holder.
        pub lease_transitions: Option<i32>,
    }
}
