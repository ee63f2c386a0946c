//! Members of inputs and structures, and what they are made of.

use std::fmt;

use super::{Api, TABLE, field};

/// Where a member travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body's document or form.
    Body,
    /// It is the body.
    Payload,
    /// In the path.
    Label,
    /// In the query.
    Query,
    /// In a header.
    Header,
    /// In all headers whose names begin with its own.
    Headers,
    /// In an attribute of an XML element.
    Attribute,
}

/// One member.
#[derive(Clone, Copy, Debug)]
pub struct Member {
    /// Its name in the model.
    pub name: &'static str,
    /// Whether there is no request without it.
    pub is_required: bool,
    /// Whether clients make it up so that the request can be sent again.
    pub is_token: bool,
    /// Where it travels.
    pub place: Place,
    /// Under which name.
    pub wire: &'static str,
    /// What it is.
    pub kind: Kind,
}

impl Member {
    /// `[!*]NAME[@PLACE[WIRE]][=TYPE]`.
    fn read(token: &'static str, api: Api) -> Self {
        let rest = token.trim_start_matches(['!', '*']);
        let marks = token.strip_suffix(rest).unwrap_or_default();
        let (rest, kind) = rest.split_once('=').unwrap_or((rest, "s"));
        let (name, place) = rest.split_once('@').unwrap_or((rest, "b"));
        let mut letters = place.chars();
        let place = match letters.next() {
            Some('u') => Place::Label,
            Some('q') => Place::Query,
            Some('h') => Place::Header,
            Some('H') => Place::Headers,
            Some('p') => Place::Payload,
            Some('a') => Place::Attribute,
            _ => Place::Body,
        };
        let wire = Some(letters.as_str()).filter(|wire| !wire.is_empty()).unwrap_or(name);
        // All headers, if the model names no beginning.
        let wire = if place == Place::Headers && wire == name { "" } else { wire };
        let (is_required, is_token) = (marks.contains('!'), marks.contains('*'));
        Self { name, is_required, is_token, place, wire, kind: Kind { text: kind, api } }
    }
}

/// The members of an input or of a part of it.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    text: &'static str,
    api: Api,
}

impl Structure {
    pub(super) fn new(text: &'static str, api: Api) -> Self {
        Self { text, api }
    }

    /// Each, by name.
    pub fn members(self) -> impl Iterator<Item = Member> {
        let tokens = self.text.split(' ').filter(|token| !token.is_empty());
        tokens.map(move |token| Member::read(token, self.api))
    }
}

/// A type. It is read off the table when it is asked [`what`](Self::what) it is.
#[derive(Clone, Copy)]
pub struct Kind {
    text: &'static str,
    api: Api,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// What a type is.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// True or false.
    Boolean,
    /// Seconds since the epoch, or a date in one of the usual ways.
    Timestamp,
    /// Bytes, as base64 where they are text.
    Blob,
    /// What it is stands in what is sent.
    Document,
    /// Members.
    Structure(Structure),
    /// A list.
    List {
        /// Whether items stand beside each other without a name of their own around them.
        is_flat: bool,
        /// That name.
        item: &'static str,
        /// What an item is.
        of: Kind,
    },
    /// A map from text.
    Map {
        /// Whether entries stand beside each other without a name of their own around them.
        is_flat: bool,
        /// The name around a key.
        key: &'static str,
        /// The name around a value.
        value: &'static str,
        /// What a value is.
        of: Kind,
    },
}

impl Kind {
    /// What this is.
    #[must_use]
    pub fn what(self) -> What {
        let mut letters = self.text.chars();
        match letters.next() {
            Some('i') => What::Integer,
            Some('f') => What::Float,
            Some('b') => What::Boolean,
            Some('t') => What::Timestamp,
            Some('x') => What::Blob,
            Some('j') => What::Document,
            Some('S') => self.structure(letters.as_str()).map_or(What::Document, What::Structure),
            Some('[') => {
                let (is_flat, names, text) = nested(letters.as_str());
                What::List { is_flat, item: names.unwrap_or("member"), of: Self { text, ..self } }
            }
            Some('{') => {
                let (is_flat, names, text) = nested(letters.as_str());
                let (key, value) = names.and_then(|names| names.split_once(',')).unwrap_or_default();
                let or = |name: &'static str, usual| if name.is_empty() { usual } else { name };
                let (key, value) = (or(key, "key"), or(value, "value"));
                What::Map { is_flat, key, value, of: Self { text, ..self } }
            }
            _ => What::Text,
        }
    }

    fn structure(self, rest: &'static str) -> Option<Structure> {
        let number: usize = rest.split('.').next()?.parse().ok()?;
        let line = TABLE.structures.get(self.api.row.structures.clone())?.get(number)?;
        Some(Structure::new(field(line, 1), self.api))
    }
}

/// Whether it is flat, names in brackets if there are any, and what is in it.
fn nested(text: &'static str) -> (bool, Option<&'static str>, &'static str) {
    let (is_flat, text) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
    match text.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
        Some((names, of)) => (is_flat, Some(names), of),
        None => (is_flat, None, text),
    }
}
