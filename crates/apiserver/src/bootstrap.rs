//! The objects every cluster starts with. Missing ones are created; what is there is left alone, except the
//! addresses of Service `default/kubernetes`, which are this server's.

use std::net::IpAddr;
use std::sync::Arc;

use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use ipnet::IpNet;
use portway_base::IpFamily;
use portway_machinery::status::Status;
use serde_json::{Value, json};

use crate::authn::Identity;
use crate::server::{ApiServer, now_text};

const NAMESPACES: [&str; 4] = ["default", "kube-system", "kube-public", "kube-node-lease"];

pub(crate) async fn run(server: &Arc<ApiServer>) -> Result<(), Status> {
    for name in NAMESPACES {
        ensure(server, "/api/v1/namespaces", name, || json!({"metadata": {"name": name}})).await?;
    }
    service_cidr(server).await?;
    let services = "/api/v1/namespaces/default/services";
    ensure(server, services, "kubernetes", || service(server)).await?;
    let ip = server.config.advertise.ip();
    // Nobody else could reach a loopback address: it must not be published.
    if !ip.is_loopback() && !ip.is_unspecified() {
        publish(server, ip).await?;
    }
    Ok(())
}

async fn service_cidr(server: &Arc<ApiServer>) -> Result<(), Status> {
    let cidrs: Vec<String> = server.config.service_cidrs.iter().map(IpNet::to_string).collect();
    let path = "/apis/networking.k8s.io/v1/servicecidrs";
    ensure(
        server,
        path,
        "kubernetes",
        || json!({"metadata": {"name": "kubernetes"}, "spec": {"cidrs": cidrs}}),
    )
    .await?;
    let path = format!("{path}/kubernetes");
    let found = get(server, &path).await?.unwrap_or_default();
    let stored = found.get("spec").and_then(|s| s.get("cidrs")).cloned().unwrap_or_default();
    if stored != json!(cidrs) {
        tracing::warn!(%stored, configured = ?cidrs, "ServiceCIDR kubernetes differs from the configured ranges");
    }
    let ready = found.get("status").and_then(|s| s.get("conditions")).and_then(Value::as_array);
    if ready.is_none_or(Vec::is_empty) {
        let condition = json!({
            "type": "Ready",
            "status": "True",
            "reason": "",
            "message": "Kubernetes default Service CIDR is ready",
            "lastTransitionTime": now_text(),
        });
        let patch = json!({"status": {"conditions": [condition]}});
        send(server, Method::PATCH, &format!("{path}/status"), Some(&patch)).await?;
    }
    Ok(())
}

fn service(server: &ApiServer) -> Value {
    let config = &server.config;
    let mut spec = json!({
        "type": "ClusterIP",
        "ipFamilyPolicy": "SingleStack",
        "sessionAffinity": "None",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": config.advertise.port()}],
    });
    if let Some(first) = config.first_service_ips().first() {
        spec["clusterIP"] = first.to_string().into();
        spec["clusterIPs"] = json!([first.to_string()]);
    }
    json!({
        "metadata": {
            "name": "kubernetes",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": spec,
    })
}

/// Endpoints and EndpointSlice of `default/kubernetes`: where this server is.
async fn publish(server: &Arc<ApiServer>, ip: IpAddr) -> Result<(), Status> {
    let port = server.config.advertise.port();
    let endpoints = json!({
        "metadata": {"name": "kubernetes", "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{
            "addresses": [{"ip": ip.to_string()}],
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
        }],
    });
    let slice = json!({
        "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": IpFamily::of(ip).as_str(),
        "endpoints": [{"addresses": [ip.to_string()], "conditions": {"ready": true}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    });
    put(server, "/api/v1/namespaces/default/endpoints", &endpoints).await?;
    put(server, "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", &slice).await
}

/// Makes the object `kubernetes` of a collection what it is to be.
async fn put(server: &Arc<ApiServer>, collection: &str, object: &Value) -> Result<(), Status> {
    let path = format!("{collection}/kubernetes");
    if get(server, &path).await?.is_none() {
        return send(server, Method::POST, collection, Some(object)).await.map(|_| ());
    }
    match send(server, Method::PUT, &path, Some(object)).await {
        // The address type of a slice cannot change: an address of the other family needs a new slice.
        Err(status) if status.code == 422 => {
            send(server, Method::DELETE, &path, None).await?;
            send(server, Method::POST, collection, Some(object)).await.map(|_| ())
        }
        other => other.map(|_| ()),
    }
}

/// Creates an object unless it is there.
async fn ensure(
    server: &Arc<ApiServer>,
    collection: &str,
    name: &str,
    object: impl FnOnce() -> Value,
) -> Result<(), Status> {
    if get(server, &format!("{collection}/{name}")).await?.is_some() {
        return Ok(());
    }
    match send(server, Method::POST, collection, Some(&object())).await {
        Err(status) if status.code == 409 => Ok(()),
        other => other.map(|_| ()),
    }
}

async fn get(server: &Arc<ApiServer>, path: &str) -> Result<Option<Value>, Status> {
    match send(server, Method::GET, path, None).await {
        Ok(object) => Ok(Some(object)),
        Err(status) if status.code == 404 => Ok(None),
        Err(status) => Err(status),
    }
}

/// One request of the server to itself, through the same code as everyone else's.
async fn send(
    server: &Arc<ApiServer>,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, Status> {
    let media = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", media)
        .header("user-agent", "portway-apiserver/1")
        .body(());
    let request = request.map_err(|e| Status::internal(&e.to_string()))?;
    let body = body.map(|b| b.to_string().into()).unwrap_or_default();
    let answer = server.handle(&Identity::component("apiserver"), &request.into_parts().0, body).await;
    let (parts, body) = answer.into_parts();
    let Ok(body) = body.collect().await;
    let value: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
    if parts.status.is_success() {
        return Ok(value);
    }
    let message = value.get("message").and_then(Value::as_str).unwrap_or_default();
    let mut status = Status::bare(format!("{path}: {message}"));
    status.code = if parts.status == StatusCode::OK { 500 } else { parts.status.as_u16() };
    Err(status)
}
