//! What one agreement covers: requests of one shape to one bucket, table or queue, in one place.

use xtask::instance::{AwsLogin, Shape};

use super::client::Call;
use super::{Desk, hold};

/// A read asks one person once a session and shape; Europe is production, the rest is not.
fn asking() -> Shape {
    let text = "@id(\"read\") permit (principal, action == Action::\"read\", resource)
         when { context.asked || context.approvals.peers >= 1 };"
        .to_owned();
    Shape {
        policy: "files = [\"own.cedar\"]",
        files: vec![("own.cedar", text)],
        environment: "staging",
        upstream: "[[upstream.cloud.place]]\nregion = \"eu-west-1\"\nenvironment = \"production\"",
        ..Shape::default()
    }
}

fn get(path: &str) -> Call {
    Call::s3("GET", path, Vec::new())
}

/// Whether people are asked about it.
async fn asks(call: &Call, login: &AwsLogin) -> Option<String> {
    let answer = call.send(login).await;
    (answer.status == 403).then(|| hold(&answer))
}

#[tokio::test]
async fn an_agreement_to_a_read_is_for_one_bucket_in_one_place() {
    let mut desk = Desk::new(&asking()).await;
    let login = desk.session(&[]);
    let first = get("/public-docs/readme");
    let id = asks(&first, &login).await.expect("it is asked");
    desk.alice.approve(&id).await.expect("alice agrees");
    assert_eq!(asks(&first, &login).await, None);
    assert_eq!(asks(&get("/public-docs/licence"), &login).await, None, "a key is a value");
    assert!(asks(&get("/payroll/2026.csv"), &login).await.is_some(), "a bucket is a name");
    let elsewhere = Call { region: "eu-west-1", ..get("/public-docs/readme") };
    assert!(asks(&elsewhere, &login).await.is_some(), "it is production there");
    let item = |table: &str, key: &str| {
        let body = format!(r#"{{"TableName":"{table}","Key":{{"k":{{"S":"{key}"}}}}}}"#);
        Call::json("dynamodb", "DynamoDB_20120810.GetItem", &body)
    };
    let id = asks(&item("carts", "1"), &login).await.expect("it is asked");
    desk.alice.approve(&id).await.expect("alice agrees");
    assert_eq!(asks(&item("carts", "1"), &login).await, None);
    assert_eq!(asks(&item("carts", "2"), &login).await, None);
    assert!(asks(&item("wages", "1"), &login).await.is_some());
    desk.verify();
}
