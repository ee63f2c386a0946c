//! Every operation of the table, asked for in each protocol of its service with the least that it needs.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use crate::aws::decode::{Call, Decoded, Scope, decode};
use crate::aws::line::Line;
use crate::aws::protocol::Protocol;
use crate::aws::request::Head;
use crate::aws::table::{Api, Kind, Operation, Place, What, apis};

/// What is not found as itself, with the reason.
const NOT_ITSELF: &str = include_str!("not_itself.txt");

fn least(kind: Kind) -> Value {
    match kind.what() {
        What::Text | What::Blob => json!("x1"),
        What::Integer => json!(1),
        What::Float => json!(1.5),
        What::Boolean => json!(true),
        What::Timestamp => json!(1_700_000_000),
        What::Document | What::Structure(_) | What::Map { .. } => json!({}),
        What::List { .. } => json!([]),
    }
}

fn text(kind: Kind) -> String {
    match kind.what() {
        What::Timestamp => "2023-11-14T22:13:20Z".into(),
        What::List { of, .. } => text(of),
        What::Structure(_) | What::Map { .. } | What::Document => String::new(),
        _ => least(kind).to_string().trim_matches('"').to_owned(),
    }
}

/// A request for `operation` in `protocol`; the second is what its parameters must be.
fn request(operation: Operation, protocol: Protocol) -> (Head, Vec<u8>, Value) {
    let api = operation.api();
    let mut headers = vec![("host".to_owned(), "tyer.example.com".to_owned())];
    let required = || operation.members().filter(|member| member.is_required);
    let mut head = |name: &str, value: String| headers.push((name.to_ascii_lowercase(), value));
    let (mut method, mut path, mut query, mut body) =
        ("POST".to_owned(), "/".to_owned(), String::new(), Vec::new());
    let mut parameters = Map::new();
    match protocol {
        Protocol::Query | Protocol::Ec2 => {
            let mut form = format!("Action={}&Version={}", operation.name(), api.version());
            for member in required() {
                let _ = match member.kind.what() {
                    What::List { .. } | What::Structure(_) | What::Map { .. } => {
                        write!(form, "&{}=", member.wire)
                    }
                    _ => write!(form, "&{}={}", member.wire, text(member.kind)),
                };
                parameters.insert(member.name.into(), least(member.kind));
            }
            body = form.into_bytes();
        }
        Protocol::Json10 | Protocol::Json11 | Protocol::Cbor => {
            parameters.extend(required().map(|member| (member.wire.to_owned(), least(member.kind))));
            if protocol == Protocol::Cbor {
                head("smithy-protocol", "rpc-v2-cbor".into());
                path = format!("/service/{}/operation/{}", api.target_prefix(), operation.name());
                ciborium::into_writer(&Value::Object(parameters.clone()), &mut body).unwrap();
            } else {
                head("x-amz-target", format!("{}.{}", api.target_prefix(), operation.name()));
                let version = if protocol == Protocol::Json10 { "1.0" } else { "1.1" };
                head("content-type", format!("application/x-amz-json-{version}"));
                body = Value::Object(parameters.clone()).to_string().into_bytes();
            }
        }
        Protocol::RestJson | Protocol::RestXml | Protocol::S3 => {
            method = operation.method().to_owned();
            path = operation.path().to_owned();
            let mut pairs: Vec<String> =
                operation.constants().map(|(name, value)| format!("{name}={value}")).collect();
            let mut document = Map::new();
            for member in operation.members() {
                if member.place == Place::Label {
                    path = path.replace(&format!("{{{}}}", member.wire), &text(member.kind));
                    path = path.replace(&format!("{{{}+}}", member.wire), &text(member.kind));
                }
                if !member.is_required {
                    continue;
                }
                match member.place {
                    Place::Query if !matches!(member.kind.what(), What::Map { .. }) => {
                        pairs.push(format!("{}={}", member.wire, text(member.kind)))
                    }
                    Place::Header => head(member.wire, text(member.kind)),
                    Place::Body => drop(document.insert(member.wire.to_owned(), least(member.kind))),
                    _ => {}
                }
            }
            query = pairs.join("&");
            if protocol == Protocol::RestJson && !document.is_empty() && method != "GET" {
                body = Value::Object(document).to_string().into_bytes();
            }
        }
    }
    (Head { method, path, query, headers }, body, Value::Object(parameters))
}

fn asked(operation: Operation, protocol: Protocol) -> (Decoded, Value) {
    let (head, body, parameters) = request(operation, protocol);
    let scope = Scope { service: operation.api().signing_name(), region: "us-east-1" };
    (decode(&head, &body, &scope), parameters)
}

#[test]
fn every_operation_is_found_as_itself_in_each_protocol() {
    let (mut count, mut asked_for, mut others) = (0, 0, Vec::new());
    for operation in apis().flat_map(Api::operations) {
        count += 1;
        for protocol in operation.api().protocols() {
            asked_for += 1;
            let (decoded, parameters) = asked(operation, protocol);
            let is_rest = matches!(protocol, Protocol::RestJson | Protocol::RestXml);
            // Services that share a name share operations; the name is the operation's.
            let is_itself =
                matches!(decoded.call, Call::Known(found) if found.name() == operation.name());
            if !is_itself {
                let got = match decoded.call {
                    Call::Known(found) => format!("{found:?}"),
                    Call::Unknown { why, .. } => format!("{why:?}"),
                };
                others.push(format!("{operation:?} {protocol:?} {got}"));
            } else if !is_rest && !matches!(decoded.call, Call::Known(found) if found != operation) {
                assert_eq!(decoded.parameters, parameters, "{operation:?} {protocol:?}");
                assert!(decoded.extra.is_empty(), "{operation:?} {protocol:?} {:?}", decoded.extra);
            }
        }
    }
    assert!(count >= 20_000 && asked_for > count, "{count} operations, asked for {asked_for} times");
    let listed = NOT_ITSELF.lines().filter(|line| !line.starts_with('#'));
    let listed: Vec<&str> = listed.map(|line| line.split_once(" -- ").unwrap().0).collect();
    let got: Vec<&str> = others.iter().map(String::as_str).collect();
    assert_eq!(got, listed, "found as something else, or listed without being so");
}

/// The lines for AWS of what really happened are all understood.
#[test]
fn the_requests_of_the_scenarios_are_known() {
    let mut count = 0;
    for line in include_str!("scenarios.txt").lines().filter(|line| !line.starts_with('#')) {
        let (expect, request) = line.split_once(' ').unwrap();
        let line = Line::read(request).unwrap_or_else(|| panic!("{request}"));
        let decoded =
            decode(&line.head, &line.body, &Scope { service: &line.service, region: &line.region });
        assert_eq!(decoded.name(), expect, "{request}: {:?}", decoded.call);
        assert!(
            matches!(decoded.call, Call::Known(_)) && decoded.extra.is_empty(),
            "{request}: {decoded:?}"
        );
        count += 1;
    }
    assert!(count > 20, "{count}");
}
