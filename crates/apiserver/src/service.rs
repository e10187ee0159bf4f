//! The server as a service in the same process.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower_service::Service;

use crate::authn::Identity;
use crate::body::Body;
use crate::server::ApiServer;

/// Requests to a server in this process, all of one identity. Cheap to clone; always ready.
#[derive(Clone)]
pub struct LocalService {
    server: Arc<ApiServer>,
    identity: Identity,
}

impl LocalService {
    pub(crate) fn new(server: Arc<ApiServer>, identity: Identity) -> Self {
        Self { server, identity }
    }
}

impl Service<Request<Full<Bytes>>> for LocalService {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        let Self { server, identity } = self.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let bytes = body.collect().await?.to_bytes();
            Ok(server.handle(&identity, &parts, bytes).await)
        })
    }
}
