//! Event of the core group.

use serde_json::Value;

use super::column::{Column, age};
use super::format;
use super::meta::{self, NameFormat};
use super::value::Read;
use super::{FieldSelector, Kind, Strategy, select};
use crate::field::FieldError;

pub(super) const KIND: Kind = Kind {
    short_names: &["ev"],
    create_on_update: true,
    field_selectors: &[
        select!("involvedObject.kind"),
        select!("involvedObject.namespace"),
        select!("involvedObject.name"),
        select!("involvedObject.uid"),
        select!("involvedObject.apiVersion"),
        select!("involvedObject.resourceVersion"),
        select!("involvedObject.fieldPath"),
        select!("reason"),
        select!("reportingComponent"),
        FieldSelector {
            path: "source",
            value: |object| match object.text("source.component") {
                "" => object.text("reportingComponent").to_owned(),
                component => component.to_owned(),
            },
        },
        select!("type"),
    ],
    columns: &[
        Column::text("Last Seen", "Time since it last happened.", |object, now| {
            let series = object.text("series.lastObservedTime");
            let last = if series.is_empty() { first_set(object, "lastTimestamp") } else { series };
            age(last, now).into()
        }),
        Column::text("Type", "Normal or Warning.", |object, _| object.text("type").into()),
        Column::text("Reason", "Why, in a word.", |object, _| object.text("reason").into()),
        Column::text("Object", "What it is about.", |object, _| target(object).into()),
        Column::wide("Subobject", "The part of the object it is about.", |object, _| {
            object.text("involvedObject.fieldPath").into()
        }),
        Column::wide("Source", "Who reported it.", |object, _| source(object).into()),
        Column::text("Message", "What happened.", |object, _| object.text("message").trim().into()),
        Column::wide("First Seen", "Time since it first happened.", |object, now| {
            age(first_set(object, "firstTimestamp"), now).into()
        }),
        Column::wide("Count", "How often it happened.", |object, _| {
            let count = if object.has("series") { object.int("series.count") } else { object.int("count") };
            count.max(1).into()
        }),
        Column { priority: 1, ..Column::NAME },
    ],
    strategy: &Event,
    ..Kind::core("Event", "events", "event", "io.k8s.api.core.v1.Event")
};

/// A time of the old form, or `eventTime` where a reporter of the new form left it out.
fn first_set<'a>(object: &'a Value, path: &str) -> &'a str {
    match object.text(path) {
        "" => object.text("eventTime"),
        time => time,
    }
}

fn target(object: &Value) -> String {
    let kind = object.text("involvedObject.kind").to_lowercase();
    match object.text("involvedObject.name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    }
}

fn source(object: &Value) -> String {
    let or = |a: &str, b: &str| {
        let a = object.text(a);
        if a.is_empty() { object.text(b).to_owned() } else { a.to_owned() }
    };
    let component = or("source.component", "reportingComponent");
    let host = or("source.host", "reportingInstance");
    if host.is_empty() { component } else { format!("{component}, {host}") }
}

struct Event;

impl Strategy for Event {
    fn validate(&self, object: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate(object, true, NameFormat::Subdomain);
        errors.extend(content(object));
        errors
    }

    fn validate_update(&self, new: &Value, old: &Value) -> Vec<FieldError> {
        let mut errors = meta::validate_update(new, old);
        errors.extend(content(new));
        errors
    }
}

fn content(object: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let namespace = object.text("metadata.namespace");
    let involved = object.text("involvedObject.namespace");
    let fits = if involved.is_empty() { ["", "default"].contains(&namespace) } else { involved == namespace };
    if !fits {
        errors.push(FieldError::invalid(
            "involvedObject.namespace",
            involved,
            "does not match event.namespace",
        ));
    }
    if !object.has("eventTime") {
        return errors;
    }
    let controller = object.text("reportingComponent");
    if controller.is_empty() {
        errors.push(FieldError::required("reportingComponent", ""));
    } else {
        let problems = format::qualified_name(controller);
        errors.extend(FieldError::each_invalid("reportingComponent", controller, problems));
    }
    for (field, required, limit) in [
        ("reportingInstance", true, 128),
        ("action", true, 128),
        ("reason", true, 128),
        ("message", false, 1024),
    ] {
        let text = object.text(field);
        if required && text.is_empty() {
            errors.push(FieldError::required(field, ""));
        }
        if text.len() > limit {
            errors.push(FieldError::invalid(field, "", format!("can have at most {limit} characters")));
        }
    }
    errors
}
