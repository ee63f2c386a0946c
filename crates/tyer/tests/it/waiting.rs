//! Waiting for people: who waits, and what ends a wait. The configured wait is far longer than a test
//! may take, so an answer that comes was not waited out.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio_postgres::NoTls;
use xtask::cluster::DATABASE;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, ask, program};

const DELETE: &str = "DELETE FROM payments";
/// Far less than the configured wait.
const SOON: Duration = Duration::from_secs(60);
/// The door's connections to the database; its questions for facts have a name of their own.
const CONNECTIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE usename = 'tyer' AND application_name <> 'tyer facts'";

async fn bed() -> Bed {
    Bed::new(Shape { wait_seconds: 300, ..Shape::default() }).await
}

async fn soon<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, answer).await.expect("an answer long before the wait is over")
}

async fn approved(bed: &mut Bed, hold: &str) {
    bed.alice.approve(hold).await.expect("alice");
    bed.bob.approve(hold).await.expect("bob");
}

async fn nothing_is_connected(bed: &Bed) {
    for _ in 0..200 {
        if bed.truth(CONNECTIONS) == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{} connections are left", bed.truth(CONNECTIONS));
}

#[tokio::test]
async fn an_approval_ends_the_wait_and_it_runs() {
    let mut bed = bed().await;
    let agent = bed.agent().await;
    let waiting = tokio::spawn(async move { ask(&agent, DELETE).await });
    bed.until("H-1", "open").await;
    approved(&mut bed, "H-1").await;
    assert_eq!(soon(waiting).await.expect("the agent"), Ok(vec!["#60000".to_owned()]));
    bed.verify();
}

#[tokio::test]
async fn a_cancel_request_ends_the_wait_and_not_the_hold() {
    let mut bed = bed().await;
    let agent = bed.agent().await;
    let cancel = agent.cancel_token();
    let waiting = tokio::spawn(async move { (ask(&agent, DELETE).await, agent) });
    bed.until("H-1", "open").await;
    cancel.cancel_query(NoTls).await.expect("a cancel request");
    let (refused, agent) = soon(waiting).await.expect("the agent");
    let refused = refused.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.hold().as_str()), ("55000", "H-1"), "{refused:?}");
    approved(&mut bed, "H-1").await;
    assert_eq!(soon(ask(&agent, DELETE)).await, Ok(vec!["#60000".to_owned()]), "the same hold");
    bed.verify();
}

#[tokio::test]
async fn an_agent_that_hangs_up_ends_its_wait_and_leaves_no_connection() {
    let mut bed = bed().await;
    let login = bed.session(&[]);
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(bed.tyer.door).user(&login.session).password(&login.password);
    let (client, connection) = config.dbname(DATABASE).connect(NoTls).await.expect("a connection");
    let wire = tokio::spawn(connection);
    let waiting = tokio::spawn(async move { ask(&client, DELETE).await });
    bed.until("H-1", "open").await;
    assert_eq!(bed.truth(CONNECTIONS), "1");
    // The socket is dropped without a goodbye.
    wire.abort();
    assert!(soon(waiting).await.expect("the agent").is_err());
    nothing_is_connected(&bed).await;
    approved(&mut bed, "H-1").await;
    assert_ne!(bed.truth("SELECT count(*) FROM payments"), "0", "an approval alone runs nothing");
    let again = bed.connect(&login).await;
    assert_eq!(soon(ask(&again, DELETE)).await, Ok(vec!["#60000".to_owned()]), "the same hold");
    bed.verify();
}

#[tokio::test]
async fn nothing_waits_inside_an_open_transaction() {
    let mut bed = bed().await;
    let agent = bed.agent().await;
    ask(&agent, "BEGIN").await.expect("free");
    ask(&agent, "SELECT count(*) FROM payments").await.expect("a read");
    let refused = soon(ask(&agent, DELETE)).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.hold().as_str()), ("55000", "H-1"), "{refused:?}");
    let aborted = soon(ask(&agent, "SELECT 1")).await.unwrap_err();
    assert_eq!(aborted.code, "25P02", "the server's own state: {aborted:?}");
    ask(&agent, "ROLLBACK").await.expect("free");
    approved(&mut bed, "H-1").await;
    ask(&agent, "BEGIN").await.expect("free");
    assert_eq!(soon(ask(&agent, DELETE)).await, Ok(vec!["#60000".to_owned()]));
    ask(&agent, "COMMIT").await.expect("free");
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");
    bed.verify();
}

fn proposing(bed: &Bed, login: &Login, text: &str) -> Child {
    let file = bed.tyer.directory().join("migration.sql");
    std::fs::write(&file, text).expect("a file");
    Command::new(program())
        .args(["propose", "sql", "--wait", "50s"])
        .arg(file)
        .env("PGUSER", &login.session)
        .env("PGPASSWORD", &login.password)
        .env("TYER_URL", bed.tyer.http().origin())
        .stdout(Stdio::piped())
        .spawn()
        .expect("tyer")
}

async fn ended(child: Child) -> (Option<i32>, String) {
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = soon(output).await.expect("a thread").expect("an exit");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[tokio::test]
async fn a_proposal_waits_in_its_call_until_people_agree_or_its_session_ends() {
    let mut bed = bed().await;
    let login = bed.session(&[]);
    let child = proposing(&bed, &login, DELETE);
    bed.until("H-1", "open").await;
    assert_eq!(bed.truth(CONNECTIONS), "1", "it waits on its connection");
    approved(&mut bed, "H-1").await;
    assert_eq!(ended(child).await.0, Some(0));
    assert_eq!(bed.truth("SELECT count(*) FROM payments"), "0");
    let child = proposing(&bed, &login, "DELETE FROM orders");
    bed.until("H-2", "open").await;
    let killed = bed.tyer.run(&["--json", "session", "kill", &login.session]).expect("kill");
    let killed: Value = serde_json::from_str(&killed).expect("json");
    assert_eq!((killed["open"].as_u64(), killed["closed"].as_u64()), (Some(1), Some(1)), "{killed}");
    assert_ne!(ended(child).await.0, Some(0));
    nothing_is_connected(&bed).await;
    bed.verify();
}

#[tokio::test]
async fn a_proposal_ends_though_its_text_waits_for_more() {
    let bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let login = bed.session(&[]);
    for text in [
        "BEGIN; UPDATE customers SET name = 'Zebulon' WHERE id = 1",
        "UPDATE customers SET name = 'Zebulon' WHERE id = 1; COPY customers FROM STDIN",
    ] {
        let (code, said) = ended(proposing(&bed, &login, text)).await;
        assert_ne!(code, Some(0), "{text}: {said}");
        assert_eq!(bed.truth("SELECT count(*) FROM customers WHERE name = 'Zebulon'"), "0");
        nothing_is_connected(&bed).await;
    }
    let settled = bed.leaves_of("settled");
    assert!(settled.iter().any(|leaf| leaf.to_string().contains("40000")), "{settled:?}");
    bed.verify();
}
