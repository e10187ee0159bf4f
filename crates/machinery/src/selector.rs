//! Label and field selectors: parsing, printing, matching.
//!
//! Must not know where objects come from; error texts are those a client reads in a 400 answer.

mod field;
mod label;
mod parse;
mod syntax;
#[cfg(test)]
mod tests;

pub use field::{FieldSelector, FieldTerm};
pub use label::{Labels, Operator, Requirement, Selector};
pub use syntax::{label_value_error, qualified_name_error};

/// A selector that cannot be read; the text is the client's answer (400 BadRequest).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub String);
