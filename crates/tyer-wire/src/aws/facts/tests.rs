//! Questions are requests that the table knows, which only read; and what answers come to.

use super::*;
use crate::aws::asked::{Asked, Content, Destination};
use crate::aws::decode::Scope;
use crate::aws::line::Line;
use crate::aws::table::{self, Level};

const OWNER: Owner<'_> = Owner { account: "111122223333", partition: "aws" };

fn decoded_of(line: &str) -> Decoded {
    let line = Line::read(line).expect("a request");
    let scope = Scope { service: &line.service, region: &line.region };
    let decoded = crate::aws::decode::decode(&line.head, &line.body, &scope);
    assert!(matches!(decoded.call, Call::Known(_)), "{decoded:?}");
    decoded
}

fn questions_of(line: &str) -> Vec<Question> {
    questions(&decoded_of(line), OWNER, Timestamp(1_795_867_200_000))
}

fn is_read(question: &Question) -> String {
    let mut head = question.head.clone();
    let host = table::signed_for(question.service).next().and_then(|api| table::host(api, "eu-west-1"));
    head.headers.push(("host".to_owned(), host.expect("a host")));
    let content = Content::Whole {
        bytes: question.body.clone().into(),
        digest: tyer_core::intent::Digest::of(&question.body),
    };
    let to = Destination { account: "1", service: question.service, region: "eu-west-1" };
    let asked = Asked::new(head, content, to);
    let Call::Known(operation) = asked.decoded().call else {
        panic!("{question:?} is not understood: {:?}", asked.decoded())
    };
    assert!(matches!(operation.level(), Some(Level::List | Level::Read)), "{operation:?}");
    asked.decoded().name()
}

/// `form service action`, `json service version target body` or a line; then what is asked.
const CASES: &str = r#"
form cloudformation DeleteStack&Version=2010-05-15&StackName=ce -> cloudformation:DescribeStacks cloudformation:ListStackResources
form cloudformation ExecuteChangeSet&Version=2010-05-15&StackName=ce&ChangeSetName=fix -> cloudformation:DescribeChangeSet
form rds DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=a -> rds:DescribeDBInstances rds:DescribeDBSnapshots cloudwatch:GetMetricStatistics
form rds DeleteDBCluster&Version=2014-10-31&DBClusterIdentifier=a -> rds:DescribeDBClusters rds:DescribeDBClusterSnapshots
form rds DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=a -> rds:DescribeDBSnapshots
form rds DeleteDBClusterSnapshot&Version=2014-10-31&DBClusterSnapshotIdentifier=a -> rds:DescribeDBClusterSnapshots
form ec2 TerminateInstances&Version=2016-11-15&InstanceId.1=i-0a&InstanceId.2=i-0b -> ec2:DescribeInstances
form ec2 DeleteVolume&Version=2016-11-15&VolumeId=vol-1 -> ec2:DescribeSnapshots
form ec2 DeleteSnapshot&Version=2016-11-15&SnapshotId=snap-1 -> ec2:DescribeSnapshots
form ec2 DescribeInstances&Version=2016-11-15 ->
form autoscaling SetDesiredCapacity&Version=2011-01-01&AutoScalingGroupName=g&DesiredCapacity=1 -> autoscaling:DescribeAutoScalingGroups
form iam DeleteRole&Version=2010-05-08&RoleName=r -> iam:GetRole
json dynamodb 1.0 DynamoDB_20120810.DeleteTable {"TableName":"t"} -> dynamodb:DescribeTable dynamodb:DescribeContinuousBackups dynamodb:ListBackups cloudwatch:GetMetricStatistics
json dynamodb 1.0 DynamoDB_20120810.DeleteBackup {"BackupArn":"arn:aws:dynamodb:eu-west-1:1:table/t/backup/1"} -> dynamodb:DescribeBackup
json ecs 1.1 AmazonEC2ContainerServiceV20141113.UpdateService {"service":"s","cluster":"c","desiredCount":0} -> ecs:DescribeServices
json logs 1.1 Logs_20140328.DeleteLogGroup {"logGroupName":"/prod/api"} -> logs:DescribeLogGroups
json kms 1.1 TrentService.ScheduleKeyDeletion {"KeyId":"k"} -> kms:DescribeKey
json secretsmanager 1.1 secretsmanager.DeleteSecret {"SecretId":"s"} -> secretsmanager:DescribeSecret
json sqs 1.0 AmazonSQS.PurgeQueue {"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/1/q"} -> sqs:GetQueueAttributes
DELETE https://orders.s3.eu-west-1.amazonaws.com/ -> s3:GetBucketVersioning s3:ListObjectsV2
DELETE https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/f -> lambda:GetFunctionConfiguration cloudwatch:GetMetricStatistics
"#;

