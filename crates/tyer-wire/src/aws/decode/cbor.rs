//! CBOR bodies (RFC 8949) of Smithy's RPC v2, as the JSON that says the same.
//!
//! Bytes become base64 text and a time its seconds, as in JSON. Maps and lists without a length are read, since the
//! SDK for Rust sends them; text in pieces, other tags, `undefined` and names that come twice are not.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium_io::Read as _;
use ciborium_ll::{Decoder, Header};
use serde_json::{Map, Value};

use super::{DEPTH_MAX, Unclear, number};

/// Seconds since the epoch.
const TIME: u64 = 1;
const FALSE: u8 = 20;
const TRUE: u8 = 21;
const NULL: u8 = 22;

/// The document of a body. Nothing at all is an object without members.
pub(in crate::aws) fn read(body: &[u8]) -> Result<Value, Unclear> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let mut items = Items { length: body.len(), decoder: Decoder::from(body) };
    let header = items.pull()?;
    let value = items.value(header, DEPTH_MAX)?;
    if items.decoder.offset() == body.len() { Ok(value) } else { Err(Unclear::Malformed) }
}

struct Items<'a> {
    length: usize,
    decoder: Decoder<&'a [u8]>,
}

impl Items<'_> {
    fn pull(&mut self) -> Result<Header, Unclear> {
        self.decoder.pull().map_err(|_| Unclear::Malformed)
    }

    fn value(&mut self, header: Header, depth: usize) -> Result<Value, Unclear> {
        let inner = depth.checked_sub(1).ok_or(Unclear::TooDeep)?;
        match header {
            Header::Positive(number) => Ok(Value::from(number)),
            Header::Negative(number) => {
                let number = i64::try_from(number).map_err(|_| Unclear::Number)?;
                Ok(Value::from(-1 - number))
            }
            Header::Float(float) => Ok(number::float(float).unwrap_or_else(|| named(float))),
            Header::Simple(FALSE) => Ok(Value::Bool(false)),
            Header::Simple(TRUE) => Ok(Value::Bool(true)),
            Header::Simple(NULL) => Ok(Value::Null),
            Header::Tag(TIME) => match self.pull()? {
                header @ (Header::Positive(_) | Header::Negative(_) | Header::Float(_)) => {
                    self.value(header, inner)
                }
                _ => Err(Unclear::Value),
            },
            Header::Bytes(Some(length)) => Ok(Value::from(STANDARD.encode(self.bytes(length)?))),
            Header::Text(Some(length)) => self.text(length).map(Value::from),
            Header::Array(length) => self.list(length, inner),
            Header::Map(length) => self.map(length, inner),
            Header::Bytes(None) | Header::Text(None) => Err(Unclear::Pieces),
            Header::Simple(_) | Header::Tag(_) | Header::Break => Err(Unclear::Value),
        }
    }

    fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Unclear> {
        if length > self.length - self.decoder.offset() {
            return Err(Unclear::Malformed);
        }
        let mut bytes = vec![0; length];
        self.decoder.read_exact(&mut bytes).map_err(|_| Unclear::Malformed)?;
        Ok(bytes)
    }

    fn text(&mut self, length: usize) -> Result<String, Unclear> {
        String::from_utf8(self.bytes(length)?).map_err(|_| Unclear::NotUtf8)
    }

    fn list(&mut self, length: Option<usize>, inner: usize) -> Result<Value, Unclear> {
        let mut items = Vec::new();
        while length.is_none_or(|length| items.len() < length) {
            match self.pull()? {
                Header::Break if length.is_none() => break,
                header => items.push(self.value(header, inner)?),
            }
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, length: Option<usize>, inner: usize) -> Result<Value, Unclear> {
        let mut map = Map::new();
        while length.is_none_or(|length| map.len() < length) {
            let name = match self.pull()? {
                Header::Break if length.is_none() => break,
                Header::Text(Some(length)) => self.text(length)?,
                _ => return Err(Unclear::Value),
            };
            let header = self.pull()?;
            let value = self.value(header, inner)?;
            if map.insert(name, value).is_some() {
                return Err(Unclear::Twice);
            }
        }
        Ok(Value::Object(map))
    }
}

/// What JSON writes as text.
fn named(float: f64) -> Value {
    Value::from(match float {
        _ if float.is_nan() => "NaN",
        _ if float > 0.0 => "Infinity",
        _ => "-Infinity",
    })
}
