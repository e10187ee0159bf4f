//! Fields of the Pod as text: the downward API.

use std::net::IpAddr;

use portway_api::types::pod::Pod;

use super::Missing;

/// What the agent knows of a Pod before its status says so.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// The Pod's host name.
    pub hostname: String,
    /// The Pod's addresses.
    pub pod_ips: Vec<IpAddr>,
    /// The node's addresses.
    pub host_ips: Vec<IpAddr>,
    /// Directories of programs, as `PATH` has them.
    pub path: String,
}

/// The text of a field path such as `metadata.name` or `metadata.labels['app']`.
///
/// # Errors
/// [`Missing`] for a path that names no field of use.
pub fn field(pod: &Pod, own: &Own, path: &str) -> Result<String, Missing> {
    let meta = &pod.metadata;
    let first = |ips: &[IpAddr]| ips.first().map(IpAddr::to_string).unwrap_or_default();
    let all = |ips: &[IpAddr]| ips.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(",");
    if let Some((map, key)) = path.split_once("['").and_then(|(m, k)| Some((m, k.strip_suffix("']")?))) {
        let found = match map {
            "metadata.labels" => meta.labels.get(key),
            "metadata.annotations" => meta.annotations.get(key),
            _ => return Err(Missing(format!("unsupported field path {path:?}"))),
        };
        return Ok(found.cloned().unwrap_or_default());
    }
    Ok(match path {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "spec.nodeName" => pod.spec.node_name.clone(),
        "spec.serviceAccountName" => pod.spec.service_account_name.clone(),
        "status.hostIP" => first(&own.host_ips),
        "status.hostIPs" => all(&own.host_ips),
        "status.podIP" => first(&own.pod_ips),
        "status.podIPs" => all(&own.pod_ips),
        _ => return Err(Missing(format!("unsupported field path {path:?}"))),
    })
}
