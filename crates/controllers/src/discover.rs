//! Which kinds there are besides those the controllers know by type.

use std::time::Duration;

use portway_client::{Client, Error, Gvr};
use serde::Deserialize;

use crate::snapshot::Snapshot;

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    preferred_version: Version,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    group_version: String,
}

#[derive(Deserialize)]
struct Resources {
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    kind: String,
    namespaced: bool,
    verbs: Vec<String>,
}

/// A kind the server has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Where its objects are.
    pub resource: Gvr,
    /// `Secret`.
    pub kind: String,
    /// Lives in namespaces.
    pub namespaced: bool,
}

/// The kinds whose metadata must be watched: those that can be listed, watched and deleted, and are not known by type.
/// Asks until the server answers.
pub async fn discover(client: &Client) -> Vec<Found> {
    let mut delay = Duration::from_millis(50);
    loop {
        match try_discover(client).await {
            Ok(found) => return found,
            Err(error) => tracing::warn!(%error, ?delay, "cannot read the server's API"),
        }
        tokio::time::sleep(delay.mul_f64(1.0 + fastrand::f64() / 2.0)).await;
        delay = (delay * 2).min(Duration::from_secs(10));
    }
}

async fn try_discover(client: &Client) -> Result<Vec<Found>, Error> {
    let mut found = Vec::new();
    let core: Resources = get(client, "/api/v1").await?;
    add("", "v1", core, &mut found);
    let groups: Groups = get(client, "/apis").await?;
    for group in groups.groups {
        let text = group.preferred_version.group_version;
        let Some((group, version)) = text.split_once('/') else { continue };
        let resources: Resources = get(client, &format!("/apis/{text}")).await?;
        add(group, version, resources, &mut found);
    }
    found.sort();
    Ok(found)
}

fn add(group: &str, version: &str, resources: Resources, found: &mut Vec<Found>) {
    let known = Snapshot::default();
    for resource in resources.resources {
        let can = |verb: &str| resource.verbs.iter().any(|v| v == verb);
        // Events are many, own nothing and are owned by nothing.
        if resource.name == "events" || !(can("list") && can("watch") && can("delete")) {
            continue;
        }
        let gvr = Gvr {
            group: group.to_owned().into(),
            version: version.to_owned().into(),
            resource: resource.name.into(),
        };
        if !known.watches(&gvr) {
            found.push(Found { resource: gvr, kind: resource.kind, namespaced: resource.namespaced });
        }
    }
}

async fn get<T: for<'de> Deserialize<'de>>(client: &Client, path: &str) -> Result<T, Error> {
    let bytes = client.get_bytes(path, "application/json").await?;
    serde_json::from_slice(&bytes).map_err(|e| Error::Malformed(format!("{path}: {e}")))
}
