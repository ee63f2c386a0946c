//! Stacks of CloudFormation: what is in them, and what a change set would do to it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::ask::query;
use super::{About, Found, Question};
use crate::aws::own::{Doc, Part};
use crate::aws::understand::{Change, TAGS};

const VERSION: &str = "2010-05-15";
const SIGNED_FOR: &str = "cloudformation";
/// Resources of a stack that are named.
const NAMED_MAX: usize = 12;
/// Kinds whose loss is a loss of what they hold.
const HOLDING: [&str; 14] = [
    "AWS::RDS::",
    "AWS::DynamoDB::",
    "AWS::S3::Bucket",
    "AWS::EFS::",
    "AWS::SQS::Queue",
    "AWS::ElastiCache::",
    "AWS::Redshift::",
    "AWS::OpenSearchService::",
    "AWS::Cognito::UserPool",
    "AWS::KMS::Key",
    "AWS::SecretsManager::Secret",
    "AWS::Logs::LogGroup",
    "AWS::Kinesis::",
    "AWS::EC2::Volume",
];

pub(super) fn questions(about: &About<'_>, operation: &str) -> Vec<Question> {
    let Some(stack) = about.text("StackName").or_else(|| about.text("ChangeSetName")) else {
        return Vec::new();
    };
    let shown = format!("stack {stack}");
    let of_stack =
        |action, read| query(SIGNED_FOR, (action, VERSION), &[("StackName", stack)], (&shown, read));
    match operation {
        "DeleteStack" | "UpdateStack" | "RollbackStack" | "ContinueUpdateRollback" => {
            vec![of_stack("DescribeStacks", state), of_stack("ListStackResources", contents)]
        }
        "UpdateTerminationProtection" | "SetStackPolicy" => vec![of_stack("DescribeStacks", state)],
        "ExecuteChangeSet" => {
            let Some(set) = about.text("ChangeSetName") else { return Vec::new() };
            // Values say which tags are altered.
            let mut parameters = vec![("ChangeSetName", set), ("IncludePropertyValues", "true")];
            parameters.extend(about.text("StackName").map(|stack| ("StackName", stack)));
            let shown = format!("change set {set}");
            vec![query(SIGNED_FOR, ("DescribeChangeSet", VERSION), &parameters, (&shown, changes))]
        }
        _ => Vec::new(),
    }
}

fn state(_: &Question, document: &Doc) -> Vec<Found> {
    let Some(stack) = document.all("Stacks/member").into_iter().next() else {
        return vec![Found::Unknown("AWS knows no such stack".to_owned())];
    };
    let mut found = Vec::new();
    found.extend(stack.text("StackStatus").map(|status| Found::Now(format!("its state is {status}"))));
    found.push(Found::Is(match stack.text("EnableTerminationProtection").as_deref() {
        Some("true") => "it is protected from being deleted".to_owned(),
        _ => "it is not protected from being deleted".to_owned(),
    }));
    found.extend(
        stack
            .text("LastUpdatedTime")
            .or_else(|| stack.text("CreationTime"))
            .map(|at| Found::Now(format!("it was last changed at {at}"))),
    );
    found
}

fn contents(question: &Question, document: &Doc) -> Vec<Found> {
    let mut found = Vec::new();
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in document.all("StackResourceSummaries/member") {
        let status = resource.text("ResourceStatus").unwrap_or_default();
        let Some(kind) = resource.text("ResourceType").filter(|_| status != "DELETE_COMPLETE") else {
            continue;
        };
        let name = resource.text("PhysicalResourceId").or_else(|| resource.text("LogicalResourceId"));
        kinds.entry(kind).or_default().push(name.unwrap_or_default());
    }
    if kinds.is_empty() && question.pages == 0 {
        found.push(Found::Is("it holds nothing".to_owned()));
    }
    let holding = |kind: &str| HOLDING.iter().any(|own| kind.starts_with(own));
    let (first, rest): (Vec<_>, Vec<_>) = kinds.into_iter().partition(|(kind, _)| holding(kind));
    for (is_holding, (kind, names)) in
        first.into_iter().map(|it| (true, it)).chain(rest.into_iter().map(|it| (false, it)))
    {
        let what = if is_holding { ", which holds what does not come back" } else { "" };
        let more = names.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let named: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
        found.push(Found::Is(format!("{} {kind}{what}: {}{more}", names.len(), named.join(", "))));
    }
    found.extend(document.text("NextToken").map(|token| question.next_page("NextToken", &token)));
    found
}

