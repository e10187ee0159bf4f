//! The constructors, one for each reason.

use std::collections::BTreeSet;

use portway_api::field::{ErrorKind, FieldError};
use portway_api::kinds::Kind;

use super::{Cause, Details, Status};

/// The object a Status speaks about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Subject<'a> {
    /// API group; empty for core.
    pub group: &'a str,
    /// The resource (`services`).
    pub resource: &'a str,
    /// The kind (`Service`), used for validation errors.
    pub kind: &'a str,
    /// Name of the object; may be empty.
    pub name: &'a str,
}

impl<'a> Subject<'a> {
    /// An object of a registered kind.
    pub fn of(kind: &Kind, name: &'a str) -> Self {
        Self { group: kind.group, resource: kind.plural, kind: kind.kind, name }
    }

    /// `services`, `ingresses.networking.k8s.io`.
    fn qualified_resource(&self) -> String {
        qualified(self.resource, self.group)
    }

    fn by_resource(&self) -> Details {
        Details {
            name: self.name.to_owned(),
            group: self.group.to_owned(),
            kind: self.resource.to_owned(),
            ..Details::default()
        }
    }

    fn by_kind(&self) -> Details {
        Details { kind: self.kind.to_owned(), ..self.by_resource() }
    }
}

fn qualified(what: &str, group: &str) -> String {
    if group.is_empty() { what.to_owned() } else { format!("{what}.{group}") }
}

