//! Matching of plain label maps, as Services have them.

use std::collections::BTreeMap;

/// `labels` has all of `selector`, and `selector` is not empty.
pub fn selects(selector: &BTreeMap<String, String>, labels: &BTreeMap<String, String>) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
