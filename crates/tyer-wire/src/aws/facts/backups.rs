//! What a backup that a request removes is of, and how many more of the same there are.
//!
//! INVARIANT: a backup counts as the last of what it is of unless AWS says that others are left, and as one of whatever it
//! may be of unless AWS says of what.

use serde_json::{Value, json};

use super::ask::{Read, get, query};
use super::databases::{RDS, dynamodb};
use super::machines::{EC2, copies_of_volume};
use super::{About, Found, Question};
use crate::aws::decode::{Call, Decoded};
use crate::aws::own::{Doc, Part};
use crate::aws::resources::Owner;

/// What each operation removes backups of: where several stand, any of them.
pub(super) const REMOVES: &[(&str, &str, &[&str])] = &[
    ("backup", "DeleteRecoveryPoint", &["*:*"]),
    ("docdb", "DeleteDBClusterSnapshot", &["rds:cluster:*"]),
    ("docdb-elastic", "DeleteClusterSnapshot", &["docdb-elastic:cluster/*"]),
    ("ds", "DeleteSnapshot", &["ds:directory/*"]),
    ("dynamodb", "DeleteBackup", &["dynamodb:table/*"]),
    ("ec2", "DeleteSnapshot", &["ec2:volume/*"]),
    ("ec2", "DeregisterImage", &["ec2:volume/*"]),
    ("elasticache", "DeleteServerlessCacheSnapshot", &["elasticache:serverlesscache:*"]),
    ("elasticache", "DeleteSnapshot", &["elasticache:cluster:*", "elasticache:replicationgroup:*"]),
    ("fsx", "DeleteBackup", &["fsx:file-system/*", "fsx:volume/*"]),
    ("fsx", "DeleteSnapshot", &["fsx:volume/*"]),
    ("lightsail", "DeleteDiskSnapshot", &["lightsail:Disk/*"]),
    ("lightsail", "DeleteInstanceSnapshot", &["lightsail:Instance/*"]),
    ("lightsail", "DeleteRelationalDatabaseSnapshot", &["lightsail:RelationalDatabase/*"]),
    ("memorydb", "DeleteSnapshot", &["memorydb:cluster/*"]),
    ("neptune", "DeleteDBClusterSnapshot", &["rds:cluster:*"]),
    ("neptune-graph", "DeleteGraphSnapshot", &["neptune-graph:graph/*"]),
    ("rds", "DeleteDBClusterAutomatedBackup", &["rds:cluster:*"]),
    ("rds", "DeleteDBClusterSnapshot", &["rds:cluster:*"]),
    ("rds", "DeleteDBInstanceAutomatedBackup", &["rds:db:*"]),
    ("rds", "DeleteDBSnapshot", &["rds:db:*"]),
    ("redshift", "BatchDeleteClusterSnapshots", &["redshift:cluster:*"]),
    ("redshift", "DeleteClusterSnapshot", &["redshift:cluster:*"]),
    ("redshift-serverless", "DeleteSnapshot", &["redshift-serverless:namespace/*"]),
];

/// What the backups that a request removes may be of, by the types of ARNs; nothing if it removes none.
pub(super) fn removes(decoded: &Decoded) -> &'static [&'static str] {
    let Call::Known(operation) = &decoded.call else { return &[] };
    let asked = (operation.api().folder(), operation.name());
    let is_on = |name: &str| decoded.parameters.get(name) == Some(&Value::Bool(true));
    // The snapshots of an image stay unless they are asked for too.
    if asked == ("ec2", "DeregisterImage") && !is_on("DeleteAssociatedSnapshots") {
        return &[];
    }
    let found = REMOVES.iter().find(|(folder, name, _)| (*folder, *name) == asked);
    found.map_or(&[], |(_, _, of)| of)
}

