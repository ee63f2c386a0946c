//! A request in one line, as people and tests write it: `METHOD URL | Header: value | body`.
//!
//! The service and the region are those of the URL's host, since there is no signature.

use super::request::Head;
use super::table;

/// A request that was written in one line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its head.
    pub head: Head,
    /// Its body.
    pub body: Vec<u8>,
    /// What a signature for that host would be for.
    pub service: String,
    /// Where.
    pub region: String,
}

impl Line {
    /// Reads a line; `None` if it is none, or its host is no endpoint of AWS.
    #[must_use]
    pub fn read(line: &str) -> Option<Self> {
        let mut parts = line.split(" | ");
        let (method, url) = parts.next()?.trim().split_once(' ')?;
        let rest = url.trim().strip_prefix("https://")?;
        let (host, target) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = if path.is_empty() { "/" } else { path };
        let mut headers = vec![("host".to_owned(), host.to_ascii_lowercase())];
        let mut body = Vec::new();
        let mut rest = parts.peekable();
        while let Some(part) = rest.next() {
            match part.split_once(": ").filter(|(name, _)| is_name(name)) {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
                None => {
                    let more: String = rest.by_ref().map(|part| format!(" | {part}")).collect();
                    body = format!("{part}{more}").into_bytes();
                }
            }
        }
        let head =
            Head { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers };
        let endpoint = table::endpoint(&host.to_ascii_lowercase())?;
        let api = table::apis().find(|api| api.endpoint_prefix() == endpoint.prefix)?;
        Some(Self { head, body, service: api.signing_name().to_owned(), region: endpoint.region })
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
