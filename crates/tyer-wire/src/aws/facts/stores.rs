//! What keeps things: buckets, queues, logs, secrets, keys, and who was last given something.

use serde_json::json;

use super::ask::{get, json as ask_json, query};
use super::{About, Found, Question};
use crate::aws::own::Doc;

/// Objects that are counted.
const OBJECTS_MAX: usize = 1_000;

pub(super) fn questions(about: &About<'_>, operation: &str) -> Vec<Question> {
    let folder = |name: &str| about.text(name);
    match operation {
        "DeleteBucket"
        | "PutBucketVersioning"
        | "PutBucketLifecycleConfiguration"
        | "DeleteObjects"
        | "DeleteObject" => folder("Bucket").map(bucket).unwrap_or_default(),
        "DeleteQueue" | "PurgeQueue" => folder("QueueUrl").map(queue).unwrap_or_default(),
        "DeleteLogGroup" | "PutRetentionPolicy" => folder("logGroupName").map(logs).unwrap_or_default(),
        "DeleteSecret" => folder("SecretId").map(secret).unwrap_or_default(),
        "ScheduleKeyDeletion" | "DisableKey" => folder("KeyId").map(key).unwrap_or_default(),
        "DeleteRole" | "DetachRolePolicy" | "PutRolePolicy" | "AttachRolePolicy" => {
            folder("RoleName").map(role).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn bucket(name: &str) -> Vec<Question> {
    let shown = format!("bucket {name}");
    let list = format!("list-type=2&max-keys={OBJECTS_MAX}");
    vec![
        get("s3", &[name], "versioning=", (&shown, versions)),
        get("s3", &[name], &list, (&shown, objects)),
    ]
}

fn versions(_: &Question, document: &Doc) -> Vec<Found> {
    vec![Found::Is(match document.text("Status").as_deref() {
        Some("Enabled") => "it keeps versions: what is deleted can be brought back".to_owned(),
        Some(_) => "it keeps no new versions any more".to_owned(),
        None => "it keeps no versions: what is deleted is gone".to_owned(),
    })]
}

fn objects(_: &Question, document: &Doc) -> Vec<Found> {
    let count = document.all("Contents").len();
    let is_more = document.text("IsTruncated").as_deref() == Some("true");
    vec![match (count, is_more) {
        (0, _) => Found::Is("it is empty".to_owned()),
        (count, true) => Found::Is(format!("it holds more than {count} objects")),
        (count, false) => Found::Now(format!("it holds {count} objects")),
    }]
}

fn queue(url: &str) -> Vec<Question> {
    let shown = format!("queue {}", url.rsplit('/').next().unwrap_or(url));
    let body = json!({ "QueueUrl": url, "AttributeNames": ["All"] });
    vec![ask_json(("sqs", "1.0"), "AmazonSQS.GetQueueAttributes", &body, (&shown, messages))]
}

fn messages(_: &Question, document: &Doc) -> Vec<Found> {
    let count = |name: &str| document.text(name).unwrap_or_else(|| "an unknown number of".to_owned());
    vec![Found::Now(format!(
        "about {} messages wait in it, and {} are being worked on",
        count("ApproximateNumberOfMessages"),
        count("ApproximateNumberOfMessagesNotVisible")
    ))]
}

fn logs(name: &str) -> Vec<Question> {
    let shown = format!("log group {name}");
    let body = json!({ "logGroupNamePrefix": name, "limit": 50 });
    let asked = ask_json(("logs", "1.1"), "Logs_20140328.DescribeLogGroups", &body, (&shown, group));
    vec![asked.knowing(name)]
}

fn group(question: &Question, document: &Doc) -> Vec<Found> {
    let groups = document.all("logGroups");
    let own = groups.iter().find(|it| it.text("logGroupName").as_deref() == Some(question.context()));
    let Some(own) = own else { return vec![Found::Unknown("AWS knows no such group".to_owned())] };
    let days = own.text("retentionInDays");
    let mut found = vec![Found::Is(match days {
        Some(days) => format!("what is in it is kept for {days} days"),
        None => "what is in it is kept for ever".to_owned(),
    })];
    found.extend(own.text("storedBytes").map(|bytes| Found::Now(format!("{bytes} bytes are in it"))));
    found
}

fn secret(id: &str) -> Vec<Question> {
    let (shown, body) = (format!("secret {id}"), json!({ "SecretId": id }));
    vec![ask_json(
        ("secretsmanager", "1.1"),
        "secretsmanager.DescribeSecret",
        &body,
        (&shown, last_read),
    )]
}

fn last_read(_: &Question, document: &Doc) -> Vec<Found> {
    vec![Found::Now(match document.text("LastAccessedDate") {
        Some(at) => format!("somebody last read it on {at} (seconds since 1970)"),
        None => "AWS knows of nobody who read it".to_owned(),
    })]
}

fn key(id: &str) -> Vec<Question> {
    let (shown, body) = (format!("key {id}"), json!({ "KeyId": id }));
    vec![ask_json(("kms", "1.1"), "TrentService.DescribeKey", &body, (&shown, state))]
}

fn state(_: &Question, document: &Doc) -> Vec<Found> {
    let mut found = Vec::new();
    found.extend(document.text("KeyState").map(|state| Found::Is(format!("its state is {state}"))));
    found.extend(
        document
            .text("Description")
            .map(|what| Found::Now(format!("it is described as `{}`", crate::line::one_line(&what)))),
    );
    found.push(Found::Unknown("what is encrypted with it is known to nobody".to_owned()));
    found
}

fn role(name: &str) -> Vec<Question> {
    let shown = format!("role {name}");
    vec![query("iam", ("GetRole", "2010-05-08"), &[("RoleName", name)], (&shown, last_used))]
}

fn last_used(_: &Question, document: &Doc) -> Vec<Found> {
    vec![Found::Now(match document.text("LastUsedDate") {
        Some(at) => format!("it was last used at {at}"),
        None => "AWS knows of no use of it".to_owned(),
    })]
}
