//! One line a case: a request, and what is decoded from it.

mod every;
mod extra;
mod same;

use super::*;
use crate::aws::line::Line;
use crate::aws::resources::Owner;

/// What a line decodes to.
pub(super) fn of(line: &str) -> Decoded {
    let line = Line::read(line).unwrap_or_else(|| panic!("no request: {line}"));
    let scope = Scope { service: &line.service, region: &line.region };
    decode(&line.head, &line.body, &scope)
}

/// `service:Operation {json}`, or why not.
fn check(line: &str, expect: &str) {
    let decoded = of(line);
    let got = match &decoded.call {
        Call::Known(_) => format!("{} {}", decoded.name(), decoded.parameters),
        Call::Unknown { why, .. } => format!("? {why:?}"),
    };
    assert_eq!(got, expect, "{line}");
}

#[test]
fn forms() {
    let ec2 = "POST https://ec2.us-east-1.amazonaws.com/";
    check(
        &format!(
            "{ec2} | Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-0a&InstanceId.2=i-0b&DryRun=true"
        ),
        r#"ec2:TerminateInstances {"DryRun":true,"InstanceIds":["i-0a","i-0b"]}"#,
    );
    check(
        &format!(
            "{ec2} | Content-Type: application/x-www-form-urlencoded; charset=utf-8 | Action=DescribeInstances&Version=2016-11-15&Filter.1.Name=tag%3Aenv&Filter.1.Value.1=prod&MaxResults=5"
        ),
        r#"ec2:DescribeInstances {"Filters":[{"Name":"tag:env","Values":["prod"]}],"MaxResults":5}"#,
    );
    check(
        "GET https://ec2.us-east-1.amazonaws.com/?Action=DeleteRoute&Version=2016-11-15&RouteTableId=rtb-0&DestinationCidrBlock=0.0.0.0%2F0",
        r#"ec2:DeleteRoute {"DestinationCidrBlock":"0.0.0.0/0","RouteTableId":"rtb-0"}"#,
    );
    let rds = "POST https://rds.eu-west-1.amazonaws.com/";
    check(
        &format!(
            "{rds} | Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=p&SkipFinalSnapshot=true&DeleteAutomatedBackups=true"
        ),
        r#"rds:DeleteDBInstance {"DBInstanceIdentifier":"p","DeleteAutomatedBackups":true,"SkipFinalSnapshot":true}"#,
    );
    check(
        &format!(
            "{rds} | Action=DeleteDBInstance&Version=2014-10-31&skipfinalsnapshot=true&DBInstanceIdentifier=p"
        ),
        r#"rds:DeleteDBInstance {"DBInstanceIdentifier":"p","skipfinalsnapshot":"true"}"#,
    );
    assert_eq!(
        of(&format!("{rds} | Action=DeleteDBInstance&Version=2014-10-31&skipfinalsnapshot=true")).extra,
        ["skipfinalsnapshot"]
    );
    let iam = "POST https://iam.amazonaws.com/";
    check(
        &format!(
            "{iam} | Action=SimulatePrincipalPolicy&Version=2010-05-08&PolicySourceArn=a&ActionNames.member.1=s3%3ADeleteBucket"
        ),
        r#"iam:SimulatePrincipalPolicy {"ActionNames":["s3:DeleteBucket"],"PolicySourceArn":"a"}"#,
    );
    check(
        "POST https://sns.us-east-1.amazonaws.com/ | Action=Publish&Version=2010-03-31&Message=a+b%2B&MessageAttributes.entry.1.Name=k&MessageAttributes.entry.1.Value.DataType=String",
        r#"sns:Publish {"Message":"a b+","MessageAttributes":{"k":{"DataType":"String"}}}"#,
    );
}