fn line_of(request: &str) -> String {
    let at = |service: &str| match service {
        "iam" => "POST https://iam.amazonaws.com/".to_owned(),
        service => format!("POST https://{service}.eu-west-1.amazonaws.com/"),
    };
    let words: Vec<&str> = request.splitn(5, ' ').collect();
    match words.as_slice() {
        ["form", service, rest] => format!("{} | Action={rest}", at(service)),
        ["json", service, version, target, body] => format!(
            "{} | X-Amz-Target: {target} | Content-Type: application/x-amz-json-{version} | {body}",
            at(service)
        ),
        _ => request.to_owned(),
    }
}

#[test]
fn every_question_is_a_read_that_is_understood() {
    for case in CASES.trim().lines() {
        let (request, expect) = case.split_once(" ->").expect("a case");
        let line = line_of(request);
        let asked: Vec<String> = questions_of(&line).iter().map(is_read).collect();
        assert_eq!(asked.join(" "), expect.trim(), "{line}");
    }
}

#[test]
fn whatever_decides_is_asked() {
    let mut asked = 0;
    for case in CASES.trim().lines() {
        let (request, _) = case.split_once(" ->").expect("a case");
        let line = line_of(request);
        if decides(&decoded_of(&line)) {
            assert!(!questions_of(&line).is_empty(), "{line}");
            asked += 1;
        }
    }
    assert_eq!(asked, 5, "there is a case for each");
}

/// What the answers to the first questions say.
fn said(line: &str, answers: &[&str]) -> (String, Vec<Found>) {
    let questions = questions_of(line);
    let mut found: Vec<(String, Vec<Found>)> = Vec::new();
    let mut left: Vec<Question> = questions;
    let mut answers = answers.iter();
    while !left.is_empty() {
        let question = left.remove(0);
        let Some(answer) = answers.next() else { break };
        let mut read = question.read(answer.as_bytes());
        for it in std::mem::take(&mut read) {
            match it {
                Found::More(next) => left.insert(0, *next),
                it => read.push(it),
            }
        }
        found.push((question.about().to_owned(), read));
    }
    let (things, unknown) = told(&found);
    let mut text = String::new();
    for thing in things {
        text.push_str(&format!("{}: {} / {}\n", thing.name, thing.is.join("; "), thing.now.join("; ")));
    }
    text.push_str(&unknown.join("\n"));
    (text, found.into_iter().flat_map(|(_, found)| found).collect())
}

#[test]
fn a_stack_shows_what_is_in_it() {
    let line = "POST https://cloudformation.eu-west-1.amazonaws.com/ | Action=DeleteStack&Version=2010-05-15&StackName=ce";
    let stacks = "<R><DescribeStacksResult><Stacks><member><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-01-01T00:00:00Z</CreationTime></member></Stacks></DescribeStacksResult></R>";
    let one = |kind: &str, name: &str| {
        format!(
            "<member><ResourceType>{kind}</ResourceType><PhysicalResourceId>{name}</PhysicalResourceId><ResourceStatus>CREATE_COMPLETE</ResourceStatus></member>"
        )
    };
    let first = format!(
        "<R><ListStackResourcesResult><NextToken>more</NextToken><StackResourceSummaries>{}{}</StackResourceSummaries></ListStackResourcesResult></R>",
        one("AWS::Lambda::Function", "api"),
        one("AWS::RDS::DBInstance", "costs")
    );
    let second = format!(
        "<R><StackResourceSummaries>{}</StackResourceSummaries></R>",
        one("AWS::SQS::Queue", "jobs")
    );
    let (text, _) = said(line, &[stacks, &first, &second]);
    assert_eq!(
        text,
        "stack ce: it is not protected from being deleted; 1 AWS::RDS::DBInstance, which holds what does not come back: costs; \
         1 AWS::Lambda::Function: api; 1 AWS::SQS::Queue, which holds what does not come back: jobs / its state is CREATE_COMPLETE; \
         it was last changed at 2026-01-01T00:00:00Z\n"
    );
}

