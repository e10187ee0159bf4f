//! Media types: what a client accepts, and what the body it sent is.
//!
//! Pure text work; total on any header.

/// Types objects can be answered in, as a 406 lists them.
pub const AVAILABLE: [&str; 2] = ["application/json", "application/yaml"];

/// Types a POST or PUT body may have, as a 415 lists them.
pub const BODIES: [&str; 3] = [JSON, "application/yaml", PROTOBUF];

/// Types a PATCH body may have, as a 415 lists them.
pub const PATCHES: [&str; 4] = [
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];

pub(crate) const JSON: &str = "application/json";
pub(crate) const YAML: &str = "application/yaml";
pub(crate) const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// What an object is turned into before it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As it is.
    #[default]
    Plain,
    /// Rows and cells; the text is the Table's apiVersion.
    Table(&'static str),
    /// Metadata only; the text is the apiVersion.
    Metadata(&'static str),
}

/// The form of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What is sent.
    pub shape: Shape,
    /// YAML instead of JSON.
    pub yaml: bool,
}

/// One element of an `Accept` header.
#[derive(Clone, Debug, PartialEq)]
pub struct Element<'a> {
    /// `application/json`.
    pub ty: &'a str,
    /// Parameters but `q`.
    pub parameters: Vec<(&'a str, &'a str)>,
    quality: f32,
}

impl<'a> Element<'a> {
    /// A parameter's value.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| *v)
    }

    /// The element's type covers this one.
    pub fn covers(&self, ty: &str) -> bool {
        let family = ty.split('/').next().unwrap_or_default();
        self.ty == "*/*"
            || self.ty.eq_ignore_ascii_case(ty)
            || self.ty.strip_suffix("/*").is_some_and(|f| f.eq_ignore_ascii_case(family))
    }
}

/// The elements of an `Accept` header, best first; those with `q=0` are left out.
pub fn elements(accept: &str) -> Vec<Element<'_>> {
    let mut list: Vec<Element<'_>> = accept.split(',').filter_map(element).collect();
    list.retain(|e| e.quality > 0.0);
    list.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    list
}

fn element(text: &str) -> Option<Element<'_>> {
    let mut parts = text.split(';').map(str::trim);
    let ty = parts.next().filter(|t| !t.is_empty())?;
    let mut element = Element { ty, parameters: Vec::new(), quality: 1.0 };
    for (name, value) in parts.filter_map(|p| p.split_once('=')) {
        let (name, value) = (name.trim(), value.trim().trim_matches('"'));
        if name.eq_ignore_ascii_case("q") {
            element.quality = value.parse().ok().filter(|q: &f32| q.is_finite()).unwrap_or(1.0);
        } else {
            element.parameters.push((name, value));
        }
    }
    Some(element)
}

/// The form an object is to be answered in; `None` if nothing the client accepts can be made (406).
pub fn negotiate(accept: Option<&str>) -> Option<Form> {
    let Some(accept) = accept.filter(|a| !a.trim().is_empty()) else { return Some(Form::default()) };
    elements(accept).iter().find_map(form)
}

fn form(element: &Element<'_>) -> Option<Form> {
    let yaml = if element.covers(JSON) {
        false
    } else if element.covers(YAML) {
        true
    } else {
        return None;
    };
    let version = match (element.parameter("g"), element.parameter("v")) {
        (Some("meta.k8s.io"), Some("v1")) => "meta.k8s.io/v1",
        (Some("meta.k8s.io"), Some("v1beta1")) => "meta.k8s.io/v1beta1",
        _ => "",
    };
    let shape = match (element.parameter("as"), version) {
        (None, _) => Shape::Plain,
        (Some(_), "") => return None,
        (Some("Table"), version) => Shape::Table(version),
        (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), version) => Shape::Metadata(version),
        (Some(_), _) => return None,
    };
    Some(Form { shape, yaml })
}

/// A media type without its parameters, in lower case; an absent header reads as JSON.
pub fn content_type(header: Option<&str>) -> String {
    let ty = header.unwrap_or(JSON).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if ty.is_empty() { JSON.to_owned() } else { ty }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn negotiation() {
        let check = |accept: Option<&str>, expect: Option<(Shape, bool)>| {
            let found = negotiate(accept).map(|f| (f.shape, f.yaml));
            assert_eq!(found, expect, "{accept:?}");
        };
        let plain = Some((Shape::Plain, false));
        check(None, plain);
        check(Some(""), plain);
        check(Some("*/*"), plain);
        check(Some("application/*"), plain);
        check(Some("application/json; charset=utf-8"), plain);
        check(Some("application/yaml"), Some((Shape::Plain, true)));
        check(Some("application/json;q=0.1, application/yaml"), Some((Shape::Plain, true)));
        check(Some("application/vnd.kubernetes.protobuf,application/json"), plain);
        check(Some("application/vnd.kubernetes.protobuf"), None);
        check(Some("text/html"), None);
        check(Some("application/json;q=0"), None);
        check(Some("application/json;stream=watch"), plain);
        let table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        check(Some(table), Some((Shape::Table("meta.k8s.io/v1"), false)));
        check(
            Some("application/json;as=Table;g=meta.k8s.io;v=v1beta1"),
            Some((Shape::Table("meta.k8s.io/v1beta1"), false)),
        );
        check(Some("application/json;as=Table;v=v9;g=meta.k8s.io,application/json"), plain);
        let metadata = "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
        check(Some(metadata), Some((Shape::Metadata("meta.k8s.io/v1"), false)));
    }

    #[test]
    fn content_types() {
        let check =
            |header: Option<&str>, expect: &str| assert_eq!(content_type(header), expect, "{header:?}");
        check(None, "application/json");
        check(Some(""), "application/json");
        check(Some("Application/JSON; charset=UTF-8"), "application/json");
        check(Some("application/apply-patch+yaml"), "application/apply-patch+yaml");
    }

    proptest! {
        #[test]
        fn negotiation_is_total(text in "[a-z*/;,=q.0-9\" ]{0,60}|\\PC{0,40}") {
            let _ = negotiate(Some(&text));
        }
    }
}
