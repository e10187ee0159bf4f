//! Validation of `status.loadBalancer`.

use serde_json::Value;

use super::is_load_balancer;
use crate::field::FieldError;
use crate::kinds::value::Read;
use crate::kinds::{format, ip};

const PATH: &str = "status.loadBalancer.ingress";

pub(super) fn validate(new: &Value, old: &Value) -> Vec<FieldError> {
    if !is_load_balancer(new) && !new.list(PATH).is_empty() {
        return vec![FieldError::forbidden(PATH, "may only be used when `spec.type` is 'LoadBalancer'")];
    }
    load_balancer_ingress(new, old, true)
}

/// The points of a load balancer, of a Service or (without `ipMode`) an Ingress. Addresses `old` had pass as
/// they are.
pub(in crate::kinds) fn load_balancer_ingress(new: &Value, old: &Value, modes: bool) -> Vec<FieldError> {
    const MODES: &[&str] = &["Proxy", "VIP"];
    let existing: Vec<&str> = old.list(PATH).iter().map(|point| point.text("ip")).collect();
    let mut errors = Vec::new();
    for (index, point) in new.list(PATH).iter().enumerate() {
        let path = format!("{PATH}[{index}]");
        let (address, hostname) = (point.text("ip"), point.text("hostname"));
        if !address.is_empty() {
            errors.extend(ip::validate_legacy(&format!("{path}.ip"), address, &existing));
        }
        if modes {
            let at = format!("{path}.ipMode");
            match point.at("ipMode").map(|mode| mode.as_str().unwrap_or_default()) {
                None if address.is_empty() => {}
                None => errors.push(FieldError::required(at, "must be specified when `ip` is set")),
                Some(_) if address.is_empty() => {
                    errors.push(FieldError::forbidden(at, "may not be specified when `ip` is not set"));
                }
                Some(mode) if !MODES.contains(&mode) => {
                    errors.push(FieldError::not_supported(at, mode, MODES))
                }
                Some(_) => {}
            }
        }
        if !hostname.is_empty() {
            let at = format!("{path}.hostname");
            errors.extend(FieldError::each_invalid(&at, hostname, format::dns1123_subdomain(hostname)));
            if ip::sloppy(hostname).is_some() {
                errors.push(FieldError::invalid(at, hostname, "must be a DNS name, not an IP address"));
            }
        }
    }
    errors
}
