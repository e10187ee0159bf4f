//! The client: typed reads, watches and writes over some transport.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use portway_api::Object;
use portway_base::ObjectKey;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tower_service::Service;

use crate::error::Error;
use crate::https;
use crate::kubeconfig::KubeConfig;
use crate::list::{List, ListOptions};
use crate::partial::Partial;
use crate::resource::Gvr;
use crate::transport::{self, Body, BoxError, Transport, transport_error};
use crate::watch::{self, Event, Form};
use crate::write::{JSON, Write};

/// How long an answer (the head of it, for a watch) may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Access to one API server; cheap to clone, clones share connections.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    agent: HeaderValue,
}

impl Client {
    /// A client of a service in this process: no socket, no TLS.
    pub fn in_process<S, B>(service: S) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send,
        S::Error: Into<BoxError>,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self { transport: transport::shared(service), agent: agent("portway") }
    }

    /// A client over HTTPS (or plain HTTP, if the configuration says so). Connects at the first request.
    ///
    /// # Errors
    /// [`Error::Config`] when certificates or keys cannot be used.
    pub fn connect(config: KubeConfig) -> Result<Self, Error> {
        Ok(Self { transport: https::transport(config)?, agent: agent("portway") })
    }

    /// The same client under another name (`User-Agent`, which is also the field manager of its writes).
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        Self { transport: self.transport.clone(), agent: agent(name) }
    }

    /// One object.
    ///
    /// # Errors
    /// [`Error::NotFound`], and all that any request may meet.
    pub async fn get<T: Object>(&self, key: &ObjectKey) -> Result<T, Error> {
        decode(&self.get_bytes(&Gvr::of::<T>().object_path(key, None), JSON).await?)
    }

    /// Objects of a kind; one page of them if `options.limit` is set.
    ///
    /// # Errors
    /// [`Error::Expired`] when a continue token is too old, and all that any request may meet.
    pub async fn list<T: Object>(&self, options: &ListOptions) -> Result<List<T>, Error> {
        self.list_of(&Gvr::of::<T>(), options).await
    }

    /// Objects of a kind only known at run time, as values or partial objects.
    ///
    /// # Errors
    /// As for [`Client::list`].
    pub async fn list_of<T: DeserializeOwned>(
        &self,
        kind: &Gvr,
        options: &ListOptions,
    ) -> Result<List<T>, Error> {
        decode(&self.get_bytes(&options.list_uri(kind), JSON).await?)
    }

    /// All objects and every change from now on. Heals itself: reconnects, resumes, lists again when it must.
    /// Never ends; drop it to stop.
    pub fn watch<T: Object>(
        &self,
        options: ListOptions,
    ) -> impl Stream<Item = Event<T>> + Send + Unpin + use<T> {
        watch::watch(self.clone(), Gvr::of::<T>(), options, Form::Full)
    }

    /// The same for the metadata of any kind.
    pub fn watch_metadata(
        &self,
        resource: Gvr,
        options: ListOptions,
    ) -> impl Stream<Item = Event<Partial>> + Send + Unpin + use<> {
        watch::watch(self.clone(), resource, options, Form::Metadata)
    }

    /// Does a write; the answer is the object as it is then (or a Status, for deletes).
    ///
    /// # Errors
    /// What the server refused, typed.
    pub async fn write(&self, write: &Write) -> Result<Value, Error> {
        decode(&self.whole(write.request()?).await?)
    }

    /// Does a write and reads the answer as a typed view.
    ///
    /// # Errors
    /// What the server refused, typed.
    pub async fn write_as<T: DeserializeOwned>(&self, write: &Write) -> Result<T, Error> {
        decode(&self.whole(write.request()?).await?)
    }

    /// A raw request: `path` with its query, `body` as JSON unless it is `Null`.
    ///
    /// # Errors
    /// What the server refused, typed.
    pub async fn request(&self, method: Method, path: &str, body: &Value) -> Result<Value, Error> {
        let payload = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let mut request = Request::builder().method(method).uri(path).header(ACCEPT, JSON);
        if !payload.is_empty() {
            request = request.header(CONTENT_TYPE, JSON);
        }
        let request = request.body(payload).map_err(|e| Error::Malformed(format!("{path}: {e}")))?;
        decode(&self.whole(request).await?)
    }

    /// Sends a request as it is and gives the answer as it is, whatever its status code.
    ///
    /// # Errors
    /// [`Error::Transport`] only.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Body>, Error> {
        request.headers_mut().entry(USER_AGENT).or_insert_with(|| self.agent.clone());
        let answer = self.transport.call(request.map(Full::new));
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::Transport(format!("no answer within {} s", PATIENCE.as_secs()))),
        }
    }

    /// The body of a GET as it comes in: a watch, a log.
    ///
    /// # Errors
    /// What the server refused, typed.
    pub async fn open(&self, path: &str, accept: &'static str) -> Result<Body, Error> {
        let response = self.send(get(path, accept)?).await?;
        let code = response.status();
        if code.is_success() {
            return Ok(response.into_body());
        }
        Err(Error::from_response(code, &collect(response.into_body()).await?))
    }

    /// The whole body of a GET.
    ///
    /// # Errors
    /// What the server refused, typed.
    pub async fn get_bytes(&self, path: &str, accept: &'static str) -> Result<Bytes, Error> {
        self.whole(get(path, accept)?).await
    }

    async fn whole(&self, request: Request<Bytes>) -> Result<Bytes, Error> {
        let response = self.send(request).await?;
        let code = response.status();
        let body = collect(response.into_body()).await?;
        if code.is_success() { Ok(body) } else { Err(Error::from_response(code, &body)) }
    }
}

async fn collect(body: Body) -> Result<Bytes, Error> {
    match tokio::time::timeout(PATIENCE, body.collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => Err(transport_error(error)),
        Err(_) => Err(Error::Transport(format!("the answer did not end within {} s", PATIENCE.as_secs()))),
    }
}

fn get(path: &str, accept: &'static str) -> Result<Request<Bytes>, Error> {
    let request = Request::builder().uri(path).header(ACCEPT, accept).body(Bytes::new());
    request.map_err(|e| Error::Malformed(format!("{path}: {e}")))
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes)
        .map_err(|e| Error::Malformed(format!("cannot read the server's answer: {e}")))
}

fn agent(name: &str) -> HeaderValue {
    let text = format!("{name}/{}", env!("CARGO_PKG_VERSION"));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("portway"))
}
