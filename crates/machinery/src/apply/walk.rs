//! Walks over values: which fields one has, how two differ, what two make together, what has to go.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::ApplyError;
use super::fieldset::FieldSet;
use super::shape::Shape;

/// The fields of an applied configuration.
pub(super) fn fields_of(shape: Shape<'_>, value: &Value) -> FieldSet {
    let mut set = FieldSet::default();
    let Some(parts) = shape.parts(value) else {
        set.member = true;
        return set;
    };
    for (element, inner, values) in parts {
        let mut child = FieldSet::default();
        for value in values {
            child = child.union(&fields_of(inner, value));
            let empty_map = value.as_object().is_some_and(Map::is_empty);
            child.member |= value.is_null() || empty_map || shape.has_free_keys() || !shape.is_map();
        }
        if !child.is_empty() {
            set.children.insert(element, child);
        }
    }
    set
}

/// How an object differs from what it was.
#[derive(Debug, Default)]
pub(super) struct Comparison {
    /// New, or with another value.
    pub changed: FieldSet,
    /// Gone.
    pub removed: FieldSet,
}

pub(super) fn compare(shape: Shape<'_>, old: &Value, new: &Value) -> Comparison {
    let mut comparison = Comparison::default();
    differ(shape, &[old], &[new], &mut comparison.changed, &mut comparison.removed);
    tidy(&mut comparison.changed);
    tidy(&mut comparison.removed);
    comparison
}

/// Drops nodes without members.
fn tidy(set: &mut FieldSet) {
    set.children.values_mut().for_each(tidy);
    set.children.retain(|_, child| !child.is_empty());
}

type Parts<'s, 'v> = BTreeMap<String, (Shape<'s>, Vec<&'v Value>)>;

/// What is compared one by one: nothing of an absent value or a null; `None` for what is compared as a whole.
fn parts<'s, 'v>(shape: Shape<'s>, values: &[&'v Value]) -> Option<Parts<'s, 'v>> {
    match values {
        _ if shape.is_leaf() => None,
        [] | [Value::Null] => Some(Parts::new()),
        [one] => Some(
            shape
                .parts(one)?
                .into_iter()
                .map(|(element, inner, values)| (element, (inner, values)))
                .collect(),
        ),
        _ => None,
    }
}

/// Several values at one place stand for an element a list has twice; those are compared as a whole.
fn differ(shape: Shape<'_>, old: &[&Value], new: &[&Value], changed: &mut FieldSet, removed: &mut FieldSet) {
    match (parts(shape, old), parts(shape, new)) {
        (Some(before), Some(after)) => {
            for (element, (inner, values)) in &before {
                let now = after.get(element).map_or(&[][..], |(_, values)| values.as_slice());
                differ(*inner, values, now, changed.at(element), removed.at(element));
            }
            for (element, (inner, values)) in
                after.iter().filter(|(element, _)| !before.contains_key(*element))
            {
                differ(*inner, &[], values, changed.at(element), removed.at(element));
            }
        }
        _ if !old.is_empty() && !new.is_empty() && old != new => changed.member = true,
        _ => {}
    }
    if old.is_empty() {
        changed.member = true;
    } else if new.is_empty() {
        removed.member = true;
    }
}

/// Lays a configuration over an object.
pub(super) fn merge(shape: Shape<'_>, live: Value, config: Value) -> Result<Value, ApplyError> {
    match (live, config) {
        (Value::Object(mut live), Value::Object(config)) if shape.is_map() => {
            for (name, value) in config {
                let merged = match live.remove(&name) {
                    Some(old) => merge(shape.member(&name), old, value)?,
                    None => value,
                };
                live.insert(name, merged);
            }
            Ok(Value::Object(live))
        }
        (Value::Array(live), Value::Array(config)) if !shape.is_leaf() && !shape.is_map() => {
            merge_lists(shape, live, config).map(Value::Array)
        }
        (_, config) => Ok(config),
    }
}

