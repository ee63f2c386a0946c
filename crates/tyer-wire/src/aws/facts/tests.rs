//! Questions are requests that the table knows, which only read; and what answers come to.

use super::*;
use crate::aws::asked::{Asked, Content, Destination};
use crate::aws::decode::Scope;
use crate::aws::line::Line;
use crate::aws::table::{self, Level};

const TERMS: Terms<'_> = Terms { owner: OWNER, environment_tags: &[] };
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
form rds DeleteDBCluster&Version=2014-10-31&DBClusterIdentifier=a -> rds:DescribeDBClusters rds:DescribeDBClusterSnapshots cloudwatch:GetMetricStatistics
form rds DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=a -> rds:DescribeDBSnapshots
form rds DeleteDBClusterSnapshot&Version=2014-10-31&DBClusterSnapshotIdentifier=a -> rds:DescribeDBClusterSnapshots
form ec2 TerminateInstances&Version=2016-11-15&InstanceId.1=i-0a&InstanceId.2=i-0b -> ec2:DescribeInstances cloudwatch:GetMetricStatistics cloudwatch:GetMetricStatistics
form ec2 DeleteVolume&Version=2016-11-15&VolumeId=vol-1 -> ec2:DescribeSnapshots
form ec2 DeleteSnapshot&Version=2016-11-15&SnapshotId=snap-1 -> ec2:DescribeSnapshots
form rds DeleteDBInstanceAutomatedBackup&Version=2014-10-31&DbiResourceId=db-1 -> rds:DescribeDBInstanceAutomatedBackups
form redshift DeleteClusterSnapshot&Version=2012-12-01&SnapshotIdentifier=a -> redshift:DescribeClusterSnapshots
form elasticache DeleteSnapshot&Version=2015-02-02&SnapshotName=a -> elasticache:DescribeSnapshots
DELETE https://backup.eu-west-1.amazonaws.com/backup-vaults/v/recovery-points/arn%3A1 -> backup:DescribeRecoveryPoint
form ec2 DescribeInstances&Version=2016-11-15 ->
form autoscaling SetDesiredCapacity&Version=2011-01-01&AutoScalingGroupName=g&DesiredCapacity=1 -> autoscaling:DescribeAutoScalingGroups
form iam DeleteRole&Version=2010-05-08&RoleName=r -> iam:GetRole
json dynamodb 1.0 DynamoDB_20120810.DeleteTable {"TableName":"t"} -> dynamodb:DescribeTable dynamodb:DescribeContinuousBackups dynamodb:ListBackups cloudwatch:GetMetricStatistics cloudwatch:GetMetricStatistics
json dynamodb 1.0 DynamoDB_20120810.DeleteBackup {"BackupArn":"arn:aws:dynamodb:eu-west-1:1:table/t/backup/1"} -> dynamodb:DescribeBackup
json ecs 1.1 AmazonEC2ContainerServiceV20141113.UpdateService {"service":"s","cluster":"c","desiredCount":0} -> ecs:DescribeServices cloudwatch:GetMetricStatistics
json logs 1.1 Logs_20140328.DeleteLogGroup {"logGroupName":"/prod/api"} -> logs:DescribeLogGroups cloudwatch:GetMetricStatistics
json kms 1.1 TrentService.ScheduleKeyDeletion {"KeyId":"k"} -> kms:DescribeKey
json secretsmanager 1.1 secretsmanager.DeleteSecret {"SecretId":"s"} -> secretsmanager:DescribeSecret
json sqs 1.0 AmazonSQS.PurgeQueue {"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/1/q"} -> sqs:GetQueueAttributes cloudwatch:GetMetricStatistics cloudwatch:GetMetricStatistics
DELETE https://orders.s3.eu-west-1.amazonaws.com/ -> s3:GetBucketVersioning s3:ListObjectsV2 cloudwatch:GetMetricStatistics
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
    assert_eq!(asked, 9, "there is a case for each that can be asked about");
}

