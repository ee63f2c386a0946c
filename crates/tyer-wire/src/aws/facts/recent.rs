//! Whether something was used in the last day, by the metrics of CloudWatch that say so plainly: `data/aws-recent.tsv`.
//!
//! Where nothing was recorded nothing is known: many metrics are there only while something happens.

use std::sync::LazyLock;

use tyer_core::intent::Timestamp;

use super::ask::query;
use super::{About, Found, Question};
use crate::aws::own::Doc;
use crate::aws::table::Operation;

/// What recent use is.
const RECENT_MS: i64 = 24 * 60 * 60 * 1_000;
/// Things of one request that are asked about.
const THINGS_MAX: usize = 5;

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    include_str!("../../../data/aws-recent.tsv").lines().filter_map(Row::read).collect()
});

struct Row {
    service: &'static str,
    operations: Vec<&'static str>,
    what: &'static str,
    namespace: &'static str,
    metric: &'static str,
    statistic: &'static str,
    dimensions: Vec<(&'static str, &'static str)>,
    means: &'static str,
}

impl Row {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t').filter(|_| !line.starts_with('#'));
        let (service, operations) = fields.next()?.split_once(':')?;
        Some(Self {
            service,
            operations: operations.split(',').collect(),
            what: fields.next()?,
            namespace: fields.next()?,
            metric: fields.next()?,
            statistic: fields.next()?,
            dimensions: fields.next()?.split(' ').filter_map(|it| it.split_once('=')).collect(),
            means: fields.next().unwrap_or_default(),
        })
    }

    fn fits(&self, operation: Operation) -> bool {
        self.service == operation.api().folder() && self.operations.contains(&operation.name())
    }

    /// A question for each thing that the request names.
    fn questions(&self, about: &About<'_>) -> Vec<Question> {
        let Some(((first, from), rest)) = self.dimensions.split_first() else { return Vec::new() };
        let one = |(name, from): &(&'static str, &str)| Some((*name, values(about, from).pop()?));
        let Some(rest) = rest.iter().map(one).collect::<Option<Vec<_>>>() else { return Vec::new() };
        let things = values(about, from).into_iter().take(THINGS_MAX);
        things.map(|thing| self.question(about.now, &(*first, thing), &rest)).collect()
    }

    fn question(
        &self,
        now: Timestamp,
        thing: &(&'static str, String),
        rest: &[(&'static str, String)],
    ) -> Question {
        let (start, end) = (moment(now.plus(-RECENT_MS)), moment(now));
        let shown = format!("{} {}", self.what, thing.1);
        let dimensions = std::iter::once(thing).chain(rest).zip(1..);
        let dimensions: Vec<[(String, &str); 2]> = dimensions
            .map(|((name, value), at)| {
                let key = |part: &str| format!("Dimensions.member.{at}.{part}");
                [(key("Name"), *name), (key("Value"), value.as_str())]
            })
            .collect();
        let mut parameters = vec![("Namespace", self.namespace), ("MetricName", self.metric)];
        parameters.extend(dimensions.iter().flatten().map(|(key, value)| (key.as_str(), *value)));
        parameters.extend([
            ("StartTime", start.as_str()),
            ("EndTime", &end),
            ("Period", "86400"),
            ("Statistics.member.1", self.statistic),
        ]);
        let action = ("GetMetricStatistics", "2010-08-01");
        let asked = query("monitoring", action, &parameters, (&shown, read));
        asked.knowing(format!("{}\n{}\n{}", self.metric, self.statistic, self.means))
    }
}

/// What to ask about the recent use of what the operation is about.
pub(super) fn questions(about: &About<'_>, operation: Operation) -> Vec<Question> {
    ROWS.iter().filter(|row| row.fits(operation)).flat_map(|row| row.questions(about)).collect()
}

/// What a request says for a dimension; nothing if it does not, or of another kind.
fn values(about: &About<'_>, from: &str) -> Vec<String> {
    if from == "@account" {
        return vec![about.owner.account.to_owned()];
    }
    if let Some(text) = from.strip_suffix('!') {
        return vec![text.to_owned()];
    }
    let (from, otherwise) = from.split_once('?').map_or((from, None), |(from, it)| (from, Some(it)));
    let (from, start) = from.split_once('^').unwrap_or((from, ""));
    let (member, behind) = match from.split_once('>') {
        Some((member, text)) => (member, Some(text)),
        None => (from.trim_end_matches(['/', ':']), None),
    };
    let mut texts = about.texts(member);
    texts.extend(about.text(member));
    texts.extend(otherwise.filter(|_| texts.is_empty()));
    let taken = texts.into_iter().filter_map(|text| match (behind, from.chars().last()) {
        (Some(behind), _) => text.split_once(behind).map(|(_, rest)| rest),
        (None, Some(mark @ ('/' | ':'))) => text.rsplit(mark).next(),
        (None, _) => Some(text),
    });
    taken.filter(|text| !text.is_empty() && text.starts_with(start)).map(ToOwned::to_owned).collect()
}

fn moment(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.0).unwrap_or_default();
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn read(question: &Question, document: &Doc) -> Vec<Found> {
    let mut context = question.context().splitn(3, '\n');
    let [metric, statistic, means] = std::array::from_fn(|_| context.next().unwrap_or_default());
    let points = document.all("Datapoints/member");
    let values = points.iter().filter_map(|point| point.text(statistic)?.parse::<f64>().ok());
    let most =
        values.fold(None, |most: Option<f64>, value| Some(most.map_or(value, |it| it.max(value))));
    vec![Found::Now(match most {
        Some(most) if !means.is_empty() => {
            format!("{metric} {statistic} in the last day {} ({means})", figure(most))
        }
        Some(most) if most > 0.0 => {
            format!("in use: {metric} {statistic} in the last day {}", figure(most))
        }
        Some(_) => format!("not in use in the last day by {metric}"),
        None => {
            let means = if means.is_empty() { String::new() } else { format!(" ({means})") };
            format!("whether it was used in the last day is not known: no {metric}{means} was recorded")
        }
    })]
}

fn figure(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}
