//! The same operation is the same request in each protocol, and another one is another.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::of;
use crate::aws::decode::{Decoded, Scope, Whither, decode};
use crate::aws::line::Line;

const CLOUDWATCH: &str = "POST https://monitoring.us-east-1.amazonaws.com/";

fn query(name: &str, period: i64, threshold: i64, on: bool, actions: &[String]) -> Decoded {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let mut form = format!(
        "Action=PutMetricAlarm&Version=2010-08-01&AlarmName={}&Period={period}&Threshold={threshold}.0&ActionsEnabled={on}",
        encode(name)
    );
    for (number, action) in actions.iter().enumerate() {
        form += &format!("&AlarmActions.member.{}={}", number + 1, encode(action));
    }
    of(&format!("{CLOUDWATCH} | Content-Type: application/x-www-form-urlencoded | {form}"))
}

fn document(name: &str, period: i64, threshold: i64, on: bool, actions: &[String]) -> Value {
    let mut value =
        json!({"AlarmName": name, "Period": period, "Threshold": threshold, "ActionsEnabled": on});
    if !actions.is_empty() {
        value["AlarmActions"] = json!(actions);
    }
    value
}

fn as_json(value: &Value) -> Decoded {
    of(&format!(
        "{CLOUDWATCH} | X-Amz-Target: GraniteServiceVersion20100801.PutMetricAlarm | Content-Type: application/x-amz-json-1.0 | {value}"
    ))
}

fn as_cbor(value: &Value) -> Decoded {
    let mut body = Vec::new();
    ciborium::into_writer(value, &mut body).unwrap();
    let mut line = Line::read("POST https://monitoring.us-east-1.amazonaws.com/service/GraniteServiceVersion20100801/operation/PutMetricAlarm | smithy-protocol: rpc-v2-cbor | Content-Type: application/cbor").unwrap();
    line.body = body;
    decode(&line.head, &line.body, &Scope { service: &line.service, region: &line.region })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_operation_is_one_identity_in_every_protocol(
        name in "[a-z \u{e9}&|+]{1,12}",
        period in any::<i32>(),
        threshold in any::<i16>(),
        on in any::<bool>(),
        actions in prop::collection::vec("[a-z:&]{1,9}", 0..3),
    ) {
        let name = name.trim().replace('|', "x") + "n";
        let (period, threshold) = (i64::from(period), i64::from(threshold));
        let value = document(&name, period, threshold, on, &actions);
        let (one, two, three) = (query(&name, period, threshold, on, &actions), as_json(&value), as_cbor(&value));
        prop_assert_eq!(&one.parameters, &two.parameters);
        prop_assert_eq!(one.identity(), two.identity());
        prop_assert_eq!(two.identity(), three.identity());
        prop_assert_eq!(one.members(), three.members());
        let other = as_json(&document(&name, period.wrapping_add(1), threshold, on, &actions));
        prop_assert_ne!(one.identity(), other.identity());
        prop_assert_eq!(one.members(), other.members());
    }
}

#[test]
fn tokens_dates_and_attempts_are_no_part_of_it() {
    let ecs = |service: &str, token: &str, more: &str| {
        of(&format!(
            "POST https://ecs.us-east-1.amazonaws.com/ | X-Amz-Target: AmazonEC2ContainerServiceV20141113.CreateService{more} | {{\"serviceName\":\"{service}\",\"clientToken\":\"{token}\"}}"
        ))
    };
    let ec2 = |token: &str, more: &str| {
        of(&format!(
            "POST https://ec2.us-east-1.amazonaws.com/ | User-Agent: a{more} | Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F8&ClientToken={token}"
        ))
    };
    assert_ne!(ecs("a", "1", "").identity(), ecs("b", "1", "").identity());
    let run = |token: &str, more: &str| {
        of(&format!(
            "POST https://ec2.us-east-1.amazonaws.com/{more} | Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&ClientToken={token}"
        ))
    };
    assert_eq!(run("1", "").identity(), run("2", "?X-Amz-Date=1&X-Amz-Signature=2").identity());
    assert_ne!(ec2("1", "").identity(), run("1", "").identity());
    let unknown = |date: &str| {
        of(&format!(
            "POST https://ec2.us-east-1.amazonaws.com/ | X-Amz-Date: {date} | amz-sdk-invocation-id: {date} | Action=EatInstances&Version=2016-11-15"
        ))
    };
    assert_eq!(unknown("1").identity(), unknown("2").identity());
    let put = |more: &str, body: &str| {
        of(&format!("PUT https://b.s3.us-east-1.amazonaws.com/k{more} | {body}"))
    };
    assert_eq!(put(" | x-amz-checksum-crc32: a", "x").identity(), put("", "x").identity());
    assert_ne!(put("", "x").identity(), put("", "y").identity());
    assert_ne!(put("", "x").identity(), put(" | x-amz-acl: public-read", "x").identity());
}

#[test]
fn cbor_that_readers_differ_about_is_not_read() {
    let check = |hex: &str, expect: &str| {
        let body: Vec<u8> = (0..hex.len() / 2)
            .map(|at| u8::from_str_radix(hex.get(2 * at..2 * at + 2).unwrap(), 16).unwrap())
            .collect();
        let got = crate::aws::decode::cbor::read(&body);
        assert_eq!(
            got.map_or_else(|why| format!("{why:?}"), |value| value.to_string()),
            expect,
            "{hex}"
        );
    };
    check("a16161f5", r#"{"a":true}"#);
    check("bf616101ff", r#"{"a":1}"#);
    check("a1616143000102", r#"{"a":"AAEC"}"#);
    check("a16161c11a65000000", r#"{"a":1694498816}"#);
    check("a16161fb3ff8000000000000", r#"{"a":1.5}"#);
    check("a16161f97e00", r#"{"a":"NaN"}"#);
    check("a2616101616102", "Twice");
    check("a161617f6161ff", "Pieces");
    check("a16161f7", "Value");
    check("a10101", "Value");
    check("a16161c249010000000000000000", "Value");
    check("a1616101ff", "Malformed");
    check("a16161", "Malformed");
    check("a16161781061", "Malformed");
    check(&format!("{}00", "81".repeat(80)), "TooDeep");
}

#[test]
fn a_shape_has_what_people_agree_to_by_name_and_no_values() {
    let shape = |line: &str, environment: &str| {
        let decoded = of(line);
        let owner = crate::aws::resources::Owner { account: "111122223333", partition: "aws" };
        let terms = crate::aws::understand::Terms { owner, environment_tags: &[] };
        let acts = crate::aws::understand::understand(&decoded, &terms);
        let to = Whither { account: "main", environment };
        decoded.shape(&acts, &decoded.resources(owner), to)
    };
    let one = |line: &str| shape(line, "staging");
    let docs = one("GET https://docs.s3.eu-west-1.amazonaws.com/readme");
    assert_eq!(docs, one("GET https://docs.s3.eu-west-1.amazonaws.com/a/b/licence"));
    assert_ne!(docs, one("GET https://payroll.s3.eu-west-1.amazonaws.com/readme"));
    assert_ne!(docs, one("GET https://docs.s3.eu-central-1.amazonaws.com/readme"));
    assert_ne!(docs, shape("GET https://docs.s3.eu-west-1.amazonaws.com/readme", "production"));
    assert_ne!(docs, one("HEAD https://docs.s3.eu-west-1.amazonaws.com/readme"));
}
