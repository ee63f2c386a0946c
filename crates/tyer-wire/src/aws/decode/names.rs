//! The names at the top of a JSON or CBOR body: those of the model, and those that no model knows.

use serde_json::{Map, Value};

use super::{Extra, Unclear};
use crate::aws::table::{Operation, Place};

/// The members of a document whose names are those of the model.
pub(super) fn named(
    operation: Operation,
    document: Value,
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    let map = object(document)?;
    let is_member = |name: &str| operation.members().any(|member| member.name == name);
    unknown(operation, map.keys().filter(|name| !is_member(name)), extra);
    Ok(map)
}

/// The members of a document, by the names of the model instead of those that are sent.
pub(super) fn renamed(
    operation: Operation,
    document: Value,
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    let mut sent = object(document)?;
    let mut map = Map::new();
    for member in operation.members().filter(|member| member.place == Place::Body) {
        if let Some(value) = sent.remove(member.wire) {
            map.insert(member.name.to_owned(), value);
        }
    }
    unknown(operation, sent.keys(), extra);
    for (name, value) in sent {
        if map.insert(name, value).is_some() {
            return Err(Unclear::Twice);
        }
    }
    Ok(map)
}

/// Notes which of these names no model knows.
fn unknown<'a>(operation: Operation, names: impl Iterator<Item = &'a String>, extra: &mut Extra) {
    let is_other = |name: &str| operation.others().any(|other| other == name);
    extra.extend(names.filter(|name| !is_other(name)).cloned());
}

fn object(value: Value) -> Result<Map<String, Value>, Unclear> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Unclear::Malformed),
    }
}
