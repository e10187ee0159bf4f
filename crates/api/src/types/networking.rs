//! networking.k8s.io/v1: Ingress, IngressClass, IPAddress, ServiceCIDR.

use super::meta::Condition;
use super::{ObjectMeta, object, view};

object!(Ingress, "networking.k8s.io", "v1", "Ingress", "ingresses", true);
object!(IngressClass, "networking.k8s.io", "v1", "IngressClass", "ingressclasses", false);
object!(IpAddress, "networking.k8s.io", "v1", "IPAddress", "ipaddresses", false);
object!(ServiceCidr, "networking.k8s.io", "v1", "ServiceCIDR", "servicecidrs", false);
view! {
    /// HTTP entry to Services.
    pub struct Ingress {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: IngressSpec,
    }

    /// `spec` of an Ingress.
    pub struct IngressSpec {
        /// Which controller serves it.
        pub ingress_class_name: Option<String>,
        /// For requests no rule matches.
        pub default_backend: Option<IngressBackend>,
        /// Certificates.
        pub tls: Vec<IngressTls>,
        /// Rules by host.
        pub rules: Vec<IngressRule>,
    }

    /// Certificate of some hosts.
    pub struct IngressTls {
        /// Hosts.
        pub hosts: Vec<String>,
        /// Secret with certificate and key.
        pub secret_name: String,
    }

    /// Rules of one host.
    pub struct IngressRule {
        /// Host; empty matches all.
        pub host: String,
        /// Paths.
        pub http: Option<HttpIngressRuleValue>,
    }

    /// Paths of one host.
    pub struct HttpIngressRuleValue {
        /// Paths.
        pub paths: Vec<HttpIngressPath>,
    }

    /// One path.
    pub struct HttpIngressPath {
        /// Path.
        pub path: String,
        /// `Exact`, `Prefix`, `ImplementationSpecific`.
        pub path_type: Option<String>,
        /// Where it goes.
        pub backend: IngressBackend,
    }

    /// Where requests go.
    pub struct IngressBackend {
        /// A Service.
        pub service: Option<IngressServiceBackend>,
    }

    /// A port of a Service.
    pub struct IngressServiceBackend {
        /// Service.
        pub name: String,
        /// Port.
        pub port: ServiceBackendPort,
    }

    /// A port by name or number.
    pub struct ServiceBackendPort {
        /// Name.
        pub name: String,
        /// Number.
        pub number: i32,
    }

    /// A class of Ingresses.
    pub struct IngressClass {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: IngressClassSpec,
    }

    /// `spec` of an IngressClass.
    pub struct IngressClassSpec {
        /// Which controller serves it.
        pub controller: String,
    }

    /// An allocated ClusterIP.
    pub struct IpAddress {
        /// Metadata; the name is the address.
        pub metadata: ObjectMeta,
        /// Who uses it.
        pub spec: IpAddressSpec,
    }

    /// `spec` of an IPAddress.
    pub struct IpAddressSpec {
        /// Who uses it.
        pub parent_ref: Option<ParentReference>,
    }

    /// Who uses an address.
    pub struct ParentReference {
        /// API group.
        pub group: String,
        /// `services`.
        pub resource: String,
        /// Its namespace.
        pub namespace: String,
        /// Its name.
        pub name: String,
    }

    /// Ranges that ClusterIPs come from.
    pub struct ServiceCidr {
        /// Metadata.
        pub metadata: ObjectMeta,
        /// Desired state.
        pub spec: ServiceCidrSpec,
        /// Observed state.
        pub status: ServiceCidrStatus,
    }

    /// `spec` of a ServiceCIDR.
    pub struct ServiceCidrSpec {
        /// One range a family.
        pub cidrs: Vec<String>,
    }

    /// `status` of a ServiceCIDR.
    pub struct ServiceCidrStatus {
        /// Conditions.
        pub conditions: Vec<Condition>,
    }
}
