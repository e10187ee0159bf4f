//! A container's environment, command and arguments: Service variables, ConfigMaps and Secrets, fields of the Pod,
//! `$(NAME)`. Pure.

mod expand;
mod fields;
mod services;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use portway_api::types::pod::{Container, EnvVar, Pod};
use portway_api::types::service::Service;
use serde_json::Value;

pub use expand::expand;
pub use fields::{Own, field};
pub use services::service_variables;

/// Why a container cannot be started as it is written; retried, because what is missing may appear.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Missing(pub String);

/// ConfigMaps and Secrets of the Pod's namespace, as far as they exist; secrets decoded.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// By name, then key.
    pub config_maps: BTreeMap<String, BTreeMap<String, String>>,
    /// By name, then key.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
}

/// What a container needs to look up before its environment can be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Names of ConfigMaps.
    pub config_maps: Vec<String>,
    /// Names of Secrets.
    pub secrets: Vec<String>,
}

/// The objects a container's environment refers to.
pub fn wanted(container: &Container) -> Wanted {
    let mut wanted = Wanted::default();
    for source in &container.env_from {
        wanted.config_maps.extend(reference(source, "configMapRef").map(|r| r.name));
        wanted.secrets.extend(reference(source, "secretRef").map(|r| r.name));
    }
    for from in container.env.iter().filter_map(|v| v.value_from.as_ref()) {
        wanted.config_maps.extend(from.config_map_key_ref.as_ref().map(|r| r.name.clone()));
        wanted.secrets.extend(from.secret_key_ref.as_ref().map(|r| r.name.clone()));
    }
    for names in [&mut wanted.config_maps, &mut wanted.secrets] {
        names.sort();
        names.dedup();
    }
    wanted
}

/// Program and environment of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables, each name once.
    pub env: Vec<(String, String)>,
}

/// Makes a container's command line and environment.
///
/// # Errors
/// [`Missing`] names the ConfigMap, Secret or key that is not there.
pub fn invocation<'a>(
    pod: &Pod,
    container: &Container,
    own: &Own,
    sources: &Sources,
    services: impl IntoIterator<Item = &'a Service>,
) -> Result<Invocation, Missing> {
    let links = service_variables(pod, services);
    let mut env: Vec<(String, String)> = Vec::new();
    for source in &container.env_from {
        from_whole(source, sources, &mut env)?;
    }
    for variable in &container.env {
        let lookup = |name: &str| last(&env, name).or_else(|| last(&links, name)).map(str::to_owned);
        if let Some(value) = value_of(pod, variable, own, sources, lookup)? {
            env.push((variable.name.clone(), value));
        }
    }
    let lookup = |name: &str| last(&env, name).or_else(|| last(&links, name)).map(str::to_owned);
    let argv = container.command.iter().chain(&container.args).map(|text| expand(text, lookup)).collect();

    // The first to come wins from here on: what the container says, Service variables, what every container has.
    let base = [("PATH", own.path.as_str()), ("HOSTNAME", &own.hostname), ("HOME", "/root")];
    let base = base.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    let mut merged = BTreeMap::new();
    for (name, value) in base.chain(links).chain(env) {
        merged.insert(name, value);
    }
    Ok(Invocation { argv, env: merged.into_iter().collect() })
}

fn last<'a>(env: &'a [(String, String)], name: &str) -> Option<&'a str> {
    env.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

struct Reference {
    name: String,
    optional: bool,
}

fn reference(source: &Value, field: &str) -> Option<Reference> {
    let reference = source.get(field)?;
    let name = reference.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(Reference { name, optional: reference.get("optional").and_then(Value::as_bool).unwrap_or(false) })
}

/// `envFrom`: every key of an object, with a prefix.
fn from_whole(source: &Value, sources: &Sources, env: &mut Vec<(String, String)>) -> Result<(), Missing> {
    let prefix = source.get("prefix").and_then(Value::as_str).unwrap_or_default();
    for (field, kind, objects) in
        [("configMapRef", "configmap", &sources.config_maps), ("secretRef", "secret", &sources.secrets)]
    {
        let Some(reference) = reference(source, field) else { continue };
        match objects.get(&reference.name) {
            Some(data) => {
                // Upstream takes any name the C library can hold, and so do we.
                let usable = data.iter().filter(|(key, _)| !key.is_empty() && !key.contains(['=', '\0']));
                env.extend(usable.map(|(key, value)| (format!("{prefix}{key}"), value.clone())));
            }
            None if reference.optional => {}
            None => return Err(Missing(format!("{kind} {:?} not found", reference.name))),
        }
    }
    Ok(())
}

/// The value of one variable; `None` leaves it out.
fn value_of(
    pod: &Pod,
    variable: &EnvVar,
    own: &Own,
    sources: &Sources,
    lookup: impl Fn(&str) -> Option<String>,
) -> Result<Option<String>, Missing> {
    let Some(from) = &variable.value_from else { return Ok(Some(expand(&variable.value, lookup))) };
    if let Some(selector) = &from.field_ref {
        return field(pod, own, &selector.field_path).map(Some);
    }
    for (selector, kind, title, objects) in [
        (&from.config_map_key_ref, "configmap", "ConfigMap", &sources.config_maps),
        (&from.secret_key_ref, "secret", "Secret", &sources.secrets),
    ] {
        let Some(selector) = selector else { continue };
        let found = objects.get(&selector.name);
        if let Some(value) = found.and_then(|data| data.get(&selector.key)) {
            return Ok(Some(value.clone()));
        }
        if selector.optional {
            return Ok(None);
        }
        return Err(Missing(match found {
            None => format!("{kind} {:?} not found", selector.name),
            Some(_) => {
                format!(
                    "couldn't find key {} in {title} {}/{}",
                    selector.key, pod.metadata.namespace, selector.name
                )
            }
        }));
    }
    Ok(Some(String::new()))
}