/// The properties that a change alters, if each thing that it alters is one, or is tags or metadata.
fn alters(change: Part<'_>) -> Vec<String> {
    let targets = change.all("Details/member/Target");
    let named: Vec<(String, Vec<String>)> =
        targets.iter().filter_map(|target| altered(change, *target)).collect();
    let is_said = |scope: &Part<'_>| {
        named.iter().any(|(attribute, _)| scope.own_text().as_ref() == Some(attribute))
    };
    if named.len() < targets.len() || !change.all("Scope/member").iter().all(is_said) {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    for name in named.into_iter().flat_map(|(_, names)| names) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// Which attribute of a resource a target is of, and what that is called among what is altered.
fn altered(change: Part<'_>, target: Part<'_>) -> Option<(String, Vec<String>)> {
    let attribute = target.text("Attribute")?;
    let names = match attribute.as_str() {
        "Tags" => tags(change),
        "Metadata" => vec![attribute.clone()],
        "Properties" => {
            let path = target.text("Path").unwrap_or_default();
            let first = path.strip_prefix("/Properties/").and_then(|rest| rest.split('/').next());
            let name = target.text("Name").or_else(|| first.map(str::to_owned))?;
            let is_tags = ["Tags", "TagList", "TagSpecifications", "TagsList"]
                .iter()
                .any(|end| name.ends_with(end));
            if is_tags { tags(change) } else { vec![name] }
        }
        _ => return None,
    };
    Some((attribute, names))
}

/// The tags that a change alters, each by its key; `Tags` alone where that is not said.
fn tags(change: Part<'_>) -> Vec<String> {
    let of = |context: &str| {
        let context: Value = serde_json::from_str(&change.text(context)?).ok()?;
        pairs(context.get("Properties")?.get(TAGS).unwrap_or(&Value::Null))
    };
    let unknown = vec![TAGS.to_owned()];
    let (Some(before), Some(after)) = (of("BeforeContext"), of("AfterContext")) else { return unknown };
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let altered = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    let named: Vec<String> = altered.map(|key| format!("{TAGS}.{key}")).collect();
    if named.is_empty() { unknown } else { named }
}

/// Tags by their keys: a list of pairs, or a map.
fn pairs(tags: &Value) -> Option<BTreeMap<String, Value>> {
    match tags {
        Value::Null => Some(BTreeMap::new()),
        Value::Object(map) => Some(map.clone().into_iter().collect()),
        Value::Array(items) => {
            let key = |item: &Value| Some(item.get("Key")?.as_str()?.to_owned());
            items.iter().map(|item| Some((key(item)?, item.clone()))).collect()
        }
        _ => None,
    }
}

fn changes(question: &Question, document: &Doc) -> Vec<Found> {
    let mut found = Vec::new();
    for change in document.all("Changes/member/ResourceChange") {
        let text = |path: &str| change.text(path).unwrap_or_default();
        found.push(Found::Change(Change {
            action: text("Action"),
            replacement: text("Replacement"),
            policy: text("PolicyAction"),
            kind: text("ResourceType"),
            logical: text("LogicalResourceId"),
            physical: text("PhysicalResourceId"),
            alters: alters(change),
        }));
    }
    let all = document.all("Changes/member").len();
    if all > found.len() {
        found.push(Found::Unknown("some of its changes are not of resources".to_owned()));
    }
    if !document.all("Capabilities/member").is_empty() {
        found.push(Found::Unknown("it may make roles and policies".to_owned()));
    }
    let status = document.text("Status");
    if status.as_deref() != Some("CREATE_COMPLETE") {
        let status = status.unwrap_or_else(|| "not said".to_owned());
        found.push(Found::Unknown(format!("it is not ready to be carried out, its state is {status}")));
    }
    found.extend(document.text("NextToken").map(|token| question.next_page("NextToken", &token)));
    found
}