/// The same by their ARNs, with `*` for what the request does not say.
pub(super) fn removed_of(decoded: &Decoded, owner: Owner<'_>) -> Vec<String> {
    let backup = decoded.parameters.get("BackupArn").and_then(Value::as_str);
    let table = backup.and_then(|arn| arn.split_once("/backup/"));
    let (region, Owner { account, partition }) = (&decoded.region, owner);
    let arn = |what: &&str| {
        let (service, name) = what.split_once(':').unwrap_or((what, "*"));
        match table {
            // The name of a backup begins with that of its table.
            Some((table, _)) if service == "dynamodb" => table.to_owned(),
            _ => format!("arn:{partition}:{service}:{region}:{account}:{name}"),
        }
    };
    removes(decoded).iter().map(arn).collect()
}

/// What to ask about a backup that goes.
pub(super) fn questions(about: &About<'_>, (folder, operation): (&str, &str)) -> Vec<Question> {
    let one = |question: Option<Question>| question.into_iter().collect();
    match (folder, operation) {
        ("ec2", "DeleteSnapshot") => one(about.text("SnapshotId").map(|id| of_volume(about, id))),
        ("dynamodb", "DeleteBackup") => one(about.text("BackupArn").map(of_table)),
        ("backup", "DeleteRecoveryPoint") => {
            let named = about.text("BackupVaultName").zip(about.text("RecoveryPointArn"));
            one(named.map(|(vault, point)| of_anything(vault, point)))
        }
        ("rds", "DeleteDBInstanceAutomatedBackup") => {
            let names = ["DbiResourceId", "DBInstanceAutomatedBackupsArn"];
            let named = names.iter().find_map(|name| Some((*name, about.text(name)?)));
            one(named.map(|named| automated(about, named)))
        }
        _ => {
            let kind = KINDS.iter().find(|kind| kind.is_removed_by(folder, operation));
            one(kind.and_then(|kind| Some(kind.question(about, &about.name(kind.named)?))))
        }
    }
}

/// How one kind of snapshots is asked for.
struct Snapshots {
    /// The folders of the APIs that remove them, and how.
    removed: (&'static [&'static str], &'static str),
    /// What they are signed for, and the version of its API.
    service: (&'static str, &'static str),
    /// The operation that tells of them.
    told: &'static str,
    /// What names one.
    named: &'static str,
    /// What names the thing that one is of, and the beginning of that one's name in its ARN.
    of: &'static [(&'static str, &'static str)],
    status: &'static str,
}

const KINDS: [Snapshots; 4] = [
    Snapshots {
        removed: (&["rds"], "DeleteDBSnapshot"),
        service: ("rds", RDS),
        told: "DescribeDBSnapshots",
        named: "DBSnapshotIdentifier",
        of: &[("DBInstanceIdentifier", "db")],
        status: "Status",
    },
    Snapshots {
        removed: (&["rds", "docdb", "neptune"], "DeleteDBClusterSnapshot"),
        service: ("rds", RDS),
        told: "DescribeDBClusterSnapshots",
        named: "DBClusterSnapshotIdentifier",
        of: &[("DBClusterIdentifier", "cluster")],
        status: "Status",
    },
    Snapshots {
        removed: (&["redshift"], "DeleteClusterSnapshot"),
        service: ("redshift", "2012-12-01"),
        told: "DescribeClusterSnapshots",
        named: "SnapshotIdentifier",
        of: &[("ClusterIdentifier", "cluster")],
        status: "Status",
    },
    Snapshots {
        removed: (&["elasticache"], "DeleteSnapshot"),
        service: ("elasticache", "2015-02-02"),
        told: "DescribeSnapshots",
        named: "SnapshotName",
        of: &[("ReplicationGroupId", "replicationgroup"), ("CacheClusterId", "cluster")],
        status: "SnapshotStatus",
    },
];

impl Snapshots {
    fn is_removed_by(&self, folder: &str, operation: &str) -> bool {
        self.removed.0.contains(&folder) && self.removed.1 == operation
    }

    fn ask(&self, named: (&str, &str), asked: (&str, Read)) -> Question {
        let (service, version) = self.service;
        query(service, (self.told, version), &[named], asked)
    }

