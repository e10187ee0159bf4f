//! Validation of probes and lifecycle hooks.

use serde_json::Value;

use crate::field::FieldError;
use crate::kinds::format;
use crate::kinds::service::port_or_name;
use crate::kinds::value::Read;

/// The probes and hooks of a container.
pub(super) fn all(path: &str, container: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for hook in ["postStart", "preStop"] {
        if let Some(handler) = container.at(&format!("lifecycle.{hook}")) {
            errors.extend(self::handler(&format!("{path}.lifecycle.{hook}"), handler, true));
        }
    }
    for (name, once) in [("livenessProbe", true), ("readinessProbe", false), ("startupProbe", true)] {
        let Some(probe) = container.at(name) else { continue };
        let path = format!("{path}.{name}");
        errors.extend(self::probe(&path, probe));
        let successes = probe.int("successThreshold");
        if once && successes != 1 {
            errors.push(FieldError::invalid(format!("{path}.successThreshold"), successes, "must be 1"));
        }
        if !once && probe.has("terminationGracePeriodSeconds") {
            let seconds = probe.int("terminationGracePeriodSeconds");
            let detail = "must not be set for readinessProbes";
            errors.push(FieldError::invalid(
                format!("{path}.terminationGracePeriodSeconds"),
                seconds,
                detail,
            ));
        }
    }
    errors
}

fn probe(path: &str, probe: &Value) -> Vec<FieldError> {
    let mut errors = handler(path, probe, false);
    for field in
        ["initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"]
    {
        let value = probe.int(field);
        if value < 0 {
            let detail = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(format!("{path}.{field}"), value, detail));
        }
    }
    if let Some(seconds) = probe.at("terminationGracePeriodSeconds").and_then(Value::as_i64)
        && seconds <= 0
    {
        let detail = "must be greater than 0";
        errors.push(FieldError::invalid(format!("{path}.terminationGracePeriodSeconds"), seconds, detail));
    }
    errors
}

fn handler(path: &str, handler: &Value, hook: bool) -> Vec<FieldError> {
    let kinds = if hook {
        ["exec", "httpGet", "tcpSocket", "sleep"]
    } else {
        ["exec", "httpGet", "tcpSocket", "grpc"]
    };
    let mut errors = Vec::new();
    let mut found = false;
    for kind in kinds {
        let Some(action) = handler.at(kind) else { continue };
        let at = format!("{path}.{kind}");
        if found {
            errors.push(FieldError::forbidden(at, "may not specify more than 1 handler type"));
            continue;
        }
        found = true;
        errors.extend(match kind {
            "exec" if action.list("command").is_empty() => {
                vec![FieldError::required(format!("{at}.command"), "")]
            }
            "exec" => Vec::new(),
            "httpGet" => http_get(&at, action),
            "tcpSocket" => port_or_name(&format!("{at}.port"), action.at("port")),
            "grpc" => {
                let port = action.int("port");
                FieldError::each_invalid(&format!("{at}.port"), port, format::port_number(port))
            }
            _ => Vec::new(),
        });
    }
    if !found {
        errors.push(FieldError::required(path, "must specify a handler type"));
    }
    errors
}

fn http_get(path: &str, action: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if action.text("path").is_empty() {
        errors.push(FieldError::required(format!("{path}.path"), ""));
    }
    errors.extend(port_or_name(&format!("{path}.port"), action.at("port")));
    let scheme = action.text("scheme");
    if !["HTTP", "HTTPS"].contains(&scheme) {
        errors.push(FieldError::not_supported(format!("{path}.scheme"), scheme, &["HTTP", "HTTPS"]));
    }
    for header in action.list("httpHeaders") {
        let name = header.text("name");
        errors.extend(FieldError::each_invalid(
            &format!("{path}.httpHeaders"),
            name,
            format::http_header(name),
        ));
    }
    errors
}
