//! Which definitions a document needs.

use std::collections::BTreeSet;

use portway_api::kinds::Kind;
use portway_api::schema::{Schema, Type};

use super::definition::{
    DELETE_OPTIONS, INT_OR_STRING, MICRO_TIME, PATCH, QUANTITY, STATUS, TIME, list_message, well_known,
};
use crate::discovery::subresource;

/// Full names of the definitions these kinds' paths and fields refer to, sorted.
pub(super) fn reachable(schema: &Schema, kinds: &[&'static Kind]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<String> = vec![DELETE_OPTIONS.to_owned(), STATUS.to_owned(), PATCH.to_owned()];
    for kind in kinds {
        open.push(kind.schema.to_owned());
        open.extend(list_message(schema, kind));
        for name in kind.subresources {
            open.extend(super::operation::message(schema, kind, &subresource(kind, name)));
        }
    }
    while let Some(name) = open.pop() {
        let fields = schema.message(&name).map(|message| &message.fields);
        if fields.is_none() && !well_known(&name) || !found.insert(name) {
            continue;
        }
        open.extend(fields.into_iter().flatten().filter_map(|field| target(&field.ty)));
    }
    found
}

fn target(ty: &Type) -> Option<String> {
    Some(match ty {
        Type::Message(name) => name.clone(),
        Type::List(element) | Type::Map(element) => return target(element),
        Type::Time => TIME.to_owned(),
        Type::MicroTime => MICRO_TIME.to_owned(),
        Type::Quantity => QUANTITY.to_owned(),
        Type::IntOrString => INT_OR_STRING.to_owned(),
        _ => return None,
    })
}
