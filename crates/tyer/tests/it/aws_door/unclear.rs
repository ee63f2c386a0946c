//! Errors of AWS after which nobody knows what it did, and those by which it says that it did nothing.

use super::consequences::{create_stack, delete_stack};
use super::real::Says;
use super::{Desk, get_item, hold, open, put_item};
use crate::bed::needing;

fn error(status: u16, code: &str) -> Says {
    Says::Answer(status, format!("<ErrorResponse><Error><Code>{code}</Code></Error></ErrorResponse>"))
}

#[tokio::test]
async fn what_broke_inside_of_aws_has_an_unknown_outcome_and_its_grant_is_spent() {
    let mut desk = Desk::new(&needing(2)).await;
    let login = desk.session(&[]);
    let id = hold(&put_item("1").send(&login).await);
    desk.alice.approve(&id).await.expect("alice agrees");
    desk.bob.approve(&id).await.expect("bob agrees");
    desk.service.says(error(500, "InternalFailure"));
    let answer = put_item("1").send(&login).await;
    assert!(answer.status == 500 && answer.body.contains("InternalFailure"), "{}", answer.body);
    let outcome = desk.outcomes(1).await.remove(0);
    assert_eq!(outcome["is"], "unknown", "{outcome}");
    assert_eq!(outcome["why"], "AWS answered 500 InternalFailure, which does not say how far it got");
    assert_ne!(hold(&put_item("1").send(&login).await), id, "it may have been done");
    assert_eq!(desk.service.seen().len(), 1);
    desk.verify();
}

#[tokio::test]
async fn every_status_has_the_outcome_that_it_says() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let cases = [
        (500, "InternalServerError", "unknown"),
        (502, "BadGateway", "unknown"),
        (503, "Whatever", "unknown"),
        (504, "GatewayTimeout", "unknown"),
        (503, "SlowDown", "failed"),
        (503, "ServiceUnavailable", "failed"),
        (429, "TooManyRequests", "failed"),
        (400, "ThrottlingException", "failed"),
        (403, "AccessDenied", "failed"),
    ];
    for (at, (status, code, expect)) in cases.into_iter().enumerate() {
        desk.service.says(error(status, code));
        let answer = put_item(&at.to_string()).send(&login).await;
        assert!(answer.status == status && answer.body.contains(code), "{}", answer.body);
        let outcome = desk.outcomes(at + 1).await.remove(at);
        assert_eq!(outcome["is"], expect, "{status} {code}: {outcome}");
    }
    desk.service.says(error(500, "InternalServerError"));
    assert_eq!(get_item().send(&login).await.status, 500, "what only reads is as it was answered");
    desk.verify();
}

#[tokio::test]
async fn what_may_have_been_deleted_is_recreated() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    desk.service.says(error(500, "InternalFailure"));
    assert_eq!(delete_stack().send(&login).await.status, 500);
    assert_eq!(desk.outcomes(1).await[0]["is"], "unknown");
    desk.service.says(Says::Script(Vec::new()));
    assert_eq!(create_stack().send(&login).await.status, 200);
    let came_to = desk.came_to();
    assert!(came_to.contains("recreate"), "{came_to}");
    desk.verify();
}