/// A request; the metric and the dimensions of what CloudWatch is asked.
const USES: &str = r#"
form rds DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=a -> AWS/RDS DatabaseConnections DBInstanceIdentifier=a
form rds DeleteDBCluster&Version=2014-10-31&DBClusterIdentifier=a -> AWS/RDS DatabaseConnections DBClusterIdentifier=a
form redshift DeleteCluster&Version=2012-12-01&ClusterIdentifier=w -> AWS/Redshift DatabaseConnections ClusterIdentifier=w
form elasticache DeleteCacheCluster&Version=2015-02-02&CacheClusterId=c -> AWS/ElastiCache CurrConnections CacheClusterId=c
json dynamodb 1.0 DynamoDB_20120810.DeleteTable {"TableName":"arn:t"} -> AWS/DynamoDB ConsumedReadCapacityUnits TableName=t, AWS/DynamoDB ConsumedWriteCapacityUnits TableName=t
DELETE https://es.eu-west-1.amazonaws.com/2021-01-01/opensearch/domain/d -> AWS/ES SearchRate DomainName=d ClientId=111122223333
DELETE https://es.eu-west-1.amazonaws.com/2015-01-01/es/domain/d -> AWS/ES SearchRate DomainName=d ClientId=111122223333
DELETE https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/f -> AWS/Lambda Invocations FunctionName=f
json states 1.0 AWSStepFunctions.DeleteStateMachine {"stateMachineArn":"arn:aws:states:eu-west-1:1:stateMachine:m"} -> AWS/States ExecutionsStarted StateMachineArn=arn:aws:states:eu-west-1:1:stateMachine:m
json ecs 1.1 AmazonEC2ContainerServiceV20141113.DeleteService {"service":"s"} -> AWS/ECS CPUUtilization ServiceName=s ClusterName=default
json ecs 1.1 AmazonEC2ContainerServiceV20141113.DeleteService {"service":"s","cluster":"arn:aws:ecs:eu-west-1:1:cluster/c"} -> AWS/ECS CPUUtilization ServiceName=s ClusterName=c
form ec2 TerminateInstances&Version=2016-11-15&InstanceId.1=i-0a&InstanceId.2=i-0b -> AWS/EC2 CPUUtilization InstanceId=i-0a, AWS/EC2 CPUUtilization InstanceId=i-0b
form ec2 DeleteNatGateway&Version=2016-11-15&NatGatewayId=nat-1 -> AWS/NATGateway ActiveConnectionCount NatGatewayId=nat-1
json sqs 1.0 AmazonSQS.DeleteQueue {"QueueUrl":"https://sqs.eu-west-1.amazonaws.com/1/q"} -> AWS/SQS NumberOfMessagesSent QueueName=q, AWS/SQS NumberOfMessagesReceived QueueName=q
form sns DeleteTopic&Version=2010-03-31&TopicArn=arn:aws:sns:eu-west-1:1:news -> AWS/SNS NumberOfMessagesPublished TopicName=news
json kinesis 1.1 Kinesis_20131202.DeleteStream {"StreamName":"s"} -> AWS/Kinesis IncomingRecords StreamName=s
json kinesis 1.1 Kinesis_20131202.DeleteStream {"StreamARN":"arn:aws:kinesis:eu-west-1:1:stream/s"} -> AWS/Kinesis IncomingRecords StreamName=s
json firehose 1.1 Firehose_20150804.DeleteDeliveryStream {"DeliveryStreamName":"d"} -> AWS/Firehose IncomingRecords DeliveryStreamName=d
json logs 1.1 Logs_20140328.DeleteLogGroup {"logGroupName":"g"} -> AWS/Logs IncomingLogEvents LogGroupName=g
form elasticloadbalancing DeleteLoadBalancer&Version=2015-12-01&LoadBalancerArn=arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/web/5 -> AWS/ApplicationELB RequestCount LoadBalancer=app/web/5
form elasticloadbalancing DeleteLoadBalancer&Version=2015-12-01&LoadBalancerArn=arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/net/web/5 -> AWS/NetworkELB ActiveFlowCount LoadBalancer=net/web/5
form elasticloadbalancing DeleteLoadBalancer&Version=2015-12-01&LoadBalancerArn=arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/gwy/web/5 -> AWS/GatewayELB ActiveFlowCount LoadBalancer=gwy/web/5
form elasticloadbalancing DeleteLoadBalancer&Version=2012-06-01&LoadBalancerName=old -> AWS/ELB RequestCount LoadBalancerName=old
DELETE https://apigateway.eu-west-1.amazonaws.com/v2/apis/a1 -> AWS/ApiGateway Count ApiId=a1
DELETE https://elasticfilesystem.eu-west-1.amazonaws.com/2015-02-01/file-systems/fs-1 -> AWS/EFS ClientConnections FileSystemId=fs-1
DELETE https://orders.s3.eu-west-1.amazonaws.com/ -> AWS/S3 AllRequests BucketName=orders FilterId=EntireBucket
form sns Publish&Version=2010-03-31&TopicArn=arn:aws:sns:eu-west-1:1:news&Message=m ->
"#;

