//! The input of operations: which members there are, where they travel, under which name and as what.

use std::collections::BTreeMap;

use serde_json::Value;

use super::models::{members, text};

/// Which names a service's forms and documents use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Names and types are in what is sent: JSON and CBOR.
    Plain,
    /// Query forms; lists are `Name.member.1` unless they are flat.
    Query,
    /// EC2's query forms; lists are always flat, names begin with a capital letter.
    Ec2,
    /// XML documents.
    Xml,
}

impl Style {
    pub(super) fn of(protocols: &str) -> Self {
        match protocols {
            it if it.contains('e') => Self::Ec2,
            it if it.contains('q') => Self::Query,
            it if it.contains('x') => Self::Xml,
            _ => Self::Plain,
        }
    }
}

/// The shapes of one service. Structures that are written get numbers in the order in which they are met.
#[derive(Debug)]
pub(super) struct Shapes<'a> {
    document: &'a Value,
    style: Style,
    numbers: BTreeMap<&'a str, usize>,
    written: Vec<String>,
}

/// How deep lists and maps may stand in each other; what is deeper is not described.
const DEPTH_MAX: usize = 8;

impl<'a> Shapes<'a> {
    pub(super) fn new(document: &'a Value, style: Style) -> Self {
        Self { document, style, numbers: BTreeMap::new(), written: Vec::new() }
    }

    /// The lines of the structures that were met.
    pub(super) fn written(&self) -> impl Iterator<Item = &str> {
        self.written.iter().map(String::as_str)
    }

