//! Cluster IP fields: `clusterIP`, `clusterIPs`, `ipFamilies`, `ipFamilyPolicy`, which are four views of one
//! choice. Checks them against each other and settles what was left open.

use portway_base::IpFamily;
use serde_json::{Value, json};

use super::defaults::{selectorless, texts};
use super::{is_external_name, is_headless};
use crate::field::FieldError;
use crate::kinds::ip;
use crate::kinds::value::{Edit, Read};

pub(super) const IPS: &str = "spec.clusterIPs";
pub(super) const FAMILIES: &str = "spec.ipFamilies";
pub(super) const POLICY: &str = "spec.ipFamilyPolicy";
const FAMILY_NAMES: &[&str] = &["IPv4", "IPv6"];
const POLICIES: &[&str] = &["PreferDualStack", "RequireDualStack", "SingleStack"];

/// Start of a create: `clusterIPs` from `clusterIP`, then families and policy, ready for allocation.
/// `families` are the cluster's, the default one first.
pub fn begin_create(service: &mut Value, families: &[IpFamily]) -> Result<(), Vec<FieldError>> {
    let single = service.text("spec.clusterIP").to_owned();
    if !single.is_empty() && service.list(IPS).is_empty() {
        service.set(IPS, json!([single]));
    }
    settle(service, None, families)
}

/// The value of a field as an error shows it.
pub(super) fn value(service: &Value, path: &str) -> Value {
    service.at(path).cloned().unwrap_or(Value::Null)
}

pub(super) fn is_single_stack(service: &Value) -> bool {
    service.text(POLICY) == "SingleStack"
}

/// Settles families and policy. `old` is the Service before an update.
pub(super) fn settle(
    service: &mut Value,
    old: Option<&Value>,
    families: &[IpFamily],
) -> Result<(), Vec<FieldError>> {
    if is_external_name(service) || old.is_some_and(|old| stays_prefer_dual(service, old)) {
        return Ok(());
    }
    let stop = |errors: Vec<FieldError>| if errors.is_empty() { Ok(()) } else { Err(errors) };
    if !service.has(POLICY) {
        let policy = match old.map(|old| old.text(POLICY)) {
            Some(policy) if !policy.is_empty() => policy,
            _ if is_headless(service) && selectorless(service) => "RequireDualStack",
            _ => "SingleStack",
        };
        let policy = policy.to_owned();
        service.set(POLICY, policy);
    }
    stop(check(service, old))?;

    let mut errors = old.map(|old| shrink(service, old)).unwrap_or_default();
    if is_single_stack(service) {
        for (path, name) in [(IPS, "clusterIPs"), (FAMILIES, "ipFamilies")] {
            if service.list(path).len() == 2 {
                let detail = format!(
                    "must be RequireDualStack or PreferDualStack when multiple '{name}' are specified"
                );
                errors.push(FieldError::invalid(POLICY, value(service, POLICY), detail));
            }
        }
    }
    errors.extend(infer(service, families));
    stop(errors)?;

    let Some(default) = families.first().copied() else { return Ok(()) };
    let given = |service: &Value| -> Vec<IpFamily> {
        service.texts(FAMILIES).into_iter().filter_map(parse).collect()
    };
    if is_headless(service) && selectorless(service) {
        let mut chosen = given(service);
        if chosen.is_empty() {
            chosen.push(default);
        }
        if chosen.len() == 1 && !is_single_stack(service) {
            chosen.push(chosen[0].other());
        }
        service.set(FAMILIES, texts(&chosen));
        return Ok(());
    }

    let mut errors = Vec::new();
    if service.text(POLICY) == "RequireDualStack" && families.len() < 2 {
        let detail = "this cluster is not configured for dual-stack services";
        errors.push(FieldError::invalid(POLICY, value(service, POLICY), detail));
    }
    let mut chosen = given(service);
    for (index, family) in chosen.iter().enumerate() {
        if !families.contains(family) {
            let at = format!("{FAMILIES}[{index}]");
            errors.push(FieldError::invalid(at, family.as_str(), "not configured on this cluster"));
        }
    }
    stop(errors)?;
    if chosen.is_empty() {
        chosen.push(default);
    }
    if chosen.len() == 1 && !is_single_stack(service) && families.len() > 1 {
        chosen.push(chosen[0].other());
    }
    service.set(FAMILIES, texts(&chosen));
    Ok(())
}

pub(super) fn parse(family: &str) -> Option<IpFamily> {
    IpFamily::ALL.into_iter().find(|known| known.as_str() == family)
}