#[test]
fn a_change_set_decides_what_carrying_it_out_does() {
    let line = "POST https://cloudformation.eu-west-1.amazonaws.com/ | Action=ExecuteChangeSet&Version=2010-05-15&StackName=ce&ChangeSetName=fix";
    let change = |action: &str, replacement: &str| {
        format!(
            "<R><Status>CREATE_COMPLETE</Status><Changes><member><ResourceChange><Action>{action}</Action><Replacement>{replacement}</Replacement><ResourceType>AWS::RDS::DBInstance</ResourceType><LogicalResourceId>CostStore</LogicalResourceId><PhysicalResourceId>costs</PhysicalResourceId><Details><member><Target><Attribute>Properties</Attribute><Name>AllocatedStorage</Name></Target></member></Details></ResourceChange></member></Changes></R>"
        )
    };
    let request = Line::read(line).expect("a request");
    let decoded = crate::aws::decode::decode(
        &request.head,
        &request.body,
        &Scope { service: "cloudformation", region: "eu-west-1" },
    );
    assert!(decides(&decoded));
    let terms = crate::aws::understand::Terms { owner: OWNER, environment_tags: &[] };
    let acts = crate::aws::understand::understand(&decoded, &terms);
    assert_eq!(acts.worst(), Effect::Replace, "until it is known");
    let worst = |answer: &str| decided(&acts, &said(line, &[answer]).1).worst();
    assert_eq!(worst(&change("Modify", "True")), Effect::Replace);
    assert_eq!(worst(&change("Modify", "False")), Effect::Change);
    assert_eq!(worst(&change("Remove", "")), Effect::Destroy);
    let with = |name: &str| change("Modify", "False").replace("AllocatedStorage", name);
    assert_eq!(worst(&with("DeletionProtection")), Effect::Disarm);
    let unsaid = change("Modify", "False").replace("Details", "Else");
    assert_eq!(worst(&unsaid), Effect::Replace, "what it alters was not said");
    let of = |kind: &str| change("Add", "").replace("AWS::RDS::DBInstance", kind);
    assert_eq!(worst(&of("AWS::SQS::Queue")), Effect::Change);
    assert_eq!(worst(&of("AWS::IAM::Role")), Effect::Grant);
    assert_eq!(worst(&of("Custom::Thing")), Effect::Execute);
    assert_eq!(worst(&of("AWS::CloudFormation::Stack")), Effect::Replace);
    assert_eq!(worst(&change("Modify", "False").replace("CREATE_COMPLETE", "FAILED")), Effect::Replace);
    assert_eq!(worst(""), Effect::Replace, "what is not understood changes nothing");
    assert_eq!(
        worst("<R><Status>CREATE_COMPLETE</Status></R>"),
        Effect::Replace,
        "nothing is not a change"
    );
}

#[test]
fn the_last_snapshot_takes_the_backups_with_it() {
    let line = "POST https://rds.eu-west-1.amazonaws.com/ | Action=DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=s-1";
    let snapshots = |ids: &[&str]| {
        let one = |id: &&str| {
            format!(
                "<DBSnapshot><DBSnapshotIdentifier>{id}</DBSnapshotIdentifier><DBInstanceIdentifier>costs</DBInstanceIdentifier><Status>available</Status></DBSnapshot>"
            )
        };
        format!("<R><DBSnapshots>{}</DBSnapshots></R>", ids.iter().map(one).collect::<String>())
    };
    let acts = Acts::new(Act::opaque("x"), []);
    let after = |others: &[&str]| {
        let (text, found) = said(line, &[&snapshots(&["s-1"]), &snapshots(others)]);
        (text, decided(&acts, &found))
    };
    let (text, last) = after(&["s-1"]);
    let of = "arn:aws:rds:eu-west-1:111122223333:db:costs";
    assert_eq!(text, format!("snapshot s-1: it is a copy of {of}; it is the last backup of {of} / \n"));
    let tie = last.iter().find_map(|act| act.tie.clone());
    assert_eq!(tie, Some(Tie::CopiesOf(Resource::new(Kind::Object, of))));
    let (_, more) = after(&["s-1", "s-2"]);
    assert_eq!(more, acts);
    let (_, found) = said(line, &[&snapshots(&["s-1"]), "not an answer"]);
    assert_ne!(decided(&acts, &found), acts, "unless others are known it is the last");
    let being_made = snapshots(&["s-1", "s-2"]).replace("available", "creating");
    let (_, found) = said(line, &[&snapshots(&["s-1"]), &being_made]);
    assert_ne!(decided(&acts, &found), acts, "one that is being made is none yet");
}