    fn shape(&self, name: &str) -> &'a Value {
        self.document.get("shapes").and_then(|shapes| shapes.get(name)).unwrap_or(&Value::Null)
    }

    /// The names of an input's members, with whether each is required.
    pub(super) fn names(&self, input: &str) -> Vec<(&'a str, bool)> {
        let shape = self.shape(input);
        members(shape, "members").map(|(name, _)| (name.as_str(), is_required(shape, name))).collect()
    }

    /// Whether the body is a stream of bytes.
    pub(super) fn streams(&self, input: &str) -> bool {
        self.payload(input).is_some_and(|(member, shape)| {
            text(shape, "type") == "blob"
                && (shape.get("streaming").is_some() || member.get("streaming").is_some())
        })
    }

    /// Whether the body is a stream of events.
    pub(super) fn has_events(&self, input: &str) -> bool {
        members(self.shape(input), "members")
            .any(|(_, member)| self.shape(text(member, "shape")).get("eventstream").is_some())
    }

    fn payload(&self, input: &str) -> Option<(&'a Value, &'a Value)> {
        let shape = self.shape(input);
        let payload = Some(text(shape, "payload")).filter(|payload| !payload.is_empty())?;
        let member = shape.get("members")?.get(payload)?;
        Some((member, self.shape(text(member, "shape"))))
    }

    /// The members of an operation's input, separated by spaces, and the names of the others: where names and types are
    /// in what is sent, those that say nothing more than that, unless `named` has them.
    pub(super) fn input(&mut self, input: &str, named: &str) -> (String, String) {
        let shape = self.shape(input);
        let payload = text(shape, "payload");
        let is_named = |name: &str| named.split([' ', '=', ',']).any(|other| other == name);
        let (mut tokens, mut others) = (Vec::new(), Vec::new());
        for (name, member) in members(shape, "members") {
            let place = match text(member, "location") {
                "uri" => "u",
                "querystring" => "q",
                "header" => "h",
                "headers" => "H",
                _ if name == payload => "p",
                _ => "b",
            };
            let is_token = member.get("idempotencyToken").is_some();
            let wire = self.wire(name, member);
            let says_more = place != "b" || is_token || wire != *name || is_named(name);
            if self.style != Style::Plain || says_more {
                tokens.push(self.token(name, member, place, is_required(shape, name)));
            } else {
                others.push(name.as_str());
            }
        }
        (tokens.join(" "), others.join(" "))
    }

    /// The name under which a member is sent.
    fn wire(&self, name: &str, member: &Value) -> String {
        let shape = self.shape(text(member, "shape"));
        let location = Some(text(member, "locationName")).filter(|it| !it.is_empty());
        let is_flat = is_flat(member) || is_flat(shape);
        match self.style {
            Style::Ec2 => {
                let query = Some(text(member, "queryName")).filter(|it| !it.is_empty());
                query.map_or_else(|| capital(location.unwrap_or(name)), str::to_owned)
            }
            Style::Query if is_flat && text(shape, "type") == "list" => {
                let of = shape.get("member").map_or("", |of| text(of, "locationName"));
                if of.is_empty() { location.unwrap_or(name).to_owned() } else { of.to_owned() }
            }
            Style::Query | Style::Xml | Style::Plain => location.unwrap_or(name).to_owned(),
        }
    }

    /// `[!*]NAME[@PLACE[WIRE]][=TYPE]`.
    fn token(&mut self, name: &str, member: &'a Value, place: &str, required: bool) -> String {
        let mut token = String::new();
        if required {
            token.push('!');
        }
        if member.get("idempotencyToken").is_some() {
            token.push('*');
        }
        token.push_str(name);
        let wire = self.wire(name, member);
        let place = if member.get("xmlAttribute").is_some() { "a" } else { place };
        if place != "b" || wire != name {
            token.push('@');
            token.push_str(place);
            if wire != name {
                token.push_str(&wire);
            }
        }
        let kind = self.kind(member, place, 0);
        if kind != "s" {
            token.push('=');
            token.push_str(&kind);
        }
        token
    }

    /// The type of what a member or a list refers to: `s`tring, `i`nteger, `f`loat, `b`oolean, `t`imestamp, blob `x`,
    /// document `j`, structure `S3.`, list `[` and map `{` with what is in them behind. `!` is flat, and names that
    /// are not the usual ones stand in brackets.
    fn kind(&mut self, reference: &'a Value, place: &str, depth: usize) -> String {
        let name = reference.get("shape").and_then(Value::as_str).unwrap_or_default();
        let shape = self.shape(name);
        let of_member = |key: &str| shape.get(key).map_or("", |of| text(of, "locationName"));
        let is_flat = is_flat(reference) || is_flat(shape) || self.style == Style::Ec2;
        let flat = if is_flat { "!" } else { "" };
        match text(shape, "type") {
            "integer" | "long" => "i".into(),
            "float" | "double" => "f".into(),
            "boolean" => "b".into(),
            "timestamp" => "t".into(),
            "blob" => "x".into(),
            "list" if depth < DEPTH_MAX => {
                let of = shape.get("member").unwrap_or(&Value::Null);
                let named = match of_member("member") {
                    it if it.is_empty()
                        || it == "member"
                        || is_flat
                        || place != "b" && place != "p" =>
                    {
                        String::new()
                    }
                    other => format!("({other})"),
                };
                format!("[{flat}{named}{}", self.kind(of, place, depth + 1))
            }
            "map" if depth < DEPTH_MAX => {
                let named = match (of_member("key"), of_member("value")) {
                    ("", "") => String::new(),
                    (key, value) => format!("({key},{value})"),
                };
                let of = shape.get("value").unwrap_or(&Value::Null);
                format!("{{{flat}{named}{}", self.kind(of, place, depth + 1))
            }
            "structure" if self.style == Style::Plain || shape.get("document").is_some() => "j".into(),
            "structure" => format!("S{}.", self.structure(name)),
            "list" | "map" => "j".into(),
            _ => "s".into(),
        }
    }

    /// The number of a structure, which is written if it was not met before.
    fn structure(&mut self, name: &'a str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let number = self.written.len();
        self.numbers.insert(name, number);
        self.written.push(String::new());
        let shape = self.shape(name);
        let mut tokens = Vec::new();
        for (member, reference) in members(shape, "members") {
            tokens.push(self.token(member, reference, "b", is_required(shape, member)));
        }
        if let Some(line) = self.written.get_mut(number) {
            *line = tokens.join(" ");
        }
        number
    }
}

fn is_required(shape: &Value, member: &str) -> bool {
    let required = shape.get("required").and_then(Value::as_array);
    required.is_some_and(|names| names.iter().any(|name| name.as_str() == Some(member)))
}

fn is_flat(shape: &Value) -> bool {
    shape.get("flattened").and_then(Value::as_bool).unwrap_or_default()
}

fn capital(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map(|first| first.to_uppercase().chain(rest).collect()).unwrap_or_default()
}
