//! A server in memory, and short ways to ask it.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use portway_store::memory::MemoryStore;
use serde_json::{Value, json};
use tower_service::Service;

use crate::{ApiServer, Body, Config, Identity};

/// A server, spoken to as the administrator.
pub(crate) struct Lab {
    pub server: Arc<ApiServer>,
}

/// What came back.
pub(crate) struct Reply {
    pub code: u16,
    pub headers: HeaderMap,
    pub bytes: Bytes,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|_| Value::from(self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn warnings(&self) -> Vec<&str> {
        self.headers.get_all("warning").iter().filter_map(|v| v.to_str().ok()).collect()
    }
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(Config::default()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self { server: ApiServer::open(config, Arc::new(MemoryStore::new())).await.unwrap() }
    }

    /// Sends a request and does not wait for the body.
    pub(crate) async fn open(&self, request: Request<Full<Bytes>>) -> http::Response<Body> {
        self.server.service(Identity::admin()).call(request).await.unwrap()
    }

    /// `METHOD PATH`, headers, body.
    pub(crate) async fn raw(&self, line: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Reply {
        let (method, path) = line.split_once(' ').unwrap();
        let mut request = Request::builder().method(method.parse::<Method>().unwrap()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, body) = self.open(request.body(Full::new(body.into())).unwrap()).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Reply { code: parts.status.as_u16(), headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.raw(&format!("GET {path}"), &[], "").await.json()
    }

    pub(crate) async fn send(&self, line: &str, body: &Value) -> (u16, Value) {
        let reply = self.raw(line, &[], body.to_string()).await;
        (reply.code, reply.json())
    }

    /// A patch of the media type `application/FORM-patch+json`.
    pub(crate) async fn patch(&self, form: &str, path: &str, body: &Value) -> (u16, Value) {
        let media = format!("application/{form}+json");
        let reply = self.raw(&format!("PATCH {path}"), &[("content-type", &media)], body.to_string()).await;
        (reply.code, reply.json())
    }
}

/// A ConfigMap.
pub(crate) fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

/// A Service on port 80.
pub(crate) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"ports": [{"port": 80}], "selector": {"app": name}},
    })
}
