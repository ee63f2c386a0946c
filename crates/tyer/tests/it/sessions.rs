//! Sessions: minted credentials, narrowing, end and kill; and what the door refuses.

use std::collections::BTreeSet;

use serde_json::Value;
use xtask::instance::Shape;

use crate::bed::{Bed, ask, connect, record};

#[tokio::test]
async fn only_minted_credentials_open_the_door() {
    let bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let check = |user: String, password: String| {
        let port = bed.tyer.door;
        async move {
            connect(port, &user, &password)
                .await
                .map(drop)
                .map_err(|e| crate::bed::Refused::of(&e).code)
        }
    };
    let wrong = Err("28P01".to_owned());
    assert_eq!(check(login.session.clone(), login.password.clone()).await, Ok(()));
    assert_eq!(check(login.session.clone(), "wrong".to_owned()).await, wrong);
    assert_eq!(check("nobody".to_owned(), login.password.clone()).await, wrong);
    // The database's real credential is of no use here.
    assert_eq!(check("tyer".to_owned(), bed.cluster.password().to_owned()).await, wrong);
    let ended: Value = serde_json::from_str(
        &bed.tyer.run(&["--json", "session", "end", &login.session]).expect("end"),
    )
    .expect("json");
    assert_eq!(ended["open"], ended["closed"], "{ended}");
    assert_eq!(check(login.session, login.password).await, wrong);
}

#[tokio::test]
async fn kill_closes_the_connections_and_says_which_were_seen_closed() {
    let bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let (one, two) = (bed.connect(&login).await, bed.connect(&login).await);
    assert!(ask(&one, "SELECT 1").await.is_ok() && ask(&two, "SELECT 1").await.is_ok());
    let killed = bed.tyer.run(&["--json", "session", "kill", &login.session]).expect("kill");
    let killed: Value = serde_json::from_str(&killed).expect("json");
    assert_eq!((killed["open"].as_u64(), killed["closed"].as_u64()), (Some(2), Some(2)), "{killed}");
    assert!(ask(&one, "SELECT 1").await.is_err() && ask(&two, "SELECT 1").await.is_err());
    let left = bed.truth("SELECT count(*) FROM pg_stat_activity WHERE usename = 'tyer' AND application_name <> 'tyer facts'");
    assert_eq!(left, "0", "no upstream connection is left behind");
    bed.verify();
}

#[tokio::test]
async fn a_narrowed_session_stays_narrow() {
    let bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let login = bed.session(&["--may", "read,change", "--on", "orders.customers"]);
    let agent = bed.connect(&login).await;
    assert!(ask(&agent, "SELECT 1 FROM customers LIMIT 1").await.is_ok());
    assert!(ask(&agent, "UPDATE customers SET name = name WHERE id = 1").await.is_ok());
    for sql in ["SELECT 1 FROM payments", "DELETE FROM customers WHERE id = 1", "DROP TABLE customers"]
    {
        let refused = ask(&agent, sql).await.unwrap_err();
        assert!(refused.message.contains("narrowed"), "{sql}: {refused:?}");
    }
    bed.verify();
}

#[tokio::test]
async fn a_session_ends_by_itself() {
    let bed = Bed::new(Shape::default()).await;
    assert!(bed.tyer.session("kiro", "carol", &["--until", "1s"]).is_err(), "too short to be of use");
    assert!(
        bed.tyer.session("kiro", "carol", &["--until", "8d"]).is_err(),
        "longer than a session may last"
    );
    assert!(bed.tyer.session("kiro", "carol", &["--upstream", "nowhere"]).is_err());
}

