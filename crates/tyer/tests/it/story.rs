//! The whole story, with an async Rust driver and with psql.

use xtask::instance::Shape;

use crate::bed::{Bed, ask, record};

const DELETE: &str = "DELETE FROM payments";

#[tokio::test]
async fn held_approved_by_two_executed_once_recorded_verified() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let before = bed.truth("SELECT count(*) FROM payments");
    assert_eq!(ask(&agent, "SELECT count(*) FROM payments").await.unwrap().first(), Some(&before));
    let refused = ask(&agent, DELETE).await.unwrap_err();
    let hold = refused.hold();
    assert!(refused.message.contains("two different people"), "{refused:?}");
    assert!(refused.hint.contains("nothing was executed"), "{refused:?}");
    assert_eq!(ask(&agent, DELETE).await.unwrap_err().hold(), hold, "the same request joins the hold");

    bed.alice.approve(&hold).await.expect("alice approves");
    assert_eq!(
        ask(&agent, DELETE).await.unwrap_err().hold(),
        hold,
        "one approval of two is not enough"
    );
    assert!(bed.alice.approve(&hold).await.is_err(), "one human is one vote");
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), before);
    bed.bob.approve(&hold).await.expect("bob approves");
    assert_eq!(ask(&agent, DELETE).await, Ok(vec![format!("#{before}")]), "it runs");
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");

    let again = ask(&agent, DELETE).await.unwrap_err();
    assert_ne!(again.hold(), hold, "an approval is used once");
    assert!(bed.bob.approve(&hold).await.is_err(), "a used hold takes no approval");

    let cleared = bed.leaves_of("cleared");
    assert_eq!(cleared.len(), 1);
    let approvals = record(&cleared[0])["approvals"].as_array().expect("approvals").len();
    assert_eq!(approvals, 2, "{}", cleared[0]);
    assert!(!cleared[0].to_string().contains("DELETE FROM payments WHERE"));
    let settled = bed.leaves_of("settled");
    assert_eq!(settled.len(), 1);
    assert_eq!(record(&settled[0])["outcome"]["rows"].to_string(), before, "{}", settled[0]);
    bed.verify();
}

#[tokio::test]
async fn psql_by_tls_is_held_and_released() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let read = bed.psql(&login, "SELECT count(*) FROM executives");
    assert_eq!(text(&read.stdout).trim(), "1206", "{}", text(&read.stderr));
    let held = bed.psql(&login, "DROP TABLE executives CASCADE");
    assert!(!held.status.success());
    assert!(text(&held.stderr).contains("held as H-1"), "{}", text(&held.stderr));
    bed.bob.approve("H-1").await.expect("bob");
    bed.alice.approve("H-1").await.expect("alice");
    let run = bed.psql(&login, "DROP TABLE executives CASCADE");
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert_eq!(bed.truth("SELECT to_regclass('executives') IS NULL"), "t");
    bed.verify();
}

#[tokio::test]
async fn a_door_waits_a_bounded_time_and_releases_while_it_waits() {
    let mut bed = Bed::new(Shape { wait_seconds: 30, ..Shape::default() }).await;
    let agent = bed.agent().await;
    let waiting = tokio::spawn(async move {
        let came = ask(&agent, DELETE).await;
        (agent, came)
    });
    bed.until("H-1", "open").await;
    bed.alice.approve("H-1").await.expect("alice");
    bed.bob.approve("H-1").await.expect("bob");
    let (agent, came) = waiting.await.expect("the agent");
    assert!(came.is_ok(), "{came:?}");
    // Inside a transaction nobody waits, so that no lock is held meanwhile.
    ask(&agent, "BEGIN").await.expect("begin");
    let started = std::time::Instant::now();
    let refused = ask(&agent, "DELETE FROM orders").await.unwrap_err();
    assert!(refused.message.contains("held as"), "{refused:?}");
    assert!(
        started.elapsed() < std::time::Duration::from_secs(20),
        "it must not wait in a transaction"
    );
    assert_eq!(ask(&agent, "SELECT 1").await.unwrap_err().code, "25P02", "the transaction is aborted");
    ask(&agent, "ROLLBACK").await.expect("rollback");
    assert_eq!(ask(&agent, "SELECT 1").await, Ok(vec!["1".to_owned(), "#1".to_owned()]));
}

#[tokio::test]
async fn prepared_statements_are_bound_to_their_parameters() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let statement = agent.prepare("DELETE FROM payments WHERE id = $1").await.expect("prepare");
    let held =
        |result: Result<u64, tokio_postgres::Error>| crate::bed::Refused::of(&result.unwrap_err());
    let first = held(agent.execute(&statement, &[&1_i64]).await).hold();
    let second = held(agent.execute(&statement, &[&2_i64]).await).hold();
    assert_ne!(first, second, "other parameters are another request");
    bed.alice.approve(&second).await.expect("alice");
    bed.bob.approve(&second).await.expect("bob");
    assert_eq!(held(agent.execute(&statement, &[&1_i64]).await).hold(), first);
    assert_eq!(agent.execute(&statement, &[&2_i64]).await.expect("it runs"), 1);
    assert_eq!(bed.truth("SELECT count(*) FROM payments WHERE id IN (1, 2)"), "1");
    bed.verify();
}
