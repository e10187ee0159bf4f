//! How many endpoints each zone should have for itself.

use std::collections::BTreeMap;

use portway_api::types::node::Node;
use serde_json::Value;

use crate::snapshot::Snapshot;

/// A zone may get this much more load than its share.
const OVERLOAD: f64 = 0.2;
/// Label with a Node's zone.
pub const LABEL_ZONE: &str = "topology.kubernetes.io/zone";
const CONTROL_PLANE: [&str; 2] = ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"];

/// Each zone's part of all CPUs; the parts add up to 1.
pub type Zones = BTreeMap<String, f64>;

/// Endpoints for a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Exactly in proportion.
    pub desired: f64,
    /// More than this starves another zone.
    pub max: usize,
}

/// The parts of the zones, from the Nodes that are ready and may run ordinary Pods.
pub fn ratios(snapshot: &Snapshot) -> Result<Zones, String> {
    let mut cpus: BTreeMap<String, f64> = BTreeMap::new();
    let missing = || "CPU or zone of the Nodes is not known".to_owned();
    for node in snapshot.nodes.values().filter(|n| takes_part(n)) {
        let zone = node.metadata.labels.get(LABEL_ZONE).filter(|z| !z.is_empty()).ok_or_else(missing)?;
        let cpu = cpu(node.status.allocatable.get("cpu"));
        if cpu <= 0.0 {
            return Err(missing());
        }
        *cpus.entry(zone.clone()).or_default() += cpu;
    }
    if cpus.len() < 2 {
        return Err(missing());
    }
    let total: f64 = cpus.values().sum();
    Ok(cpus.into_iter().map(|(zone, cpu)| (zone, cpu / total)).collect())
}

fn takes_part(node: &Node) -> bool {
    is_ready(node) && !CONTROL_PLANE.iter().any(|label| node.metadata.labels.contains_key(*label))
}

/// The Node's condition `Ready` is `True`.
pub fn is_ready(node: &Node) -> bool {
    node.status.conditions.iter().any(|c| c.kind == "Ready" && c.status == "True")
}

/// A CPU quantity in cores: `4`, `1500m`; zero if unreadable.
fn cpu(quantity: Option<&Value>) -> f64 {
    let text = match quantity {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => return 0.0,
    };
    let (digits, scale) = match text.strip_suffix('m') {
        Some(digits) => (digits, 0.001),
        None => match text.strip_suffix('k') {
            Some(digits) => (digits, 1000.0),
            None => (text.as_str(), 1.0),
        },
    };
    digits.parse::<f64>().map_or(0.0, |n| n * scale)
}

/// Shares out `endpoints`; an error tells why that would overload someone.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "endpoint counts are small"
)]
pub fn shares(zones: &Zones, endpoints: usize) -> Result<BTreeMap<String, Share>, String> {
    if zones.len() > endpoints {
        return Err(format!("{endpoints} endpoints are too few for {} zones", zones.len()));
    }
    let minimum = |ratio: f64| (ratio * endpoints as f64 / (1.0 + OVERLOAD)).ceil();
    let sum: f64 = zones.values().map(|ratio| minimum(*ratio)).sum();
    if sum > endpoints as f64 {
        return Err(format!(
            "{endpoints} endpoints do not reach the {sum} needed to keep every zone below its limit"
        ));
    }
    let spare = endpoints as f64 - sum;
    let share = |ratio: f64| Share {
        desired: (ratio * endpoints as f64).max(minimum(ratio)),
        max: (minimum(ratio) + spare) as usize,
    };
    Ok(zones.iter().map(|(zone, ratio)| (zone.clone(), share(*ratio))).collect())
}

/// Moves endpoints from zones that have more than their share to those that have less: `(from, to)` each.
#[expect(clippy::cast_precision_loss, reason = "endpoint counts are small")]
pub fn balance(
    shares: &BTreeMap<String, Share>,
    counts: &mut BTreeMap<String, usize>,
) -> Vec<(String, String)> {
    let mut moves = Vec::new();
    loop {
        let excess = |zone: &String, n: usize| n as f64 - shares.get(zone).map_or(0.0, |s| s.desired);
        let mut giver: Option<(f64, String)> = None;
        let mut taker: Option<(f64, String)> = None;
        for (zone, n) in counts.iter() {
            let more = excess(zone, *n);
            if more > 0.0 && giver.as_ref().is_none_or(|(most, _)| more > *most) {
                giver = Some((more, zone.clone()));
            }
            if more < 0.0 && taker.as_ref().is_none_or(|(most, _)| -more > *most) {
                taker = Some((-more, zone.clone()));
            }
        }
        let (Some((more, from)), Some((less, to))) = (giver, taker) else { return moves };
        if (more < 1.0 && less < 1.0) || more < 0.5 || less < 0.5 {
            return moves;
        }
        *counts.entry(from.clone()).or_default() -= 1;
        *counts.entry(to.clone()).or_default() += 1;
        moves.push((from, to));
    }
}

/// Some zone has fewer endpoints than it needs to stay below its limit.
#[expect(clippy::cast_precision_loss, reason = "endpoint counts are small")]
pub fn is_overloaded(zones: &Zones, counts: &BTreeMap<String, usize>) -> bool {
    let total: usize = counts.values().sum();
    zones.iter().any(|(zone, ratio)| {
        let needed = (ratio * total as f64 / (1.0 + OVERLOAD)).ceil();
        (counts.get(zone).copied().unwrap_or_default() as f64) < needed
    })
}
