//! Dependencies point one way.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::{report, root};

/// Our crates from the leaves up, each with those of ours it may know. A new crate is a new row.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("telemetry", &[]),
    ("netns", &["base"]),
    ("api", &["base"]),
    ("machinery", &["base", "api"]),
    ("alloc", &["base"]),
    ("store", &["base"]),
    ("intent", &["base"]),
    ("resolve", &["base", "api", "intent"]),
    ("nftables", &["base", "intent"]),
    ("client", &["base", "api"]),
    ("apiserver", &["base", "api", "machinery", "alloc", "store"]),
    ("controllers", &["base", "api", "machinery", "client"]),
    ("dns", &["base", "api", "client"]),
    ("node", &["base", "api", "client", "netns"]),
    ("proxy", &["base", "api", "client", "intent", "resolve", "nftables", "netns"]),
    ("tidy", &[]),
];

/// The crates that may speak HTTP; `node` does so for probes only, the binary for its own endpoints.
const HTTP: &[&str] = &["apiserver", "client", "node", "telemetry", "portway"];

/// Pure crates: values in, values out.
pub const PURE: &[&str] = &["base", "api", "machinery", "alloc", "intent", "resolve"];

struct Package {
    name: String,
    normal: BTreeSet<String>,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| Package {
            name: short(package["name"].as_str().unwrap()).to_owned(),
            normal: package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|d| d["kind"].is_null())
                .map(|d| d["name"].as_str().unwrap().to_owned())
                .collect(),
        })
        .collect()
}

fn short(name: &str) -> &str {
    name.strip_prefix("portway-").unwrap_or(name)
}

#[test]
fn dependencies_point_one_way() {
    let layers: BTreeMap<_, _> = LAYERS.iter().copied().collect();
    let mut violations = Vec::new();
    for package in packages() {
        if package.name == "portway" {
            continue;
        }
        let Some(allowed) = layers.get(package.name.as_str()) else {
            violations.push(format!("{} has no row in LAYERS", package.name));
            continue;
        };
        for dependency in package.normal.iter().filter(|d| d.starts_with("portway")) {
            if !allowed.contains(&short(dependency)) {
                violations.push(format!("{} may not know {}", package.name, short(dependency)));
            }
        }
    }
    report("a crate knows another that it may not know", violations);
}

#[test]
fn only_the_edges_speak_http() {
    let violations = packages()
        .iter()
        .filter(|p| !HTTP.contains(&p.name.as_str()))
        .flat_map(|p| p.normal.iter().map(move |d| (p, d)))
        .filter(|(_, d)| ["hyper", "http", "hyper-util", "rustls", "tokio-rustls"].contains(&d.as_str()))
        .map(|(p, d)| format!("{} depends on {d}", p.name))
        .collect();
    report("only the API server, its client and the probes know HTTP", violations);
}

#[test]
fn pure_crates_have_no_way_to_do_io() {
    let io = ["tokio", "rustix", "libc", "socket2", "netlink-sys", "fastrand", "hyper", "redb", "tracing"];
    let violations = packages()
        .iter()
        .filter(|p| PURE.contains(&p.name.as_str()))
        .flat_map(|p| p.normal.iter().map(move |d| (p, d)))
        .filter(|(_, d)| io.contains(&d.as_str()))
        .map(|(p, d)| format!("{} depends on {d}", p.name))
        .collect();
    report("a pure crate can reach the outside", violations);
}
