//! Query parameters of reads and writes, and the options body of deletes, as typed values.
//!
//! Pure. Every error is the Status the client gets.

use portway_api::field::{ErrorKind, FieldError};
use portway_base::Revision;
use portway_machinery::decode::FieldValidation;
use portway_machinery::status::Status;
use serde_json::Value;

use crate::query::Query;

/// How the `resourceVersion` of a list is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// This revision or a newer one.
    NotOlderThan,
    /// This revision.
    Exact,
}

/// Options of list and watch.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// At most so many; 0 = all.
    pub limit: usize,
    /// Token of the previous page; empty for the first.
    pub resume: String,
    /// `None` when unset; zero means "any state".
    pub revision: Option<Revision>,
    /// `resourceVersionMatch`.
    pub matching: Option<Match>,
    /// `allowWatchBookmarks`.
    pub bookmarks: bool,
    /// `sendInitialEvents`.
    pub initial_events: Option<bool>,
    /// `timeoutSeconds`; `None` when unset.
    pub timeout: Option<u64>,
}

impl ListOptions {
    /// Reads them for a list or a watch.
    pub fn parse(query: &Query, watch: bool) -> Result<Self, Status> {
        let limit = integer(query, "limit")?.unwrap_or(0);
        let revision = match query.text("resourceVersion") {
            None => None,
            Some(text) => Some(text.parse::<Revision>().map_err(|_| {
                let error = FieldError::invalid("resourceVersion", text, "must be a decimal number");
                Status::bad_request(error.to_string())
            })?),
        };
        let options = Self {
            limit: usize::try_from(limit).unwrap_or(0),
            resume: query.get("continue").unwrap_or_default().to_owned(),
            revision,
            matching: matching(query, watch)?,
            bookmarks: query.flag("allowWatchBookmarks").unwrap_or(false),
            initial_events: query.flag("sendInitialEvents"),
            timeout: integer(query, "timeoutSeconds")?.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0),
        };
        options.check(query, watch)?;
        Ok(options)
    }

    fn check(&self, query: &Query, watch: bool) -> Result<(), Status> {
        let forbid = |field: &str, why: &str| {
            Err(Status::invalid_options("ListOptions", &[FieldError::forbidden(field, why)]))
        };
        if watch {
            return match (self.initial_events, self.matching) {
                (Some(_), Some(Match::NotOlderThan)) | (None, None) => Ok(()),
                (Some(_), None) => forbid(
                    "resourceVersionMatch",
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ),
                (Some(_), Some(Match::Exact)) => forbid(
                    "resourceVersionMatch",
                    "sendInitialEvents requires resourceVersionMatch NotOlderThan",
                ),
                (None, Some(_)) => forbid(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                ),
            };
        }
        if self.initial_events.is_some() {
            return forbid("sendInitialEvents", "sendInitialEvents is forbidden for list");
        }
        let zero = self.revision == Some(Revision::ZERO);
        if self.matching.is_some() {
            if query.text("continue").is_some() {
                return forbid(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden when continue is provided",
                );
            }
            if self.revision.is_none() {
                return forbid(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden unless resourceVersion is provided",
                );
            }
            if self.matching == Some(Match::Exact) && zero {
                return forbid(
                    "resourceVersionMatch",
                    "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
                );
            }
        }
        if !self.resume.is_empty() && self.revision.is_some() && !zero {
            return Err(Status::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        Ok(())
    }
}

fn matching(query: &Query, watch: bool) -> Result<Option<Match>, Status> {
    let supported: &[&str] = if watch { &["NotOlderThan"] } else { &["Exact", "NotOlderThan"] };
    match query.text("resourceVersionMatch") {
        None => Ok(None),
        Some("NotOlderThan") => Ok(Some(Match::NotOlderThan)),
        Some("Exact") => Ok(Some(Match::Exact)),
        Some(other) => Err(Status::invalid_options(
            "ListOptions",
            &[FieldError::not_supported("resourceVersionMatch", other, supported)],
        )),
    }
}

fn integer(query: &Query, name: &str) -> Result<Option<i64>, Status> {
    let Some(text) = query.text(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| Status::bad_request(format!("{name}: {text:?} is not a number")))
}

/// Options of create, update and patch.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Nothing is stored.
    pub dry_run: bool,
    /// What becomes of unknown fields.
    pub validation: FieldValidation,
    /// `fieldManager`; empty when unset.
    pub manager: String,
    /// `force` of an apply.
    pub force: Option<bool>,
}