    fn question(&self, about: &About<'_>, id: &str) -> Question {
        let (owner, region) = (about.owner, &about.decoded.region);
        let start = format!("arn:{}:{}:{region}:{}", owner.partition, self.service.0, owner.account);
        let asked = self.ask((self.named, id), (&format!("snapshot {id}"), copy_of));
        asked.knowing([self.told, start.as_str()].join("\n"))
    }
}

fn kind_of(context: &str) -> Option<(&'static Snapshots, Vec<&str>)> {
    let mut lines = context.lines();
    let told = lines.next()?;
    Some((KINDS.iter().find(|kind| kind.told == told)?, lines.collect()))
}

/// Snapshots of databases, warehouses and caches.
fn all_snapshots(document: &Doc) -> Vec<Part<'_>> {
    const PATHS: [&str; 5] = [
        "DBSnapshots/DBSnapshot",
        "DBClusterSnapshots/DBClusterSnapshot",
        "DBSnapshots/member",
        "Snapshots/Snapshot",
        "Snapshots/member",
    ];
    PATHS.iter().map(|path| document.all(path)).find(|all| !all.is_empty()).unwrap_or_default()
}

/// Of what a snapshot is; then how many more there are.
fn copy_of(question: &Question, document: &Doc) -> Vec<Found> {
    let found = || {
        let (kind, rest) = kind_of(question.context())?;
        let [start] = rest.as_slice() else { return None };
        let all = all_snapshots(document);
        let [one] = all.as_slice() else { return None };
        let (member, type_name, of) =
            kind.of.iter().find_map(|(member, name)| Some((*member, *name, one.text(member)?)))?;
        // It is told from the others by what AWS calls it; requests may write that otherwise.
        let id = one.text(kind.named)?;
        let arn = format!("{start}:{type_name}:{of}");
        let next = kind.ask((member, &of), (question.about(), left));
        let next = next.knowing([kind.told, arn.as_str(), id.as_str()].join("\n"));
        Some(vec![Found::CopyOf(arn), Found::More(Box::new(next))])
    };
    found().unwrap_or_else(|| unknown("snapshot"))
}

fn left(question: &Question, document: &Doc) -> Vec<Found> {
    let Some((kind, rest)) = kind_of(question.context()) else { return unknown("snapshot") };
    let [of, id] = rest.as_slice() else { return unknown("snapshot") };
    let is_other = |it: &&Part<'_>| it.text(kind.named).is_some_and(|other| other != *id);
    let is_ready = |it: &&Part<'_>| it.text(kind.status).as_deref() == Some("available");
    let left = all_snapshots(document).iter().filter(is_other).filter(is_ready).count();
    vec![Found::Copy { of: (*of).to_owned(), left }]
}

/// The automated backups of one database, which go all together.
fn automated(about: &About<'_>, named: (&str, &str)) -> Question {
    let shown = format!("automated backups {}", named.1);
    let told = ("DescribeDBInstanceAutomatedBackups", RDS);
    let (owner, region) = (about.owner, &about.decoded.region);
    let start = format!("arn:{}:rds:{region}:{}:db:", owner.partition, owner.account);
    query("rds", told, &[named], (&shown, automated_of)).knowing(start)
}

fn automated_of(question: &Question, document: &Doc) -> Vec<Found> {
    let all = document.all("DBInstanceAutomatedBackups/DBInstanceAutomatedBackup");
    let one = match all.as_slice() {
        [one] => one.text("DBInstanceIdentifier"),
        _ => None,
    };
    let Some(of) = one else { return unknown("backup") };
    let arn = format!("{}{of}", question.context());
    let told = ("DescribeDBSnapshots", RDS);
    let named = [("DBInstanceIdentifier", of.as_str())];
    let next = query("rds", told, &named, (question.about(), manual_left));
    vec![Found::CopyOf(arn.clone()), Found::More(Box::new(next.knowing(arn)))]
}

fn manual_left(question: &Question, document: &Doc) -> Vec<Found> {
    let is_manual = |it: &&Part<'_>| it.text("SnapshotType").as_deref() == Some("manual");
    let is_ready = |it: &&Part<'_>| it.text("Status").as_deref() == Some("available");
    let left = all_snapshots(document).iter().filter(is_manual).filter(is_ready).count();
    vec![Found::Copy { of: question.context().to_owned(), left }]
}

