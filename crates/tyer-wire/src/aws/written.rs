//! Requests as people write them: `service:Operation {"Parameter": "value"}`, one line of a method, a URL, headers and a
//! body, or a whole HTTP request.

use serde_json::{Map, Value};
use thiserror::Error;

use super::decode::{Decoded, Scope, decode};
use super::line::Line;
use super::request::Head;
use super::table;

/// Why a text is no request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoRequest {
    /// It has none of the three forms.
    #[error(
        "is none of `service:Operation {{parameters}}`, `METHOD URL | Header: value | body`, and a whole HTTP request"
    )]
    Form,
    /// Its operation is in no model.
    #[error("names an operation that no published model has")]
    Operation,
    /// What stands behind the operation is no JSON object.
    #[error("has parameters that are not a JSON object")]
    Parameters,
    /// Neither its host nor its signature says which service it is for.
    #[error("is for a host that is no endpoint of AWS that is known")]
    Host,
}

/// The request of a text. `region` is that of one that names none.
///
/// # Errors
/// If it has none of the forms, or says nothing that could be looked up.
pub fn read(text: &str, region: &str) -> Result<Decoded, NoRequest> {
    let text = text.trim_start();
    let first = text.split([' ', '\n', '\r']).next().unwrap_or_default();
    if is_method(first) {
        return if text.lines().next().is_some_and(|line| line.contains(" HTTP/1")) {
            whole(text).ok_or(NoRequest::Host)
        } else {
            let line = Line::read(text.trim_end()).ok_or(NoRequest::Host)?;
            let scope = Scope { service: &line.service, region: &line.region };
            Ok(decode(&line.head, &line.body, &scope))
        };
    }
    let (name, parameters) = text.split_once([' ', '\n', '\t', '{']).unwrap_or((text, ""));
    let parameters = text.get(name.len()..).map_or(parameters, str::trim);
    let (service, operation) = name.trim().split_once(':').ok_or(NoRequest::Form)?;
    let operation = table::named(service, operation).into_iter().next().ok_or(NoRequest::Operation)?;
    let parameters: Map<String, Value> = if parameters.is_empty() {
        Map::new()
    } else {
        serde_json::from_str::<Once>(parameters).map_err(|_| NoRequest::Parameters)?.0
    };
    Ok(Decoded::asked(operation, parameters, region))
}

/// An object without a name twice, which two readers could read as two things.
struct Once(Map<String, Value>);

impl<'de> serde::Deserialize<'de> for Once {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Map<String, Value>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut access: A,
            ) -> Result<Self::Value, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if map.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a name twice"));
                    }
                }
                Ok(map)
            }
        }
        deserializer.deserialize_map(Visitor).map(Once)
    }
}

fn is_method(word: &str) -> bool {
    matches!(word, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS")
}

/// A head, an empty line and a body. The service is that of the signature, else that of the host.
fn whole(text: &str) -> Option<Decoded> {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .or_else(|| text.split_once("\n\n"))
        .unwrap_or((text.trim_end(), ""));
    let mut lines = head.lines();
    let mut start = lines.next()?.split(' ');
    let (method, target) = (start.next()?, start.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
    });
    let headers = headers.collect::<Option<Vec<_>>>()?;
    let head =
        Head { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers };
    let (service, region) = signed(&head).or_else(|| hosted(&head))?;
    Some(decode(&head, body.as_bytes(), &Scope { service: &service, region: &region }))
}

/// What the signature is for: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn signed(head: &Head) -> Option<(String, String)> {
    let (_, credential) = head.header("authorization")?.split_once("Credential=")?;
    let scope: Vec<&str> = credential.split(',').next()?.split('/').collect();
    let [_, _, region, service, _] = scope.as_slice() else { return None };
    Some(((*service).to_owned(), (*region).to_owned()))
}

fn hosted(head: &Head) -> Option<(String, String)> {
    let host = head.header("host")?.to_ascii_lowercase();
    let host = host.split(':').next().unwrap_or(&host);
    let endpoint = table::endpoint(host)?;
    let api = table::apis().find(|api| api.endpoint_prefix() == endpoint.prefix)?;
    Some((api.signing_name().to_owned(), endpoint.region))
}