#[tokio::test]
async fn refusals_leave_the_session_usable() {
    let bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    for sql in [
        "DROP TABLE customers",
        "SELECT 1; DELETE FROM orders; SELECT 2",
        "DO $$ BEGIN EXECUTE 'DR'||'OP TABLE customers'; END $$",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "EXPLAIN ANALYZE DELETE FROM customers",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity",
        "ALTER SYSTEM SET archive_mode = off",
        "SET session_replication_role = replica",
    ] {
        let refused = ask(&agent, sql).await.unwrap_err();
        assert!(refused.message.contains("held as") || refused.code == "42501", "{sql}: {refused:?}");
        assert_eq!(
            ask(&agent, "SELECT 7").await,
            Ok(vec!["7".to_owned(), "#1".to_owned()]),
            "after {sql}"
        );
    }
    assert_eq!(ask(&agent, "SELEC 1").await.unwrap_err().code, "42601");
    assert_eq!(ask(&agent, "SELECT 7").await, Ok(vec!["7".to_owned(), "#1".to_owned()]));
    assert_eq!(bed.truth("SELECT count(*) > 0 FROM orders"), "t");
}

#[tokio::test]
async fn a_running_query_is_cancelled() {
    let bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let agent = bed.agent().await;
    let cancel = agent.cancel_token();
    let running = tokio::spawn(async move {
        ask(&agent, "SELECT count(*) FROM generate_series(1, 3000000000)").await
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    cancel.cancel_query(tokio_postgres::NoTls).await.expect("a cancel request");
    assert_eq!(running.await.expect("the agent").unwrap_err().code, "57014");
}

#[tokio::test]
async fn a_client_that_leaves_inside_a_transaction_keeps_no_locks() {
    let bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let agent = bed.agent().await;
    assert!(ask(&agent, "BEGIN; UPDATE customers SET name = 'x' WHERE id = 1").await.is_ok());
    drop(agent);
    // The driver says goodbye in a task of its own.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let update =
        "SET lock_timeout = '2s'; UPDATE customers SET name = name WHERE id = 1 RETURNING name <> 'x'";
    assert_eq!(bed.truth(update), "t");
    bed.verify();
}

#[tokio::test]
async fn kill_stops_what_runs() {
    let bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let running = tokio::spawn(async move {
        ask(&agent, "SELECT count(*) FROM generate_series(1, 3000000000)").await
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let killed = bed.tyer.run(&["--json", "session", "kill", &login.session]).expect("kill");
    let killed: Value = serde_json::from_str(&killed).expect("json");
    assert_eq!((killed["open"].as_u64(), killed["closed"].as_u64()), (Some(1), Some(1)), "{killed}");
    let active = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'tyer' AND state = 'active'";
    assert_eq!(bed.truth(active), "0", "closed means that nothing runs any more");
    assert!(running.await.expect("the agent").is_err());
}

#[tokio::test]
async fn a_portal_that_fetch_could_run_is_not_bound_unasked() {
    let bed = Bed::new(Shape::default()).await;
    let mut agent = bed.agent().await;
    let transaction = agent.transaction().await.expect("begin");
    let statement =
        transaction.prepare("UPDATE customers SET name = 'x' RETURNING id").await.expect("prepare");
    let bound = transaction.bind(&statement, &[]).await;
    assert!(bound.is_err(), "FETCH would run it without a question");
}

#[tokio::test]
async fn callers_that_hang_up_leave_store_and_memory_as_one() {
    use std::io::Write as _;
    let bed = Bed::new(Shape::default()).await;
    let body = r#"{"agent":"kiro","controller":"carol","upstream":"orders"}"#;
    let request = format!(
        "POST /api/v1/sessions HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
        port = bed.tyer.console,
        length = body.len(),
    );
    for pause in 0..60 {
        let socket = bed.tyer.directory().join("tyer.sock");
        let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("the socket");
        stream.write_all(request.as_bytes()).expect("a request");
        std::thread::sleep(std::time::Duration::from_micros(pause * 40));
    }
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let listed = bed.tyer.run(&["--json", "session", "list"]).expect("the sessions");
    let listed: Value = serde_json::from_str(&listed).expect("json");
    let known = sessions_in(&listed);
    let opened = bed.leaves_of("session_opened");
    let durable: BTreeSet<String> = opened
        .iter()
        .filter_map(|leaf| record(leaf)["principal"]["session"].as_str().map(ToOwned::to_owned))
        .collect();
    assert!(!durable.is_empty());
    assert_eq!(known, durable, "what is recorded is known, and nothing else");
}

/// The ids of the sessions anywhere in an answer.
fn sessions_in(answer: &Value) -> BTreeSet<String> {
    match answer {
        Value::Array(all) => all.iter().flat_map(sessions_in).collect(),
        Value::Object(fields) => {
            let own = fields.get("session").and_then(Value::as_str).map(ToOwned::to_owned);
            fields.values().flat_map(sessions_in).chain(own).collect()
        }
        _ => BTreeSet::new(),
    }
}

#[tokio::test]
async fn a_kill_of_an_agent_tells_what_was_seen_of_its_end_and_what_was_not() {
    let bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let session = |agent: &str| bed.tyer.session(agent, "carol", &[]).expect("a session");
    let [one, two, other] = ["kiro", "kiro", "devin"].map(session);
    let (asks, works, keeps) =
        (bed.connect(&one).await, bed.connect(&two).await, bed.connect(&other).await);
    let hold = ask(&asks, "SELECT query_to_xml('DELETE FROM payments', true, true, '')")
        .await
        .unwrap_err()
        .hold();
    let update = "UPDATE customers SET name = name WHERE id = 1";
    ask(&keeps, "BEGIN").await.expect("a transaction");
    ask(&keeps, update).await.expect("a lock");
    // Under way, and waiting for that lock, when the kill comes.
    let waits = tokio::spawn(async move { ask(&works, update).await });
    let mut is_under_way = false;
    for _ in 0..100 {
        is_under_way = bed.truth("SELECT count(*) FROM pg_locks WHERE NOT granted") != "0";
        if is_under_way {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(is_under_way, "nobody waits for the lock");

    let output = bed.tyer.output(&["--json", "kill", "--agent", "kiro"]).expect("a kill");
    let kill: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(waits.await.expect("a task").is_err());
    let sessions = kill["sessions"].as_array().expect("sessions");
    let named: BTreeSet<&str> = sessions.iter().filter_map(|it| it["session"].as_str()).collect();
    assert_eq!(named, BTreeSet::from([one.session.as_str(), two.session.as_str()]), "{kill}");
    for killed in sessions {
        assert_eq!((&killed["open"], &killed["closed"]), (&1.into(), &1.into()), "{kill}");
        assert_eq!(killed["refused"], true, "{kill}");
    }
    assert_eq!(kill["holds"], serde_json::json!([hold]), "{kill}");
    let count = |key: &str| kill[key].as_array().map_or(0, Vec::len);
    assert_eq!(count("seen") + count("unseen"), 1, "what was under way is in one of them: {kill}");
    assert_eq!(count("not_seen"), count("unseen"), "{kill}");
    assert_eq!(output.status.code(), Some(if count("unseen") == 0 { 0 } else { 5 }), "{kill}");
    let settled = bed.leaves_of("settled");
    let unknown = settled.iter().filter(|leaf| record(leaf)["outcome"]["is"] == "unknown").count();
    assert_eq!(count("unseen"), unknown, "what came of it as the ledger has it: {settled:?}");

    for login in [&one, &two] {
        assert!(connect(bed.tyer.door, &login.session, &login.password).await.is_err());
    }
    ask(&keeps, "COMMIT").await.expect("another agent goes on");
    let leaf = &bed.leaves_of("killed")[0];
    assert_eq!(
        (&record(leaf)["what"], &record(leaf)["sessions"]),
        (&"agent kiro".into(), &2.into()),
        "{leaf}"
    );
    for wrong in [&["--agent", "kiro"][..], &["--upstream", "nothing"], &["s-nothing"]] {
        let arguments: Vec<&str> = ["kill"].iter().chain(wrong).copied().collect();
        let refused = bed.tyer.output(&arguments).expect("tyer");
        assert_eq!(refused.status.code(), Some(1), "{wrong:?}: {refused:?}");
    }
    let all = bed.tyer.run(&["--json", "kill", "--everything"]).expect("a kill");
    let all: Value = serde_json::from_str(&all).expect("JSON");
    assert_eq!(all["sessions"].as_array().map(Vec::len), Some(1), "{all}");
    assert!(ask(&keeps, "SELECT 1").await.is_err());
    bed.verify();
}
