//! Creates the objects of a manifest where there is no kubectl to do it.

use anyhow::Context;
use portway_client::Client;
use serde_json::Value;

/// Path that objects of a manifest are posted to, in namespace `default` unless they name another.
fn collection(object: &Value) -> anyhow::Result<String> {
    let text = |field: &str| object[field].as_str().with_context(|| format!("a manifest without {field}"));
    let (group, version) = text("apiVersion")?.split_once('/').unwrap_or(("", text("apiVersion")?));
    let kind = text("kind")?;
    let row = portway_api::kinds::all()
        .iter()
        .find(|k| k.group == group && k.version == version && k.kind == kind)
        .with_context(|| format!("unknown kind {kind}"))?;
    let base = if group.is_empty() { format!("/api/{version}") } else { format!("/apis/{group}/{version}") };
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or("default");
    Ok(if row.namespaced {
        format!("{base}/namespaces/{namespace}/{}", row.plural)
    } else {
        format!("{base}/{}", row.plural)
    })
}

/// Creates every object of `manifest`.
pub async fn create(client: &Client, manifest: &str) -> anyhow::Result<()> {
    let object: Value = serde_saphyr::from_str(manifest).context("cannot read the manifest")?;
    client.request(http::Method::POST, &collection(&object)?, &object).await?;
    Ok(())
}
