//! Addresses of Pods, for the mode that verifies them.

use std::collections::HashMap;
use std::net::IpAddr;

use portway_api::types::pod::Pod;

use super::label::label;

/// Primary Pod addresses by namespace.
#[derive(Default)]
pub(super) struct Pods {
    namespaces: HashMap<Box<[u8]>, Members>,
}

#[derive(Default)]
struct Members {
    by_name: HashMap<Box<str>, IpAddr>,
    /// How many Pods have an address: it can move on before the old Pod is gone.
    by_address: HashMap<IpAddr, u32>,
}

impl Pods {
    /// Whether a Pod of the namespace (lower-case label) has the address.
    pub fn contains(&self, namespace: &[u8], address: IpAddr) -> bool {
        self.namespaces.get(namespace).is_some_and(|members| members.by_address.contains_key(&address))
    }

    /// Takes in the state of a Pod; `None` means it is gone. Tells whether a name changed.
    ///
    /// A Pod that terminates keeps its name until it is gone, but is not added; one that ended has none.
    pub fn set(&mut self, namespace: &str, name: &str, pod: Option<&Pod>) -> bool {
        let Some(namespace) = label(namespace) else { return false };
        let known = self.namespaces.get(&namespace).and_then(|members| members.by_name.get(name)).copied();
        let live = pod.filter(|pod| !matches!(&*pod.status.phase, "Succeeded" | "Failed" | "Unknown"));
        let address = match live {
            Some(pod) if pod.metadata.deletion_timestamp.is_some() => known,
            Some(pod) => pod.status.pod_ip.parse().ok(),
            None => None,
        };
        if known == address {
            return false;
        }
        let members = self.namespaces.entry(namespace.clone()).or_default();
        if let Some(old) = known {
            members.by_name.remove(name);
            if let Some(count) = members.by_address.get_mut(&old) {
                *count -= 1;
                if *count == 0 {
                    members.by_address.remove(&old);
                }
            }
        }
        if let Some(new) = address {
            members.by_name.insert(name.into(), new);
            *members.by_address.entry(new).or_default() += 1;
        } else if members.by_name.is_empty() {
            self.namespaces.remove(&namespace);
        }
        true
    }

    /// Names of the Pods it knows of, with their namespace labels.
    pub fn names(&self) -> impl Iterator<Item = (&[u8], &str)> {
        self.namespaces
            .iter()
            .flat_map(|(namespace, members)| members.by_name.keys().map(move |name| (&**namespace, &**name)))
    }
}