#[test]
fn forms_that_readers_differ_about() {
    let ec2 = "POST https://ec2.us-east-1.amazonaws.com/";
    let rds = "POST https://rds.eu-west-1.amazonaws.com/";
    check(&format!("{rds} | Action=DeleteDBInstance&Version=2013-01-10"), "? Version");
    check(&format!("{rds} | Action=DeleteDBInstance"), "? Version");
    check(&format!("{rds} | Action=EatDBInstance&Version=2014-10-31"), "? NoOperation");
    check(
        &format!("{rds} | Action=DeleteDBInstance&Action=DescribeDBInstances&Version=2014-10-31"),
        "? Twice",
    );
    check(
        &format!("{rds}?Action=DescribeDBInstances | Action=DeleteDBInstance&Version=2014-10-31"),
        "? TwoOperations",
    );
    check(
        &format!(
            "{rds} | Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=a&DBInstanceIdentifier=b"
        ),
        "? Twice",
    );
    check(
        &format!("{rds} | Action=DeleteDBInstance&Version=2014-10-31&SkipFinalSnapshot=TRUE"),
        "? Value",
    );
    check(
        &format!("{rds} | Action=DeleteDBInstance&Version=2014-10-31;DBInstanceIdentifier=a"),
        "? Malformed",
    );
    check(
        &format!("{rds} | Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=%ff"),
        "? NotUtf8",
    );
    check(
        &format!("{rds} | Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=%4"),
        "? Percent",
    );
    check(
        &format!("{ec2} | Action=TerminateInstances&Version=2016-11-15&InstanceId.1=a&InstanceId.3=b"),
        "? Gap",
    );
    check(&format!("{ec2} | Action=TerminateInstances&Version=2016-11-15&InstanceId.01=a"), "? Gap");
    check(
        &format!("{ec2} | Action=TerminateInstances&Version=2016-11-15&InstanceId=a&InstanceId.1=b"),
        "? Twice",
    );
    check(
        &format!(
            "{ec2} | Content-Type: application/x-amz-json-1.1 | Action=TerminateInstances&Version=2016-11-15"
        ),
        "? ContentType",
    );
    check(
        &format!(
            "{ec2} | X-HTTP-Method-Override: DELETE | Action=TerminateInstances&Version=2016-11-15"
        ),
        "? Override",
    );
    check(&format!("{ec2}%2e%2e/ | Action=TerminateInstances&Version=2016-11-15"), "? NoOperation");
}

#[test]
fn json() {
    let dynamo = "POST https://dynamodb.us-east-1.amazonaws.com/";
    let target = "X-Amz-Target: DynamoDB_20120810";
    check(
        &format!("{dynamo} | {target}.DeleteTable | {{\"TableName\":\"t\"}}"),
        r#"dynamodb:DeleteTable {"TableName":"t"}"#,
    );
    check(
        &format!("{dynamo} | {target}.ListTables | Content-Type: application/x-amz-json-1.0 | {{}}"),
        "dynamodb:ListTables {}",
    );
    check(
        &format!(
            "{dynamo} | {target}.ExecuteStatement | {{\"Statement\":\"DELETE FROM \\\"t\\\" WHERE k='a'\"}}"
        ),
        r#"dynamodb:ExecuteStatement {"Statement":"DELETE FROM \"t\" WHERE k='a'"}"#,
    );
    check(
        &format!("{dynamo} | {target}.DeleteTable | {{\"TableName\":\"a\",\"TableName\":\"b\"}}"),
        "? Twice",
    );
    check(
        &format!(
            "{dynamo} | {target}.PutItem | {{\"Item\":{{\"k\":{{\"S\":\"a\"}},\"k\":{{\"S\":\"b\"}}}}}}"
        ),
        "? Twice",
    );
    check(&format!("{dynamo} | {target}.DeleteTable | {{\"TableName\":\"a\"}} x"), "? Malformed");
    check(&format!("{dynamo} | {target}.DeleteTable | [1]"), "? Malformed");
    check(
        &format!("{dynamo} | {target}.DeleteTable | {{\"N\":0.12345678901234567890123}}"),
        "? Number",
    );
    check(
        &format!("{dynamo} | {target}.DeleteTable | {{\"N\":{}1{}}}", "[".repeat(70), "]".repeat(70)),
        "? Malformed",
    );
    check(&format!("{dynamo} | {target}.DeleteTable | {target}.ListTables | {{}}"), "? Twice");
    check(&format!("{dynamo} | {target}.EatTable | {{}}"), "? NoOperation");
    check(
        &format!(
            "{dynamo} | {target}.DeleteTable | Content-Type: application/x-www-form-urlencoded | {{}}"
        ),
        "? ContentType",
    );
    check(&format!("{dynamo}?Action=ListTables | {target}.DeleteTable | {{}}"), "? Protocol");
    check(&format!("{dynamo}x | {target}.DeleteTable | {{}}"), "? Protocol");
    check(
        "GET https://dynamodb.us-east-1.amazonaws.com/ | X-Amz-Target: DynamoDB_20120810.ListTables",
        "? Protocol",
    );
    check(
        "POST https://b.s3.us-east-1.amazonaws.com/ | X-Amz-Target: DynamoDB_20120810.ListTables | {}",
        "? Protocol",
    );
    check(
        "POST https://cloudtrail.us-east-1.amazonaws.com/ | X-Amz-Target: com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.StopLogging | {\"Name\":\"t\"}",
        r#"cloudtrail:StopLogging {"Name":"t"}"#,
    );
    check(
        "POST https://cloudtrail.us-east-1.amazonaws.com/ | X-Amz-Target: CloudTrail_20131101.StopLogging | {\"Name\":\"t\"}",
        r#"cloudtrail:StopLogging {"Name":"t"}"#,
    );
}

