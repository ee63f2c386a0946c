//! What change sets do once it is known what is in them.

use tyer_core::intent::{Effect, Reversibility};

use super::super::stacked::{STACKED, Stacked};
use super::super::*;
use crate::aws::written;

fn tags() -> Vec<String> {
    ENVIRONMENT_TAGS.map(str::to_owned).to_vec()
}

fn asked(request: &str) -> Acts {
    let owner = Owner { account: "111122223333", partition: "aws" };
    let decoded = written::read(request, "eu-west-1").unwrap_or_else(|why| panic!("{request}: {why}"));
    understand(&decoded, &Terms { owner, environment_tags: &tags() })
}

fn unknown() -> Acts {
    asked("cloudformation:ExecuteChangeSet {\"StackName\": \"a\", \"ChangeSetName\": \"c\"}")
}

fn in_place(kind: &str, alters: &[&str]) -> Change {
    Change {
        action: "Modify".to_owned(),
        replacement: "False".to_owned(),
        kind: kind.to_owned(),
        logical: "It".to_owned(),
        physical: "it".to_owned(),
        alters: alters.iter().map(|it| (*it).to_owned()).collect(),
        ..Change::default()
    }
}

fn added(kind: &str) -> Change {
    Change {
        action: "Add".to_owned(),
        kind: kind.to_owned(),
        logical: "It".to_owned(),
        ..Change::default()
    }
}

#[test]
fn facts_of_a_change_set_say_what_it_would_do() {
    assert_eq!(unknown().worst(), Effect::Replace);
    let check = |action: &str, replacement: &str, policy: &str, expect: Effect| {
        let change = Change {
            action: action.to_owned(),
            replacement: replacement.to_owned(),
            policy: policy.to_owned(),
            ..in_place("AWS::RDS::DBInstance", &["AllocatedStorage"])
        };
        let known = carried_out(&unknown(), &[change], &tags());
        assert_eq!(known.worst(), expect, "{action} {replacement} {policy}");
        assert_eq!(known.iter().count(), 2);
    };
    check("Modify", "False", "", Effect::Change);
    check("Modify", "True", "", Effect::Replace);
    check("Modify", "Conditional", "", Effect::Replace);
    check("Modify", "", "", Effect::Replace);
    check("Add", "", "", Effect::Disarm);
    check("Import", "", "", Effect::Change);
    check("Remove", "", "", Effect::Destroy);
    check("Remove", "", "Delete", Effect::Destroy);
    check("Remove", "", "Retain", Effect::Change);
    check("Dynamic", "", "", Effect::Replace);
    check("SomethingNew", "", "", Effect::Replace);
    assert_eq!(carried_out(&unknown(), &[], &tags()).worst(), Effect::Change);
    let many = vec![Change { action: "Remove".to_owned(), ..Change::default() }; 80];
    assert_eq!(carried_out(&unknown(), &many, &tags()).worst(), Effect::Destroy);
    let late: Vec<Change> = (0..60)
        .map(|at| {
            in_place(
                "AWS::ECS::Service",
                &[if at == 59 { "DesiredCount" } else { "PlacementStrategies" }],
            )
        })
        .collect();
    assert_eq!(carried_out(&unknown(), &late, &tags()).worst(), Effect::Destroy);
    // What else a request does stays.
    let update = asked(
        "cloudformation:UpdateStack {\"StackName\": \"a\", \"StackPolicyDuringUpdateBody\": \"{}\"}",
    );
    assert_eq!(carried_out(&update, &[], &tags()).worst(), Effect::Disarm);
}

