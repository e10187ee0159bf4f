//! JSON pointers, RFC 6901.

use std::fmt;

use super::{PatchError, fail};

/// A path into a document.
#[derive(Debug, PartialEq)]
pub(super) struct Pointer {
    steps: Vec<Step>,
}

/// One member name or list index.
#[derive(Debug, PartialEq)]
pub(super) struct Step {
    /// Unescaped.
    pub name: String,
}

impl Step {
    /// As an index below `limit`; no leading zeros, no sign.
    pub fn index(&self, limit: usize) -> Option<usize> {
        let digits = self.name.as_bytes();
        if !digits.iter().all(u8::is_ascii_digit) || digits.len() > 1 && digits[0] == b'0' {
            return None;
        }
        self.name.parse().ok().filter(|i| *i < limit)
    }
}

impl Pointer {
    pub fn parse(text: &str) -> Result<Self, PatchError> {
        if text.is_empty() {
            return Ok(Self { steps: Vec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return fail(format!("path does not start with a slash: {text:?}"));
        };
        let unescape = |part: &str| Step { name: part.replace("~1", "/").replace("~0", "~") };
        Ok(Self { steps: rest.split('/').map(unescape).collect() })
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether `other` lies below this path.
    pub fn is_parent_of(&self, other: &Self) -> bool {
        self.steps.len() < other.steps.len() && other.steps.starts_with(&self.steps)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            write!(f, "/{}", step.name.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}
