//! What Tyer asks AWS on its own behalf: requests of the query protocol, and what is in answers, XML or JSON.
//!
//! Follows the `awsQuery` protocol of Smithy.

use std::fmt::Write as _;

use serde_json::Value;

use super::decode::{Element, read_xml};
use super::request::Head;
use super::tags::{self, Tag};

/// A request for an action of a version with these parameters.
pub(super) fn query((action, version): (&str, &str), parameters: &[(&str, &str)]) -> (Head, Vec<u8>) {
    let mut text = format!("Action={action}&Version={version}");
    for (name, value) in parameters {
        text.push('&');
        text.push_str(name);
        text.push('=');
        push_encoded(&mut text, value);
    }
    form(text.into_bytes())
}

/// A request whose body is that form.
pub(super) fn form(body: Vec<u8>) -> (Head, Vec<u8>) {
    let headers = vec![
        ("content-type".into(), "application/x-www-form-urlencoded; charset=utf-8".into()),
        ("content-length".into(), body.len().to_string()),
    ];
    (Head { method: "POST".into(), path: "/".into(), query: String::new(), headers }, body)
}

/// A text as a form or a path has it.
pub(super) fn push_encoded(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // A text can always be written to.
            write!(out, "%{byte:02X}").ok();
        }
    }
}

/// An answer, XML or JSON.
pub(super) enum Doc {
    Xml(Element),
    Json(Value),
}

/// A part of it.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    Xml(&'a Element),
    Json(&'a Value),
}

impl Doc {
    pub(super) fn of(answer: &[u8]) -> Option<Self> {
        if let Ok(value) = serde_json::from_slice(answer) {
            return Some(Self::Json(value));
        }
        read_xml(answer).ok().map(Self::Xml)
    }

    /// The tags that stand in it.
    pub(super) fn tags(&self) -> Vec<Tag> {
        match self {
            Self::Xml(element) => tags::of_xml(element),
            Self::Json(value) => tags::of_json(value),
        }
    }

    fn root(&self) -> Part<'_> {
        match self {
            Self::Xml(element) => Part::Xml(element),
            Self::Json(value) => Part::Json(value),
        }
    }

    /// Every part at the end of a path, whose first name may stand anywhere.
    pub(super) fn all(&self, path: &str) -> Vec<Part<'_>> {
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        let starts = self.root().anywhere(first);
        starts.into_iter().flat_map(|start| start.all(rest)).collect()
    }

    /// What stands at its top, by name: below the result, where XML has one of its own.
    pub(super) fn top(&self) -> Vec<(&str, Part<'_>)> {
        match self {
            Self::Json(Value::Object(map)) => {
                map.iter().map(|(name, value)| (name.as_str(), Part::Json(value))).collect()
            }
            Self::Json(_) => Vec::new(),
            Self::Xml(root) => {
                let result = root.inner.iter().find(|it| it.name.ends_with("Result"));
                let top = result.filter(|_| root.name.ends_with("Response")).unwrap_or(root);
                top.inner.iter().map(|it| (it.name.as_str(), Part::Xml(it))).collect()
            }
        }
    }

    /// The text of the first part of that name.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.all(name).first().and_then(|part| part.own_text())
    }
}

impl<'a> Part<'a> {
    fn inner(self, name: &str) -> Vec<Self> {
        match self {
            Self::Xml(element) => {
                element.inner.iter().filter(|it| it.name == name).map(Self::Xml).collect()
            }
            Self::Json(value) => match value.get(name) {
                Some(Value::Array(items)) => items.iter().map(Self::Json).collect(),
                Some(one) => vec![Self::Json(one)],
                None => Vec::new(),
            },
        }
    }

    fn anywhere(self, name: &str) -> Vec<Self> {
        let own = self.inner(name);
        if !own.is_empty() {
            return own;
        }
        match self {
            Self::Xml(element) => {
                element.inner.iter().flat_map(|it| Part::Xml(it).anywhere(name)).collect()
            }
            Self::Json(Value::Object(map)) => {
                map.values().flat_map(|it| Part::Json(it).anywhere(name)).collect()
            }
            Self::Json(_) => Vec::new(),
        }
    }

    /// Every part at the end of a path from here; `member` and `item` are lists' own in XML.
    pub(super) fn all(self, path: &str) -> Vec<Self> {
        if path.is_empty() {
            return vec![self];
        }
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        self.inner(first).into_iter().flat_map(|it| it.all(rest)).collect()
    }

    /// The text at the end of a path from here.
    pub(super) fn text(self, path: &str) -> Option<String> {
        self.all(path).first().and_then(|part| part.own_text())
    }

    pub(super) fn own_text(self) -> Option<String> {
        match self {
            Self::Xml(element) => Some(element.text.trim().to_owned()),
            Self::Json(Value::String(text)) => Some(text.clone()),
            Self::Json(Value::Number(number)) => Some(number.to_string()),
            Self::Json(Value::Bool(is)) => Some(is.to_string()),
            Self::Json(_) => None,
        }
        .filter(|text| !text.is_empty())
    }
}