#[test]
fn what_is_altered_in_place_is_as_grave_as_it_is_without_a_change_set() {
    let check = |kind: &str, alters: &[&str], expect: Effect| {
        let known = carried_out(&unknown(), &[in_place(kind, alters)], &tags());
        assert_eq!(known.worst(), expect, "{kind} {alters:?}");
    };
    check("AWS::RDS::DBInstance", &["AllocatedStorage", "Iops"], Effect::Change);
    check("AWS::Lambda::Function", &["MemorySize", "Timeout", "Description"], Effect::Change);
    check("AWS::SQS::Queue", &["VisibilityTimeout", "DelaySeconds"], Effect::Change);
    check("AWS::CloudWatch::Alarm", &["Threshold", "Period"], Effect::Change);
    check("AWS::DynamoDB::Table", &["ProvisionedThroughput", "BillingMode"], Effect::Change);
    check("AWS::ECS::Service", &["DesiredCount"], Effect::Destroy);
    check("AWS::AutoScaling::AutoScalingGroup", &["MinSize"], Effect::Destroy);
    check("AWS::AutoScaling::AutoScalingGroup", &["MaxSize"], Effect::Destroy);
    check("AWS::AutoScaling::AutoScalingGroup", &["DesiredCapacity"], Effect::Destroy);
    check("AWS::Lambda::Function", &["ReservedConcurrentExecutions"], Effect::Destroy);
    check("AWS::EC2::LaunchTemplate", &["LaunchTemplateData"], Effect::Grant);
    check("AWS::EC2::Instance", &["UserData"], Effect::Execute);
    check("AWS::EC2::Instance", &["Metadata"], Effect::Execute);
    check("AWS::EC2::Instance", &["IamInstanceProfile"], Effect::Grant);
    check("AWS::EC2::Instance", &["SecurityGroupIds"], Effect::Grant);
    check("AWS::RDS::DBInstance", &["MasterUserPassword"], Effect::Grant);
    check("AWS::RDS::DBInstance", &["VPCSecurityGroups"], Effect::Grant);
    check("AWS::RDS::DBInstance", &["DeletionProtection"], Effect::Disarm);
    check("AWS::RDS::DBInstance", &["BackupRetentionPeriod"], Effect::Destroy);
    check("AWS::Lambda::Function", &["Role"], Effect::Grant);
    check("AWS::Lambda::Function", &["Layers"], Effect::Execute);
    check("AWS::Lambda::Function", &["Code"], Effect::Execute);
    check("AWS::Lambda::Function", &["Environment"], Effect::Replace);
    check("AWS::ECS::Service", &["TaskDefinition"], Effect::Execute);
    check("AWS::S3::Bucket", &["AccessControl"], Effect::Grant);
    check("AWS::S3::Bucket", &["LifecycleConfiguration"], Effect::Destroy);
    check("AWS::KMS::Key", &["Enabled"], Effect::Disarm);
    check("AWS::KMS::Key", &["KeyPolicy"], Effect::Grant);
    check("AWS::IAM::Role", &["Description"], Effect::Replace);
    check("AWS::Custom::NobodyKnows", &["Anything"], Effect::Replace);
    // One is plain for one kind alone, and beside another that is not.
    check("AWS::OpenSearchService::Domain", &["AllocatedStorage"], Effect::Replace);
    check("AWS::RDS::DBInstance", &["AllocatedStorage", "PubliclyAccessible"], Effect::Grant);
    check("AWS::RDS::DBInstance", &["AllocatedStorage", "EngineVersion"], Effect::Replace);
    check("AWS::CloudFormation::Stack", &["Description"], Effect::Replace);
}

#[test]
fn what_is_altered_is_told_by_what_makes_it_grave() {
    let change = in_place(
        "AWS::AutoScaling::AutoScalingGroup",
        &["Cooldown", "MinSize", "MaxSize", "LaunchTemplate"],
    );
    let known = carried_out(&unknown(), &[change], &tags());
    let told: Vec<(Effect, Reversibility, &str)> =
        known.iter().map(|act| (act.effect, act.reversibility, act.why.as_str())).collect();
    let of = "of It, AWS::AutoScaling::AutoScalingGroup:";
    assert_eq!(
        told,
        [
            (
                Effect::Change,
                Reversibility::Recoverable,
                "updates the stack by 1 changes that were looked at"
            ),
            (
                Effect::Destroy,
                Reversibility::Reversible,
                &*format!("alters MinSize, MaxSize {of} may scale it to nothing")
            ),
            (
                Effect::Execute,
                Reversibility::Irreversible,
                &*format!(
                    "alters LaunchTemplate {of} says which machines are started, and what they run"
                )
            ),
        ]
    );
}

#[test]
fn what_is_added_is_as_grave_as_it_is_without_a_change_set() {
    let check = |kind: &str, expect: Effect| {
        assert_eq!(carried_out(&unknown(), &[added(kind)], &tags()).worst(), expect, "{kind}");
    };
    check("AWS::SQS::Queue", Effect::Change);
    check("AWS::CloudWatch::Alarm", Effect::Change);
    check("AWS::EC2::SecurityGroupIngress", Effect::Grant);
    check("AWS::EC2::Instance", Effect::Grant);
    check("AWS::SSM::Association", Effect::Execute);
    check("AWS::Events::Rule", Effect::Execute);
    check("AWS::IAM::Role", Effect::Grant);
    check("AWS::SQS::QueuePolicy", Effect::Grant);
    check("AWS::Lambda::Permission", Effect::Grant);
    check("AWS::CloudFormation::CustomResource", Effect::Execute);
    check("AWS::CloudFormation::Stack", Effect::Replace);
    check("Custom::Thing", Effect::Replace);
    check("AWS::Nobody::Knows", Effect::Replace);
}

