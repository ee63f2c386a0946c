//! Databases and tables: how large, how protected, and what they could be made good from.

use serde_json::json;

use super::ask::{Read, json as ask_json, query};
use super::{About, Found, Question};
use crate::aws::own::{Doc, Part};

pub(super) const RDS: &str = "2014-10-31";

pub(super) fn questions(about: &About<'_>, operation: &str) -> Vec<Question> {
    match operation {
        "DeleteDBInstance" | "ModifyDBInstance" | "StopDBInstance" => {
            about.name("DBInstanceIdentifier").map(|id| instance(&id)).unwrap_or_default()
        }
        "DeleteDBCluster" | "ModifyDBCluster" | "StopDBCluster" => {
            about.name("DBClusterIdentifier").map(|id| cluster(&id)).unwrap_or_default()
        }
        "DeleteTable" | "UpdateTable" | "UpdateContinuousBackups" => {
            about.text("TableName").map(table).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

pub(super) fn dynamodb(operation: &str, body: &serde_json::Value, asked: (&str, Read)) -> Question {
    ask_json(("dynamodb", "1.0"), &format!("DynamoDB_20120810.{operation}"), body, asked)
}

fn instance(id: &str) -> Vec<Question> {
    let shown = format!("database {id}");
    let named = [("DBInstanceIdentifier", id)];
    vec![
        query("rds", ("DescribeDBInstances", RDS), &named, (&shown, database)),
        query("rds", ("DescribeDBSnapshots", RDS), &named, (&shown, snapshots)),
    ]
}

fn cluster(id: &str) -> Vec<Question> {
    let shown = format!("database cluster {id}");
    let named = [("DBClusterIdentifier", id)];
    vec![
        query("rds", ("DescribeDBClusters", RDS), &named, (&shown, database)),
        query("rds", ("DescribeDBClusterSnapshots", RDS), &named, (&shown, snapshots)),
    ]
}

/// An instance or a cluster.
fn database(_: &Question, document: &Doc) -> Vec<Found> {
    let found =
        ["DBInstances/DBInstance", "DBClusters/DBCluster", "DBInstances/member", "DBClusters/member"];
    let Some(it) = found.iter().find_map(|path| document.all(path).into_iter().next()) else {
        return vec![Found::Unknown("AWS knows no such database".to_owned())];
    };
    let mut said = Vec::new();
    if let Some(engine) = it.text("Engine") {
        let version = it.text("EngineVersion").unwrap_or_default();
        let size = it.text("AllocatedStorage").map(|size| format!(", {size} GiB")).unwrap_or_default();
        said.push(Found::Is(format!("{engine} {version}{size}")));
    }
    let is_on = |name: &str| it.text(name).as_deref() == Some("true");
    let protected = if is_on("DeletionProtection") { "protected" } else { "not protected" };
    said.push(Found::Is(format!("it is {protected} from being deleted")));
    said.extend(it.text("BackupRetentionPeriod").map(|days| {
        Found::Is(match days.as_str() {
            "0" => "no automated backups are made".to_owned(),
            days => format!(
                "automated backups are kept for {days} days, and go with it unless they are retained"
            ),
        })
    }));
    said.extend(
        it.text("LatestRestorableTime").map(|at| Found::Now(format!("it can be restored to {at}"))),
    );
    if let Some(state) = it.text("DBInstanceStatus").or_else(|| it.text("Status")) {
        said.push(Found::Now(format!("its state is {state}")));
    }
    said
}

pub(super) fn all_snapshots(document: &Doc) -> Vec<Part<'_>> {
    let paths =
        ["DBSnapshots/DBSnapshot", "DBClusterSnapshots/DBClusterSnapshot", "DBSnapshots/member"];
    paths.iter().map(|path| document.all(path)).find(|all| !all.is_empty()).unwrap_or_default()
}

fn snapshots(question: &Question, document: &Doc) -> Vec<Found> {
    let all = all_snapshots(document);
    let is_manual = |it: &&Part<'_>| it.text("SnapshotType").as_deref() != Some("automated");
    let manual = all.iter().filter(is_manual).count();
    let newest = all.iter().filter_map(|it| it.text("SnapshotCreateTime")).max();
    let mut found = vec![Found::Is(match (all.len(), manual) {
        (0, _) => "there is no snapshot of it".to_owned(),
        (_, 0) => "every snapshot of it is automated, and may go with it".to_owned(),
        (_, 1) => "there is one snapshot of it that stays".to_owned(),
        (_, manual) => format!("there are {manual} snapshots of it that stay"),
    })];
    found.extend(newest.map(|at| Found::Now(format!("the newest snapshot is of {at}"))));
    found.extend(document.text("Marker").map(|token| question.next_page("Marker", &token)));
    found
}

fn table(name: &str) -> Vec<Question> {
    let shown = format!("table {name}");
    let body = json!({ "TableName": name });
    let ask = |operation, read| dynamodb(operation, &body, (&shown, read));
    vec![
        ask("DescribeTable", described),
        ask("DescribeContinuousBackups", continuous),
        ask("ListBackups", backups),
    ]
}

fn described(_: &Question, document: &Doc) -> Vec<Found> {
    let Some(table) = document.all("Table").into_iter().next() else {
        return vec![Found::Unknown("AWS knows no such table".to_owned())];
    };
    let mut found = Vec::new();
    if let Some(items) = table.text("ItemCount") {
        let bytes = table.text("TableSizeBytes").unwrap_or_else(|| "unknown".to_owned());
        found.push(Found::Now(format!("about {items} items in {bytes} bytes, as of hours ago")));
    }
    let is_on = table.text("DeletionProtectionEnabled").as_deref() == Some("true");
    let protected = if is_on { "protected" } else { "not protected" };
    found.push(Found::Is(format!("it is {protected} from being deleted")));
    found
}

fn continuous(_: &Question, document: &Doc) -> Vec<Found> {
    let status = document.text("PointInTimeRecoveryStatus");
    let is_on = status.as_deref() == Some("ENABLED");
    vec![Found::Is(match is_on {
        true => "point-in-time recovery is on; once it is deleted, its last backup stays for 35 days"
            .to_owned(),
        false => "point-in-time recovery is off".to_owned(),
    })]
}

fn backups(_: &Question, document: &Doc) -> Vec<Found> {
    let count =
        document.all("BackupSummaries").iter().filter(|it| it.text("BackupArn").is_some()).count();
    vec![Found::Is(match count {
        0 => "there is no backup of it".to_owned(),
        1 => "there is one backup of it".to_owned(),
        count => format!("there are {count} backups of it or more"),
    })]
}
