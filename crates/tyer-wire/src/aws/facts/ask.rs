//! Requests of Tyer's own, and what is in the answers.

use std::fmt::Write as _;

use serde_json::Value;
use tyer_core::intent::Timestamp;

use super::{About, Found, Question};
use crate::aws::decode::{Element, read_xml};
use crate::aws::identity::form;
use crate::aws::request::Head;

/// Pages of an answer that are asked for.
const PAGES_MAX: usize = 5;
/// What recent use is.
const RECENT_MS: i64 = 24 * 60 * 60 * 1_000;

/// What reads an answer.
pub(super) type Read = fn(&Question, &Doc) -> Vec<Found>;

/// A question of the query protocol.
pub(super) fn query(
    service: &'static str,
    (action, version): (&str, &str),
    parameters: &[(&str, &str)],
    (about, read): (&str, Read),
) -> Question {
    let mut text = format!("Action={action}&Version={version}");
    for (name, value) in parameters {
        text.push('&');
        text.push_str(name);
        text.push('=');
        push_encoded(&mut text, value);
    }
    let (head, body) = form(text.into_bytes());
    question(service, (head, body), (about, read))
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

/// How often something was used in the last day, by CloudWatch.
pub(super) fn used(
    about: &About<'_>,
    (namespace, metric, statistic): (&str, &str, &str),
    (dimension, name): (&str, &str),
    shown: &str,
) -> Question {
    let moment = |at: Timestamp| {
        let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
        at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    };
    let (start, end) = (moment(about.now.plus(-RECENT_MS)), moment(about.now));
    let parameters = [
        ("Namespace", namespace),
        ("MetricName", metric),
        ("Dimensions.member.1.Name", dimension),
        ("Dimensions.member.1.Value", name),
        ("StartTime", &start),
        ("EndTime", &end),
        ("Period", "86400"),
        ("Statistics.member.1", statistic),
    ];
    let action = ("GetMetricStatistics", "2010-08-01");
    let asked = query("monitoring", action, &parameters, (shown, recent));
    asked.knowing(format!("{metric}/{statistic}"))
}

fn recent(question: &Question, document: &Doc) -> Vec<Found> {
    let (metric, statistic) = question.context().split_once('/').unwrap_or_default();
    let points = document.all("Datapoints/member");
    let values = points.iter().filter_map(|point| point.text(statistic)?.parse::<f64>().ok());
    let most =
        values.fold(None, |most: Option<f64>, value| Some(most.map_or(value, |it| it.max(value))));
    vec![Found::Now(match most {
        Some(most) if most > 0.0 => format!("in use: {metric} {statistic} in the last day {most:.0}"),
        Some(_) => format!("not in use in the last day by {metric}"),
        None => format!("no {metric} was recorded in the last day"),
    })]
}

fn push_encoded(out: &mut String, text: &str) {
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
