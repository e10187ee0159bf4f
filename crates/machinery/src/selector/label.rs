//! Label selectors as values: requirements, matching, the canonical text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use portway_api::types::meta::LabelSelector;
use serde_json::{Map, Value};

use super::syntax::{label_value_error, qualified_name_error};
use super::{ParseError, parse};

/// All requirements must hold; none selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// The requirements, in the order written.
    pub requirements: Vec<Requirement>,
}

/// A condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Label key.
    pub key: String,
    /// What must hold for it.
    pub operator: Operator,
}

/// What a requirement asks of its label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `key`.
    Exists,
    /// `!key`.
    DoesNotExist,
    /// `key=value`.
    Equals(String),
    /// `key!=value`; an absent label matches.
    NotEquals(String),
    /// `key in (a,b)`.
    In(BTreeSet<String>),
    /// `key notin (a,b)`; an absent label matches.
    NotIn(BTreeSet<String>),
    /// `key>5`; a label that is no integer never matches.
    GreaterThan(i64),
    /// `key<5`.
    LessThan(i64),
}

/// Where labels can be looked up.
pub trait Labels {
    /// The value of a label.
    fn label(&self, key: &str) -> Option<&str>;
}

impl Labels for BTreeMap<String, String> {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).map(String::as_str)
    }
}

impl Labels for Map<String, Value> {
    fn label(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_str)
    }
}

/// `metadata.labels` of an object.
impl Labels for Value {
    fn label(&self, key: &str) -> Option<&str> {
        self.get("metadata")?.get("labels")?.get(key)?.as_str()
    }
}

impl Selector {
    /// Selects every object.
    pub const EVERYTHING: Self = Self { requirements: Vec::new() };

    /// Whether all requirements hold.
    pub fn matches(&self, labels: &impl Labels) -> bool {
        self.requirements.iter().all(|r| r.operator.accepts(labels.label(&r.key)))
    }

    /// Whether it selects every object.
    pub fn is_everything(&self) -> bool {
        self.requirements.is_empty()
    }

    /// A selector for exactly these labels (`spec.selector` of a Service).
    pub fn from_map(labels: &BTreeMap<String, String>) -> Self {
        let equals = |(key, value): (&String, &String)| Requirement {
            key: key.clone(),
            operator: Operator::Equals(value.clone()),
        };
        Self { requirements: labels.iter().map(equals).collect() }
    }

    /// The selector of a `LabelSelector` field; an empty one selects everything.
    /// (An absent one selects nothing, which is for the caller to see.)
    pub fn from_typed(selector: &LabelSelector) -> Result<Self, ParseError> {
        let mut result = Self::from_map(&selector.match_labels);
        for term in &selector.match_expressions {
            let values = || term.values.iter().cloned().collect::<BTreeSet<_>>();
            let operator = match term.operator.as_str() {
                "In" => Operator::In(values()),
                "NotIn" => Operator::NotIn(values()),
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(ParseError(format!("{other:?} is not a valid label selector operator"))),
            };
            let wrong = match operator {
                Operator::Exists | Operator::DoesNotExist if !term.values.is_empty() => {
                    Some("values: Invalid value: values set must be empty for exists and does not exist")
                }
                Operator::In(_) | Operator::NotIn(_) if term.values.is_empty() => {
                    Some("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
                }
                _ => None,
            };
            if let Some(wrong) = wrong {
                return Err(ParseError(wrong.to_owned()));
            }
            result.requirements.push(Requirement { key: term.key.clone(), operator });
        }
        for requirement in &result.requirements {
            requirement.check()?;
        }
        Ok(result)
    }
}

impl Requirement {
    /// Checks the syntax of key and values.
    pub(super) fn check(&self) -> Result<(), ParseError> {
        check_key(&self.key)?;
        let check = |(i, value): (usize, &String)| match label_value_error(value) {
            None => Ok(()),
            Some(why) => Err(ParseError(format!(
                "values[{i}][{}]: Invalid value: {}: {why}",
                self.key,
                Value::from(value.as_str())
            ))),
        };
        match &self.operator {
            Operator::Equals(value) | Operator::NotEquals(value) => check((0, value)),
            Operator::In(values) | Operator::NotIn(values) => values.iter().enumerate().try_for_each(check),
            _ => Ok(()),
        }
    }
}

pub(super) fn check_key(key: &str) -> Result<(), ParseError> {
    match qualified_name_error(key) {
        None => Ok(()),
        Some(why) => Err(ParseError(format!("<nil>: Invalid value: {}: {why}", Value::from(key)))),
    }
}

impl Operator {
    /// Whether a label with this value (or none) passes.
    pub fn accepts(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|v| v.parse::<i64>().ok());
        match self {
            Self::Exists => value.is_some(),
            Self::DoesNotExist => value.is_none(),
            Self::Equals(want) => value == Some(want),
            Self::NotEquals(other) => value != Some(other),
            Self::In(values) => value.is_some_and(|v| values.contains(v)),
            Self::NotIn(values) => !value.is_some_and(|v| values.contains(v)),
            Self::GreaterThan(bound) => number().is_some_and(|n| n > *bound),
            Self::LessThan(bound) => number().is_some_and(|n| n < *bound),
        }
    }
}

impl FromStr for Selector {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse::selector(text)
    }
}

/// The canonical text, which parses to the same selector.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, requirement) in self.requirements.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            write!(f, "{requirement}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.key;
        let list =
            |values: &BTreeSet<String>| values.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        match &self.operator {
            Operator::Exists => write!(f, "{key}"),
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::Equals(value) => write!(f, "{key}={value}"),
            Operator::NotEquals(value) => write!(f, "{key}!={value}"),
            Operator::In(values) => write!(f, "{key} in ({})", list(values)),
            Operator::NotIn(values) => write!(f, "{key} notin ({})", list(values)),
            Operator::GreaterThan(bound) => write!(f, "{key}>{bound}"),
            Operator::LessThan(bound) => write!(f, "{key}<{bound}"),
        }
    }
}
