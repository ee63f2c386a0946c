//! Names that no model knows, and names that come twice, by the bytes of each protocol.

use super::of;
use crate::aws::decode::{Call, Decoded, Scope, decode};
use crate::aws::line::Line;
use crate::aws::resources::Owner;
use crate::aws::table::apis;
use crate::aws::understand::{Terms, understand};

/// The operation, names that no model knows, and effects; or why it is not understood.
fn said(decoded: &Decoded) -> String {
    let owner = Owner { account: "111122223333", partition: "aws" };
    let acts = understand(decoded, &Terms { owner, environment_tags: &[] });
    let mut effects: Vec<&str> = acts.iter().map(|act| act.effect.as_str()).collect();
    effects.sort_unstable();
    effects.dedup();
    let effect = effects.join("+");
    match &decoded.call {
        Call::Known(_) => format!("{} {:?} {effect}", decoded.name(), decoded.extra),
        Call::Unknown { why, .. } => format!("? {why:?} {effect}"),
    }
}

fn check(line: &str, expect: &str) {
    assert_eq!(said(&of(line)), expect, "{line}");
}

/// The same as CBOR of RPC v2: `body` is in hexadecimal.
fn check_cbor(operation: &str, body: &str, expect: &str) {
    let at = "POST https://monitoring.us-east-1.amazonaws.com/service/GraniteServiceVersion20100801/operation";
    let line =
        format!("{at}/{operation} | smithy-protocol: rpc-v2-cbor | Content-Type: application/cbor");
    let mut line = Line::read(&line).unwrap();
    let digits = (0..body.len() / 2).map(|at| body.get(2 * at..2 * at + 2).unwrap());
    line.body = digits.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let scope = Scope { service: &line.service, region: &line.region };
    assert_eq!(said(&decode(&line.head, &line.body, &scope)), expect, "{operation} {body}");
}

#[test]
fn json_in_a_target() {
    let dynamo = "POST https://dynamodb.us-east-1.amazonaws.com/ | X-Amz-Target: DynamoDB_20120810";
    let update = format!("{dynamo}.UpdateTimeToLive | ");
    let known = r#""TableName":"t","TimeToLiveSpecification":{"Enabled":true,"AttributeName":"a"}"#;
    check(&format!("{update}{{{known}}}"), "dynamodb:UpdateTimeToLive [] change+destroy");
    check(
        &format!("{update}{{{known},\"tablename\":\"prod\"}}"),
        r#"dynamodb:UpdateTimeToLive ["tablename"] change+destroy+opaque"#,
    );
    check(
        &format!("{update}{{{known},\"Wish\":null}}"),
        r#"dynamodb:UpdateTimeToLive ["Wish"] change+destroy+opaque"#,
    );
    check(&format!("{update}{{{known},\"TableName\":\"t\"}}"), "? Twice opaque");
    check(&format!("{update}{{{known},\"Table\\u004eame\":\"t\"}}"), "? Twice opaque");
    check(
        &format!(
            "{update}{{\"TableName\":\"t\",\"TimeToLiveSpecification\":{{\"Enabled\":true,\"Enabled\":false}}}}"
        ),
        "? Twice opaque",
    );
    check(&format!("{dynamo}.ListTables | {{\"Wish\":1}}"), r#"dynamodb:ListTables ["Wish"] read"#);
    let glue = "POST https://glue.us-east-1.amazonaws.com/ | X-Amz-Target: AWSGlue.GetConnection | ";
    check(&format!("{glue}{{\"Name\":\"c\",\"HidePassword\":true}}"), "glue:GetConnection [] read");
    check(
        &format!("{glue}{{\"Name\":\"c\",\"hidePassword\":true}}"),
        r#"glue:GetConnection ["hidePassword"] grant+read"#,
    );
    check(
        &format!("{glue}{{\"Name\":\"c\",\"HidePassword\":true,\"hidepassword\":false}}"),
        r#"glue:GetConnection ["hidepassword"] grant+read"#,
    );
}

#[test]
fn json_at_a_path() {
    let code = "PUT https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/code | ";
    let earnest = of(&format!("{code}{{\"ZipFile\":\"eA==\"}}"));
    assert_ne!(said(&earnest), "lambda:UpdateFunctionCode [] read");
    let tried = |more: &str| of(&format!("{code}{{\"ZipFile\":\"eA==\",\"DryRun\":true{more}}}"));
    assert_eq!(said(&tried("")), "lambda:UpdateFunctionCode [] read");
    let check = |more: &str, expect: &str| assert_eq!(said(&tried(more)), expect, "{more}");
    check(r#","dryRun":false"#, r#"lambda:UpdateFunctionCode ["dryRun"] change+opaque"#);
    check(r#","Wish":1"#, r#"lambda:UpdateFunctionCode ["Wish"] change+opaque"#);
    check(r#","DryRun":false"#, "? Twice opaque");
    check(r#","Dry\u0052un":false"#, "? Twice opaque");
    // What stands in the path has no second place.
    check(r#","FunctionName":"g""#, "? Twice opaque");
    let small = of(&format!("{code}{{\"ZipFile\":\"eA==\",\"dryRun\":true}}"));
    assert_eq!(said(&small), r#"lambda:UpdateFunctionCode ["dryRun"] change+opaque"#);
}

#[test]
fn cbor() {
    // {"AlarmNames": ["a"]}, and the same with "alarmNames": [] or another "AlarmNames".
    let (names, own) = ("6a416c61726d4e616d6573", "816161");
    let check = |body: &str, expect: &str| check_cbor("DeleteAlarms", body, expect);
    check(&format!("a1{names}{own}"), "cloudwatch:DeleteAlarms [] disarm");
    check(
        &format!("a2{names}{own}6a616c61726d4e616d657380"),
        r#"cloudwatch:DeleteAlarms ["alarmNames"] disarm+opaque"#,
    );
    check(
        &format!("bf{names}{own}6457697368f6ff"),
        r#"cloudwatch:DeleteAlarms ["Wish"] disarm+opaque"#,
    );
    check(&format!("a2{names}{own}{names}80"), "? Twice opaque");
}

#[test]
fn forms_and_xml() {
    let ec2 = "POST https://ec2.us-east-1.amazonaws.com/ | Action=StartInstances&Version=2016-11-15&InstanceId.1=i-0a&DryRun=true";
    check(ec2, "ec2:StartInstances [] read");
    check(&format!("{ec2}&dryRun=false"), r#"ec2:StartInstances ["dryRun"] change+opaque"#);
    check(&format!("{ec2}&DryRun=false"), "? Twice opaque");
    check(&format!("{ec2}&DryRun.1=false"), "? Twice opaque");
    let versions = "PUT https://s3.us-east-1.amazonaws.com/b?versioning | ";
    let body = |inner: &str| {
        format!(
            "{versions}<VersioningConfiguration><Status>Enabled</Status>{inner}</VersioningConfiguration>"
        )
    };
    check(
        &body("<status>Suspended</status>"),
        r#"s3:PutBucketVersioning ["status"] change+disarm+opaque"#,
    );
    check(&body("<Status>Suspended</Status>"), "? Twice opaque");
}

/// What is written of operations in JSON looks at the top of their bodies alone, where every name is known.
#[test]
fn what_is_left_out_of_the_members_is_not_a_member() {
    let mut count = 0;
    for operation in apis().flat_map(|api| api.operations()) {
        for other in operation.others() {
            count += 1;
            assert!(operation.member(other).is_none(), "{operation:?} {other}");
        }
    }
    assert!(count > 30_000, "{count}");
}
