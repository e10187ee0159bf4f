//! Drives the watch protocol: requests, the body of the open watch, and sleeps.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use futures_core::Stream;
use futures_util::stream;
use http_body_util::BodyExt;
use serde_json::value::RawValue;

use super::Event;
use super::frame::{Frame, Lines};
use super::state::{Input, State, Want};
use crate::client::Client;
use crate::error::Error;
use crate::list::{List, ListMeta, ListOptions};
use crate::partial::Watched;
use crate::resource::Gvr;
use crate::transport::Body;
use crate::write::JSON;

/// How much of each object to ask for.
#[derive(Clone, Copy)]
pub(crate) enum Form {
    Full,
    /// Only the metadata; a server that does not know the form sends whole objects.
    Metadata,
}

impl Form {
    const fn accept_list(self) -> &'static str {
        match self {
            Self::Full => JSON,
            Self::Metadata => {
                "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
            }
        }
    }

    const fn accept_watch(self) -> &'static str {
        match self {
            Self::Full => JSON,
            Self::Metadata => "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json",
        }
    }
}

struct Driver<T> {
    client: Client,
    resource: Gvr,
    options: ListOptions,
    form: Form,
    state: State,
    pending: VecDeque<Event<T>>,
    open: Option<Open>,
}

/// An open watch.
struct Open {
    body: Body,
    lines: Lines,
    since: Instant,
}

pub(crate) fn watch<T: Watched>(
    client: Client,
    resource: Gvr,
    options: ListOptions,
    form: Form,
) -> impl Stream<Item = Event<T>> + Send + Unpin + 'static {
    let driver = Driver {
        client,
        resource,
        options,
        form,
        state: State::default(),
        pending: VecDeque::new(),
        open: None,
    };
    Box::pin(stream::unfold(driver, |mut driver: Driver<T>| async move {
        let event = driver.next().await;
        Some((event, driver))
    }))
}

impl<T: Watched> Driver<T> {
    async fn next(&mut self) -> Event<T> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return event;
            }
            let input = match self.state.want() {
                Want::List { token, limit } => {
                    let uri = self.list_uri(token, limit);
                    Input::Page(list(&self.client, &uri, self.form).await)
                }
                Want::Open { revision } => {
                    let uri = self.options.watch_uri(&self.resource, revision, lifetime());
                    Input::Opened(self.open(&uri).await)
                }
                Want::Read => {
                    if let Some(closed) = self.read().await {
                        closed
                    } else {
                        self.take_lines();
                        continue;
                    }
                }
                Want::Sleep(delay) => {
                    tokio::time::sleep(jittered(delay)).await;
                    Input::Slept
                }
            };
            self.feed(input);
        }
    }

    fn feed(&mut self, input: Input<T>) {
        self.report(&input);
        let (events, state) = std::mem::take(&mut self.state).step(input);
        self.pending.extend(events);
        self.state = state;
        if !matches!(self.state.want(), Want::Read) {
            self.open = None;
        }
    }

    fn report(&self, input: &Input<T>) {
        let resource = &self.resource;
        let failures = self.state.failures();
        match input {
            Input::Page(Err(error)) => tracing::warn!(%resource, %error, failures, "list failed"),
            Input::Opened(Err(error)) => tracing::info!(%resource, %error, failures, "watch not opened"),
            Input::Frame(Frame::Error(status)) => {
                tracing::info!(%resource, error = %status.message, "watch ended")
            }
            Input::Frame(Frame::Unreadable(what)) => {
                tracing::warn!(%resource, what, "unreadable watch event")
            }
            Input::Closed { lasted } => tracing::debug!(%resource, ?lasted, "watch closed"),
            _ => {}
        }
    }

    fn list_uri(&self, token: &str, limit: u32) -> String {
        let limit = if limit > 0 && self.options.limit > 0 { self.options.limit } else { limit };
        let page = ListOptions { limit, continue_token: token.to_owned(), ..self.options.clone() };
        page.list_uri(&self.resource)
    }

    async fn open(&mut self, uri: &str) -> Result<(), Error> {
        let body = self.client.open(uri, self.form.accept_watch()).await?;
        self.open = Some(Open { body, lines: Lines::default(), since: Instant::now() });
        Ok(())
    }

    /// Takes a chunk in; `Some` when there are no more.
    async fn read(&mut self) -> Option<Input<T>> {
        let Some(open) = &mut self.open else {
            return Some(Input::Closed { lasted: Duration::ZERO });
        };
        let problem = match open.body.frame().await {
            Some(Ok(frame)) => {
                let Ok(data) = frame.into_data() else { return None };
                if open.lines.push(&data).is_ok() {
                    return None;
                }
                "a watch event has no end".to_owned()
            }
            Some(Err(error)) => error.to_string(),
            None => return Some(Input::Closed { lasted: open.since.elapsed() }),
        };
        tracing::info!(resource = %self.resource, error = problem, "watch broke");
        Some(Input::Closed { lasted: open.since.elapsed() })
    }

    /// Takes all whole lines at hand.
    fn take_lines(&mut self) {
        while let Some(open) = &mut self.open {
            let Some(line) = open.lines.next_line() else { return };
            let frame = Frame::parse(line);
            self.feed(Input::Frame(frame));
        }
    }
}

async fn list<T: Watched>(client: &Client, uri: &str, form: Form) -> Result<List<T>, Error> {
    let list: List<T> = decode_list(&client.get_bytes(uri, form.accept_list()).await?)?;
    if list.metadata.resource_version.is_empty() {
        return Err(Error::Malformed(format!("{uri}: the list has no resourceVersion")));
    }
    Ok(list)
}

/// A list whose unreadable items are left out (and logged): one odd object must not hide all others.
fn decode_list<T: Watched>(bytes: &[u8]) -> Result<List<T>, Error> {
    if let Ok(list) = serde_json::from_slice(bytes) {
        return Ok(list);
    }
    #[derive(serde::Deserialize)]
    struct Raw<'a> {
        #[serde(default)]
        metadata: ListMeta,
        #[serde(borrow)]
        items: Vec<&'a RawValue>,
    }
    let raw: Raw<'_> =
        serde_json::from_slice(bytes).map_err(|e| Error::Malformed(format!("not a list: {e}")))?;
    let readable = |item: &RawValue| match serde_json::from_str(item.get()) {
        Ok(object) => Some(object),
        Err(error) => {
            tracing::warn!(%error, object = &item.get().chars().take(200).collect::<String>(), "unreadable object");
            None
        }
    };
    Ok(List { metadata: raw.metadata, items: raw.items.into_iter().filter_map(readable).collect() })
}

/// Seconds a watch may last: spread out, so that not all clients come back at once.
fn lifetime() -> u64 {
    fastrand::u64(300..600)
}

/// Up to half as long again.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(1.0 + fastrand::f64() / 2.0)
}