#[test]
fn paths() {
    let lambda = "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions";
    check(
        &format!("DELETE {lambda}/foo?Qualifier=3"),
        r#"lambda:DeleteFunction {"FunctionName":"foo","Qualifier":"3"}"#,
    );
    check(
        &format!("DELETE {lambda}/arn%3Aaws%3Alambda%3Aus-east-1%3A1%3Afunction%3Afoo"),
        r#"lambda:DeleteFunction {"FunctionName":"arn:aws:lambda:us-east-1:1:function:foo"}"#,
    );
    check(&format!("GET {lambda}/?MaxItems=10"), r#"lambda:ListFunctions {"MaxItems":10}"#);
    check(&format!("POST {lambda}/f/invocations | X-Amz-Invocation-Type: Event | {{\"a\":1}}"), r#"lambda:InvokeFunction {"FunctionName":"f","InvocationType":"Event","Payload":"eyJhIjoxfQ=="}"#.replace("InvokeFunction", "Invoke").as_str());
    check(&format!("DELETE {lambda}/a/../b"), "? Dots");
    check(&format!("DELETE {lambda}/%2e%2e"), "? Dots");
    check(&format!("DELETE {lambda}//event-invoke-config"), "? EmptyLabel");
    check(&format!("GET {lambda}/f%2Fpolicy"), "? Slash");
    check(&format!("DELETE {lambda}/f?Qualifier=1&Qualifier=2"), "? Twice");
    check("PATCH https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f", "? NoOperation");
    let eks = "https://eks.us-east-1.amazonaws.com";
    check(
        &format!(
            "POST {eks}/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A1%3Acluster%2Fc | {{\"tags\":{{\"env\":\"dev\"}}}}"
        ),
        r#"eks:TagResource {"resourceArn":"arn:aws:eks:us-east-1:1:cluster/c","tags":{"env":"dev"}}"#,
    );
    check(
        &format!("DELETE {eks}/tags/arn%3Aaws%3Aeks%3Aus-east-1%3A1%3Acluster%2Fc?tagKeys=a&tagKeys=b"),
        r#"eks:UntagResource {"resourceArn":"arn:aws:eks:us-east-1:1:cluster/c","tagKeys":["a","b"]}"#,
    );
    check(
        &format!("DELETE {eks}/clusters/prod | Content-Type: application/x-amz-json-1.1"),
        r#"eks:DeleteCluster {"name":"prod"}"#,
    );
    check(
        "DELETE https://apigateway.us-east-1.amazonaws.com/restapis/abc",
        r#"apigateway:DeleteRestApi {"restApiId":"abc"}"#,
    );
}

#[test]
fn scopes() {
    let line = Line::read(
        "POST https://ec2.us-east-1.amazonaws.com/ | Action=DescribeInstances&Version=2016-11-15",
    )
    .unwrap();
    let with = |service| decode(&line.head, &line.body, &Scope { service, region: "us-east-1" }).call;
    assert!(matches!(with("ec2"), Call::Known(_)));
    assert!(matches!(with("rds"), Call::Unknown { why: Unclear::Host, .. }), "{:?}", with("rds"));
    assert!(matches!(with("nothing"), Call::Unknown { why: Unclear::NoService, .. }));
}

/// Whatever shares a method and a path in S3 is told apart by query and headers, or is not known.
#[test]
fn s3() {
    let bucket = "https://s3.us-east-1.amazonaws.com/b";
    let check = |line: &str, expect: &str| {
        let decoded = of(line);
        let got = match &decoded.call {
            Call::Known(operation) => operation.name().to_owned(),
            Call::Unknown { why, .. } => format!("? {why:?}"),
        };
        assert_eq!(got, expect, "{line}");
        got
    };
    let cases = include_str!("tests/s3.txt");
    for case in cases.lines().filter(|line| !line.starts_with('#')) {
        let (request, expect) = case.split_once(" => ").unwrap();
        let (method, rest) = request.split_once(' ').unwrap();
        check(&format!("{method} {bucket}{rest}"), expect);
    }
}

#[test]
fn s3_by_host_and_its_documents() {
    check(
        "GET https://acme-data.s3.us-east-1.amazonaws.com/runbooks/terminate.md",
        r#"s3:GetObject {"Bucket":"acme-data","Key":"runbooks/terminate.md"}"#,
    );
    check(
        "DELETE https://a.b.s3.dualstack.eu-west-1.amazonaws.com/",
        r#"s3:DeleteBucket {"Bucket":"a.b"}"#,
    );
    check(
        "DELETE https://s3.amazonaws.com/b/a%20b%2Bc~%C3%A9//x.txt",
        r#"s3:DeleteObject {"Bucket":"b","Key":"a b+c~é//x.txt"}"#,
    );
    check("DELETE https://s3.amazonaws.com/b/dir/", r#"s3:DeleteObject {"Bucket":"b","Key":"dir/"}"#);
    check("DELETE https://s3.amazonaws.com/b/a/../c", "? Dots");
    check(
        "POST https://s3.us-east-1.amazonaws.com/b?delete | <Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Object><Key>a&amp;b</Key></Object><Object><Key>c</Key><VersionId>1</VersionId></Object><Quiet>true</Quiet></Delete>",
        r#"s3:DeleteObjects {"Bucket":"b","Delete":{"Objects":[{"Key":"a&b"},{"Key":"c","VersionId":"1"}],"Quiet":true}}"#,
    );
    check(
        "POST https://s3.us-east-1.amazonaws.com/b?delete | <Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
        "? Twice",
    );
    check(
        "POST https://s3.us-east-1.amazonaws.com/b?delete | <!DOCTYPE x [<!ENTITY e \"a\">]><Delete><Object><Key>&e;</Key></Object></Delete>",
        "? Malformed",
    );
    check(
        "POST https://s3.us-east-1.amazonaws.com/b?delete | <Delete><Object><Key>a<!-- -->b</Key></Object></Delete>",
        "? Malformed",
    );
    check(
        "POST https://s3.us-east-1.amazonaws.com/b?delete | <Delete><Object><Key>a</Key></Object></Delete><Delete/>",
        "? Twice",
    );
    check(
        "PUT https://s3.us-east-1.amazonaws.com/b?versioning | <VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>",
        r#"s3:PutBucketVersioning {"Bucket":"b","VersioningConfiguration":{"Status":"Suspended"}}"#,
    );
    check(
        "PUT https://s3.us-east-1.amazonaws.com/b/k | x-amz-meta-a: 1 | Content-Type: text/plain | hello",
        r#"s3:PutObject {"Bucket":"b","ContentType":"text/plain","Key":"k","Metadata":{"a":"1"}}"#,
    );
    check(
        "POST https://route53.amazonaws.com/2013-04-01/hostedzone/Z1/rrset/ | <ChangeResourceRecordSetsRequest><ChangeBatch><Changes><Change><Action>DELETE</Action><ResourceRecordSet><Name>a.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord><Value>1.2.3.4</Value></ResourceRecord></ResourceRecords></ResourceRecordSet></Change></Changes></ChangeBatch></ChangeResourceRecordSetsRequest>",
        r#"route53:ChangeResourceRecordSets {"ChangeBatch":{"Changes":[{"Action":"DELETE","ResourceRecordSet":{"Name":"a.","ResourceRecords":[{"Value":"1.2.3.4"}],"TTL":60,"Type":"A"}}]},"HostedZoneId":"Z1"}"#,
    );
}

#[test]
fn resources() {
    let owner = Owner { account: "111122223333", partition: "aws" };
    let check = |line: &str, expect: &[&str]| {
        let arns: Vec<String> = of(line).resources(owner).into_iter().map(|it| it.arn).collect();
        assert_eq!(arns, expect, "{line}");
    };
    check(
        "POST https://ec2.us-east-1.amazonaws.com/ | Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-0b&InstanceId.2=i-0a",
        &[
            "arn:aws:ec2:us-east-1:111122223333:instance/i-0a",
            "arn:aws:ec2:us-east-1:111122223333:instance/i-0b",
        ],
    );
    check(
        "POST https://rds.eu-west-1.amazonaws.com/ | Action=DeleteDBInstance&Version=2014-10-31&DBInstanceIdentifier=p",
        &["arn:aws:rds:eu-west-1:111122223333:db:p"],
    );
    check(
        "POST https://cloudformation.us-east-1.amazonaws.com/ | Action=DeleteStack&Version=2010-05-15&StackName=ce",
        &["arn:aws:cloudformation:us-east-1:111122223333:stack/ce/*"],
    );
    check("DELETE https://b.s3.us-east-1.amazonaws.com/k/l", &["arn:aws:s3:::b/k/l"]);
    check(
        "POST https://b.s3.us-east-1.amazonaws.com/?delete | <Delete><Object><Key>a</Key></Object></Delete>",
        &["arn:aws:s3:::b/*"],
    );
    check(
        "POST https://sqs.us-east-1.amazonaws.com/ | X-Amz-Target: AmazonSQS.DeleteQueue | {\"QueueUrl\":\"https://sqs.us-east-1.amazonaws.com/1/jobs\"}",
        &["arn:aws:sqs:us-east-1:111122223333:jobs"],
    );
    check(
        "POST https://ecs.us-east-1.amazonaws.com/ | X-Amz-Target: AmazonEC2ContainerServiceV20141113.UpdateService | {\"cluster\":\"c\",\"service\":\"s\",\"desiredCount\":0}",
        &["arn:aws:ecs:us-east-1:111122223333:service/c/s"],
    );
    check(
        "POST https://dynamodb.us-east-1.amazonaws.com/ | X-Amz-Target: DynamoDB_20120810.ListTables | {}",
        &["arn:aws:dynamodb:us-east-1:111122223333:*"],
    );
    check(
        "POST https://rds.eu-west-1.amazonaws.com/ | Action=EatDBInstance&Version=2014-10-31&DBInstanceIdentifier=p",
        &["arn:aws:rds:eu-west-1:111122223333:*"],
    );
    check(
        "DELETE https://apigateway.us-east-1.amazonaws.com/restapis/abc",
        &["arn:aws:apigateway:us-east-1:111122223333:restApiId/abc"],
    );
}

#[test]
fn what_is_shown_hides_values_and_nothing_hides_in_it() {
    let put = of(
        "POST https://ssm.us-east-1.amazonaws.com/ | X-Amz-Target: AmazonSSM.PutParameter | {\"Name\":\"/db/password\",\"Value\":\"hunter2\u{202e}\",\"Overwrite\":true}",
    );
    assert!(
        put.text().starts_with("ssm:PutParameter {\n") && put.text().contains("hunter2\\u202e"),
        "{}",
        put.text()
    );
    let redacted = put.redacted();
    assert!(
        !redacted.contains("hunter2") && redacted.contains("/db/password") && redacted.contains("true"),
        "{redacted}"
    );
}

/// Every name that a request's members can have.
fn names() -> std::collections::BTreeSet<&'static str> {
    fn below(
        kind: table::Kind,
        seen: &mut std::collections::HashSet<String>,
        names: &mut std::collections::BTreeSet<&'static str>,
    ) {
        match kind.what() {
            table::What::Structure(structure) if seen.insert(format!("{kind:?}")) => {
                for member in structure.members() {
                    names.insert(member.name);
                    below(member.kind, seen, names);
                }
            }
            table::What::List { of, .. } | table::What::Map { of, .. } => below(of, seen, names),
            _ => {}
        }
    }
    let mut names = std::collections::BTreeSet::new();
    for api in table::apis() {
        let mut seen = std::collections::HashSet::new();
        for member in api.operations().flat_map(Operation::members) {
            names.insert(member.name);
            below(member.kind, &mut seen, &mut names);
        }
    }
    names
}

#[test]
fn no_name_that_looks_like_a_secrets_stays_in_the_clear() {
    const SECRETS: [&str; 14] = [
        "key",
        "password",
        "passphrase",
        "passcode",
        "secret",
        "token",
        "credential",
        "signature",
        "cookie",
        "url",
        "uri",
        "certificate",
        "cipher",
        "hash",
    ];
    let names = names();
    for name in ["PreSharedKey", "ApiKey", "authKey", "secretKey"] {
        assert!(!is_identifying(name), "{name}");
    }
    let seems = |name: &&&str| {
        let name = name.to_ascii_lowercase();
        SECRETS.iter().any(|it| name.ends_with(it) || name.ends_with(&format!("{it}s")))
    };
    let kept: Vec<&str> = names.iter().filter(seems).copied().filter(|it| is_identifying(it)).collect();
    assert_eq!(kept, ["Key", "QueueUrl", "S3Key", "TagKey"]);
    let ids: Vec<&str> = names
        .iter()
        .filter(|name| name.to_ascii_lowercase().ends_with("accesskeyid"))
        .copied()
        .collect();
    assert!(!ids.is_empty() && !ids.iter().any(|name| is_identifying(name)), "{ids:?}");
}
