//! What an answer that says 200 says was not done: entries of a batch, objects of a list, machines of a fleet.
//!
//! The table has no answers, so `data/aws-undone.tsv` says which of their members mean that, with a reason each.

use std::sync::LazyLock;

use serde_json::Value;

use crate::aws::decode::read_cbor;
use crate::aws::own::{Doc, Part};
use crate::aws::table::{Level, Operation};

/// Bytes of an answer that are looked at where it can say so.
const ANSWER_BYTES: usize = 64 * 1024;

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    include_str!("../../../data/aws-undone.tsv").lines().filter_map(Row::read).collect()
});

struct Row {
    name: &'static str,
    how: How,
    /// All if there is none.
    operations: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    In,
    Each,
    Not,
}

impl Row {
    fn read(line: &'static str) -> Option<Self> {
        let mut fields = line.split('\t').filter(|_| !line.starts_with('#'));
        let (name, how, operations) = (fields.next()?, fields.next()?, fields.next()?);
        let how = match how {
            "in" => How::In,
            "each" => How::Each,
            _ => How::Not,
        };
        let operations = operations.split(',').filter(|it| *it != "*").collect();
        Some(Self { name, how, operations })
    }

    fn fits(&self, operation: Operation, name: &str) -> bool {
        let called = format!("{}:{}", operation.api().folder(), operation.name());
        let is_named = match self.name.strip_suffix('*') {
            Some(start) => name.get(..start.len()).is_some_and(|it| it.eq_ignore_ascii_case(start)),
            None => self.name.eq_ignore_ascii_case(name),
        };
        is_named && (self.operations.is_empty() || self.operations.contains(&called.as_str()))
    }
}

/// How many bytes of an answer are looked at; none if it cannot say that something was not done.
#[must_use]
pub fn looked_at(operation: Operation) -> usize {
    let only_reads = matches!(operation.level(), Some(Level::List | Level::Read));
    if only_reads && !operation.name().starts_with("Batch") { 0 } else { ANSWER_BYTES }
}

/// How many of the things that were asked for were not done, by an answer that is no error and is whole.
#[must_use]
pub fn undone(operation: Operation, body: &[u8]) -> Option<u64> {
    if body.len() > looked_at(operation) {
        return None;
    }
    let document = Doc::of(body).or_else(|| read_cbor(body).ok().map(Doc::Json))?;
    let (mut listed, mut counted) = (0_u64, 0_u64);
    for (name, part) in document.top() {
        match ROWS.iter().find(|row| row.fits(operation, name)).map(|row| row.how) {
            Some(How::Each) => listed = listed.saturating_add(1),
            Some(How::In) => match number(part) {
                Some(number) => counted = counted.max(number),
                None => listed = listed.saturating_add(inside(part)),
            },
            Some(How::Not) | None => {}
        }
    }
    // What is counted is often listed too.
    Some(listed.max(counted)).filter(|count| *count > 0)
}

fn number(part: Part<'_>) -> Option<u64> {
    match part {
        Part::Json(value) => value.as_u64(),
        Part::Xml(element) if element.inner.is_empty() => element.text.trim().parse().ok(),
        Part::Xml(_) => None,
    }
}

