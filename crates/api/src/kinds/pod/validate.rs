//! Validation of a Pod spec, in a Pod or a template.

use std::collections::BTreeSet;

use serde_json::Value;

use super::container;
use crate::field::FieldError;
use crate::kinds::value::Read;
use crate::kinds::{format, ip, meta};

/// Everything wrong with the Pod spec at `path`.
pub(in crate::kinds) fn spec(path: &str, spec: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let (volumes, names) = volumes(path, spec.list("volumes"));
    errors.extend(volumes);
    errors.extend(container::all(path, spec, &names));
    errors.extend(one_of(path, spec, "restartPolicy", &["Always", "OnFailure", "Never"]));
    errors.extend(one_of(
        path,
        spec,
        "dnsPolicy",
        &["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"],
    ));
    errors.extend(dns(path, spec));
    let grace = spec.int("terminationGracePeriodSeconds");
    if grace < 0 {
        let detail = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(format!("{path}.terminationGracePeriodSeconds"), grace, detail));
    }
    if let Some(deadline) = spec.at("activeDeadlineSeconds").and_then(Value::as_i64)
        && !(1..=i64::from(i32::MAX)).contains(&deadline)
    {
        let detail = format::range(1, i64::from(i32::MAX));
        errors.push(FieldError::invalid(format!("{path}.activeDeadlineSeconds"), deadline, detail));
    }
    for (field, rule) in [
        ("hostname", format::dns1123_label as fn(&str) -> format::Problems),
        ("subdomain", format::dns1123_label),
        ("nodeName", format::dns1123_subdomain),
        ("serviceAccountName", format::dns1123_subdomain),
        ("priorityClassName", format::dns1123_subdomain),
        ("schedulerName", format::qualified_name),
    ] {
        let text = spec.text(field);
        if !text.is_empty() {
            errors.extend(FieldError::each_invalid(&format!("{path}.{field}"), text, rule(text)));
        }
    }
    errors.extend(meta::labels(&format!("{path}.nodeSelector"), &spec.pairs("nodeSelector")));
    errors.extend(tolerations(path, spec.list("tolerations")));
    for (index, alias) in spec.list("hostAliases").iter().enumerate() {
        let path = format!("{path}.hostAliases[{index}]");
        errors.extend(ip::validate_legacy(&format!("{path}.ip"), alias.text("ip"), &[]));
        for (at, host) in alias.texts("hostnames").into_iter().enumerate() {
            let problems = format::dns1123_subdomain(host);
            errors.extend(FieldError::each_invalid(&format!("{path}.hostnames[{at}]"), host, problems));
        }
    }
    for (index, gate) in spec.list("readinessGates").iter().enumerate() {
        let (at, kind) =
            (format!("{path}.readinessGates[{index}].conditionType"), gate.text("conditionType"));
        errors.extend(FieldError::each_invalid(&at, kind, format::qualified_name(kind)));
    }
    errors.extend(spread(path, spec.list("topologySpreadConstraints")));
    errors
}

fn one_of(path: &str, spec: &Value, field: &str, choices: &[&str]) -> Option<FieldError> {
    let at = format!("{path}.{field}");
    match spec.text(field) {
        "" => Some(FieldError::required(at, "")),
        known if choices.contains(&known) => None,
        other => Some(FieldError::not_supported(at, other, choices)),
    }
}

fn volumes<'v>(path: &str, volumes: &'v [Value]) -> (Vec<FieldError>, BTreeSet<&'v str>) {
    let mut errors = Vec::new();
    let mut names = BTreeSet::new();
    for (index, volume) in volumes.iter().enumerate() {
        let path = format!("{path}.volumes[{index}]");
        let (at, name) = (format!("{path}.name"), volume.text("name"));
        if name.is_empty() {
            errors.push(FieldError::required(at, ""));
        } else {
            errors.extend(FieldError::each_invalid(&at, name, format::dns1123_label(name)));
            if !names.insert(name) {
                errors.push(FieldError::duplicate(at, name));
            }
        }
        let sources: Vec<&str> = volume
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, value)| *key != "name" && !value.is_null())
            .map(|(key, _)| key.as_str())
            .collect();
        if sources.is_empty() {
            errors.push(FieldError::required(&*path, "must specify a volume type"));
        }
        for extra in sources.iter().skip(1) {
            errors.push(FieldError::forbidden(
                format!("{path}.{extra}"),
                "may not specify more than 1 volume type",
            ));
        }
        for (source, field) in [
            ("secret", "secretName"),
            ("configMap", "name"),
            ("persistentVolumeClaim", "claimName"),
            ("hostPath", "path"),
            ("csi", "driver"),
        ] {
            if volume.has(source) && volume.text(&format!("{source}.{field}")).is_empty() {
                errors.push(FieldError::required(format!("{path}.{source}.{field}"), ""));
            }
        }
    }
    (errors, names)
}

