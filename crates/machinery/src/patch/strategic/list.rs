//! Merging two lists.

use serde_json::Value;

use super::{Object, PATCH, Place, Strategy, bad, check_length, cleaned, cleaned_map, merge_map, order};
use crate::patch::PatchError;

pub(super) fn merge_list(
    element: Place<'_>,
    strategy: Strategy<'_>,
    name: &str,
    old: Vec<Value>,
    change: Vec<Value>,
) -> Result<Vec<Value>, PatchError> {
    if strategy == Strategy::Replace {
        return Ok(change.into_iter().filter_map(cleaned).collect());
    }
    check_length(name, [old.len(), change.len(), 0])?;
    let Strategy::ByKey(key) = strategy else {
        let merged = unite(name, &old, &change)?;
        return Ok(order::arrange(strategy, merged, &change, &old));
    };
    let (base, change) = directives(key, name, old, change)?;
    let mut merged = base.clone();
    for patch in &change {
        merge_element(element, key, &mut merged, patch.clone())?;
    }
    let change: Vec<Value> = change.into_iter().map(Value::Object).collect();
    Ok(order::arrange(strategy, merged, &change, &base))
}

/// The union of two lists of scalars.
fn unite(name: &str, old: &[Value], change: &[Value]) -> Result<Vec<Value>, PatchError> {
    let mut merged: Vec<Value> = Vec::new();
    for value in old.iter().chain(change) {
        if value.is_object() || value.is_array() {
            return bad(format!("{name}: a list of scalars has an element that is none"));
        }
        if !merged.contains(value) {
            merged.push(value.clone());
        }
    }
    Ok(merged)
}

/// Carries out `$patch` of elements: what is left of the old list, and the elements still to merge.
fn directives(
    key: &str,
    name: &str,
    mut old: Vec<Value>,
    change: Vec<Value>,
) -> Result<(Vec<Value>, Vec<Object>), PatchError> {
    let mut rest = Vec::new();
    let mut replace = false;
    for element in change {
        let Value::Object(mut element) = element else {
            return bad(format!("{name}: an element to merge by {key:?} is not an object"));
        };
        match element.remove(PATCH) {
            None => rest.push(element),
            Some(Value::String(directive)) => match directive.as_str() {
                "delete" => {
                    let value = required(&element, key)?;
                    old.retain(|item| item.get(key) != Some(value));
                }
                "replace" => replace = true,
                "merge" => rest.push(element),
                other => return bad(format!("unknown patch type [{other}] in list {name}")),
            },
            Some(other) => return bad(format!("unknown patch type [{other}] in list {name}")),
        }
    }
    if replace {
        let all = rest.into_iter().filter(|e| !e.is_empty()).map(|e| Value::Object(cleaned_map(e))).collect();
        return Ok((all, Vec::new()));
    }
    Ok((old, rest))
}

fn merge_element(
    place: Place<'_>,
    key: &str,
    list: &mut Vec<Value>,
    patch: Object,
) -> Result<(), PatchError> {
    let value = required(&patch, key)?;
    let found = list.iter_mut().find_map(|item| match item {
        Value::Object(item) if item.get(key) == Some(value) => Some(item),
        _ => None,
    });
    match found {
        Some(item) => *item = merge_map(place, std::mem::take(item), patch)?,
        None => list.push(Value::Object(cleaned_map(patch))),
    }
    Ok(())
}

fn required<'v>(element: &'v Object, key: &str) -> Result<&'v Value, PatchError> {
    match element.get(key) {
        Some(value) => Ok(value),
        None => {
            bad(format!("map: {} does not contain declared merge key: {key}", Value::Object(element.clone())))
        }
    }
}