/// The metric and the dimensions of a question.
fn metric_of(question: &Question) -> String {
    let body = String::from_utf8_lossy(&question.body).replace("%2F", "/").replace("%3A", ":");
    let at = |name: &str| {
        let found = body.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.map(ToOwned::to_owned)
    };
    let dimensions = (1..).map_while(|place| {
        let part = |part: &str| at(&format!("Dimensions.member.{place}.{part}"));
        Some(format!(" {}={}", part("Name")?, part("Value")?))
    });
    let dimensions: String = dimensions.collect();
    let [namespace, metric] = ["Namespace", "MetricName"].map(|name| at(name).unwrap_or_default());
    format!("{namespace} {metric}{dimensions}")
}

#[test]
fn recent_use_is_asked_for_by_the_metric_that_says_it() {
    let mut seen = String::new();
    for case in USES.trim().lines() {
        let (request, expect) = case.split_once(" ->").expect("a case");
        let questions = questions_of(&line_of(request));
        let asked = questions.iter().filter(|it| is_read(it) == "cloudwatch:GetMetricStatistics");
        let asked: Vec<String> = asked.map(metric_of).collect();
        assert_eq!(asked.join(", "), expect.trim(), "{request}");
        seen.push_str(expect);
    }
    let rows =
        include_str!("../../../data/aws-recent.tsv").lines().filter(|line| !line.starts_with('#'));
    for row in rows {
        let fields: Vec<&str> = row.split('\t').collect();
        assert!(seen.contains(&format!("{} {} ", fields[2], fields[3])), "there is a case for {row}");
        let (service, operations) = fields[0].split_once(':').expect("a service");
        for operation in operations.split(',') {
            let known = table::named(service, operation);
            assert!(known.iter().any(|it| it.api().folder() == service), "{service}:{operation}");
        }
    }
}

