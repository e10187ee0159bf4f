//! API objects from YAML or JSON: the input of the pure stages.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use portway_api::Object;
use portway_api::types::core::Namespace;
use portway_api::types::discovery::EndpointSlice;
use portway_api::types::node::Node;
use portway_api::types::pod::Pod;
use portway_api::types::service::Service;
use serde_json::Value;

/// Where the objects come from.
#[derive(clap::Args)]
pub struct Source {
    /// Manifest to read: YAML documents, or what `kubectl get -o yaml` prints [default: standard input]
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The objects that the stages compute with; other kinds are left out.
#[derive(Default)]
pub struct Objects {
    /// Services.
    pub services: Vec<Arc<Service>>,
    /// EndpointSlices.
    pub slices: Vec<Arc<EndpointSlice>>,
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Pods.
    pub pods: Vec<Arc<Pod>>,
    /// Namespaces.
    pub namespaces: Vec<Arc<Namespace>>,
}

impl Source {
    /// Reads everything there is.
    pub fn read(&self) -> anyhow::Result<Objects> {
        let text = match &self.file {
            Some(path) => {
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
            }
            None => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
                text
            }
        };
        Objects::parse(&text)
    }
}

impl Objects {
    /// Objects of YAML documents (JSON is YAML too); lists are taken apart.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut objects = Self::default();
        let documents: Vec<Value> =
            serde_saphyr::from_multiple(text).context("cannot read the objects as YAML")?;
        for document in documents {
            objects.take(document)?;
        }
        Ok(objects)
    }

    fn take(&mut self, object: Value) -> anyhow::Result<()> {
        if object.is_null() {
            return Ok(());
        }
        let kind = object["kind"].as_str().context("an object without a kind")?.to_owned();
        if let Some(items) = kind.ends_with("List").then(|| object["items"].as_array()).flatten() {
            return items.iter().try_for_each(|item| {
                let mut item = item.clone();
                // Items of a typed list leave their kind to the list.
                if item["kind"].is_null()
                    && let Some(map) = item.as_object_mut()
                {
                    map.insert("kind".to_owned(), kind.trim_end_matches("List").into());
                }
                self.take(item)
            });
        }
        match kind.as_str() {
            Service::KIND => self.services.push(typed(object)?),
            EndpointSlice::KIND => self.slices.push(typed(object)?),
            Pod::KIND => self.pods.push(typed(object)?),
            Namespace::KIND => self.namespaces.push(typed(object)?),
            Node::KIND => self.nodes.push(Arc::unwrap_or_clone(typed(object)?)),
            _ => {}
        }
        Ok(())
    }
}

fn typed<T: Object>(mut object: Value) -> anyhow::Result<Arc<T>> {
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if name.is_empty() {
        bail!("a {} without metadata.name", T::KIND);
    }
    if T::NAMESPACED && object["metadata"]["namespace"].is_null() {
        object["metadata"]["namespace"] = "default".into();
    }
    Ok(Arc::new(serde_json::from_value(object).with_context(|| format!("cannot read {} {name}", T::KIND))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_lists_are_taken_apart() {
        let text = "kind: Service\nmetadata: {name: a}\n---\n---\nkind: List\nitems:\n- kind: Service\n  metadata: {name: b, namespace: x}\n- kind: Ingress\n---\n{\"kind\": \"NodeList\", \"items\": [{\"metadata\": {\"name\": \"n\"}}]}";
        let objects = Objects::parse(text).unwrap();
        let keys: Vec<_> = objects.services.iter().map(|s| s.key().to_string()).collect();
        assert_eq!(keys, ["default/a", "x/b"]);
        assert_eq!(objects.nodes.len(), 1);
    }

    #[test]
    fn bad_input_is_named() {
        let check = |text: &str, says: &str| {
            let error = format!("{:#}", Objects::parse(text).err().unwrap());
            assert!(error.contains(says), "{text}: {error}");
        };
        check("kind: Service", "a Service without metadata.name");
        check("metadata: {}", "without a kind");
        check("kind: Service\nmetadata: {name: a}\nspec: {ports: 7}", "cannot read Service a");
        check("a: [", "YAML");
    }
}
