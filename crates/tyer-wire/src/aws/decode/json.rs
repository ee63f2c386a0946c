//! JSON bodies (RFC 8259): one object, no name twice, numbers that can be kept.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{DEPTH_MAX, Unclear, number};

/// The document of a body. Nothing at all is an object without members.
pub(super) fn read(body: &[u8]) -> Result<Value, Unclear> {
    let text = std::str::from_utf8(body).map_err(|_| Unclear::NotUtf8)?;
    if text.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    numbers(text)?;
    let mut from = serde_json::Deserializer::from_str(text);
    let twice = std::cell::Cell::new(false);
    let read = Strict { depth: DEPTH_MAX, twice: &twice }.deserialize(&mut from);
    let value = match read {
        Ok(value) => value,
        Err(_) if twice.get() => return Err(Unclear::Twice),
        Err(_) => return Err(Unclear::Malformed),
    };
    from.end().map_err(|_| Unclear::Malformed)?;
    Ok(value)
}

/// Whether every number in a text can be kept exactly.
fn numbers(text: &str) -> Result<(), Unclear> {
    let (mut rest, mut is_string) = (text, false);
    while let Some(at) = rest.find(|c: char| {
        if is_string { matches!(c, '"' | '\\') } else { c == '"' || c == '-' || c.is_ascii_digit() }
    }) {
        let (_, from) = rest.split_at(at);
        let length = if from.starts_with('"') {
            is_string = !is_string;
            1
        } else if from.starts_with('\\') {
            from.chars().take(2).map(char::len_utf8).sum()
        } else {
            let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
            let length = from.find(|c| !is_part(c)).unwrap_or(from.len());
            let literal = from.get(..length).unwrap_or_default();
            number::written(literal).ok_or(Unclear::Number)?;
            length
        };
        rest = from.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// Reads a value, but none with a name twice.
#[derive(Clone, Copy)]
struct Strict<'a> {
    depth: usize,
    twice: &'a std::cell::Cell<bool>,
}

impl Strict<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("too deep"))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        number::float(value).ok_or_else(|| E::custom("no number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.inner()?;
        let mut map = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if map.insert(name, value).is_some() {
                self.twice.set(true);
                return Err(A::Error::custom("a name twice"));
            }
        }
        Ok(Value::Object(map))
    }
}
