//! The order of a merged list.

use serde_json::Value;

use super::{PATCH, Strategy, bad};
use crate::patch::PatchError;

/// What tells elements of a list apart: the merge key's value, or the element itself.
fn identity<'v>(strategy: Strategy<'_>, item: &'v Value) -> &'v Value {
    match strategy {
        Strategy::ByKey(key) => item.get(key).unwrap_or(&Value::Null),
        _ => item,
    }
}

fn position(strategy: Strategy<'_>, list: &[Value], item: &Value) -> Option<usize> {
    let wanted = identity(strategy, item);
    list.iter().position(|other| identity(strategy, other) == wanted)
}

/// Orders a merged list: elements named by `wanted` in that order; between them, as near as possible to
/// where they stood in `old`, those it does not name.
pub(super) fn arrange(
    strategy: Strategy<'_>,
    merged: Vec<Value>,
    wanted: &[Value],
    old: &[Value],
) -> Vec<Value> {
    let (mut named, mut others): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| position(strategy, wanted, item).is_some());
    named.sort_by_key(|item| position(strategy, wanted, item));
    others.sort_by_key(|item| position(strategy, old, item));
    let mut result = Vec::with_capacity(named.len() + others.len());
    let (mut named, mut others) = (named.into_iter().peekable(), others.into_iter().peekable());
    while let (Some(right), Some(left)) = (named.peek(), others.peek()) {
        let before = match (position(strategy, old, left), position(strategy, old, right)) {
            (Some(left), Some(right)) => left < right,
            _ => false,
        };
        result.extend(if before { others.next() } else { named.next() });
    }
    result.extend(named);
    result.extend(others);
    result
}

/// Refuses a patch whose list is not in the order its own directive asks for.
pub(super) fn check(
    strategy: Strategy<'_>,
    name: &str,
    change: &[Value],
    wanted: &[Value],
) -> Result<(), PatchError> {
    let mut last = 0;
    for item in change.iter().filter(|item| item.get(PATCH).is_none()) {
        match position(strategy, wanted, item) {
            Some(at) if at >= last => last = at,
            _ => {
                return bad(format!("The order in patch list {name} doesn't match $setElementOrder/{name}"));
            }
        }
    }
    Ok(())
}
