//! XML bodies of REST-XML: elements as the members that the model gives them.
//!
//! Follows the `restXml` protocol of Smithy. Document types, entities of one's own, comments, processing instructions
//! and text between elements are not read: readers differ about them, and no client sends them.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::{Map, Value};

use super::{DEPTH_MAX, Extra, Unclear, typed};
use crate::aws::table::{Kind, Member, Operation, Place, What};

/// An element with what is in it: a text, or others.
#[derive(Debug, Default)]
pub(in crate::aws) struct Element {
    pub(in crate::aws) name: String,
    attributes: Vec<(String, String)>,
    pub(in crate::aws) text: String,
    pub(in crate::aws) inner: Vec<Self>,
}

/// The members of an operation whose input is the document's root.
pub(super) fn members(
    operation: Operation,
    body: &[u8],
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    structure(operation.members().filter(|member| member.place == Place::Body), read(body)?, "", extra)
}

/// The value of a member that is the whole document.
pub(super) fn value(kind: Kind, body: &[u8], extra: &mut Extra) -> Result<Value, Unclear> {
    typed_value(kind, read(body)?, "", extra)
}

fn structure(
    of: impl Iterator<Item = Member>,
    element: Element,
    path: &str,
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    let (mut map, mut inner) = (Map::new(), element.inner);
    if !element.text.trim().is_empty() {
        return Err(Unclear::Malformed);
    }
    for member in of {
        if member.place == Place::Attribute {
            if let Some((_, text)) = element.attributes.iter().find(|(name, _)| name == member.wire) {
                map.insert(member.name.to_owned(), typed::scalar(member.kind, text)?);
            }
            continue;
        }
        let (own, rest): (Vec<Element>, Vec<Element>) =
            inner.into_iter().partition(|element| element.name == member.wire);
        inner = rest;
        if own.is_empty() {
            continue;
        }
        let path = format!("{path}{}.", member.name);
        let value = match member.kind.what() {
            What::List { is_flat: true, of, .. } => {
                let items = own.into_iter().map(|item| typed_value(of, item, &path, extra));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            What::Map { is_flat: true, key, value, of } => {
                Value::Object(entries(own, (key, value), of, &path, extra)?)
            }
            _ => typed_value(member.kind, only(own)?, &path, extra)?,
        };
        map.insert(member.name.to_owned(), value);
    }
    for element in inner {
        extra.push(format!("{path}{}", element.name));
        let name = element.name.clone();
        if map.insert(name, untyped(element)?).is_some() {
            return Err(Unclear::Twice);
        }
    }
    Ok(map)
}

fn typed_value(kind: Kind, element: Element, path: &str, extra: &mut Extra) -> Result<Value, Unclear> {
    match kind.what() {
        What::Structure(of) => structure(of.members(), element, path, extra).map(Value::Object),
        What::List { item, of, .. } => {
            if !element.text.trim().is_empty() || element.inner.iter().any(|inner| inner.name != item) {
                return Err(Unclear::Value);
            }
            let items = element.inner.into_iter().map(|item| typed_value(of, item, path, extra));
            items.collect::<Result<_, _>>().map(Value::Array)
        }
        What::Map { key, value, of, .. } => {
            if !element.text.trim().is_empty()
                || element.inner.iter().any(|inner| inner.name != "entry")
            {
                return Err(Unclear::Value);
            }
            entries(element.inner, (key, value), of, path, extra).map(Value::Object)
        }
        _ if !element.inner.is_empty() => Err(Unclear::Value),
        What::Text | What::Blob | What::Document => Ok(Value::from(element.text)),
        _ => typed::scalar(kind, element.text.trim()),
    }
}

fn entries(
    elements: Vec<Element>,
    (key, value): (&str, &str),
    of: Kind,
    path: &str,
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    let mut map = Map::new();
    for element in elements {
        let (keys, rest): (Vec<Element>, Vec<Element>) =
            element.inner.into_iter().partition(|inner| inner.name == key);
        let held = only(rest).ok().filter(|held| held.name == value).ok_or(Unclear::Value)?;
        let held = typed_value(of, held, path, extra)?;
        if map.insert(only(keys)?.text, held).is_some() {
            return Err(Unclear::Twice);
        }
    }
    Ok(map)
}

fn only(mut elements: Vec<Element>) -> Result<Element, Unclear> {
    match (elements.pop(), elements.is_empty()) {
        (Some(element), true) => Ok(element),
        _ => Err(Unclear::Twice),
    }
}

/// What no model describes, as it was sent.
fn untyped(element: Element) -> Result<Value, Unclear> {
    if element.inner.is_empty() {
        return Ok(Value::from(element.text));
    }
    let mut map = Map::new();
    for inner in element.inner {
        if map.insert(inner.name.clone(), untyped(inner)?).is_some() {
            return Err(Unclear::Twice);
        }
    }
    Ok(Value::Object(map))
}

/// The root of a document.
pub(in crate::aws) fn read(body: &[u8]) -> Result<Element, Unclear> {
    let text = std::str::from_utf8(body).map_err(|_| Unclear::NotUtf8)?;
    let mut reader = Reader::from_str(text);
    // The elements that are open, below one for the document.
    let mut open = vec![Element::default()];
    loop {
        let is_start = open.len() == 1 && open.iter().all(|it| it.inner.is_empty());
        match reader.read_event().map_err(|_| Unclear::Malformed)? {
            Event::Start(start) if open.len() <= DEPTH_MAX => open.push(begin(&start)?),
            Event::Start(_) => return Err(Unclear::TooDeep),
            Event::Empty(start) => {
                open.push(begin(&start)?);
                close(&mut open)?;
            }
            Event::End(_) => close(&mut open)?,
            Event::Text(text) => add(&mut open, &text.xml10_content())?,
            Event::CData(text) => add(&mut open, &text.xml10_content())?,
            Event::GeneralRef(reference) => {
                let text = match reference.resolve_char_ref().map_err(|_| Unclear::Malformed)? {
                    Some(c) => c.to_string(),
                    None => {
                        let known = quick_xml::escape::resolve_predefined_entity(&reference);
                        known.ok_or(Unclear::Malformed)?.to_owned()
                    }
                };
                add(&mut open, &text)?;
            }
            Event::Decl(_) if is_start => {}
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {
                return Err(Unclear::Malformed);
            }
            Event::Eof => break,
        }
    }
    match (open.pop(), open.is_empty()) {
        (Some(document), true) if document.text.trim().is_empty() => only(document.inner),
        _ => Err(Unclear::Malformed),
    }
}

fn begin(start: &BytesStart<'_>) -> Result<Element, Unclear> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| Unclear::Malformed)?;
        // No attribute that means anything has an entity.
        if attribute.value.contains('&') {
            return Err(Unclear::Malformed);
        }
        attributes.push((attribute.key.as_ref().to_owned(), attribute.value.into_owned()));
    }
    Ok(Element { name: start.name().as_ref().to_owned(), attributes, ..Element::default() })
}

fn add(open: &mut [Element], text: &str) -> Result<(), Unclear> {
    let element = open.last_mut().ok_or(Unclear::Malformed)?;
    // Text before and behind another element are two texts to some.
    if !element.inner.is_empty() && !text.trim().is_empty() {
        return Err(Unclear::Malformed);
    }
    element.text.push_str(text);
    Ok(())
}

fn close(open: &mut Vec<Element>) -> Result<(), Unclear> {
    let mut element = open.pop().ok_or(Unclear::Malformed)?;
    if !element.inner.is_empty() {
        if !element.text.trim().is_empty() {
            return Err(Unclear::Malformed);
        }
        element.text.clear();
    }
    open.last_mut().ok_or(Unclear::Malformed)?.inner.push(element);
    Ok(())
}
