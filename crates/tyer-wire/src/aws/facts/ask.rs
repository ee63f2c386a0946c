//! Questions in each of the protocols, and those that several things share.

use serde_json::Value;
use tyer_core::intent::Timestamp;

use super::{About, Found, Question};
use crate::aws::own::{self, Doc, form, push_encoded};
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
