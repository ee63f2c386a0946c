//! Forms of the query protocol and of EC2: names with dots for what is in what, numbers for the items of lists.
//!
//! Follows the `awsQuery` and `ec2Query` protocols of Smithy.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::uri::Pair;
use super::{Extra, Unclear, typed};
use crate::aws::table::{Kind, Member, Place, What};

/// What stands under a name: a value, or more names.
#[derive(Debug, Default)]
struct Node {
    value: Option<String>,
    inner: BTreeMap<String, Self>,
}

/// The parameters of the pairs of a form.
pub(super) fn read(
    structure: impl Iterator<Item = Member>,
    pairs: Vec<Pair>,
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    let mut root = Node::default();
    for (name, value) in pairs {
        let mut node = &mut root;
        let parts: Vec<&str> = name.split('.').collect();
        if parts.len() > super::DEPTH_MAX {
            return Err(Unclear::TooDeep);
        }
        for part in parts {
            node = node.inner.entry(part.to_owned()).or_default();
        }
        if node.value.replace(value.unwrap_or_default()).is_some() {
            return Err(Unclear::Twice);
        }
    }
    members(structure, root, "", extra)
}

fn members(
    of: impl Iterator<Item = Member>,
    mut node: Node,
    path: &str,
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    let mut map = Map::new();
    for member in of.filter(|member| !matches!(member.place, Place::Label)) {
        if let Some(inner) = node.inner.remove(member.wire) {
            let path = format!("{path}{}.", member.name);
            map.insert(member.name.to_owned(), value(member.kind, inner, &path, extra)?);
        }
    }
    for (name, inner) in node.inner {
        extra.push(format!("{path}{name}"));
        if map.insert(name, untyped(inner)?).is_some() {
            return Err(Unclear::Twice);
        }
    }
    Ok(map)
}

fn value(kind: Kind, node: Node, path: &str, extra: &mut Extra) -> Result<Value, Unclear> {
    match (kind.what(), node.value.as_deref(), node.inner.is_empty()) {
        (_, Some(_), false) => Err(Unclear::Twice),
        (What::List { .. }, Some(""), true) => Ok(Value::Array(Vec::new())),
        (What::Map { .. } | What::Structure(_), Some(""), true) => Ok(Value::Object(Map::new())),
        (What::List { is_flat, item, of }, None, _) => {
            let nodes = if is_flat { node } else { within(node, item)? };
            let mut items = Vec::new();
            for item in numbered(nodes)? {
                items.push(value(of, item, path, extra)?);
            }
            Ok(Value::Array(items))
        }
        (What::Map { is_flat, key, value: named, of }, None, _) => {
            let nodes = if is_flat { node } else { within(node, "entry")? };
            let mut map = Map::new();
            for mut entry in numbered(nodes)? {
                let name =
                    entry.inner.remove(key).and_then(|key| key.value).ok_or(Unclear::Malformed)?;
                let held = entry.inner.remove(named).ok_or(Unclear::Malformed)?;
                if !entry.inner.is_empty() {
                    return Err(Unclear::Malformed);
                }
                let held = value(of, held, path, extra)?;
                if map.insert(name, held).is_some() {
                    return Err(Unclear::Twice);
                }
            }
            Ok(Value::Object(map))
        }
        (What::Structure(of), None, _) => members(of.members(), node, path, extra).map(Value::Object),
        (_, Some(text), true) => typed::scalar(kind, text),
        (_, None, _) => Err(Unclear::Value),
    }
}

/// What stands under the one name that there must be.
fn within(mut node: Node, name: &str) -> Result<Node, Unclear> {
    let inner = node.inner.remove(name).ok_or(Unclear::Value)?;
    if node.inner.is_empty() && inner.value.is_none() { Ok(inner) } else { Err(Unclear::Value) }
}

/// The items of a list, which are numbered from one without gaps: readers differ about gaps.
fn numbered(mut node: Node) -> Result<Vec<Node>, Unclear> {
    let count = node.inner.len();
    let items = (1..=count).map(|number| node.inner.remove(&number.to_string()).ok_or(Unclear::Gap));
    items.collect()
}

/// What no model describes, as it was sent.
fn untyped(node: Node) -> Result<Value, Unclear> {
    match node.value {
        Some(text) if node.inner.is_empty() => Ok(Value::from(text)),
        Some(_) => Err(Unclear::Twice),
        None => {
            let inner = node.inner.into_iter().map(|(name, inner)| Ok((name, untyped(inner)?)));
            inner.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
    }
}
