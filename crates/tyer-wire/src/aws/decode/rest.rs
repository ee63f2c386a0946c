//! Requests that are told by method and path: REST-JSON and REST-XML.
//!
//! Follows the `restJson1` and `restXml` protocols of Smithy. Where two readers of a path could differ, an operation
//! is found for neither.

use serde_json::{Map, Value};

use super::uri::{self, Pair, Plus};
use super::{Extra, Unclear, json, names, typed, xml};
use crate::aws::protocol::Protocol;
use crate::aws::request::Head;
use crate::aws::table::{Api, Candidate, Kind, Member, Operation, Place, Trait, What};
use crate::aws::table::{candidates, split};

/// Names of labels, and what stands for them.
type Labels = Vec<(&'static str, String)>;

/// An operation, and what stands for its labels.
pub(super) type Identified = (Operation, Labels);

/// What a head says.
struct Ask<'a> {
    head: &'a Head,
    segments: Vec<&'a str>,
    query: Vec<Pair>,
    /// Signed for directory buckets, which have a list of their own.
    is_express: bool,
}

/// The operation of a request, with what stands for its labels. `path` is the head's, or has S3's bucket before it.
pub(super) fn identify(
    apis: &[Api],
    head: &Head,
    path: &str,
    is_express: bool,
) -> Result<Identified, Unclear> {
    let is_s3 = apis.iter().any(|api| api.folder() == "s3");
    let ask = Ask { head, segments: segments(path, is_s3)?, query: query(head)?, is_express };
    let found = best(apis, &ask, is_s3)?;
    // Some read an encoded slash as one.
    if path.to_ascii_lowercase().contains("%2f") {
        let path = path.replace("%2f", "/").replace("%2F", "/");
        let other =
            Ask { segments: segments(&path, is_s3)?, query: ask.query.clone(), head, is_express };
        match best(apis, &other, is_s3) {
            Err(Unclear::NoOperation) => {}
            Ok(other) if other.operation == found.operation && labels(&other)? == labels(&found)? => {}
            Ok(_) | Err(_) => return Err(Unclear::Slash),
        }
    }
    Ok((found.operation, labels(&found)?))
}

/// The segments of a path, which nobody must be able to shorten.
fn segments(path: &str, is_s3: bool) -> Result<Vec<&str>, Unclear> {
    let segments = split(path);
    for segment in &segments {
        let is_dots = matches!(uri::decoded(segment, Plus::Itself)?.as_str(), "." | "..");
        if is_dots {
            return Err(Unclear::Dots);
        }
    }
    // Keys of S3 may have empty segments, but nothing else.
    let names = if is_s3 { 1 } else { segments.len() };
    if segments.iter().take(names).any(|segment| segment.is_empty()) {
        return Err(Unclear::EmptyLabel);
    }
    // A slash at the end of a key is part of it.
    if is_s3 && segments.len() > 1 && path.ends_with('/') {
        return Ok(path.strip_prefix('/').unwrap_or(path).split('/').collect());
    }
    Ok(segments)
}

fn query(head: &Head) -> Result<Vec<Pair>, Unclear> {
    uri::pairs(&uri::unsigned(&head.query), Plus::Unclear)
}

/// The one operation that a request is, by all that it says.
fn best(apis: &[Api], ask: &Ask<'_>, is_s3: bool) -> Result<Candidate, Unclear> {
    let has_query = |name: &str, value: Option<&str>| {
        let is = |(own, has): &Pair| {
            own == name && value.is_none_or(|value| has.as_deref().unwrap_or("") == value)
        };
        ask.query.iter().any(is)
    };
    let has_header =
        |name: &str| ask.head.headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let mut found: Vec<Candidate> = apis
        .iter()
        .flat_map(|api| candidates(*api, &ask.head.method, &ask.segments, &has_query, &has_header))
        .filter(|candidate| candidate.operation.name() != "ListDirectoryBuckets" || ask.is_express)
        .filter(|candidate| candidate.operation.name() != "ListBuckets" || !ask.is_express)
        .collect();
    // In S3 what is missing would make another operation of it.
    if is_s3 || found.iter().any(|candidate| candidate.is_complete) {
        found.retain(|candidate| candidate.is_complete);
    }
    let mut above: Vec<Candidate> = found
        .iter()
        .filter(|candidate| !found.iter().any(|other| other.is_above(candidate)))
        .cloned()
        .collect();
    // One that took the place of another answers to what it answered to.
    let newer: Vec<Api> = above
        .iter()
        .map(|it| it.operation)
        .filter(|it| !it.is(Trait::Deprecated))
        .map(Operation::api)
        .collect();
    above.retain(|it| !it.operation.is(Trait::Deprecated) || !newer.contains(&it.operation.api()));
    // Services that share a name share operations too.
    let is_home = |it: &&Candidate| it.operation.api().folder() == it.operation.api().signing_name();
    let best = above.iter().find(is_home).or(above.first()).ok_or(Unclear::NoOperation)?;
    match above.iter().all(|other| other.operation.name() == best.operation.name()) {
        true => Ok(best.clone()),
        false => Err(Unclear::TwoOperations),
    }
}

fn labels(candidate: &Candidate) -> Result<Labels, Unclear> {
    let decoded = candidate.labels.iter().map(|(name, text)| {
        let text = uri::decoded(text, Plus::Itself)?;
        if text.is_empty() { Err(Unclear::EmptyLabel) } else { Ok((*name, text)) }
    });
    decoded.collect()
}

