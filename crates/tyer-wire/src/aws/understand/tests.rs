//! What requests are understood to do, and what holds for every operation of the table.

mod changes;
mod grave;

use std::collections::BTreeMap;

use expect_test::{expect, expect_file};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value};
use tyer_core::intent::{
    Effect, Environment, Intent, PersonId, Principal, SessionId, Tie, Timestamp, Upstream,
};
use tyer_core::sequence::History;
use tyer_core::verdict::LeafIndex;

use super::class::hands_out;
use super::rules::{RULES, Rules};
use super::*;
use crate::aws::decode::Whither;
use crate::aws::table::{self, Api, Level, Operation};
use crate::aws::written;

const DOCUMENTED: &str = include_str!("../../../../../docs/aws-effects.md");
const CASES: &str = include_str!("../../../testdata/aws/understand.txt");

fn tags() -> Vec<String> {
    ENVIRONMENT_TAGS.map(str::to_owned).to_vec()
}

fn acts(decoded: &Decoded) -> Acts {
    let owner = Owner { account: "111122223333", partition: "aws" };
    understand(decoded, &Terms { owner, environment_tags: &tags() })
}

/// An act on a line.
fn line(act: &Act) -> String {
    let tie = match &act.tie {
        None => String::new(),
        Some(Tie::CopyOf(of)) => format!(" [copy of {}]", of.name),
        Some(Tie::Becomes(name)) => format!(" [becomes {}]", name.name),
        Some(Tie::Part) => " [part]".to_owned(),
        Some(Tie::Unnamed) => " [unnamed]".to_owned(),
        Some(Tie::CopiesOf(of)) => format!(" [copies of {}]", of.name),
    };
    let local = if act.local { " local" } else { "" };
    let (effect, reversibility) = (act.effect, act.reversibility.as_str());
    format!("    {effect}, {reversibility}{local}: {}{tie} | {}\n", act.resource.name, act.why)
}

#[test]
fn what_requests_do() {
    let mut told = String::new();
    for request in CASES.lines().filter(|line| !line.starts_with("    ")) {
        told.push_str(request);
        told.push('\n');
        if request.is_empty() || request.starts_with('#') {
            continue;
        }
        let decoded =
            written::read(request, "eu-west-1").unwrap_or_else(|why| panic!("{request}: {why}"));
        told.extend(acts(&decoded).iter().map(line));
    }
    expect_file!["../../../testdata/aws/understand.txt"].assert_eq(&told);
}

/// Every operation of the table.
fn operations() -> impl Iterator<Item = Operation> {
    table::apis().flat_map(Api::operations)
}

#[test]
fn every_rule_is_read_is_of_an_operation_that_exists_and_has_a_reason() {
    assert_eq!(RULES.broken, [""; 0], "lines that say nothing, or something twice");
    let exists = |(folder, name): (&str, &str)| {
        let mut apis = table::apis().filter(|api| api.folder() == folder);
        apis.any(|api| name == "*" || api.operation(name).is_some())
    };
    let missing: Vec<_> = RULES.named().filter(|key| !exists(*key)).collect();
    assert_eq!(missing, [("", ""); 0]);
    let broken = |line: &'static str| Rules::read(line).broken.len();
    assert_eq!(broken("is\tec2:RunInstances\t\tcreate\tmakes machines"), 0);
    assert_eq!(broken("is\tec2:RunInstances\t\tcreate\t"), 1);
    assert_eq!(broken("is\tec2:RunInstances\t\tcreate"), 1);
    assert_eq!(broken("is\tec2:RunInstances\t\tmake\tmakes machines"), 1);
    assert_eq!(broken("is\tec2:RunInstances\tA=1\tcreate\tmakes machines"), 1);
    assert_eq!(broken("when\tec2:RunInstances\t\tcreate\tmakes machines"), 1);
    assert_eq!(broken("is\ta:B\t\tcreate\tone\nis\ta:B\t\tread\tother"), 1, "twice");
    assert_eq!(broken("kept\ta:B\t\tdb\tgoes"), 1);
}