#[test]
fn tags_that_say_where_it_stands_are_safeguards() {
    let check = |alters: &[&str], keys: &[String], expect: Effect| {
        let known = carried_out(&unknown(), &[in_place("AWS::SQS::Queue", alters)], keys);
        assert_eq!(known.worst(), expect, "{alters:?} {keys:?}");
    };
    check(&["Tags.team"], &tags(), Effect::Change);
    check(&["Tags.env"], &tags(), Effect::Disarm);
    check(&["Tags.team", "Tags.acme:Stage"], &tags(), Effect::Disarm);
    check(&["Tags"], &tags(), Effect::Disarm);
    check(&["Tags"], &[], Effect::Change);
    check(&["Tags.tier"], &["tier".to_owned()], Effect::Disarm);
    check(&["TagsOfOthers"], &[], Effect::Replace);
}

/// Parts of names of properties of which none is plain: what runs, who reaches it, what is kept, how many there are.
const NEVER_PLAIN: [&str; 31] = [
    "Policy",
    "Policies",
    "Role",
    "Profile",
    "SecurityGroup",
    "Subnet",
    "Vpc",
    "VPC",
    "Public",
    "Password",
    "Secret",
    "Token",
    "Kms",
    "KMS",
    "Encrypt",
    "UserData",
    "Environment",
    "Code",
    "Image",
    "Layer",
    "Template",
    "Definition",
    "Retention",
    "Protection",
    "Termination",
    "Backup",
    "Lifecycle",
    "Versioning",
    "Logging",
    "Desired",
    "Min",
];

#[test]
fn every_rule_of_changes_is_read_has_a_reason_and_is_plain_only_for_one_kind() {
    assert_eq!(STACKED.broken, [""; 0], "lines that say nothing, or something twice");
    let (mut plain, mut grave) = (0, 0);
    for (kind, property, said) in STACKED.all_alters() {
        assert!(said.words.len() >= 5 && !property.contains([' ', '.']), "{kind} {property} {said:?}");
        match said.effect {
            Effect::Change => {
                plain += 1;
                assert!(
                    kind.starts_with("AWS::") && !kind.starts_with("AWS::IAM::"),
                    "{kind} {property}"
                );
                let why = NEVER_PLAIN.iter().find(|part| property.contains(**part));
                assert_eq!(why, None, "{kind} {property} is plain");
                let is_size = ["Size", "Count", "Capacity"].iter().any(|end| property.ends_with(end));
                let is_kind = |own: &str, name: &str| kind == own && property == name;
                let is_never_nothing = is_kind("AWS::Lambda::Function", "MemorySize")
                    || is_kind("AWS::Lambda::EventSourceMapping", "BatchSize")
                    || is_kind("AWS::SQS::Queue", "MaximumMessageSize")
                    || is_kind("AWS::EC2::Volume", "Size")
                    || is_kind("AWS::Kinesis::Stream", "ShardCount");
                assert!(
                    !is_size || is_never_nothing || property.ends_with("ThresholdCount"),
                    "{kind} {property}"
                );
            }
            effect => {
                grave += 1;
                assert!(effect > Effect::Change, "{kind} {property} {said:?}");
            }
        }
    }
    assert!(plain > 60 && grave > 100, "{plain} {grave}");
    let mut creates = 0;
    for (kind, said) in STACKED.all_adds() {
        assert!(said.words.len() >= 5 && kind.contains("::") && !kind.contains('*'), "{kind} {said:?}");
        assert!(said.effect == Effect::Create || said.effect > Effect::Change, "{kind} {said:?}");
        let is_permission = ["::IAM::", "Policy", "Permission", "Instance", "SecurityGroup"];
        let is_permission = is_permission.iter().any(|part| kind.contains(part));
        assert!(said.effect != Effect::Create || !is_permission, "{kind} {said:?}");
        creates += usize::from(said.effect == Effect::Create);
    }
    assert!(creates > 20, "{creates}");
    let broken = |line: &'static str| Stacked::read(line).broken.len();
    assert_eq!(broken("alters\tAWS::A::B\tC,D\tchange\tbecause"), 0);
    assert_eq!(broken("alters\tAWS::A::B\tC,D\tchange\t"), 1);
    assert_eq!(broken("alters\tAWS::A::B\tC,C\tchange\tbecause"), 1, "twice");
    assert_eq!(broken("adds\tAWS::A::B\tmake\tbecause"), 1);
    assert_eq!(broken("adds\tAWS::A::B\tcreate"), 1);
}