#[test]
fn no_record_of_use_is_not_no_use() {
    let queue =
        "json sqs 1.0 AmazonSQS.DeleteQueue {\"QueueUrl\":\"https://sqs.eu-west-1.amazonaws.com/1/q\"}";
    let machine = "form ec2 TerminateInstances&Version=2016-11-15&InstanceId.1=i-0a";
    let bucket = "DELETE https://orders.s3.eu-west-1.amazonaws.com/";
    let check = |request: &str, points: &[(&str, &str)], expect: &str| {
        let questions = questions_of(&line_of(request));
        let uses =
            questions.iter().find(|it| is_read(it).starts_with("cloudwatch:")).expect("a question");
        let point = |(statistic, value): &(&str, &str)| {
            format!("<member><{statistic}>{value}</{statistic}></member>")
        };
        let points: String = points.iter().map(point).collect();
        let answer = format!("<R><G><Datapoints>{points}</Datapoints></G></R>");
        let (things, unknown) = told(&[(uses.about().to_owned(), uses.read(answer.as_bytes()))]);
        assert_eq!(unknown, Vec::<String>::new());
        let said: Vec<String> =
            things.iter().map(|thing| format!("{}: {}", thing.name, thing.now.join("; "))).collect();
        assert_eq!(said.join(" "), expect);
    };
    let sum = |value| [("Sum", value)];
    check(queue, &sum("12.0"), "queue q: in use: NumberOfMessagesSent Sum in the last day 12");
    check(queue, &sum("0.0"), "queue q: not in use in the last day by NumberOfMessagesSent");
    let none = "queue q: whether it was used in the last day is not known: no NumberOfMessagesSent was recorded";
    check(queue, &[], none);
    check(
        machine,
        &[("Maximum", "3.21")],
        "instance i-0a: CPUUtilization Maximum in the last day 3.2 (how busy it was at most, in per cent, not whether anybody \
         needs it)",
    );
    check(
        bucket,
        &[],
        "bucket orders: whether it was used in the last day is not known: no AllRequests (requests, which S3 counts only \
         where it was told to) was recorded",
    );
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

const EXECUTE: &str = "POST https://cloudformation.eu-west-1.amazonaws.com/ | Action=ExecuteChangeSet&Version=2010-05-15&StackName=ce&ChangeSetName=fix";

/// A change set of one change.
fn set_of(action: &str, replacement: &str) -> String {
    format!(
        "<R><Status>CREATE_COMPLETE</Status><Changes><member><ResourceChange><Action>{action}</Action><Replacement>{replacement}</Replacement><ResourceType>AWS::RDS::DBInstance</ResourceType><LogicalResourceId>CostStore</LogicalResourceId><PhysicalResourceId>costs</PhysicalResourceId><Details><member><Target><Attribute>Properties</Attribute><Name>AllocatedStorage</Name></Target></member></Details></ResourceChange></member></Changes></R>"
    )
}

/// The gravest of what carrying it out does, once it is described so.
fn worst_of(answer: &str) -> Effect {
    let tags = ["env".to_owned()];
    let request = Line::read(EXECUTE).expect("a request");
    let decoded = crate::aws::decode::decode(
        &request.head,
        &request.body,
        &Scope { service: "cloudformation", region: "eu-west-1" },
    );
    assert!(decides(&decoded));
    let terms = Terms { owner: OWNER, environment_tags: &[] };
    let acts = crate::aws::understand::understand(&decoded, &terms);
    assert_eq!(acts.worst(), Effect::Replace, "until it is known");
    let told = Terms { owner: OWNER, environment_tags: &tags };
    decided((&decoded, &told), &acts, &said(EXECUTE, &[answer]).1).worst()
}

#[test]
fn a_change_set_decides_what_carrying_it_out_does() {
    assert_eq!(worst_of(&set_of("Modify", "True")), Effect::Replace);
    assert_eq!(worst_of(&set_of("Modify", "False")), Effect::Change);
    assert_eq!(worst_of(&set_of("Remove", "")), Effect::Destroy);
    let with = |name: &str| set_of("Modify", "False").replace("AllocatedStorage", name);
    assert_eq!(worst_of(&with("DeletionProtection")), Effect::Disarm);
    let unsaid = set_of("Modify", "False").replace("Details", "Else");
    assert_eq!(worst_of(&unsaid), Effect::Replace, "what it alters was not said");
    let of = |kind: &str| set_of("Add", "").replace("AWS::RDS::DBInstance", kind);
    assert_eq!(worst_of(&of("AWS::SQS::Queue")), Effect::Change);
    assert_eq!(worst_of(&of("AWS::IAM::Role")), Effect::Grant);
    assert_eq!(worst_of(&of("AWS::CloudFormation::CustomResource")), Effect::Execute);
    assert_eq!(worst_of(&of("AWS::EC2::SecurityGroupIngress")), Effect::Grant);
    assert_eq!(worst_of(&with("DesiredCount")), Effect::Destroy);
    assert_eq!(worst_of(&with("Engine")), Effect::Replace, "nothing says that it is plain");
    assert_eq!(worst_of(&of("AWS::CloudFormation::Stack")), Effect::Replace);
    assert_eq!(
        worst_of(&set_of("Modify", "False").replace("CREATE_COMPLETE", "FAILED")),
        Effect::Replace
    );
    assert_eq!(worst_of(""), Effect::Replace, "what is not understood changes nothing");
    assert_eq!(
        worst_of("<R><Status>CREATE_COMPLETE</Status></R>"),
        Effect::Replace,
        "nothing is not a change"
    );
}

#[test]
fn a_change_set_is_harmless_only_where_it_says_all_that_it_alters() {
    let tagged = set_of("Modify", "False").replace(
        "<Attribute>Properties</Attribute><Name>AllocatedStorage</Name>",
        "<Attribute>Tags</Attribute>",
    );
    assert_eq!(worst_of(&tagged), Effect::Disarm, "which tags was not said");
    let tag = |key: &str| {
        let context = |at: &str, value: &str| {
            format!(
                "<{at}Context>{{\"Properties\":{{\"Tags\":[{{\"Key\":\"kept\",\"Value\":\"1\"}},{{\"Key\":\"{key}\",\"Value\":\"{value}\"}}]}}}}</{at}Context>"
            )
        };
        let both = format!("{}{}<Details>", context("Before", "a"), context("After", "b"));
        tagged.replace("<Details>", &both)
    };
    assert_eq!(worst_of(&tag("team")), Effect::Change);
    assert_eq!(worst_of(&tag("env")), Effect::Disarm);
    assert_eq!(
        worst_of(&tag("team").replace("Properties\":{", "Properties\":[{")),
        Effect::Disarm,
        "nor read"
    );
    let meta = tagged.replace("Tags", "Metadata");
    assert_eq!(worst_of(&meta), Effect::Execute, "machines may run what it says");
    assert_eq!(worst_of(&tagged.replace("Tags", "DeletionPolicy")), Effect::Replace);
    let scope = set_of("Modify", "False").replace(
        "<Details>",
        "<Scope><member>Properties</member><member>DeletionPolicy</member></Scope><Details>",
    );
    assert_eq!(worst_of(&scope), Effect::Replace, "not all that it alters was said");
    assert_eq!(worst_of(&scope.replace("<member>DeletionPolicy</member>", "")), Effect::Change);
    let path = set_of("Modify", "False")
        .replace("<Name>AllocatedStorage</Name>", "<Path>/Properties/AllocatedStorage</Path>");
    assert_eq!(worst_of(&path), Effect::Change);
    assert_eq!(worst_of(&path.replace("AllocatedStorage<", "Port/0<")), Effect::Replace);
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
    let decoded = decoded_of(line);
    let asked = (&decoded, &TERMS);
    let after = |others: &[&str]| {
        let (text, found) = said(line, &[&snapshots(&["s-1"]), &snapshots(others)]);
        (text, decided(asked, &acts, &found))
    };
    let (text, last) = after(&["s-1"]);
    let of = "arn:aws:rds:eu-west-1:111122223333:db:costs";
    assert_eq!(text, format!("snapshot s-1: it is a copy of {of}; it is the last backup of {of} / \n"));
    let tie = last.iter().find_map(|act| act.tie.clone());
    assert_eq!(tie, Some(Tie::CopiesOf(Resource::new(Kind::Object, of))));
    let (_, more) = after(&["s-1", "s-2"]);
    assert_eq!(more, acts);
    let (_, found) = said(line, &[&snapshots(&["s-1"]), "not an answer"]);
    assert_ne!(decided(asked, &acts, &found), acts, "unless others are known it is the last");
    let shouted = line.replace("s-1", "S-1");
    let first = questions_of(&shouted);
    assert!(String::from_utf8_lossy(&first[0].body).ends_with("=s-1"), "{first:?}");
    let (_, found) = said(&shouted, &[&snapshots(&["s-1"]), &snapshots(&["s-1"])]);
    assert_ne!(decided(asked, &acts, &found), acts, "however it is written, it is not another one");
    let (_, found) = said(line, &[&snapshots(&["s-1", "s-2"]), &snapshots(&["s-1", "s-2"])]);
    assert_ne!(decided(asked, &acts, &found), acts, "which of them is meant is not known");
    let being_made = snapshots(&["s-1", "s-2"]).replace("available", "creating");
    let (_, found) = said(line, &[&snapshots(&["s-1"]), &being_made]);
    assert_ne!(decided(asked, &acts, &found), acts, "one that is being made is none yet");
}

/// A request that removes a backup, of what, if AWS answers `answers`, it is then said to be the last.
fn last_of(request: &str, answers: &[&str]) -> String {
    let line = line_of(request);
    let decoded = decoded_of(&line);
    assert!(decides(&decoded), "{line}");
    let acts = Acts::new(Act::opaque("x"), []);
    let (_, found) = said(&line, answers);
    let last = decided((&decoded, &TERMS), &acts, &found);
    let of = last.iter().filter_map(|act| match &act.tie {
        Some(Tie::CopiesOf(of)) => Some(of.name.trim_start_matches("arn:aws:").to_owned()),
        _ => None,
    });
    of.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_backup_of_which_aws_says_nothing_may_be_the_last_of_anything_of_its_kind() {
    let check = |request: &str, expect: &str| {
        for answers in [&[][..], &["not an answer"], &["<R></R>"], &["{}"]] {
            assert_eq!(last_of(request, answers), expect, "{request} {answers:?}");
        }
    };
    check(
        "form rds DeleteDBSnapshot&Version=2014-10-31&DBSnapshotIdentifier=a",
        "rds:eu-west-1:111122223333:db:*",
    );
    check(
        "form rds DeleteDBClusterSnapshot&Version=2014-10-31&DBClusterSnapshotIdentifier=a",
        "rds:eu-west-1:111122223333:cluster:*",
    );
    check(
        "form ec2 DeleteSnapshot&Version=2016-11-15&SnapshotId=s",
        "ec2:eu-west-1:111122223333:volume/*",
    );
    check(
        "form ec2 DeregisterImage&Version=2016-11-15&ImageId=i&DeleteAssociatedSnapshots=true",
        "ec2:eu-west-1:111122223333:volume/*",
    );
    check(
        r#"json dynamodb 1.0 DynamoDB_20120810.DeleteBackup {"BackupArn":"arn:aws:dynamodb:eu-west-1:1:table/t/backup/1"}"#,
        "dynamodb:eu-west-1:1:table/t",
    );
    check(
        "DELETE https://backup.eu-west-1.amazonaws.com/backup-vaults/v/recovery-points/arn%3A1",
        "*:eu-west-1:111122223333:*",
    );
    check(
        "form rds DeleteDBInstanceAutomatedBackup&Version=2014-10-31&DbiResourceId=db-1",
        "rds:eu-west-1:111122223333:db:*",
    );
    check(
        r#"json fsx 1.1 AWSSimbaAPIService_v20180301.DeleteBackup {"BackupId":"b"}"#,
        "fsx:eu-west-1:111122223333:file-system/* fsx:eu-west-1:111122223333:volume/*",
    );
    check(
        r#"json memory-db 1.1 AmazonMemoryDB.DeleteSnapshot {"SnapshotName":"s"}"#,
        "memorydb:eu-west-1:111122223333:cluster/*",
    );
    check(
        "form elasticache DeleteSnapshot&Version=2015-02-02&SnapshotName=a",
        "elasticache:eu-west-1:111122223333:cluster:* elasticache:eu-west-1:111122223333:replicationgroup:*",
    );
    let kept = decoded_of(&line_of("form ec2 DeregisterImage&Version=2016-11-15&ImageId=i"));
    assert!(!decides(&kept), "its snapshots stay");
}

#[test]
fn every_operation_that_removes_backups_is_in_the_table() {
    for (folder, name, of) in backups::REMOVES {
        let api = table::apis().find(|api| api.folder() == *folder);
        let operation = api.and_then(|api| api.operation(name));
        assert!(operation.is_some() && !of.is_empty(), "{folder}:{name}");
    }
}

#[test]
fn the_last_backup_of_each_kind_is_told_from_others() {
    let check = |request: &str, first: &str, (own, other): (&str, &str), expect: &str| {
        let both = format!("{own}{other}");
        let wrap = |inner: &str| first.replace("...", inner);
        let (own, both) = (wrap(own), wrap(&both));
        assert_eq!(last_of(request, &[&own, &own]), expect, "{request}");
        assert_eq!(last_of(request, &[&own, &both]), "", "{request}");
        assert_eq!(last_of(request, &[&own]), expect, "{request}: the second was not answered");
    };
    let redshift = |id: &str| {
        format!(
            "<Snapshot><SnapshotIdentifier>{id}</SnapshotIdentifier><ClusterIdentifier>c</ClusterIdentifier><Status>available</Status></Snapshot>"
        )
    };
    check(
        "form redshift DeleteClusterSnapshot&Version=2012-12-01&SnapshotIdentifier=A",
        "<R><Snapshots>...</Snapshots></R>",
        (&redshift("a"), &redshift("b")),
        "redshift:eu-west-1:111122223333:cluster:c",
    );
    let cache = |id: &str| {
        format!(
            "<Snapshot><SnapshotName>{id}</SnapshotName><ReplicationGroupId>g</ReplicationGroupId><CacheClusterId>g-1</CacheClusterId><SnapshotStatus>available</SnapshotStatus></Snapshot>"
        )
    };
    check(
        "form elasticache DeleteSnapshot&Version=2015-02-02&SnapshotName=A",
        "<R><Snapshots>...</Snapshots></R>",
        (&cache("a"), &cache("b")),
        "elasticache:eu-west-1:111122223333:replicationgroup:g",
    );
    let volume = |id: &str| {
        format!(
            "<item><snapshotId>{id}</snapshotId><volumeId>vol-1</volumeId><status>completed</status></item>"
        )
    };
    check(
        "form ec2 DeleteSnapshot&Version=2016-11-15&SnapshotId=snap-1",
        "<R><snapshotSet>...</snapshotSet></R>",
        (&volume("snap-1"), &volume("snap-2")),
        "ec2:eu-west-1:111122223333:volume/vol-1",
    );
    let points = |all: &str| format!(r#"{{"RecoveryPoints":[{all}]}}"#);
    let point = |id: &str| format!(r#"{{"RecoveryPointArn":"arn:{id}","Status":"COMPLETED"}}"#);
    let first = r#"{"ResourceArn":"arn:aws:rds:eu-west-1:1:db:costs","RecoveryPointArn":"arn:1"}"#;
    let request =
        "DELETE https://backup.eu-west-1.amazonaws.com/backup-vaults/v/recovery-points/arn%3A1";
    let of = "rds:eu-west-1:1:db:costs";
    assert_eq!(last_of(request, &[first, &points(&point("1"))]), of);
    let both = points(&format!("{},{}", point("1"), point("2")));
    assert_eq!(last_of(request, &[first, &both]), "");
    let automated = "<R><DBInstanceAutomatedBackups><DBInstanceAutomatedBackup><DBInstanceIdentifier>costs</DBInstanceIdentifier></DBInstanceAutomatedBackup></DBInstanceAutomatedBackups></R>";
    let snapshot = |kind: &str| {
        format!(
            "<R><DBSnapshots><DBSnapshot><SnapshotType>{kind}</SnapshotType><Status>available</Status></DBSnapshot></DBSnapshots></R>"
        )
    };
    let request = "form rds DeleteDBInstanceAutomatedBackup&Version=2014-10-31&DbiResourceId=db-1";
    let of = "rds:eu-west-1:111122223333:db:costs";
    assert_eq!(last_of(request, &[automated, &snapshot("automated")]), of);
    assert_eq!(last_of(request, &[automated, &snapshot("manual")]), "");
}
