//! Watches: the current state if it is asked for, then every change, in revision order.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use portway_base::Revision;
use portway_machinery::status::Status;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::{self, Answer};
use crate::cache::{Cached, Cursor, Event};
use crate::call::Call;
use crate::filter::Filter;
use crate::media::JSON;
use crate::metrics::Watching;
use crate::options::ListOptions;
use crate::resource::Resource;
use crate::server::ApiServer;
use crate::shape::Framer;
use crate::verbs::list;

/// Events written at once.
const BATCH: usize = 256;
const BOOKMARK: Duration = Duration::from_secs(60);
/// The last bookmark comes this long before the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long a watch may stay when the client does not say.
const LIFETIME: std::ops::Range<u64> = 1800..3600;

pub(crate) async fn run(call: &Call<'_>) -> Result<Answer, Status> {
    let options = ListOptions::parse(call.query, true)?;
    let mut filter = list::filter(call)?;
    if !call.target.name.is_empty() {
        filter = filter.named(&call.target.name);
    }
    let (server, resource) = (call.server, call.resource);
    let scope = list::scope(call, &filter);
    let framer = Framer::new(call)?;

    let from_start = options.initial_events.unwrap_or(options.revision.is_none_or(|r| r == Revision::ZERO));
    match options.revision {
        None => server.fresh().await?,
        Some(Revision::ZERO) => {}
        Some(revision) => server.reach(revision).await?,
    }
    let now = || server.cache.follow(resource, &scope);
    let (initial, cursor, seen) = match options.revision {
        _ if from_start => {
            let (snapshot, cursor) = now();
            (snapshot.objects, cursor, snapshot.revision)
        }
        None | Some(Revision::ZERO) => {
            let (snapshot, cursor) = now();
            (Vec::new(), cursor, snapshot.revision)
        }
        Some(revision) => match server.cache.cursor(resource, revision) {
            Ok(cursor) => (Vec::new(), cursor, revision),
            Err(oldest) => return Ok(refused(&Status::too_old_version(revision.0, oldest.0))),
        },
    };
    let lifetime = options.timeout.unwrap_or_else(|| fastrand::u64(LIFETIME));
    let started = Instant::now();
    let watcher = Watcher {
        server: Arc::clone(server),
        index: resource.index,
        scope,
        filter,
        framer,
        initial: initial.into_iter(),
        announce_end: options.initial_events == Some(true) && options.bookmarks,
        cursor,
        seen,
        bookmarks: options.bookmarks,
        bookmark_at: started + BOOKMARK.min(Duration::from_secs(lifetime).saturating_sub(FAREWELL)),
        ends_at: started + Duration::from_secs(lifetime),
        closing: server.closing.subscribe(),
        over: false,
        _counted: Watching::new(server),
    };
    Ok(answer::stream(JSON, watcher.into_stream()))
}

/// A watch that cannot start is a stream of one error.
fn refused(status: &Status) -> Answer {
    answer::stream(JSON, stream::iter([error_frame(status)]))
}

fn error_frame(status: &Status) -> Bytes {
    Bytes::from(format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", status.to_value()))
}

struct Watcher {
    server: Arc<ApiServer>,
    index: usize,
    scope: String,
    filter: Filter,
    framer: Framer,
    initial: std::vec::IntoIter<Arc<Cached>>,
    /// A bookmark is to mark the end of `initial`.
    announce_end: bool,
    cursor: Cursor,
    /// Everything up to here has been written.
    seen: Revision,
    bookmarks: bool,
    bookmark_at: Instant,
    ends_at: Instant,
    closing: watch::Receiver<bool>,
    over: bool,
    _counted: Watching,
}

enum Wake {
    Changed,
    Bookmark,
    End,
}

impl Watcher {
    fn into_stream(self) -> impl futures_core::Stream<Item = Bytes> + Send + 'static {
        stream::unfold(self, |mut watcher| async move { watcher.next().await.map(|bytes| (bytes, watcher)) })
    }

    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let server = Arc::clone(&self.server);
        let resource = server.resources.at(self.index)?;
        loop {
            if self.over {
                return None;
            }
            if let Some(bytes) = self.start(resource) {
                return Some(bytes);
            }
            let Ok((events, seen)) = server.cache.take(resource, &mut self.cursor, BATCH) else {
                self.over = true;
                tracing::info!(resource = resource.kind.plural, "a watch was too slow and is cut off");
                let oldest = server.cache.reached();
                return Some(error_frame(&Status::too_old_version(self.seen.0, oldest.0)));
            };
            let mut out = BytesMut::new();
            for event in &events {
                self.write(resource, event, &mut out);
            }
            self.seen = seen;
            if !out.is_empty() {
                return Some(out.freeze());
            }
            if !events.is_empty() {
                continue;
            }
            match self.wait(&server, resource).await {
                Wake::Changed => {}
                Wake::End => return None,
                Wake::Bookmark => {
                    let left = self.ends_at.saturating_duration_since(Instant::now());
                    let next =
                        if left > BOOKMARK + FAREWELL { BOOKMARK } else { left.saturating_sub(FAREWELL) };
                    self.bookmark_at = if next.is_zero() { self.ends_at } else { Instant::now() + next };
                    self.seen = self.seen.max(self.quiet(&server, resource));
                    return Some(self.framer.bookmark(resource, self.seen, false));
                }
            }
        }
    }

    /// A revision up to which this watch has seen everything: what reached the cache while it slept is of
    /// other resources, unless there is something to take after all.
    fn quiet(&self, server: &ApiServer, resource: &Resource) -> Revision {
        match server.cache.take(resource, &mut self.cursor.clone(), 1) {
            Ok((events, seen)) if events.is_empty() => seen,
            _ => self.seen,
        }
    }

    /// The current state, in batches, and the bookmark behind it.
    fn start(&mut self, resource: &Resource) -> Option<Bytes> {
        let mut out = BytesMut::new();
        for object in self.initial.by_ref().filter(|o| self.filter.passes(resource, o)).take(BATCH) {
            self.framer.object(resource, "ADDED", &object.body, &mut out);
        }
        if out.is_empty() && self.announce_end {
            self.announce_end = false;
            return Some(self.framer.bookmark(resource, self.seen, true));
        }
        (!out.is_empty()).then(|| out.freeze())
    }

    async fn wait(&mut self, server: &ApiServer, resource: &Resource) -> Wake {
        let closing = self.closing.wait_for(|closing| *closing);
        tokio::select! {
            () = server.cache.changed(resource, &self.cursor) => Wake::Changed,
            _ = closing => Wake::End,
            () = tokio::time::sleep_until(self.ends_at) => Wake::End,
            () = tokio::time::sleep_until(self.bookmark_at), if self.bookmarks && self.bookmark_at < self.ends_at => {
                Wake::Bookmark
            }
        }
    }

    /// An event as this watch sees it: an object that stops matching is deleted, one that starts is added.
    fn write(&mut self, resource: &Resource, event: &Event, out: &mut BytesMut) {
        let visible = |object: &&Arc<Cached>| {
            object.key.starts_with(&self.scope) && self.filter.passes(resource, object)
        };
        let (now, before) = (event.now.as_ref().filter(visible), event.before.as_ref().filter(visible));
        match (before, now) {
            (None, None) => {}
            (None, Some(now)) => self.framer.object(resource, "ADDED", &now.body, out),
            (Some(_), Some(now)) => self.framer.object(resource, "MODIFIED", &now.body, out),
            (Some(before), None) => {
                self.framer.object(resource, "DELETED", &before.body_at(resource, event.revision), out);
            }
        }
    }
}
