//! Machines, and what runs programs: how many, in which state, and whether anybody uses them.

use serde_json::json;

use super::ask::{Read, get, json as ask_json, query};
use super::{About, Found, Question};
use crate::aws::own::{Doc, Part};

pub(super) const EC2: &str = "2016-11-15";
/// Instances that are looked at.
const INSTANCES_MAX: usize = 50;

pub(super) fn questions(about: &About<'_>, operation: &str) -> Vec<Question> {
    let one = |name: &str, make: &dyn Fn(&str) -> Vec<Question>| {
        about.text(name).map(make).unwrap_or_default()
    };
    match operation {
        "TerminateInstances" | "StopInstances" | "RebootInstances" => {
            instances(&about.texts("InstanceIds"))
        }
        "ModifyInstanceAttribute" => one("InstanceId", &|id| instances(&[id])),
        "DeleteVolume" => {
            one("VolumeId", &|id| vec![copies_of_volume(id, &format!("volume {id}"), volume)])
        }
        "UpdateAutoScalingGroup" | "SetDesiredCapacity" | "DeleteAutoScalingGroup" => {
            one("AutoScalingGroupName", &|name| {
                let asked = [("AutoScalingGroupNames.member.1", name)];
                let shown = format!("group {name}");
                vec![query(
                    "autoscaling",
                    ("DescribeAutoScalingGroups", "2011-01-01"),
                    &asked,
                    (&shown, group),
                )]
            })
        }
        "UpdateService" | "DeleteService" => {
            let name = about.text("service").or_else(|| about.text("serviceName"));
            name.map(|name| of_cluster(about.text("cluster"), name)).unwrap_or_default()
        }
        "DeleteFunction" | "UpdateFunctionConfiguration" | "UpdateFunctionCode" => {
            one("FunctionName", &function)
        }
        _ => Vec::new(),
    }
}

fn instances(ids: &[&str]) -> Vec<Question> {
    if ids.is_empty() {
        return Vec::new();
    }
    let names: Vec<String> =
        (1..=ids.len().min(INSTANCES_MAX)).map(|at| format!("InstanceId.{at}")).collect();
    let parameters: Vec<(&str, &str)> =
        names.iter().map(String::as_str).zip(ids.iter().copied()).collect();
    let shown = match ids {
        [one] => format!("instance {one}"),
        all => format!("{} instances", all.len()),
    };
    let asked = query("ec2", ("DescribeInstances", EC2), &parameters, (&shown, described));
    vec![asked.knowing(ids.len().to_string())]
}

fn described(question: &Question, document: &Doc) -> Vec<Found> {
    let all = document.all("reservationSet/item/instancesSet/item");
    let mut found = Vec::new();
    for it in &all {
        let id = it.text("instanceId").unwrap_or_default();
        let kind = it.text("instanceType").unwrap_or_default();
        let is_name = |tag: &&Part<'_>| tag.text("key").as_deref() == Some("Name");
        let tags = it.all("tagSet/item");
        let name = tags.iter().find(is_name).and_then(|tag| tag.text("value"));
        let name = name.map(|name| format!(" `{}`", crate::line::one_line(&name))).unwrap_or_default();
        found.push(Found::Is(format!("{id}{name}, {kind}")));
        if let Some(state) = it.text("instanceState/name") {
            let since = it.text("launchTime").map(|at| format!(", since {at}")).unwrap_or_default();
            found.push(Found::Now(format!("{id} is {state}{since}")));
        }
    }
    let asked: usize = question.context().parse().unwrap_or(0);
    if asked > all.len() {
        found.push(Found::Unknown(format!("{} of them were not looked at", asked - all.len())));
    }
    found
}

pub(super) fn copies_of_volume(volume: &str, shown: &str, read: Read) -> Question {
    let asked = [("Filter.1.Name", "volume-id"), ("Filter.1.Value.1", volume), ("Owner.1", "self")];
    query("ec2", ("DescribeSnapshots", EC2), &asked, (shown, read))
}

fn volume(_: &Question, document: &Doc) -> Vec<Found> {
    vec![Found::Is(match document.all("snapshotSet/item").len() {
        0 => "there is no snapshot of it".to_owned(),
        1 => "there is one snapshot of it".to_owned(),
        count => format!("there are {count} snapshots of it"),
    })]
}

fn group(_: &Question, document: &Doc) -> Vec<Found> {
    let Some(it) = document.all("AutoScalingGroups/member").into_iter().next() else {
        return vec![Found::Unknown("AWS knows no such group".to_owned())];
    };
    let text = |name: &str| it.text(name).unwrap_or_else(|| "?".to_owned());
    vec![
        Found::Is(format!(
            "{} instances are wanted now, at least {} and at most {}",
            text("DesiredCapacity"),
            text("MinSize"),
            text("MaxSize")
        )),
        Found::Now(format!("{} instances are in it", it.all("Instances/member").len())),
    ]
}

fn of_cluster(cluster: Option<&str>, name: &str) -> Vec<Question> {
    let mut body = json!({ "services": [name] });
    if let (Some(cluster), Some(body)) = (cluster, body.as_object_mut()) {
        body.insert("cluster".to_owned(), json!(cluster));
    }
    let shown = format!("service {name}");
    let target = "AmazonEC2ContainerServiceV20141113.DescribeServices";
    vec![ask_json(("ecs", "1.1"), target, &body, (&shown, tasks))]
}

fn tasks(_: &Question, document: &Doc) -> Vec<Found> {
    let Some(it) = document.all("services").into_iter().next() else {
        return vec![Found::Unknown("AWS knows no such service".to_owned())];
    };
    let text = |name: &str| it.text(name).unwrap_or_else(|| "?".to_owned());
    vec![
        Found::Is(format!("{} tasks are wanted now", text("desiredCount"))),
        Found::Now(format!("{} tasks run", text("runningCount"))),
    ]
}

fn function(name: &str) -> Vec<Question> {
    let shown = format!("function {}", name.rsplit(':').next().unwrap_or(name));
    let path = ["2015-03-31", "functions", name, "configuration"];
    vec![get("lambda", &path, "", (&shown, configured))]
}

/// Names of variables only: their values are secrets more often than not.
fn configured(_: &Question, document: &Doc) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, what) in
        [("Runtime", "runs on"), ("Timeout", "seconds it may run:"), ("MemorySize", "MiB that it has:")]
    {
        found.extend(document.text(name).map(|value| Found::Is(format!("{what} {value}"))));
    }
    let Doc::Json(value) = document else { return found };
    let variables = value.pointer("/Environment/Variables").and_then(serde_json::Value::as_object);
    if let Some(variables) = variables.filter(|it| !it.is_empty()) {
        let names: Vec<&str> = variables.keys().map(String::as_str).collect();
        found.push(Found::Is(format!("it has the variables {}", names.join(", "))));
    }
    found.extend(
        document.text("LastModified").map(|at| Found::Now(format!("it was last changed at {at}"))),
    );
    found
}
