//! Answers that say 200, and that part of what was asked for was not done.

use super::client::Call;
use super::real::Says;
use super::{Desk, open};

fn delete_objects() -> Call {
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>";
    Call::s3("POST", "/figures?delete=", body.as_bytes().to_vec())
}

fn delete_messages() -> Call {
    let body = r#"{"QueueUrl":"https://sqs.us-east-1.amazonaws.com/1/q","Entries":[]}"#;
    Call::json("sqs", "AmazonSQS.DeleteMessageBatch", body)
}

#[tokio::test]
async fn what_was_not_done_of_it_is_recorded_and_said() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let objects = |count: usize| {
        let gone = "<Deleted><Key>a</Key></Deleted>".repeat(count);
        let left = "<Error><Key>b</Key><Code>AccessDenied</Code></Error>";
        Says::Answer(200, format!("<DeleteResult>{gone}{left}</DeleteResult>"))
    };
    let messages =
        |failed: &str| Says::Answer(200, format!(r#"{{"Successful":[],"Failed":[{failed}]}}"#));
    let cases = [
        (delete_objects(), objects(1), Some(1), "200"),
        (delete_messages(), messages(r#"{"Id":"1"},{"Id":"2"}"#), Some(2), "200"),
        (delete_messages(), messages(""), None, "200"),
        (delete_objects(), objects(3_000), None, "200; whether all of it was done was not looked at"),
    ];
    for (place, (call, says, undone, tag)) in cases.into_iter().enumerate() {
        desk.service.says(says);
        let answer = call.send(&login).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let outcomes = desk.outcomes(place + 1).await;
        assert_eq!(outcomes[place]["undone"].as_u64(), undone, "{outcomes:?}");
        let said = outcomes[place]["tag"].as_str().unwrap_or_default();
        assert!(said.starts_with(tag), "{outcomes:?}");
        assert_eq!(outcomes[place].get("undone").is_some(), undone.is_some(), "absent, not null");
    }
    let told = desk.tyer.run(&["ledger", "tail"]).expect("the ledger");
    assert!(told.contains("2 of what it asked for was not done"), "{told}");
    desk.verify();
}