/// Several errors as one text, without repetitions: `[A, B]`, or just `A`.
fn joined(errors: &[FieldError]) -> String {
    let mut seen = BTreeSet::new();
    let texts: Vec<String> =
        errors.iter().map(ToString::to_string).filter(|text| seen.insert(text.clone())).collect();
    match texts.as_slice() {
        [] => "<nil>".to_owned(),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

impl Status {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None, resume: None }
    }

    #[must_use]
    fn with(mut self, details: Details) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// 404: no such object.
    pub fn not_found(subject: Subject<'_>) -> Self {
        let message = format!("{} {:?} not found", subject.qualified_resource(), subject.name);
        Self::new(404, "NotFound", message).with(subject.by_resource())
    }

    /// 404: no such resource, version or subresource.
    pub fn no_such_path() -> Self {
        Self::new(404, "NotFound", "the server could not find the requested resource")
            .with(Details::default())
    }

    /// 404 on create: the namespace does not exist.
    pub fn namespace_not_found(namespace: &str) -> Self {
        Self::not_found(Subject { resource: "namespaces", name: namespace, ..Subject::default() })
    }

    /// 409: the name is taken.
    pub fn already_exists(subject: Subject<'_>) -> Self {
        let message = format!("{} {:?} already exists", subject.qualified_resource(), subject.name);
        Self::new(409, "AlreadyExists", message).with(subject.by_resource())
    }

    /// 409: no free name was found for `generateName`; `subject.name` is the last one tried.
    pub fn no_unique_name(subject: Subject<'_>) -> Self {
        let mut status = Self::already_exists(subject);
        status.message.push_str(", the server was not able to generate a unique name for the object");
        status
    }

    /// 409: the write cannot be done on the object as it is.
    pub fn conflict(subject: Subject<'_>, why: &str) -> Self {
        let resource = subject.qualified_resource();
        let message = format!("Operation cannot be fulfilled on {resource} {:?}: {why}", subject.name);
        Self::new(409, "Conflict", message).with(subject.by_resource())
    }

    /// 409: `resourceVersion` is not the current one.
    pub fn modified(subject: Subject<'_>) -> Self {
        Self::conflict(
            subject,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// 409: a precondition of a delete or update does not hold; `what` is `UID` or `ResourceVersion`.
    pub fn precondition_failed(subject: Subject<'_>, what: &str, wanted: &str, actual: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {:?}: the {what} in the precondition ({wanted}) does not match the {what} in record ({actual}). The object might have been {}",
            qualified(subject.kind, subject.group),
            subject.name,
            if what == "UID" { "deleted and then recreated" } else { "modified" },
        );
        Self::new(409, "Conflict", message).with(subject.by_kind())
    }

    /// 409: an apply would overwrite what others manage.
    pub fn apply_conflict(message: impl Into<String>, causes: Vec<Cause>) -> Self {
        Self::new(409, "Conflict", message).with(Details { causes, ..Details::default() })
    }

    /// 422: fields have wrong values.
    pub fn invalid(subject: Subject<'_>, errors: &[FieldError]) -> Self {
        let kind = qualified(subject.kind, subject.group);
        let message = format!("{kind} {:?} is invalid: {}", subject.name, joined(errors));
        let cause = |e: &FieldError| Cause {
            reason: e.kind.cause().to_owned(),
            message: e.body(),
            field: e.field.clone(),
        };
        let causes = errors.iter().map(cause).collect();
        Self::new(422, "Invalid", message).with(Details { causes, ..subject.by_kind() })
    }

    /// 422: query parameters or delete options have wrong values; `kind` is `CreateOptions`, `ListOptions`, ...
    pub fn invalid_options(kind: &str, errors: &[FieldError]) -> Self {
        Self::invalid(Subject { group: "meta.k8s.io", kind, ..Subject::default() }, errors)
    }

    /// 422: the result of a patch does not decode strictly; `detail` starts with `strict decoding error: `.
    pub fn invalid_patch(subject: Subject<'_>, patch: &str, detail: &str) -> Self {
        let error = FieldError::new(ErrorKind::Invalid(patch.into()), "patch", detail);
        Self::invalid(subject, &[error])
    }

    /// 422: a JSON patch cannot be applied to the object.
    pub fn unprocessable() -> Self {
        Self::new(422, "Invalid", "the server rejected our request due to an error in our request")
            .with(Details::default())
    }

    /// 403: not allowed, and why.
    pub fn forbidden(subject: Subject<'_>, why: &str) -> Self {
        let resource = subject.qualified_resource();
        let message = if subject.name.is_empty() {
            format!("{resource} is forbidden: {why}")
        } else {
            format!("{resource} {:?} is forbidden: {why}", subject.name)
        };
        Self::new(403, "Forbidden", message).with(subject.by_resource())
    }

    /// 403: the namespace is going away.
    pub fn namespace_terminating(subject: Subject<'_>, namespace: &str) -> Self {
        let why =
            format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut status = Self::forbidden(subject, &why);
        if let Some(details) = &mut status.details {
            details.causes.push(Cause {
                reason: "NamespaceTerminating".to_owned(),
                message: format!("namespace {namespace} is being terminated"),
                field: "metadata.namespace".to_owned(),
            });
        }
        status
    }

    /// 401: credentials present but wrong.
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    /// 400: the request cannot be understood.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    /// 405: known path, unknown verb.
    pub fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(405, "MethodNotAllowed", message).with(Details::default())
    }

    /// 406: nothing in `Accept` can be produced.
    pub fn not_acceptable(available: &[&str]) -> Self {
        let message = format!("406: Not Acceptable\n\nAvailable representations: {}", available.join(", "));
        Self::new(406, "NotAcceptable", message).with(Details::default())
    }

    /// 415: `Content-Type` is none of the accepted ones.
    pub fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(415, "UnsupportedMediaType", message).with(Details::default())
    }

    /// 413: the body is over `limit` bytes.
    pub fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(413, "RequestEntityTooLarge", message)
    }

    /// 410: the continue token or resource version is too old. `resume` allows a list to go on inconsistently.
    pub fn expired(message: impl Into<String>, resume: Option<String>) -> Self {
        let mut status = Self::new(410, "Expired", message);
        status.resume = resume.map(String::into_boxed_str);
        status
    }

    /// 410: the watch cannot start at `requested`.
    pub fn too_old_version(requested: u64, oldest: u64) -> Self {
        Self::expired(format!("too old resource version: {requested} ({oldest})"), None)
    }

    /// 504: `requested` lies in the future.
    pub fn version_too_large(requested: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {requested}, current: {current}");
        let cause = Cause {
            reason: "ResourceVersionTooLarge".to_owned(),
            message: "Too large resource version".to_owned(),
            field: String::new(),
        };
        let mut status = Self::timeout(&message);
        if let Some(details) = &mut status.details {
            details.causes.push(cause);
        }
        status
    }

    /// 504: not done in time; worth trying again.
    pub fn timeout(what: &str) -> Self {
        Self::new(504, "Timeout", format!("Timeout: {what}"))
            .with(Details { retry_after_seconds: 1, ..Details::default() })
    }

    /// 429: overload.
    pub fn too_many_requests(retry_after_seconds: u32) -> Self {
        Self::new(429, "TooManyRequests", "Too many requests, please try again later.")
            .with(Details { retry_after_seconds, ..Details::default() })
    }

    /// 503: something this request needs is not there.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(503, "ServiceUnavailable", message)
    }

    /// 500: a fault of the server.
    pub fn internal(what: &str) -> Self {
        let causes = vec![Cause { message: what.to_owned(), ..Cause::default() }];
        Self::new(500, "InternalError", format!("Internal error occurred: {what}"))
            .with(Details { causes, ..Details::default() })
    }

    /// 500 with a bare text, where upstream gives no reason (`resourceVersion` set on create, ...).
    pub fn bare(message: impl Into<String>) -> Self {
        Self::new(500, "", message)
    }

    /// 200: done, and there is no object to show (a delete).
    pub fn success(subject: Subject<'_>, uid: &str) -> Self {
        Self::new(200, "", "").with(Details { uid: uid.to_owned(), ..subject.by_resource() })
    }
}
