//! The AWS door by its bytes: who gets in, what goes out, and what is recorded when things break.

mod accounts;
mod authority;
mod bodies;
mod client;
mod consequences;
mod expect;
mod nowhere;
mod owners;
mod places;
mod proxy;
mod real;
mod secrets;
mod tagged;
mod unclear;
mod undone;
mod waits;

use std::time::Duration;

use serde_json::Value;
use tyer_core::intent::Timestamp;
use xtask::approver::Approver;
use xtask::instance::{AwsLogin, Instance, Real, Shape};

use self::client::{Answer, Call, send};
use self::real::{ACCESS_KEY, SECRET, Says, Service, now};
use crate::bed::{needing, people, program, records, verify};

/// A Tyer before an AWS that checks signatures; alice and bob are founders, bob owns it, sessions are carol's.
struct Desk {
    service: Service,
    tyer: Instance,
    alice: Approver,
    bob: Approver,
}

impl Desk {
    async fn new(shape: &Shape) -> Self {
        Self::with(shape, "").await
    }

    /// With further lines for its account's section.
    async fn with(shape: &Shape, account: &str) -> Self {
        let service = Service::start().await;
        let endpoint = service.endpoint();
        let real = Real { endpoint: &endpoint, access_key: ACCESS_KEY, secret: SECRET, account };
        let tyer = Instance::before_aws(program().as_ref(), real, shape).expect("an instance");
        let [alice, bob, _] = people(&tyer).await;
        Self { service, tyer, alice, bob }
    }

    fn session(&self, more: &[&str]) -> AwsLogin {
        self.tyer.aws_session("kiro", "carol", more).expect("a session")
    }

    fn leaves(&self, kind: &str) -> Vec<Value> {
        records(&self.tyer, kind)
    }