fn of_volume(about: &About<'_>, id: &str) -> Question {
    let (owner, region) = (about.owner, &about.decoded.region);
    let asked = [("SnapshotId.1", id)];
    let shown = format!("snapshot {id}");
    let asked = query("ec2", ("DescribeSnapshots", EC2), &asked, (&shown, copy_of_volume));
    asked.knowing(format!("arn:{}:ec2:{region}:{}:volume/", owner.partition, owner.account))
}

fn copy_of_volume(question: &Question, document: &Doc) -> Vec<Found> {
    let all = document.all("snapshotSet/item");
    let one = match all.as_slice() {
        [one] => one.text("volumeId").zip(one.text("snapshotId")),
        _ => None,
    };
    let Some((of, id)) = one else { return unknown("snapshot") };
    let arn = format!("{}{of}", question.context());
    let next = copies_of_volume(&of, question.about(), volumes_left).knowing(format!("{arn}\n{id}"));
    vec![Found::CopyOf(arn), Found::More(Box::new(next))]
}

fn volumes_left(question: &Question, document: &Doc) -> Vec<Found> {
    others(question, document, "snapshotSet/item", ("snapshotId", "status", "completed"))
}

fn of_table(arn: &str) -> Question {
    let shown = format!("backup {arn}");
    dynamodb("DescribeBackup", &json!({ "BackupArn": arn }), (&shown, backup_of))
}

fn backup_of(question: &Question, document: &Doc) -> Vec<Found> {
    let first = |path: &str| document.all(path).into_iter().next();
    let of = first("SourceTableDetails").and_then(|it| it.text("TableArn").zip(it.text("TableName")));
    let own = first("BackupDetails").and_then(|it| it.text("BackupArn"));
    let (Some((arn, name)), Some(own)) = (of, own) else { return unknown("backup") };
    let body = json!({ "TableName": name });
    let next = dynamodb("ListBackups", &body, (question.about(), backups_left));
    let next = next.knowing(format!("{arn}\n{own}"));
    vec![Found::CopyOf(arn), Found::More(Box::new(next))]
}

fn backups_left(question: &Question, document: &Doc) -> Vec<Found> {
    others(question, document, "BackupSummaries", ("BackupArn", "BackupStatus", "AVAILABLE"))
}

/// A recovery point may be of anything.
fn of_anything(vault: &str, point: &str) -> Question {
    let path = ["backup-vaults", vault, "recovery-points", point];
    get("backup", &path, "", (&format!("recovery point {point}"), point_of))
}

fn point_of(question: &Question, document: &Doc) -> Vec<Found> {
    let found = document.text("ResourceArn").zip(document.text("RecoveryPointArn"));
    let Some((of, own)) = found else { return unknown("recovery point") };
    let path = ["resources", &of, "recovery-points"];
    let next = get("backup", &path, "", (question.about(), points_left));
    let next = next.knowing(format!("{of}\n{own}"));
    vec![Found::CopyOf(of), Found::More(Box::new(next))]
}

fn points_left(question: &Question, document: &Doc) -> Vec<Found> {
    others(question, document, "RecoveryPoints", ("RecoveryPointArn", "Status", "COMPLETED"))
}

/// How many there are at a path that are ready and are not the one that goes.
fn others(
    question: &Question,
    document: &Doc,
    path: &str,
    (named, status, ready): (&str, &str, &str),
) -> Vec<Found> {
    let (of, id) = question.context().split_once('\n').unwrap_or_default();
    let is_other = |it: &&Part<'_>| it.text(named).is_some_and(|other| other != id);
    let is_ready = |it: &&Part<'_>| it.text(status).as_deref() == Some(ready);
    let left = document.all(path).iter().filter(is_other).filter(is_ready).count();
    vec![Found::Copy { of: of.to_owned(), left }]
}

fn unknown(what: &str) -> Vec<Found> {
    vec![Found::Unknown(format!("of what it is a {what} is not known"))]
}