impl WriteOptions {
    /// Reads them; `kind` is `CreateOptions`, `UpdateOptions` or `PatchOptions`.
    pub fn parse(query: &Query, kind: &str) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let dry_run = dry_run(query.all("dryRun"), &mut errors);
        let validation = FieldValidation::from_parameter(query.get("fieldValidation")).unwrap_or_else(|e| {
            errors.push(e);
            FieldValidation::default()
        });
        let manager = query.get("fieldManager").unwrap_or_default();
        if manager.len() > 128 {
            let detail = "may not be more than 128 bytes";
            errors.push(FieldError::new(ErrorKind::TooLong, "fieldManager", detail));
        } else if let Some(bad) = manager.chars().find(|c| c.is_control()) {
            let detail = format!("should only contain printable characters, not {bad:?}");
            errors.push(FieldError::invalid("fieldManager", manager, detail));
        }
        if !errors.is_empty() {
            return Err(Status::invalid_options(kind, &errors));
        }
        Ok(Self { dry_run, validation, manager: manager.to_owned(), force: query.flag("force") })
    }
}

fn dry_run<'a>(values: impl Iterator<Item = &'a str>, errors: &mut Vec<FieldError>) -> bool {
    let mut all = false;
    for value in values {
        match value {
            "" => {}
            "All" => all = true,
            other => errors.push(FieldError::not_supported("dryRun", other, &["All"])),
        }
    }
    all
}

/// What becomes of an object's dependents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// The collector removes them afterwards.
    #[default]
    Background,
    /// They are removed first.
    Foreground,
    /// They stay.
    Orphan,
}

/// Options of deletes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeleteOptions {
    /// Seconds; `None` for the object's own.
    pub grace: Option<i64>,
    /// What becomes of dependents; `None` when the client did not say.
    pub propagation: Option<Propagation>,
    /// Only the object with this uid.
    pub uid: Option<String>,
    /// Only the object as of this revision.
    pub resource_version: Option<String>,
    /// Nothing is stored.
    pub dry_run: bool,
}

impl DeleteOptions {
    /// Reads them from the body if there is one, else from the query.
    pub fn parse(body: Option<&Value>, query: &Query) -> Result<Self, Status> {
        let mut errors = Vec::new();
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        let (propagation, orphan, mut options) = match body {
            Some(body) => {
                let preconditions = body.get("preconditions");
                let listed = body.get("dryRun").and_then(Value::as_array);
                let options = Self {
                    grace: body.get("gracePeriodSeconds").and_then(Value::as_i64),
                    uid: text(preconditions.and_then(|p| p.get("uid"))),
                    resource_version: text(preconditions.and_then(|p| p.get("resourceVersion"))),
                    // `dryRun` also counts in the query of a request with a body.
                    dry_run: dry_run(
                        listed.into_iter().flatten().filter_map(Value::as_str).chain(query.all("dryRun")),
                        &mut errors,
                    ),
                    propagation: None,
                };
                (
                    text(body.get("propagationPolicy")),
                    body.get("orphanDependents").and_then(Value::as_bool),
                    options,
                )
            }
            None => {
                let options = Self {
                    grace: integer(query, "gracePeriodSeconds")?,
                    dry_run: dry_run(query.all("dryRun"), &mut errors),
                    uid: query.text("preconditions.uid").map(str::to_owned),
                    resource_version: query.text("preconditions.resourceVersion").map(str::to_owned),
                    propagation: None,
                };
                (query.text("propagationPolicy").map(str::to_owned), query.flag("orphanDependents"), options)
            }
        };
        options.propagation = match (propagation.as_deref(), orphan) {
            (Some(policy), Some(_)) => {
                let detail = "orphanDependents and deletionPropagation cannot be both set";
                errors.push(FieldError::invalid("propagationPolicy", policy, detail));
                None
            }
            (Some("Background"), None) | (None, Some(false)) => Some(Propagation::Background),
            (Some("Foreground"), None) => Some(Propagation::Foreground),
            (Some("Orphan"), None) | (None, Some(true)) => Some(Propagation::Orphan),
            (Some(other), None) => {
                let supported = ["Background", "Foreground", "Orphan"];
                errors.push(FieldError::not_supported("propagationPolicy", other, &supported));
                None
            }
            (None, None) => None,
        };
        if errors.is_empty() { Ok(options) } else { Err(Status::invalid_options("DeleteOptions", &errors)) }
    }
}
