//! How requests reach the server: anything that is a tower service.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use tower_service::Service;

use crate::error::Error;

/// Any error of a body or a service.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer, as it comes in.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;

pub(crate) trait Transport: Send + Sync {
    fn call(&self, request: Request<Full<Bytes>>) -> BoxFuture<'static, Result<Response<Body>, Error>>;
}

/// A service in this process, or one that speaks HTTP.
pub(crate) struct Tower<S>(pub(crate) S);

impl<S, B> Transport for Tower<S>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn call(&self, request: Request<Full<Bytes>>) -> BoxFuture<'static, Result<Response<Body>, Error>> {
        let mut service = self.0.clone();
        Box::pin(async move {
            poll_fn(|context| service.poll_ready(context)).await.map_err(transport_error)?;
            let response = service.call(request).await.map_err(transport_error)?;
            Ok(response.map(|body| body.map_err(Into::into).boxed_unsync()))
        })
    }
}

pub(crate) fn shared<S, B>(service: S) -> Arc<dyn Transport>
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Future: Send,
    S::Error: Into<BoxError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Arc::new(Tower(service))
}

/// The whole chain of causes in one line: the outer errors of HTTP libraries say next to nothing.
pub(crate) fn transport_error(error: impl Into<BoxError>) -> Error {
    let error = error.into();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    Error::Transport(text)
}