fn dns(path: &str, spec: &Value) -> Vec<FieldError> {
    const SERVERS: usize = 3;
    const DOMAINS: usize = 32;
    let mut errors = Vec::new();
    let servers = spec.texts("dnsConfig.nameservers");
    let path = format!("{path}.dnsConfig");
    if spec.text("dnsPolicy") == "None" {
        if !spec.has("dnsConfig") {
            let detail = "must provide `dnsConfig` when `dnsPolicy` is None";
            return vec![FieldError::required(path, detail)];
        }
        if servers.is_empty() {
            let detail = "must provide at least one DNS nameserver when `dnsPolicy` is None";
            errors.push(FieldError::required(format!("{path}.nameservers"), detail));
        }
    }
    if servers.len() > SERVERS {
        let detail = format!("must not have more than {SERVERS} nameservers");
        let value: Vec<Value> = servers.iter().map(|s| (*s).into()).collect();
        errors.push(FieldError::invalid(format!("{path}.nameservers"), value, detail));
    }
    for (index, server) in servers.into_iter().enumerate() {
        errors.extend(ip::validate_legacy(&format!("{path}.nameservers[{index}]"), server, &[]));
    }
    let searches = spec.texts("dnsConfig.searches");
    if searches.len() > DOMAINS {
        let detail = format!("must not have more than {DOMAINS} search paths");
        let value: Vec<Value> = searches.iter().map(|s| (*s).into()).collect();
        errors.push(FieldError::invalid(format!("{path}.searches"), value, detail));
    }
    for (index, option) in spec.list("dnsConfig.options").iter().enumerate() {
        if option.text("name").is_empty() {
            errors.push(FieldError::required(format!("{path}.options[{index}]"), "must not be empty"));
        }
    }
    errors
}

fn tolerations(path: &str, tolerations: &[Value]) -> Vec<FieldError> {
    const EFFECTS: &[&str] = &["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let mut errors = Vec::new();
    for (index, toleration) in tolerations.iter().enumerate() {
        let path = format!("{path}.tolerations[{index}]");
        let (key, operator) = (toleration.text("key"), toleration.text("operator"));
        if !key.is_empty() {
            errors.extend(FieldError::each_invalid(&format!("{path}.key"), key, format::qualified_name(key)));
        } else if operator != "Exists" {
            let detail =
                "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(format!("{path}.operator"), operator, detail));
        }
        if toleration.has("tolerationSeconds") && toleration.text("effect") != "NoExecute" {
            let detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
            errors.push(FieldError::invalid(format!("{path}.effect"), toleration.text("effect"), detail));
        }
        match operator {
            "" | "Equal" => {
                let value = toleration.text("value");
                let at = format!("{path}.operator");
                errors.extend(FieldError::each_invalid(&at, value, format::label_value(value)));
            }
            "Exists" => {
                if !toleration.text("value").is_empty() {
                    let detail = "value must be empty when `operator` is 'Exists'";
                    errors.push(FieldError::invalid(
                        format!("{path}.operator"),
                        toleration.text("value"),
                        detail,
                    ));
                }
            }
            other => {
                errors.push(FieldError::not_supported(
                    format!("{path}.operator"),
                    other,
                    &["Equal", "Exists"],
                ));
            }
        }
        let effect = toleration.text("effect");
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            errors.push(FieldError::not_supported(format!("{path}.effect"), effect, EFFECTS));
        }
    }
    errors
}

fn spread(path: &str, constraints: &[Value]) -> Vec<FieldError> {
    const ACTIONS: &[&str] = &["DoNotSchedule", "ScheduleAnyway"];
    let mut errors = Vec::new();
    for (index, constraint) in constraints.iter().enumerate() {
        let path = format!("{path}.topologySpreadConstraints[{index}]");
        let skew = constraint.int("maxSkew");
        if skew <= 0 {
            errors.push(FieldError::invalid(format!("{path}.maxSkew"), skew, "must be greater than zero"));
        }
        if constraint.text("topologyKey").is_empty() {
            errors.push(FieldError::required(format!("{path}.topologyKey"), "can not be empty"));
        }
        let action = constraint.text("whenUnsatisfiable");
        if !ACTIONS.contains(&action) {
            errors.push(FieldError::not_supported(format!("{path}.whenUnsatisfiable"), action, ACTIONS));
        }
        if let Some(selector) = constraint.at("labelSelector") {
            errors.extend(meta::label_selector(&format!("{path}.labelSelector"), selector));
        }
    }
    errors
}

/// Addresses of a status: well formed, one for each family.
pub(super) fn pod_ips(pod: &Value, old: &Value) -> Vec<FieldError> {
    const PATH: &str = "status.podIPs";
    let existing: Vec<&str> = old.list(PATH).iter().map(|ip| ip.text("ip")).collect();
    let addresses: Vec<&str> = pod.list(PATH).iter().map(|ip| ip.text("ip")).collect();
    let mut errors = Vec::new();
    for address in &addresses {
        errors.extend(ip::validate_legacy(PATH, address, &existing));
    }
    let families: BTreeSet<_> = addresses.iter().filter_map(|address| ip::family(address)).collect();
    if addresses.len() > 1 && (addresses.len() > 2 || families.len() < 2) {
        let detail = "may specify no more than one IP for each IP family";
        errors.push(FieldError::invalid(PATH, pod.list(PATH).to_vec(), detail));
    }
    errors
}
