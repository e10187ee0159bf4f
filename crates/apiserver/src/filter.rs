//! Which objects a request is about: label and field selectors, made ready for cached objects.
//!
//! Must not know HTTP.

use portway_api::kinds::Kind;
use portway_machinery::selector::{FieldSelector, Selector};
use portway_machinery::status::Status;

use crate::cache::Cached;
use crate::resource::Resource;

/// A condition on cached objects.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    labels: Selector,
    fields: Vec<Term>,
}

#[derive(Clone, Debug)]
struct Term {
    field: Field,
    value: String,
    equal: bool,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Name,
    Namespace,
    /// Position among the kind's field selectors.
    Own(usize),
}

impl Filter {
    /// Reads the two selectors of a request; an empty text selects everything. Errors are 400.
    pub fn parse(kind: &Kind, labels: &str, fields: &str) -> Result<Self, Status> {
        let bad = |e: portway_machinery::selector::ParseError| Status::bad_request(e.0);
        let labels: Selector = labels.parse().map_err(bad)?;
        let selector: FieldSelector = fields.parse().map_err(bad)?;
        selector.check(kind).map_err(bad)?;
        let term = |term: portway_machinery::selector::FieldTerm| {
            let field = match term.field.as_str() {
                "metadata.name" => Field::Name,
                "metadata.namespace" => Field::Namespace,
                own => {
                    Field::Own(kind.field_selectors.iter().position(|f| f.path == own).unwrap_or(usize::MAX))
                }
            };
            Term { field, value: term.value, equal: term.equal }
        };
        Ok(Self { labels, fields: selector.terms.into_iter().map(term).collect() })
    }

    /// Only the object of this name.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.fields.push(Term { field: Field::Name, value: name.to_owned(), equal: true });
        self
    }

    /// Whether it lets everything pass.
    pub fn is_everything(&self) -> bool {
        self.labels.is_everything() && self.fields.is_empty()
    }

    /// The one name it lets pass, if it asks for one.
    pub fn name(&self) -> Option<&str> {
        self.fields.iter().find(|t| t.equal && matches!(t.field, Field::Name)).map(|t| t.value.as_str())
    }

    /// Whether an object passes. What is in the key is compared first, because it needs no decoding.
    pub fn passes(&self, resource: &Resource, object: &Cached) -> bool {
        let (namespace, name) = object.name(resource);
        let by_key = |term: &Term| match term.field {
            Field::Name => (name == term.value) == term.equal,
            Field::Namespace => (namespace == term.value) == term.equal,
            Field::Own(_) => true,
        };
        let by_content = |term: &Term| match term.field {
            Field::Own(index) => (object.traits(resource).field(index) == term.value) == term.equal,
            Field::Name | Field::Namespace => true,
        };
        self.fields.iter().all(by_key)
            && (self.labels.is_everything() || self.labels.matches(object.traits(resource)))
            && self.fields.iter().all(by_content)
    }
}
