//! JSON patch, RFC 6902.
//!
//! The result never nests deeper than [`MAX_DEPTH`], and copies never add more than a body may hold.

mod pointer;
#[cfg(test)]
mod tests;

use serde_json::Value;

use super::PatchError;
use crate::decode::{MAX_BODY, MAX_DEPTH};
use pointer::{Pointer, Step};

/// Most operations of one patch.
pub const MAX_OPERATIONS: usize = 10_000;

fn fail<T>(why: impl Into<String>) -> Result<T, PatchError> {
    Err(PatchError::Inapplicable(why.into()))
}

/// Whether a body is a JSON patch at all: a list of objects, not too long.
pub fn check(patch: &Value) -> Result<(), PatchError> {
    let Value::Array(operations) = patch else {
        return Err(PatchError::Malformed(
            "error decoding patch: the JSON patch is not a list of operations".to_owned(),
        ));
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(PatchError::TooLarge(format!(
            "The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {}",
            operations.len()
        )));
    }
    if operations.iter().any(|o| !o.is_object()) {
        return Err(PatchError::Malformed(
            "error decoding patch: a JSON patch operation is not an object".to_owned(),
        ));
    }
    Ok(())
}

/// Applies the operations in order; all or nothing.
pub fn apply(mut document: Value, patch: &Value) -> Result<Value, PatchError> {
    check(patch)?;
    let mut copied = 0;
    for operation in patch.as_array().into_iter().flatten() {
        document = step(document, operation, &mut copied)?;
    }
    if !document.is_object() {
        return fail("the patched document is not an object");
    }
    Ok(document)
}

fn step(mut document: Value, operation: &Value, copied: &mut usize) -> Result<Value, PatchError> {
    let text = |field: &str| match operation.get(field).and_then(Value::as_str) {
        Some(text) => Ok(text),
        None => fail(format!("operation without {field:?}")),
    };
    let value = || match operation.get("value") {
        Some(value) => Ok(value),
        None => fail("operation without \"value\""),
    };
    let name = text("op")?;
    let path = Pointer::parse(text("path")?)?;
    match name {
        "add" => add(document, &path, value()?.clone()),
        "remove" => {
            remove(&mut document, &path)?;
            Ok(document)
        }
        "replace" => {
            let target = get_mut(&mut document, &path)?;
            *target = limited(&path, value()?.clone())?;
            Ok(document)
        }
        "move" => {
            let from = Pointer::parse(text("from")?)?;
            if from.is_parent_of(&path) {
                return fail("cannot move a value into itself");
            }
            let moved = remove(&mut document, &from)?;
            add(document, &path, moved)
        }
        "copy" => {
            let from = Pointer::parse(text("from")?)?;
            let copy = get(&document, &from)?.clone();
            *copied += size(&copy);
            if *copied > MAX_BODY {
                return Err(PatchError::TooLarge(format!(
                    "the JSON patch copies more than {MAX_BODY} bytes"
                )));
            }
            add(document, &path, copy)
        }
        "test" => {
            // A missing member equals null, as upstream has it.
            let found = get(&document, &path).ok();
            if same(found.unwrap_or(&Value::Null), operation.get("value").unwrap_or(&Value::Null)) {
                Ok(document)
            } else {
                fail(format!("testing value {path} failed"))
            }
        }
        other => fail(format!("unexpected kind: {other}")),
    }
}

/// Refuses a value that would make the document too deep.
fn limited(path: &Pointer, value: Value) -> Result<Value, PatchError> {
    if path.len() + depth(&value) > MAX_DEPTH { fail("exceeded max depth") } else { Ok(value) }
}

fn get<'v>(document: &'v Value, path: &Pointer) -> Result<&'v Value, PatchError> {
    let mut value = document;
    for step in path.steps() {
        let next = match value {
            Value::Object(map) => map.get(&step.name),
            Value::Array(items) => step.index(items.len()).and_then(|i| items.get(i)),
            _ => None,
        };
        let Some(next) = next else { return fail(format!("missing path: {path}")) };
        value = next;
    }
    Ok(value)
}

fn get_mut<'v>(document: &'v mut Value, path: &Pointer) -> Result<&'v mut Value, PatchError> {
    walk(document, path.steps(), path)
}

fn walk<'v>(document: &'v mut Value, steps: &[Step], path: &Pointer) -> Result<&'v mut Value, PatchError> {
    let mut value = document;
    for step in steps {
        let next = match value {
            Value::Object(map) => map.get_mut(&step.name),
            Value::Array(items) => step.index(items.len()).and_then(|i| items.get_mut(i)),
            _ => None,
        };
        let Some(next) = next else { return fail(format!("missing path: {path}")) };
        value = next;
    }
    Ok(value)
}

fn add(mut document: Value, path: &Pointer, value: Value) -> Result<Value, PatchError> {
    let value = limited(path, value)?;
    let Some((last, parents)) = path.steps().split_last() else { return Ok(value) };
    match walk(&mut document, parents, path)? {
        Value::Object(map) => {
            map.insert(last.name.clone(), value);
        }
        Value::Array(items) => {
            let index = if last.name == "-" { Some(items.len()) } else { last.index(items.len() + 1) };
            let Some(index) = index else { return fail(format!("invalid index: {path}")) };
            items.insert(index, value);
        }
        _ => return fail(format!("missing path: {path}")),
    }
    Ok(document)
}

fn remove(document: &mut Value, path: &Pointer) -> Result<Value, PatchError> {
    let Some((last, parents)) = path.steps().split_last() else {
        return fail("cannot remove the document");
    };
    let removed = match walk(document, parents, path)? {
        Value::Object(map) => map.remove(&last.name),
        Value::Array(items) => last.index(items.len()).map(|i| items.remove(i)),
        _ => None,
    };
    removed.map_or_else(|| fail(format!("missing path: {path}")), Ok)
}

/// Equal as JSON: `1` and `1.0` are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || (a.is_f64() != b.is_f64() && a.as_f64() == b.as_f64())
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// Levels of nesting; a scalar has none.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// About how many bytes the text of a value takes.
fn size(value: &Value) -> usize {
    8 + match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum(),
        Value::Object(map) => map.iter().map(|(key, value)| key.len() + size(value)).sum(),
        _ => 0,
    }
}