/// How many things are in a list, or in the lists of a map.
fn inside(part: Part<'_>) -> u64 {
    let count = match part {
        Part::Xml(element) => element.inner.len(),
        Part::Json(Value::Array(items)) => items.len(),
        Part::Json(Value::Object(map)) => map.values().map(of_one).sum(),
        Part::Json(_) => 0,
    };
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Of one table: the requests, or the keys.
fn of_one(value: &Value) -> usize {
    match value.get("Keys").unwrap_or(value) {
        Value::Array(items) => items.len(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::table;

    fn operation(name: &str) -> Operation {
        let (service, operation) = name.split_once(':').expect("a name");
        let api = table::apis().find(|api| api.folder() == service).expect("a service");
        api.operation(operation).unwrap_or_else(|| panic!("{name}"))
    }

    #[test]
    fn what_was_not_done_is_counted_in_every_form() {
        let check = |name: &str, body: &str, expect: u64| {
            let found = undone(operation(name), body.as_bytes());
            assert_eq!(found.unwrap_or(0), expect, "{name} {body}");
        };
        let objects = "<DeleteResult><Deleted><Key>a</Key></Deleted><Error><Key>b</Key><Code>AccessDenied</Code></Error>\
                       <Error><Key>c</Key></Error></DeleteResult>";
        check("s3:DeleteObjects", objects, 2);
        check("s3:DeleteObjects", "<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>", 0);
        check("s3:DeleteObject", objects, 0);
        let items =
            r#"{"UnprocessedItems":{"a":[{"DeleteRequest":{}},{"DeleteRequest":{}}],"b":[{}]}}"#;
        check("dynamodb:BatchWriteItem", items, 3);
        check("dynamodb:BatchWriteItem", r#"{"UnprocessedItems":{}}"#, 0);
        let keys = r#"{"Responses":{},"UnprocessedKeys":{"a":{"Keys":[{},{}]}}}"#;
        check("dynamodb:BatchGetItem", keys, 2);
        check("sqs:DeleteMessageBatch", r#"{"Successful":[],"Failed":[{"Id":"1"}]}"#, 1);
        let form = "<DeleteMessageBatchResponse><DeleteMessageBatchResult><BatchResultErrorEntry><Id>1</Id><Code>x</Code>\
                    </BatchResultErrorEntry></DeleteMessageBatchResult></DeleteMessageBatchResponse>";
        check("sqs:DeleteMessageBatch", form, 1);
        let topic = "<PublishBatchResponse><PublishBatchResult><Failed><member><Id>1</Id></member><member/></Failed>\
                     <Successful/></PublishBatchResult></PublishBatchResponse>";
        check("sns:PublishBatch", topic, 2);
        check("kinesis:PutRecords", r#"{"FailedRecordCount":4,"Records":[]}"#, 4);
        check("firehose:PutRecordBatch", r#"{"FailedPutCount":0}"#, 0);
        check("events:PutTargets", r#"{"FailedEntryCount":1,"FailedEntries":[{}]}"#, 1);
        check("ecs:RunTask", r#"{"tasks":[],"failures":[{"reason":"RESOURCE:MEMORY"}]}"#, 1);
        let endpoints = "<DeleteVpcEndpointsResponse><unsuccessful><item><resourceId>v</resourceId></item></unsuccessful>\
                         </DeleteVpcEndpointsResponse>";
        check("ec2:DeleteVpcEndpoints", endpoints, 1);
        check("glue:BatchDeleteTable", r#"{"Errors":[{"TableName":"t"}]}"#, 1);
        check("glue:BatchDeleteConnection", r#"{"Succeeded":[],"Errors":{"a":{},"b":{}}}"#, 2);
        check("codebuild:BatchDeleteBuilds", r#"{"buildsNotDeleted":[{"id":"b"}]}"#, 1);
        check("ssm:DeleteParameters", r#"{"InvalidParameters":["p"]}"#, 1);
    }

    #[test]
    fn cbor_says_the_same() {
        // {"Failed": [{}, {}]}
        let body = b"\xa1\x66Failed\x82\xa0\xa0";
        assert_eq!(undone(operation("sqs:DeleteMessageBatch"), body), Some(2));
    }

    #[test]
    fn what_says_something_else_is_not_counted() {
        let check = |name: &str, body: &str| {
            assert_eq!(undone(operation(name), body.as_bytes()), None, "{name}")
        };
        check("dynamodb:GetItem", r#"{"Errors":[{}]}"#);
        check("dynamodb:PutItem", r#"{"Attributes":{"Failed":[1]}}"#);
        check("ecs:RunTask", r#"{"failureReason":"x","failed":"yes","errors":null}"#);
        check("ecs:RunTask", "not an answer");
        check("medialive:CreateSignalMap", r#"{"failedMediaResourceMap":{"a":{}}}"#);
        check("ssm:PutParameter", r#"{"InvalidParameters":["p"]}"#);
        let large = format!(r#"{{"Failed":[{{}}],"x":"{}"}}"#, "x".repeat(ANSWER_BYTES));
        check("sqs:DeleteMessageBatch", &large);
    }

    #[test]
    fn each_line_has_a_reason_and_names_operations_of_the_table() {
        let text = include_str!("../../../data/aws-undone.tsv");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            assert!(fields.len() == 4 && fields[3].len() > 10, "{line}");
            assert!(matches!(fields[1], "in" | "each" | "not"), "{line}");
            for name in fields[2].split(',').filter(|it| *it != "*") {
                operation(name);
            }
        }
    }
}
