//! Questions in each of the protocols.

use serde_json::Value;

use super::{Found, Question};
use crate::aws::own::{self, Doc, form, push_encoded};
use crate::aws::request::Head;

/// Pages of an answer that are asked for.
const PAGES_MAX: usize = 5;

/// What reads an answer.
pub(super) type Read = fn(&Question, &Doc) -> Vec<Found>;

/// A question of the query protocol.
pub(super) fn query(
    service: &'static str,
    asked: (&str, &str),
    parameters: &[(&str, &str)],
    (about, read): (&str, Read),
) -> Question {
    question(service, own::query(asked, parameters), (about, read))
}

/// A question of a JSON protocol, 1.0 or 1.1.
pub(super) fn json(
    (service, version): (&'static str, &str),
    target: &str,
    body: &Value,
    (about, read): (&str, Read),
) -> Question {
    let body = body.to_string().into_bytes();
    let headers = vec![
        ("content-type".into(), format!("application/x-amz-json-{version}")),
        ("x-amz-target".into(), target.to_owned()),
        ("content-length".into(), body.len().to_string()),
    ];
    let head = Head { method: "POST".into(), path: "/".into(), query: String::new(), headers };
    question(service, (head, body), (about, read))
}

/// A question by method and path; each piece of the path is encoded.
pub(super) fn get(
    service: &'static str,
    path: &[&str],
    query: &str,
    (about, read): (&str, Read),
) -> Question {
    let mut text = String::new();
    for piece in path {
        text.push('/');
        push_encoded(&mut text, piece);
    }
    let query = query.to_owned();
    let head = Head { method: "GET".into(), path: text, query, headers: Vec::new() };
    question(service, (head, Vec::new()), (about, read))
}

fn question(
    service: &'static str,
    (head, body): (Head, Vec<u8>),
    (about, read): (&str, Read),
) -> Question {
    Question { service, head, body, about: about.to_owned(), context: String::new(), read, pages: 0 }
}

impl Question {
    pub(super) fn knowing(self, context: impl Into<String>) -> Self {
        Self { context: context.into(), ..self }
    }

    pub(super) fn context(&self) -> &str {
        &self.context
    }

    /// The same about the next page, of the query protocol; or that there is more than is asked for.
    pub(super) fn next_page(&self, parameter: &str, token: &str) -> Found {
        if self.pages + 1 >= PAGES_MAX {
            return Found::Unknown("there is more than is looked at".to_owned());
        }
        let text = String::from_utf8_lossy(&self.body);
        let marker = format!("&{parameter}=");
        let mut text = text.split(&marker).next().unwrap_or_default().to_owned();
        text.push_str(&marker);
        push_encoded(&mut text, token);
        let (head, body) = form(text.into_bytes());
        let (about, context) = (self.about.clone(), self.context.clone());
        let (service, read, pages) = (self.service, self.read, self.pages + 1);
        Found::More(Box::new(Self { service, head, body, about, context, read, pages }))
    }
}