    /// The outcomes in their order, once there are so many; they become durable soon, not at once.
    async fn outcomes(&self, count: usize) -> Vec<Value> {
        for _ in 0..200 {
            let settled = self.leaves("settled");
            if settled.len() >= count {
                return settled.into_iter().map(|record| record["outcome"].clone()).collect();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("there are fewer than {count} outcomes: {:?}", self.leaves("settled"));
    }

    fn verify(&self) {
        verify(&self.tyer);
    }
}

/// Reads flow, writes need nobody.
fn open() -> Shape {
    needing(0)
}

fn get_item() -> Call {
    Call::json("dynamodb", "DynamoDB_20120810.GetItem", r#"{"TableName":"t","Key":{"k":{"S":"1"}}}"#)
}

fn put_item(value: &str) -> Call {
    let body = format!(r#"{{"TableName":"t","Item":{{"k":{{"S":"{value}"}}}}}}"#);
    Call::json("dynamodb", "DynamoDB_20120810.PutItem", &body)
}

/// The hold that an answer names.
fn hold(answer: &Answer) -> String {
    let (_, rest) = answer.body.split_once("H-").unwrap_or_else(|| panic!("no hold: {}", answer.body));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    format!("H-{digits}")
}

#[tokio::test]
async fn a_request_goes_out_signed_anew_and_comes_back_as_it_was_answered() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    desk.service.says(Says::Answer(200, r#"{"Item":{}}"#.to_owned()));
    let answer = get_item().send(&login).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"Item":{}}"#));
    assert!(answer.headers.contains(&("x-amzn-requestid".to_owned(), "r-1".to_owned())));
    let seen = desk.service.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].signer.as_deref(), Some(ACCESS_KEY));
    assert_eq!(seen[0].body, get_item().body);
    assert!(!format!("{:?}", seen[0].head.headers).contains(&login.access_key));
    assert_eq!(desk.leaves("read_lease").len(), 1);
    get_item().send(&login).await;
    assert_eq!(desk.leaves("read_lease").len(), 1, "the next read is carried by the same lease");
    put_item("1").send(&login).await;
    assert_eq!(desk.leaves("cleared").len(), 1);
    assert_eq!(desk.outcomes(1).await[0]["tag"], "200");
    desk.verify();
}

#[tokio::test]
async fn other_credentials_are_refused_and_nothing_leaves() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let mut nobody = login.clone();
    nobody.access_key = "AKIAIOSFODNN7EXAMPLE".to_owned();
    let mut liar = login.clone();
    liar.secret.push('x');
    let call = get_item();
    let good = call.signed(&login, now());
    let with = |name: &str, value: &str| {
        let mut head = good.clone();
        head.headers.retain(|(own, _)| own != name);
        head.headers.push((name.to_owned(), value.to_owned()));
        head
    };
    let unsigned = {
        let mut head = good.clone();
        head.headers.retain(|(name, _)| name != "authorization");
        head
    };
    let elsewhere = Call { region: "ap-south-1", ..call.clone() };
    let cases = [
        (call.signed(&nobody, now()), 403, "UnrecognizedClientException"),
        (call.signed(&liar, now()), 403, "InvalidSignatureException"),
        (call.signed(&login, now().plus(-10 * 60_000)), 403, "RequestTimeTooSkewed"),
        (call.signed(&login, Timestamp(0)), 403, "RequestTimeTooSkewed"),
        (unsigned, 403, "MissingAuthenticationTokenException"),
        (with("x-amz-target", "DynamoDB_20120810.DeleteTable"), 403, "InvalidSignatureException"),
        (with("x-amz-security-token", "t"), 403, "ExpiredTokenException"),
        (with("authorization", "AWS AKIA:abc"), 400, "IncompleteSignatureException"),
        (with("authorization", "AWS4-ECDSA-P256-SHA256 Credential=a"), 501, "NotImplementedException"),
        (elsewhere.signed(&login, now()), 403, "AccessDeniedException"),
    ];
    for (head, status, code) in cases {
        let answer = send(&login, &head, call.body.clone()).await.expect("an answer");
        assert_eq!(answer.status, status, "{code}: {}", answer.body);
        assert!(answer.body.contains(code), "{code}: {}", answer.body);
        assert!(answer.headers.iter().any(|(name, _)| name == "date"), "SDKs set their clocks by it");
    }
    let changed = send(&login, &good, br#"{"TableName":"u"}"#.to_vec()).await.expect("an answer");
    assert_eq!(changed.status, 403, "{}", changed.body);
    assert_eq!(desk.service.seen().len(), 0);
}

#[tokio::test]
async fn what_is_held_passes_once_when_enough_people_have_agreed() {
    let mut desk = Desk::new(&needing(2)).await;
    let login = desk.session(&[]);
    let first = put_item("1").send(&login).await;
    assert_eq!(first.status, 403, "{}", first.body);
    assert!(first.body.contains("AccessDeniedException"), "{}", first.body);
    assert!(first.body.contains("present the same request again"), "{}", first.body);
    let id = hold(&first);
    desk.alice.approve(&id).await.expect("alice agrees");
    assert!(hold(&put_item("1").send(&login).await) == id, "one is not two");
    desk.bob.approve(&id).await.expect("bob agrees");
    assert_ne!(hold(&put_item("2").send(&login).await), id, "another item is another request");
    assert_eq!(desk.service.seen().len(), 0);
    assert_eq!(put_item("1").send(&login).await.status, 200);
    assert_eq!(desk.service.seen().len(), 1);
    assert_ne!(hold(&put_item("1").send(&login).await), id, "it was for once");
    assert_eq!(desk.service.seen().len(), 1);
    desk.verify();
}

#[tokio::test]
async fn what_breaks_is_recorded_as_far_as_it_was_seen() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    desk.service.says(Says::Nothing);
    let lost = put_item("1").send(&login).await;
    assert!(lost.status == 400 && lost.body.contains("OutcomeUnknown"), "{}", lost.body);
    assert_eq!(desk.service.seen().len(), 1, "it is not sent twice");
    let outcomes = desk.outcomes(1).await;
    assert_eq!(outcomes[0]["is"], "unknown", "{outcomes:?}");
    let denied = format!(
        "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId></Error>"
    );
    desk.service.says(Says::Answer(403, denied));
    let refused = put_item("2").send(&login).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.body.contains("SignatureDoesNotMatch") && !refused.body.contains(ACCESS_KEY),
        "{}",
        refused.body
    );
    let outcomes = desk.outcomes(2).await;
    assert_eq!(outcomes[1]["code"], "403 SignatureDoesNotMatch", "{outcomes:?}");
    desk.verify();
}