/// The parameters of an operation that was identified.
pub(super) fn parameters(
    (operation, labels): Identified,
    head: &Head,
    body: &[u8],
    extra: &mut Extra,
) -> Result<(Map<String, Value>, Protocol), Unclear> {
    let protocol = match operation.api().speaks(Protocol::RestXml) {
        true => Protocol::RestXml,
        false => Protocol::RestJson,
    };
    let mut map = Map::new();
    let mut put = |name: &str, value: Value| match map.insert(name.to_owned(), value) {
        Some(_) => Err(Unclear::Twice),
        None => Ok(()),
    };
    for member in operation.members().filter(|member| member.place == Place::Label) {
        if let Some((_, text)) = labels.iter().find(|(label, _)| *label == member.wire) {
            put(member.name, typed::scalar(member.kind, text)?)?;
        }
    }
    for (name, value) in queried(operation, query(head)?, protocol, extra)? {
        put(&name, value)?;
    }
    for member in operation.members() {
        if let Some(value) = headed(member, head)? {
            put(member.name, value)?;
        }
    }
    for (name, value) in bodied(operation, protocol, body, extra)? {
        put(&name, value)?;
    }
    Ok((map, protocol))
}

/// The members in the query. What is left belongs to a map of all names, or to no member.
fn queried(
    operation: Operation,
    mut pairs: Vec<Pair>,
    protocol: Protocol,
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    let mut map = Map::new();
    pairs.retain(|(name, _)| !operation.constants().any(|(constant, _)| constant == name));
    if let Some(at) = pairs.iter().position(|(name, _)| name == "x-id") {
        // What some clients call the operation, for logs.
        if pairs.remove(at).1.as_deref() != Some(operation.name()) {
            return Err(Unclear::TwoOperations);
        }
    }
    let mut rest = None;
    for member in operation.members().filter(|member| member.place == Place::Query) {
        if matches!(member.kind.what(), What::Map { .. }) {
            rest = Some(member);
            continue;
        }
        let is_own = |(name, _): &&Pair| name == member.wire;
        let own: Vec<String> =
            pairs.iter().filter(is_own).map(|(_, value)| value.clone().unwrap_or_default()).collect();
        pairs.retain(|(name, _)| name != member.wire);
        let value = match (member.kind.what(), own.as_slice()) {
            (_, []) => continue,
            (What::List { of, .. }, items) => Value::Array(
                items.iter().map(|item| typed::scalar(of, item)).collect::<Result<_, _>>()?,
            ),
            (_, [text]) => typed::scalar(member.kind, text)?,
            _ => return Err(Unclear::Twice),
        };
        map.insert(member.name.to_owned(), value);
    }
    // A name that S3 knows and we don't would make another operation of it.
    if rest.is_none() && !pairs.is_empty() && protocol == Protocol::RestXml {
        return Err(Unclear::UnknownQuery);
    }
    let mut others = Map::new();
    for (name, value) in pairs {
        extra.extend(rest.is_none().then(|| name.clone()));
        if others.insert(name, Value::from(value.unwrap_or_default())).is_some() {
            return Err(Unclear::Twice);
        }
    }
    match rest {
        Some(member) if !others.is_empty() => {
            map.insert(member.name.to_owned(), Value::Object(others));
        }
        Some(_) => {}
        None => map.extend(others),
    }
    Ok(map)
}

/// The value of a member that travels in headers.
fn headed(member: Member, head: &Head) -> Result<Option<Value>, Unclear> {
    let wire = member.wire.to_ascii_lowercase();
    match (member.place, member.kind.what()) {
        (Place::Header, kind) => {
            let mut values = head.headers(&wire);
            let Some(first) = values.next() else { return Ok(None) };
            if values.next().is_some() {
                return Err(Unclear::Twice);
            }
            match kind {
                What::List { of, .. } => listed(of, first).map(Some),
                _ => typed::scalar(member.kind, first.trim()).map(Some),
            }
        }
        (Place::Headers, What::Map { .. }) => {
            let mut map = Map::new();
            for (name, value) in &head.headers {
                let Some(rest) = name.strip_prefix(&wire).filter(|_| !wire.is_empty()) else {
                    continue;
                };
                if map.insert(rest.to_owned(), Value::from(value.as_str())).is_some() {
                    return Err(Unclear::Twice);
                }
            }
            Ok(Some(map).filter(|map| !map.is_empty()).map(Value::Object))
        }
        _ => Ok(None),
    }
}

/// A list in one header: items with commas between them. What is quoted, or a date, is left as it is.
fn listed(of: Kind, text: &str) -> Result<Value, Unclear> {
    if text.contains('"') || matches!(of.what(), What::Timestamp) {
        return Ok(Value::Array(vec![Value::from(text)]));
    }
    let items = text.split(',').map(|item| typed::scalar(of, item.trim()));
    items.collect::<Result<_, _>>().map(Value::Array)
}

/// The members in the body.
fn bodied(
    operation: Operation,
    protocol: Protocol,
    body: &[u8],
    extra: &mut Extra,
) -> Result<Map<String, Value>, Unclear> {
    let payload = operation.members().find(|member| member.place == Place::Payload);
    let mut map = Map::new();
    let Some(payload) = payload else {
        return match protocol {
            Protocol::RestXml => xml::members(operation, body, extra),
            _ => names::renamed(operation, json::read(body)?, extra),
        };
    };
    let is_document = matches!(
        payload.kind.what(),
        What::Structure(_) | What::Document | What::List { .. } | What::Map { .. }
    );
    if body.is_empty() || operation.is(Trait::Streams) || operation.is(Trait::EventsIn) {
        return Ok(map);
    }
    let value = match (is_document, protocol) {
        (true, Protocol::RestXml) => xml::value(payload.kind, body, extra)?,
        (true, _) => json::read(body)?,
        (false, _) => Value::from(super::bytes(body)),
    };
    map.insert(payload.name.to_owned(), value);
    Ok(map)
}
