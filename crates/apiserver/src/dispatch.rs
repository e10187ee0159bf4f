//! From a request to the code that answers it: route, authorization, verb; then what every answer carries.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, WARNING};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method};
use portway_machinery::status::{Status, Subject};

use crate::answer::{self, Answer};
use crate::authn::Identity;
use crate::authz::{Attributes, Decision};
use crate::body::Body;
use crate::call::Call;
use crate::media::{self, Form};
use crate::path::{self, Route, Target, Verb};
use crate::query::Query;
use crate::server::ApiServer;
use crate::{docs, gzip, health, reviews, subresource, verbs};

const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");

impl ApiServer {
    /// Answers one request of an authenticated identity.
    pub(crate) async fn handle(self: &Arc<Self>, who: &Identity, parts: &Parts, body: Bytes) -> Answer {
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        let route = path::parse(parts.uri.path());
        let (label, mut answer) = match &route {
            Route::Objects(target) => {
                let verb = path::verb(&parts.method, target, &query);
                (
                    verb.map_or("other", Verb::as_str),
                    self.objects(who, parts, &query, target, verb, body).await,
                )
            }
            other => ("path", self.document(who, parts, &query, other)),
        };
        if parts.method == Method::HEAD {
            *answer.body_mut() = Body::empty();
        } else {
            answer = gzip::compress(&parts.headers, answer).await;
        }
        let audit = parts.headers.get(AUDIT_ID).cloned();
        let audit = audit.or_else(|| HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).ok());
        if let Some(audit) = audit {
            answer.headers_mut().insert(AUDIT_ID, audit);
        }
        self.metrics.request(label, answer.status().as_u16());
        answer
    }

    /// Everything that is not about objects.
    fn document(&self, who: &Identity, parts: &Parts, query: &Query, route: &Route) -> Answer {
        let accept = parts.headers.get(ACCEPT).and_then(|v| v.to_str().ok());
        let form = media::negotiate(accept).unwrap_or_default();
        let path = parts.uri.path();
        let verb = parts.method.as_str().to_ascii_lowercase();
        if let Decision::Deny(why) =
            self.config.authorizer.authorize(who, &Attributes::Path { verb: &verb, path })
        {
            let mut message = format!("forbidden: User {:?} cannot {verb} path {path:?}", who.user);
            if !why.is_empty() {
                message = format!("{message}: {why}");
            }
            let mut status = Status::forbidden(Subject::default(), "");
            status.message = message;
            return answer::status(form, &status);
        }
        if parts.method != Method::GET && parts.method != Method::HEAD {
            return answer::status(form, &Status::method_not_allowed());
        }
        match route {
            Route::Health { endpoint, check } => health::answer(self, endpoint, check.as_deref(), query),
            Route::Metrics => answer::text(
                200,
                self.metrics.render(self.store.revision().0, self.started.elapsed().as_secs_f64()),
            ),
            route => docs::answer(self, route, &parts.headers, query, form),
        }
    }

    async fn objects(
        self: &Arc<Self>,
        who: &Identity,
        parts: &Parts,
        query: &Query,
        target: &Target,
        verb: Option<Verb>,
        body: Bytes,
    ) -> Answer {
        let accept = parts.headers.get(ACCEPT).and_then(|v| v.to_str().ok());
        let form = Form { yaml: media::negotiate(accept).unwrap_or_default().yaml, ..Form::default() };
        let Some(verb) = verb else { return answer::status(form, &Status::method_not_allowed()) };
        if let Err(status) = self.authorize(who, target, verb) {
            return answer::status(form, &status);
        }
        if let Some(answer) = reviews::answer(self, who, target, verb, &parts.headers, &body) {
            return answer.unwrap_or_else(|status| answer::status(form, &status));
        }
        let found = self.resources.find(&target.group, &target.resource);
        let Some(resource) = found.filter(|r| r.kind.version == target.version) else {
            let known = self.resources.iter().any(|r| r.kind.group == target.group);
            return if known || self.documents.has_group(&target.group) {
                answer::status(form, &Status::no_such_path())
            } else {
                answer::text(404, "404 page not found\n")
            };
        };
        let call = match Call::new(self, resource, target, query, &parts.headers, body) {
            Ok(call) => call,
            Err(status) => return answer::status(form, &status),
        };
        if let Some(text) = resource.kind.deprecation {
            call.warn(text);
        }
        let mut answer = match verb_of(&call, verb).await {
            Ok(answer) => answer,
            Err(status) => answer::status(form, &status),
        };
        for text in call.take_warnings() {
            if let Some(value) = warning(&text) {
                answer.headers_mut().append(WARNING, value);
            }
        }
        answer
    }

    fn authorize(&self, who: &Identity, target: &Target, verb: Verb) -> Result<(), Status> {
        let namespace = if target.resource == "namespaces" && target.group.is_empty() {
            ""
        } else {
            target.namespace.as_str()
        };
        let attributes = Attributes::Resource {
            verb: verb.as_str(),
            group: &target.group,
            resource: &target.resource,
            subresource: &target.subresource,
            namespace,
            name: &target.name,
        };
        let Decision::Deny(why) = self.config.authorizer.authorize(who, &attributes) else { return Ok(()) };
        let resource = if target.subresource.is_empty() {
            Cow::from(target.resource.as_str())
        } else {
            Cow::from(format!("{}/{}", target.resource, target.subresource))
        };
        let place = if namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace {namespace:?}")
        };
        let mut text = format!(
            "User {:?} cannot {} resource {resource:?} in API group {:?} {place}",
            who.user,
            verb.as_str(),
            target.group
        );
        if !why.is_empty() {
            text = format!("{text}: {why}");
        }
        let subject =
            Subject { group: &target.group, resource: &target.resource, kind: "", name: &target.name };
        Err(Status::forbidden(subject, &text))
    }
}

async fn verb_of(call: &Call<'_>, verb: Verb) -> Result<Answer, Status> {
    let (kind, target) = (call.resource.kind, call.target);
    let whole = target.subresource.is_empty();
    // Without a namespace only reads of the whole collection make sense for namespaced kinds.
    let everywhere = kind.namespaced && target.namespace.is_empty();
    if !kind.namespaced && !target.namespace.is_empty() && target.resource != "namespaces" {
        return Err(Status::no_such_path());
    }
    if everywhere && !target.name.is_empty() {
        return Err(Status::no_such_path());
    }
    if everywhere && !matches!(verb, Verb::List | Verb::Watch) {
        return Err(Status::method_not_allowed());
    }
    if whole && !kind.verbs.contains(&verb.as_str()) {
        return Err(Status::method_not_allowed());
    }
    if !whole {
        return subresource::answer(call, verb).await;
    }
    match verb {
        Verb::Get => verbs::get::run(call).await,
        Verb::List => verbs::list::run(call).await,
        Verb::Watch => verbs::watch::run(call).await,
        Verb::Create => verbs::create::run(call).await,
        Verb::Update => verbs::update::put(call, verbs::update::Part::Whole).await,
        Verb::Patch => verbs::patch::run(call, verbs::update::Part::Whole).await,
        Verb::Delete => verbs::delete::run(call).await,
        Verb::DeleteCollection => verbs::delete::collection(call).await,
    }
}

/// `299 - "text"`, with quotes escaped and without what a header cannot hold.
fn warning(text: &str) -> Option<HeaderValue> {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    HeaderValue::try_from(format!("299 - \"{escaped}\"")).ok()
}
