//! Work that is rolled back gives its grant back, once, and nothing else does.

use serde_json::Value;
use tokio_postgres::Client;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, record};

const DELETE: &str = "DELETE FROM payments";

/// An agent whose `sql` was held and approved by two people, and the hold.
async fn approved(bed: &mut Bed, sql: &str) -> (Client, String) {
    let agent = bed.agent().await;
    let hold = ask(&agent, sql).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    (agent, hold)
}

async fn run(agent: &Client, statements: &[&str]) {
    for sql in statements {
        ask(agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
}

/// What came of each leaf of the hold, and whether its grant came back.
fn outcomes(bed: &Bed, hold: &str) -> Vec<(String, bool)> {
    let of_hold = |leaf: &Value| record(leaf)["request"]["basis"]["hold"] == hold;
    let cleared: Vec<Value> = bed
        .leaves_of("cleared")
        .into_iter()
        .filter(of_hold)
        .map(|leaf| leaf["index"].clone())
        .collect();
    let settled = bed.leaves_of("settled").into_iter();
    let mine = settled.filter(|leaf| cleared.contains(&record(leaf)["leaf"]));
    mine.map(|leaf| {
        let record = record(&leaf);
        (record["outcome"]["is"].as_str().expect("a word").to_owned(), record["returned"] == true)
    })
    .collect()
}

#[tokio::test]
async fn rolled_back_it_runs_once_more_and_committed_it_is_spent() {
    let mut bed = Bed::new(Shape::default()).await;
    let (agent, hold) = approved(&mut bed, DELETE).await;
    run(&agent, &["BEGIN", DELETE, "ROLLBACK"]).await;
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "60000");
    run(&agent, &["BEGIN", "SAVEPOINT a", DELETE, "ROLLBACK TO a"]).await;
    run(&agent, &[DELETE]).await;
    // The same once more in the same transaction is another execution.
    let twice = ask(&agent, DELETE).await.unwrap_err();
    assert_ne!(twice.hold(), hold);
    run(&agent, &["ROLLBACK"]).await;
    run(&agent, &["BEGIN", DELETE, "COMMIT"]).await;
    bed.until(&hold, "spent").await;
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");
    assert_ne!(ask(&agent, DELETE).await.unwrap_err().hold(), hold);
    let failed = ("failed".to_owned(), true);
    assert_eq!(
        outcomes(&bed, &hold),
        [failed.clone(), failed.clone(), failed, ("done".to_owned(), false)]
    );
    bed.verify();
}

#[tokio::test]
async fn what_fails_at_the_database_may_be_tried_again() {
    let mut bed = Bed::new(Shape::default()).await;
    let (agent, hold) = approved(&mut bed, "DELETE FROM customers").await;
    let refused = ask(&agent, "DELETE FROM customers").await.unwrap_err();
    assert_eq!(refused.code, "23503", "orders refer to them: {refused:?}");
    bed.until(&hold, "approved").await;
    bed.truth("TRUNCATE orders CASCADE");
    run(&agent, &["DELETE FROM customers"]).await;
    bed.until(&hold, "spent").await;
    bed.verify();
}

#[tokio::test]
async fn what_no_rollback_takes_back_is_spent_by_the_attempt() {
    let mut bed = Bed::new(Shape::default()).await;
    let sql = "DELETE FROM payments; SELECT pg_notify('gone', 'all'); SELECT 1/0";
    let (agent, hold) = approved(&mut bed, sql).await;
    assert_eq!(ask(&agent, sql).await.unwrap_err().code, "22012");
    bed.until(&hold, "spent").await;
    bed.verify();
}

#[tokio::test]
async fn an_agent_that_leaves_in_a_transaction_has_rolled_back() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, DELETE).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    run(&agent, &["BEGIN", DELETE]).await;
    drop(agent);
    bed.until(&hold, "approved").await;
    let agent = bed.connect(&login).await;
    run(&agent, &[DELETE]).await;
    bed.until(&hold, "spent").await;
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");
    bed.verify();
}

#[tokio::test]
async fn killed_in_a_transaction_nobody_knows() {
    let mut bed = Bed::new(Shape::default()).await;
    let (agent, hold) = approved(&mut bed, DELETE).await;
    run(&agent, &["BEGIN", DELETE]).await;
    bed.tyer.kill();
    bed.tyer.resume().expect("a restart");
    bed.alice.sign_in().await.expect("sign-ins end with the process");
    bed.until(&hold, "spent").await;
    assert_eq!(outcomes(&bed, &hold), [("unknown".to_owned(), false)]);
    bed.verify();
}