#[tokio::test]
async fn a_session_that_ends_takes_its_requests_with_it() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    desk.service.says(Says::Waits);
    let (call, agent) = (put_item("1"), login.clone());
    let waiting = tokio::spawn(async move { call.send(&agent).await });
    while desk.service.seen().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let said = desk.tyer.run(&["session", "kill", &login.session]).expect("a kill");
    assert!(said.contains("1 of 1 connections were seen to close"), "{said}");
    let answer = waiting.await.expect("an answer");
    assert!(answer.body.contains("ExpiredTokenException"), "{}", answer.body);
    let outcomes = desk.outcomes(1).await;
    assert_eq!(outcomes[0]["is"], "unknown", "{outcomes:?}");
    let later = get_item().send(&login).await;
    assert!(later.body.contains("UnrecognizedClientException"), "{}", later.body);
    desk.service.let_go();
    desk.verify();
}

#[tokio::test]
async fn what_is_elsewhere_was_not_done_and_nobody_is_led_past_the_door() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let moved =
        "<Error><Code>TemporaryRedirect</Code><Endpoint>elsewhere</Endpoint></Error>".to_owned();
    desk.service.says(Says::Answer(307, moved));
    let answer = put_item("1").send(&login).await;
    assert_eq!(answer.status, 307);
    assert!(answer.headers.iter().all(|(name, _)| name != "location"), "{:?}", answer.headers);
    assert_eq!(desk.outcomes(1).await[0]["code"], "307 TemporaryRedirect");
    let failed = format!("<Error><Code>InternalError</Code><Key>{ACCESS_KEY}</Key></Error>");
    desk.service.says(Says::Answer(200, failed));
    let answer = Call::s3("PUT", "/orders/key", b"content".to_vec()).send(&login).await;
    assert_eq!(answer.status, 200, "S3 answers so");
    assert!(
        answer.body.contains("InternalError") && !answer.body.contains(ACCESS_KEY),
        "{}",
        answer.body
    );
    let why = "AWS answered 200 InternalError, which does not say how far it got";
    assert_eq!(desk.outcomes(2).await[1]["why"], why);
    desk.verify();
}

#[tokio::test]
async fn an_answer_that_has_begun_ends_with_its_session() {
    let desk = Desk::new(&open()).await;
    for length in [10_u64, 1_000_000] {
        let login = desk.session(&[]);
        desk.service.says(Says::Begins(length));
        let (call, agent) = (put_item(&length.to_string()), login.clone());
        let head = call.signed(&agent, now());
        let asked = desk.service.seen().len();
        let reading = tokio::spawn(async move { send(&agent, &head, call.body).await });
        while desk.service.seen().len() == asked {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // It has the beginning by now, if it gets one.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let said = desk.tyer.run(&["session", "kill", &login.session]).expect("a kill");
        assert!(said.contains("1 of 1 connections were seen to close"), "{length}: {said}");
        match reading.await.expect("an end") {
            Ok(answer) => assert!(answer.body.contains("OutcomeUnknown"), "{length}: {}", answer.body),
            Err(error) => assert!(length > 10, "{error}"),
        }
    }
    let outcomes = desk.outcomes(2).await;
    assert!(outcomes.iter().all(|it| it["tag"] == "200; the answer broke off"), "{outcomes:?}");
    desk.verify();
}