/// A PreferDualStack Service is neither up- nor downgraded by a write that does not touch its addresses.
pub(super) fn stays_prefer_dual(new: &Value, old: &Value) -> bool {
    let prefer = |service: &Value| service.text(POLICY) == "PreferDualStack";
    prefer(new)
        && prefer(old)
        && new.text("spec.type") == old.text("spec.type")
        && new.list(IPS) == old.list(IPS)
        && new.list(FAMILIES) == old.list(FAMILIES)
}

/// On update: drops the second address and family a Service that turns SingleStack did not touch, and refuses
/// to drop them otherwise.
fn shrink(service: &mut Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (path, what) in [(IPS, "cluster IP"), (FAMILIES, "IP family")] {
        let (now, before) = (service.list(path), old.list(path));
        if is_single_stack(service) {
            if now.len() == 2 && now == before {
                let first = now[..1].to_vec();
                service.set(path, first);
            }
        } else if !now.is_empty() && now.len() < before.len() {
            let detail = format!("must be 'SingleStack' to release the secondary {what}");
            errors.push(FieldError::invalid(POLICY, value(service, POLICY), detail));
        }
    }
    errors
}

/// Takes the families of addresses beyond those given from the addresses.
fn infer(service: &mut Value, families: &[IpFamily]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut chosen = service.list(FAMILIES).to_vec();
    for (index, address) in service.texts(IPS).into_iter().enumerate() {
        if address == "None" {
            break;
        }
        let Some(family) = ip::family(address) else { continue };
        if index < chosen.len() {
            continue;
        }
        if families.contains(&family) {
            chosen.push(family.as_str().into());
        } else {
            let detail = format!("{family} is not configured on this cluster");
            errors.push(FieldError::invalid(format!("{IPS}[{index}]"), value(service, IPS), detail));
        }
    }
    if !chosen.is_empty() {
        service.set(FAMILIES, chosen);
    }
    errors
}

/// Everything wrong with the cluster IP fields by themselves. Addresses of `old` pass as they are.
pub(super) fn check(service: &Value, old: Option<&Value>) -> Vec<FieldError> {
    if is_external_name(service) {
        return Vec::new();
    }
    let mut errors = Vec::new();
    let ips = service.texts(IPS);
    let invalid = |detail: &str| FieldError::invalid(IPS, value(service, IPS), detail);
    match (service.text("spec.clusterIP"), ips.first()) {
        ("", None) => {}
        ("", Some(_)) => errors.push(invalid("must be empty when `clusterIP` is not specified")),
        (_, None) => errors.push(FieldError::required(IPS, "")),
        (single, Some(first)) if single != *first => {
            errors.push(invalid("first value must match `clusterIP`"))
        }
        _ => {}
    }
    let families = service.texts(FAMILIES);
    for (index, family) in families.iter().enumerate() {
        let at = format!("{FAMILIES}[{index}]");
        if !FAMILY_NAMES.contains(family) {
            errors.push(FieldError::not_supported(&*at, *family, FAMILY_NAMES));
        }
        if families[..index].contains(family) {
            errors.push(FieldError::duplicate(at, *family));
        }
    }
    if service.has(POLICY) && !POLICIES.contains(&service.text(POLICY)) {
        errors.push(FieldError::not_supported(POLICY, value(service, POLICY), POLICIES));
    }

    let existing = old.map(|old| old.texts(IPS)).unwrap_or_default();
    let mut malformed = false;
    for (index, address) in ips.iter().enumerate() {
        if index == 0 && *address == "None" {
            if ips.len() > 1 {
                malformed = true;
                errors.push(invalid("'None' must be the first and only value"));
            }
            continue;
        }
        let wrong = ip::validate_legacy(&format!("{IPS}[{index}]"), address, &existing);
        malformed |= !wrong.is_empty();
        errors.extend(wrong);
    }
    if ips.len() > 2 {
        errors.push(invalid("may only hold up to 2 values"));
    }
    if malformed {
        return errors;
    }
    let of: Vec<Option<IpFamily>> = ips.iter().map(|address| ip::family(address)).collect();
    if ips.len() > 1 && !(of.contains(&Some(IpFamily::V4)) && of.contains(&Some(IpFamily::V6))) {
        errors.push(invalid("may specify no more than one IP for each IP family"));
    }
    if !is_headless(service) && errors.is_empty() {
        for (index, (family, wanted)) in of.iter().zip(&families).enumerate() {
            if family.is_some() && *family != parse(wanted) {
                let article = format!("expected an {wanted} value as indicated by `ipFamilies[{index}]`");
                errors.push(FieldError::invalid(format!("{IPS}[{index}]"), ips[index], article));
            }
        }
    }
    errors
}
