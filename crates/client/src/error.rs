//! Errors by what the caller can do about them.

use std::time::Duration;

use http::StatusCode;

use crate::status::Status;

/// Why a request failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// 404: the object, or the resource, does not exist.
    #[error("{}", .0.message)]
    NotFound(Box<Status>),
    /// 409 on create: take the existing object, or another name.
    #[error("{}", .0.message)]
    AlreadyExists(Box<Status>),
    /// 409: the object changed since it was read; read again and retry.
    #[error("{}", .0.message)]
    Conflict(Box<Status>),
    /// 422 or 400: the object is wrong and stays so; do not retry.
    #[error("{}", .0.message)]
    Invalid(Box<Status>),
    /// 410: the revision or the list position is too old; list again.
    #[error("{}", .0.message)]
    Expired(Box<Status>),
    /// 403: refused by authorization or admission.
    #[error("{}", .0.message)]
    Forbidden(Box<Status>),
    /// 401: the credentials are missing or wrong.
    #[error("{}", .0.message)]
    Unauthorized(Box<Status>),
    /// 429: wait before the next request.
    #[error("{}", .status.message)]
    TooManyRequests {
        /// How long, if the server said so.
        retry_after: Option<Duration>,
        /// The server's words.
        status: Box<Status>,
    },
    /// 500, 503, 504: the server cannot now; retry later.
    #[error("{}", .0.message)]
    Unavailable(Box<Status>),
    /// Any other refusal (405, 406, 413, 415, ...); do not retry.
    #[error("{}", .0.message)]
    Refused(Box<Status>),
    /// The server was not reached, or the connection broke; the request may or may not have been done.
    #[error("{0}")]
    Transport(String),
    /// The request could not be made, or the answer could not be understood.
    #[error("{0}")]
    Malformed(String),
    /// The configuration is unusable; the text names the file or field.
    #[error("{0}")]
    Config(String),
}

impl Error {
    /// The typed form of a refusal.
    pub fn from_status(status: Status) -> Self {
        let status = Box::new(status);
        match (status.code, status.reason.as_str()) {
            (404, _) => Self::NotFound(status),
            (409, "AlreadyExists") => Self::AlreadyExists(status),
            (409, _) => Self::Conflict(status),
            (400 | 422, _) => Self::Invalid(status),
            (410, _) => Self::Expired(status),
            (403, _) => Self::Forbidden(status),
            (401, _) => Self::Unauthorized(status),
            (429, _) => Self::TooManyRequests { retry_after: retry_after(&status), status },
            (500..=599, _) => Self::Unavailable(status),
            _ => Self::Refused(status),
        }
    }

    /// The typed form of an answer with a failing status code, whatever its body.
    pub fn from_response(code: StatusCode, body: &[u8]) -> Self {
        let mut status: Status = serde_json::from_slice(body).unwrap_or_default();
        if status.code == 0 {
            status.code = code.as_u16();
        }
        if status.message.is_empty() {
            let text = String::from_utf8_lossy(&body[..body.len().min(512)]);
            status.message = format!("the server answered {code}: {}", text.trim());
        }
        Self::from_status(status)
    }

    /// The server's words, if it answered.
    pub fn status(&self) -> Option<&Status> {
        match self {
            Self::NotFound(s)
            | Self::AlreadyExists(s)
            | Self::Conflict(s)
            | Self::Invalid(s)
            | Self::Expired(s)
            | Self::Forbidden(s)
            | Self::Unauthorized(s)
            | Self::TooManyRequests { status: s, .. }
            | Self::Unavailable(s)
            | Self::Refused(s) => Some(s),
            Self::Transport(_) | Self::Malformed(_) | Self::Config(_) => None,
        }
    }

    /// The same request may succeed later.
    pub const fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::TooManyRequests { .. } | Self::Unavailable(_) | Self::Transport(_) | Self::Conflict(_)
        )
    }

    /// The write was refused because its namespace is being deleted.
    pub fn is_namespace_terminating(&self) -> bool {
        matches!(self, Self::Forbidden(s) if s.has_cause("NamespaceTerminating"))
    }
}

fn retry_after(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_typed_errors() {
        let check = |code: u16, body: &str, expect: fn(&Error) -> bool| {
            let error = Error::from_response(StatusCode::from_u16(code).unwrap(), body.as_bytes());
            assert!(expect(&error), "{code} {body}: {error:?}");
            assert!(!error.to_string().is_empty());
        };
        check(404, r#"{"kind":"Status","code":404,"reason":"NotFound","message":"x"}"#, |e| {
            matches!(e, Error::NotFound(_))
        });
        check(409, r#"{"code":409,"reason":"AlreadyExists","message":"x"}"#, |e| {
            matches!(e, Error::AlreadyExists(_))
        });
        check(409, r#"{"code":409,"reason":"Conflict","message":"x"}"#, |e| matches!(e, Error::Conflict(_)));
        check(422, r#"{"code":422,"reason":"Invalid","message":"x"}"#, |e| matches!(e, Error::Invalid(_)));
        check(410, "gone", |e| matches!(e, Error::Expired(_)));
        check(401, "", |e| matches!(e, Error::Unauthorized(_)));
        check(503, "<html>", |e| matches!(e, Error::Unavailable(_)) && e.is_temporary());
        check(415, "", |e| matches!(e, Error::Refused(_)) && !e.is_temporary());
        check(
            429,
            r#"{"code":429,"details":{"retryAfterSeconds":3}}"#,
            |e| matches!(e, Error::TooManyRequests { retry_after: Some(d), .. } if d.as_secs() == 3),
        );
        check(403, r#"{"code":403,"details":{"causes":[{"reason":"NamespaceTerminating"}]}}"#, |e| {
            e.is_namespace_terminating()
        });
    }
}