#[test]
fn nothing_that_is_published_as_reading_is_dangerous_without_a_written_reason() {
    let reads = operations().filter(|it| matches!(it.level(), Some(Level::List | Level::Read)));
    let (mut seen, mut written) = (0, 0);
    for operation in reads {
        let class = class(operation);
        seen += 1;
        written += usize::from(class.evidence == Evidence::Written);
        let is_fine = class.effect == Effect::Read || class.evidence == Evidence::Written;
        assert!(is_fine, "{operation:?} {class:?}");
    }
    assert!(seen > 7_000 && written > 40, "{seen} {written}");
}

#[test]
fn nothing_that_is_published_as_writing_is_a_read() {
    let writes =
        operations().filter(|it| matches!(it.level(), Some(Level::Write | Level::Permissions)));
    let reads: Vec<String> =
        writes.filter(|it| class(*it).effect == Effect::Read).map(|it| format!("{it:?}")).collect();
    assert_eq!(reads, [""; 0]);
    // Nor is what the parameters decide, but for a request that only tries.
    let only: Vec<_> = RULES.named().filter(|(_, name)| *name == "*").collect();
    assert_eq!(only, [("ec2", "*")]);
}

/// What hands out a secret by its name, and is a read all the same, is looked at one by one.
#[test]
fn what_seems_to_hand_out_a_secret_is_not_a_read() {
    let found: Vec<String> = operations()
        .filter(|it| hands_out(it.name()) && class(*it).effect <= Effect::Change)
        .map(|it| format!("{it:?} {}", class(it).effect))
        .collect();
    expect![[r#"
        ec2:CreateIpamExternalResourceVerificationToken create
        secretsmanager:CreateSecret create
        secretsmanager:GetRandomPassword read
        waf:GetChangeToken read
        waf-regional:GetChangeToken read"#]]
    .assert_eq(&found.join("\n"));
}

#[test]
fn no_operation_does_what_nothing_tells() {
    let opaque: Vec<String> = operations()
        .filter(|it| class(*it).evidence == Evidence::Nothing)
        .map(|it| format!("{it:?}"))
        .collect();
    assert_eq!(opaque, [""; 0]);
}

/// What the last of these requests completes with those before it, all of one session.
fn sequence(requests: &[&str], expect: &str) {
    let mut history = History::default();
    let mut told = String::new();
    for (leaf, request) in (0..).zip(requests) {
        let decoded =
            written::read(request, "eu-west-1").unwrap_or_else(|why| panic!("{request}: {why}"));
        let principal = Principal {
            session: SessionId::new("s"),
            agent: "kiro".to_owned(),
            human: false,
            controller: PersonId::new("carol"),
            also: Vec::new(),
        };
        let acts = acts(&decoded);
        let to = Whither { account: "main", environment: "production" };
        let intent = Intent {
            principal,
            upstream: Upstream::new("aws"),
            environment: Environment::production(),
            digest: decoded.identity(),
            shape: decoded.shape(&acts, &[], to),
            acts,
            text: decoded.text(),
            redacted: decoded.redacted(),
        };
        let found = history.look(&intent, Timestamp(0));
        let words = found.sequences.iter().map(|it| it.pattern.as_str());
        told = words.chain(found.refused.is_some().then_some("refused")).collect::<Vec<_>>().join(" ");
        if let Some((mark, _)) = history.note(&intent, true, Timestamp(0)) {
            history.recorded(mark, LeafIndex(leaf));
            history.done(LeafIndex(leaf));
        }
    }
    assert_eq!(told, expect, "{requests:?}");
}

#[test]
fn what_requests_come_to_together() {
    let delete = r#"rds:DeleteDBInstance {"DBInstanceIdentifier": "a", "SkipFinalSnapshot": true}"#;
    let refused = "disarm_then_destroy backup_then_destroy refused";
    sequence(&[delete], refused);
    let explicit = r#"rds:DeleteDBInstance {"DBInstanceIdentifier": "a", "SkipFinalSnapshot": true, "DeleteAutomatedBackups": true}"#;
    sequence(&[explicit], refused);
    let kept = r#"rds:DeleteDBInstance {"DBInstanceIdentifier": "a", "SkipFinalSnapshot": true, "DeleteAutomatedBackups": false}"#;
    sequence(&[kept], "disarm_then_destroy");
    let last =
        r#"rds:DeleteDBInstance {"DBInstanceIdentifier": "a", "FinalDBSnapshotIdentifier": "f"}"#;
    sequence(&[last], "");
    let snapshot = r#"rds:CreateDBSnapshot {"DBInstanceIdentifier": "A", "DBSnapshotIdentifier": "s"}"#;
    sequence(&[snapshot, delete], "disarm_then_destroy");
    let no_backups =
        r#"rds:ModifyDBInstance {"DBInstanceIdentifier": "a", "BackupRetentionPeriod": 0}"#;
    sequence(&[no_backups, kept], refused);
    let removed = r#"rds:DeleteDBSnapshot {"DBSnapshotIdentifier": "s"}"#;
    sequence(&[snapshot, removed, kept], refused);
    let create = r#"rds:CreateDBInstance {"DBInstanceIdentifier": "a"}"#;
    sequence(&[last, create], "recreate");
    let rename =
        r#"rds:ModifyDBInstance {"DBInstanceIdentifier": "a", "NewDBInstanceIdentifier": "old"}"#;
    let old =
        r#"rds:DeleteDBInstance {"DBInstanceIdentifier": "old", "FinalDBSnapshotIdentifier": "f"}"#;
    sequence(&[rename, create, old], "recreate");
    let protection =
        r#"rds:ModifyDBInstance {"DBInstanceIdentifier": "a", "DeletionProtection": false}"#;
    sequence(&[protection, last], "disarm_then_destroy");
    sequence(&[protection, old], "");
}

/// What removes something, and what makes it.
const PAIRS: [(&str, &str); 17] = [
    (
        "cloudformation:DeleteStack {\"StackName\": \"a\"}",
        "cloudformation:CreateStack {\"StackName\": \"a\"}",
    ),
    (
        "cloudformation:DeleteStack {\"StackName\": \"arn:aws:cloudformation:eu-west-1:111122223333:stack/a/51af\"}",
        "cloudformation:CreateStack {\"StackName\": \"a\"}",
    ),
    ("dynamodb:DeleteTable {\"TableName\": \"a\"}", "dynamodb:CreateTable {\"TableName\": \"a\"}"),
    ("s3:DeleteBucket {\"Bucket\": \"a\"}", "s3:CreateBucket {\"Bucket\": \"a\"}"),
    (
        "lambda:DeleteFunction {\"FunctionName\": \"arn:aws:lambda:eu-west-1:111122223333:function:a\"}",
        "lambda:CreateFunction {\"FunctionName\": \"a\"}",
    ),
    (
        "sqs:DeleteQueue {\"QueueUrl\": \"https://sqs.eu-west-1.amazonaws.com/111122223333/a\"}",
        "sqs:CreateQueue {\"QueueName\": \"a\"}",
    ),
    (
        "sns:DeleteTopic {\"TopicArn\": \"arn:aws:sns:eu-west-1:111122223333:a\"}",
        "sns:CreateTopic {\"Name\": \"a\"}",
    ),
    (
        "logs:DeleteLogGroup {\"logGroupName\": \"/a\"}",
        "logs:CreateLogGroup {\"logGroupName\": \"/a\"}",
    ),
    (
        "ecs:DeleteService {\"cluster\": \"c\", \"service\": \"a\"}",
        "ecs:CreateService {\"cluster\": \"c\", \"serviceName\": \"a\"}",
    ),
    ("eks:DeleteCluster {\"name\": \"a\"}", "eks:CreateCluster {\"name\": \"a\"}"),
    (
        "secretsmanager:DeleteSecret {\"SecretId\": \"arn:aws:secretsmanager:eu-west-1:111122223333:secret:a-AbCdEf\"}",
        "secretsmanager:CreateSecret {\"Name\": \"a\"}",
    ),
    (
        "elbv2:DeleteLoadBalancer {\"LoadBalancerArn\": \"arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/a/50dc\"}",
        "elbv2:CreateLoadBalancer {\"Name\": \"a\"}",
    ),
    (
        "autoscaling:DeleteAutoScalingGroup {\"AutoScalingGroupName\": \"a\"}",
        "autoscaling:CreateAutoScalingGroup {\"AutoScalingGroupName\": \"a\"}",
    ),
    ("iam:DeleteRole {\"RoleName\": \"a\"}", "iam:CreateRole {\"RoleName\": \"a\"}"),
    (
        "rds:DeleteDBCluster {\"DBClusterIdentifier\": \"a\", \"FinalDBSnapshotIdentifier\": \"f\"}",
        "rds:CreateDBCluster {\"DBClusterIdentifier\": \"A\"}",
    ),
    ("kinesis:DeleteStream {\"StreamName\": \"a\"}", "kinesis:CreateStream {\"StreamName\": \"a\"}"),
    (
        "ecr:DeleteRepository {\"repositoryName\": \"a\"}",
        "ecr:CreateRepository {\"repositoryName\": \"a\"}",
    ),
];

#[test]
fn what_is_deleted_and_made_anew_is_the_same_whatever_names_it() {
    let check = |first: &str, second: &str, expect: &str| {
        sequence(&[first, second], expect);
        sequence(&[second, first], expect);
    };
    for (delete, create) in PAIRS {
        check(delete, create, "recreate");
        sequence(
            &[
                delete,
                &create
                    .replace("\"a\"", "\"other\"")
                    .replace("\"/a\"", "\"/other\"")
                    .replace("\"A\"", "\"other\""),
            ],
            "",
        );
    }
    let terminate = "ec2:TerminateInstances {\"InstanceIds\": [\"i-0a\"]}";
    check(terminate, "ec2:RunInstances {\"ImageId\": \"ami-1\"}", "exchange");
    sequence(&[terminate, "ec2:CreateVolume {}"], "");
    check(
        "route53:DeleteHostedZone {\"Id\": \"Z1\"}",
        "route53:CreateHostedZone {\"Name\": \"a\"}",
        "exchange",
    );
}

#[test]
fn more_than_can_be_listed_are_counted() {
    let ids: Vec<String> = (0..120).map(|id| format!("i-{id}")).collect();
    let request = format!("ec2:TerminateInstances {}", serde_json::json!({"InstanceIds": ids}));
    let acts = acts(&written::read(&request, "eu-west-1").unwrap());
    assert_eq!(acts.iter().count(), 51);
    let last = acts.iter().last().unwrap();
    assert_eq!(last.resource.name, "arn:aws:ec2:eu-west-1:111122223333:instance/*");
    assert_eq!(last.why, "and 70 more like these, 120 in all (ec2:TerminateInstances)");
}

#[test]
fn what_no_model_knows_makes_a_write_opaque_and_a_try_earnest() {
    let check = |request: &str, expect: Effect| {
        let decoded = written::read(request, "eu-west-1").unwrap();
        assert!(!decoded.extra.is_empty(), "{request}");
        let acts = acts(&decoded);
        assert_eq!(acts.worst(), expect, "{request}");
        acts.iter().any(|act| act.effect == Effect::Opaque)
    };
    let form =
        |rest: &str| format!("POST https://ec2.eu-west-1.amazonaws.com/ | Version=2016-11-15&{rest}");
    assert!(check(&form("Action=CreateVpc&CidrBlock=10.0.0.0%2F16&Wish=1"), Effect::Opaque));
    assert!(check(
        &form("Action=TerminateInstances&InstanceId.1=i-0&DryRun=true&Wish=1"),
        Effect::Destroy
    ));
    assert!(!check(&form("Action=DescribeVpcs&Wish=1"), Effect::Read));
}

#[test]
fn what_is_not_decoded_is_opaque_for_the_reason_it_has() {
    let check = |request: &str, expect: &str| {
        let acts = acts(&written::read(request, "eu-west-1").unwrap());
        let told: Vec<_> =
            acts.iter().map(|act| (act.effect, act.resource.to_string(), act.why.clone())).collect();
        assert_eq!(
            told,
            [(Effect::Opaque, "upstream".to_owned(), format!("is not understood: {expect}"))]
        );
    };
    check(
        "POST https://ec2.eu-west-1.amazonaws.com/ | Action=EatInstances&Version=2016-11-15",
        "the service has no such operation",
    );
    check(
        "POST https://rds.eu-west-1.amazonaws.com/ | Action=DeleteDBInstance&Action=DescribeDBInstances&Version=2014-10-31",
        "a name stands in it twice",
    );
}

#[test]
fn texts_that_are_no_requests() {
    let check = |text: &str, expect: written::NoRequest| {
        assert_eq!(written::read(text, "eu-west-1").unwrap_err(), expect, "{text}")
    };
    check("", written::NoRequest::Form);
    check("delete everything", written::NoRequest::Form);
    check("ec2:EatInstances {}", written::NoRequest::Operation);
    check("ec2:RunInstances [1]", written::NoRequest::Parameters);
    check("ec2:RunInstances {\"a\": 1, \"a\": 2}", written::NoRequest::Parameters);
    check("GET https://example.org/", written::NoRequest::Host);
    check("GET / HTTP/1.1\nHost: example.org", written::NoRequest::Host);
}

#[test]
fn a_whole_http_request_is_read_as_its_one_line_is() {
    let body = "Action=DeleteStack&Version=2010-05-15&StackName=a";
    let line = format!("POST https://cloudformation.eu-west-1.amazonaws.com/ | {body}");
    let whole = format!(
        "POST / HTTP/1.1\r\nHost: cloudformation.eu-west-1.amazonaws.com\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{body}"
    );
    let signed = format!(
        "POST / HTTP/1.1\nHost: localhost:5000\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/cloudformation/aws4_request, SignedHeaders=host, Signature=00\n\n{body}"
    );
    let expect = acts(&written::read(&line, "us-east-1").unwrap());
    assert_eq!(expect.worst(), Effect::Destroy);
    for text in [whole, signed] {
        assert_eq!(acts(&written::read(&text, "us-east-1").unwrap()), expect, "{text}");
    }
}

/// Any JSON, with names that rules ask for among others.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof![
            "\\PC{0,12}",
            Just("arn:".to_owned()),
            Just("arn:aws:lambda:::function".to_owned()),
            Just("*".to_owned())
        ]
        .prop_map(Value::from),
    ];
    let names = prop_oneof!["\\PC{0,8}", "[A-Z][a-z]{0,6}(Name|Id|Arn|Tags|Key|Identifier)"];
    leaf.prop_recursive(4, 24, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(names.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A request for every operation, with any values under the names of its members.
#[test]
fn every_operation_is_understood_whatever_its_parameters() {
    let mut runner = TestRunner::deterministic();
    let json = any_json();
    let mut value = || json.new_tree(&mut runner).map(|tree| tree.current()).unwrap_or_default();
    for operation in operations() {
        for round in 0..3 {
            let members = operation.members().map(|member| member.name).filter(|_| round > 0);
            let mut parameters: Map<String, Value> =
                members.map(|name| (name.to_owned(), value())).collect();
            parameters.insert("Name".to_owned(), value());
            let decoded = Decoded::asked(operation, parameters, "eu-west-1");
            let told = acts(&decoded);
            let least = class(operation).effect;
            let tries = told.iter().all(|act| act.why.starts_with("only "));
            assert!(told.worst() >= least || tries, "{operation:?} {told:?}");
            let level = operation.level();
            let writes = matches!(level, Some(Level::Write | Level::Permissions | Level::Tagging));
            assert!(!writes || told.worst() > Effect::Read || tries, "{operation:?} {told:?}");
            assert!(
                told.iter().count() <= 200
                    && told.iter().all(|act| !act.why.chars().any(char::is_control))
            );
        }
    }
}

/// The counts that the documentation gives.
#[test]
fn the_documentation_counts_what_each_operation_does() {
    let evidence =
        [Evidence::Written, Evidence::Level, Evidence::Model, Evidence::Verb, Evidence::Nothing];
    let mut counts: BTreeMap<(Effect, Evidence), usize> = BTreeMap::new();
    for operation in operations() {
        let class = class(operation);
        *counts.entry((class.effect, class.evidence)).or_default() += 1;
    }
    let count = |effect, evidence| counts.get(&(effect, evidence)).copied().unwrap_or_default();
    let row = |name: &str, cells: Vec<usize>| {
        let sum: usize = cells.iter().sum();
        let cells: String = cells.iter().map(|cell| format!(" {cell} |")).collect();
        format!("| {name} |{cells} {sum} |\n")
    };
    let heads: String = evidence.iter().map(|it| format!(" {} |", it.as_str())).collect();
    let mut told = DOCUMENTED.split("| effect |").next().unwrap_or_default().to_owned();
    told.push_str(&format!("| effect |{heads} all |\n|---|{}--:|\n", "--:|".repeat(evidence.len())));
    for effect in Effect::ALL {
        told.push_str(&row(effect.as_str(), evidence.map(|it| count(effect, it)).to_vec()));
    }
    let all = evidence.map(|it| Effect::ALL.iter().map(|effect| count(*effect, it)).sum());
    told.push_str(&row("all", all.to_vec()));
    expect_file!["../../../../../docs/aws-effects.md"].assert_eq(&told);
}