/// The configuration's elements in its order, and between them, near to where they stood, the elements only
/// the object has.
fn merge_lists(shape: Shape<'_>, live: Vec<Value>, config: Vec<Value>) -> Result<Vec<Value>, ApplyError> {
    let identities =
        |items: &[Value]| items.iter().map(|item| shape.identity(item)).collect::<Result<Vec<_>, _>>();
    let (have, want) = (identities(&live)?, identities(&config)?);
    let wanted: BTreeSet<&String> = want.iter().collect();
    let mut old: BTreeMap<&String, Value> = BTreeMap::new();
    let mut only_live = Vec::with_capacity(live.len());
    for (identity, item) in have.iter().zip(live) {
        if wanted.contains(identity) {
            old.entry(identity).or_insert(item);
            only_live.push(None);
        } else {
            only_live.push(Some(item));
        }
    }
    let shared: Vec<&String> = want.iter().filter(|identity| old.contains_key(identity)).collect();
    let (mut left, mut right, mut round) = (0, 0, 0);
    let mut config: Vec<Option<Value>> = config.into_iter().map(Some).collect();
    let mut placed = BTreeSet::new();
    let mut merged = Vec::new();
    while left < have.len() || right < want.len() {
        let same = left < have.len() && right < want.len() && have[left] == want[right];
        if !same && left < have.len() {
            let identity = &have[left];
            if let Some(item) = only_live[left].take() {
                merged.push(item);
                left += 1;
                continue;
            }
            // An element of both, whose turn in the configuration's order has not come or is over.
            let waits = right < want.len() && shared.get(round).is_some_and(|next| *next != identity);
            if waits || right >= want.len() || placed.contains(identity) {
                left += 1;
                if waits || right >= want.len() {
                    continue;
                }
            }
        }
        let identity = &want[right];
        if let Some(value) = config[right].take() {
            merged.push(match old.remove(identity) {
                Some(old) => merge(shape.element(), old, value)?,
                None => value,
            });
        }
        placed.insert(identity);
        if shared.get(round) == Some(&identity) {
            round += 1;
        }
        right += 1;
        left += usize::from(same);
    }
    Ok(merged)
}

/// Refuses lists that have an element twice.
pub(super) fn check_unique(shape: Shape<'_>, value: &Value, path: &str) -> Result<(), ApplyError> {
    if let Value::Array(items) = value
        && !shape.is_leaf()
        && !shape.is_map()
    {
        for item in items {
            shape.identity(item)?;
        }
    }
    for (element, inner, values) in shape.parts(value).unwrap_or_default() {
        let mut at = FieldSet::default();
        at.at(&element).member = true;
        let at = format!("{path}{}", at.paths().concat());
        if values.len() > 1 {
            let key = at.strip_prefix(path).unwrap_or(&at).to_owned();
            return Err(ApplyError::Typed(format!("{path}: duplicate entries for key {key}")));
        }
        for value in values {
            check_unique(inner, value, &at)?;
        }
    }
    Ok(())
}

/// Takes out what `last` has and `kept` has not.
pub(super) fn prune(shape: Shape<'_>, value: Value, last: &FieldSet, kept: &FieldSet) -> Value {
    let nothing = FieldSet::default();
    let child = |inner: Shape<'_>, value: Value, element: &str| {
        let Some(last) = last.children.get(element) else { return Some(value) };
        let named = element.starts_with("f:");
        let was = named || last.member;
        let kept = kept.children.get(element);
        let is = kept.is_some_and(|kept| named || kept.member);
        if was && !is { None } else { Some(prune(inner, value, last, kept.unwrap_or(&nothing))) }
    };
    match value {
        Value::Object(map) if shape.is_map() => {
            let members = map.into_iter().filter_map(|(name, value)| {
                let value = child(shape.member(&name), value, &format!("f:{name}"))?;
                Some((name, value))
            });
            Value::Object(members.collect())
        }
        Value::Array(items) if !shape.is_leaf() && !shape.is_map() => {
            let items = items.into_iter().filter_map(|item| match shape.identity(&item) {
                Ok(identity) => child(shape.element(), item, &identity),
                Err(_) => Some(item),
            });
            Value::Array(items.collect())
        }
        leaf => leaf,
    }
}
