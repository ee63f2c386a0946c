//! What is understood as a read runs where the server itself refuses to write, and nobody notices until it would.

use tokio_postgres::Client;
use xtask::instance::Shape;

use crate::bed::{Bed, Refused, ask, record};

/// Reads of `harmless` and `guarded` write: by a view's function, and by that of a row-security policy.
async fn traps(bed: &mut Bed) -> Client {
    let agent = bed.agent().await;
    for sql in [
        "CREATE TABLE traces (id int)",
        "CREATE FUNCTION writes() RETURNS int LANGUAGE sql AS 'INSERT INTO traces VALUES (1) RETURNING id'",
        "CREATE VIEW harmless AS SELECT writes() AS n",
        "CREATE TABLE guarded (id int)",
        "INSERT INTO guarded VALUES (1), (2)",
        "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY open ON guarded USING (writes() = id)",
        "ALTER TABLE traces OWNER TO tyer",
        "GRANT ALL ON harmless, guarded TO tyer",
    ] {
        bed.truth(sql);
    }
    agent
}

fn traces(bed: &Bed) -> String {
    bed.truth("SELECT count(*) FROM traces")
}

/// The leaves that say so.
fn findings(bed: &Bed) -> usize {
    let found = bed.leaves_of("misread");
    assert!(found.iter().all(|leaf| record(leaf)["code"] == "25006"), "{found:?}");
    found.len()
}

#[tokio::test]
async fn a_read_that_writes_fails_at_the_server_and_is_a_finding() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = traps(&mut bed).await;
    for (nth, sql) in ["SELECT n FROM harmless", "SELECT id FROM guarded"].into_iter().enumerate() {
        let refused = ask(&agent, sql).await.unwrap_err();
        assert_eq!(refused.code, "25006", "{refused:?}");
        assert!(refused.message.contains("understood as a read"), "{refused:?}");
        assert_eq!((traces(&bed).as_str(), findings(&bed)), ("0", nth + 1));
    }
    // Nobody vouches for it any more, so people are asked; then it runs where it can write.
    let hold = ask(&agent, "SELECT n FROM harmless").await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    assert!(ask(&agent, "SELECT n FROM harmless").await.is_ok());
    assert_eq!(traces(&bed), "1");
    // Other reads go on.
    assert!(ask(&agent, "SELECT id FROM traces").await.is_ok());
    bed.verify();
}

#[tokio::test]
async fn so_it_does_by_the_extended_protocol_and_in_transactions() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = traps(&mut bed).await;
    let code = |error: tokio_postgres::Error| Refused::of(&error).code;
    let statement = agent.prepare("SELECT n FROM harmless").await.expect("it is prepared");
    assert_eq!(code(agent.query(&statement, &[]).await.unwrap_err()), "25006");
    for before in ["SELECT count(*) FROM traces", "SAVEPOINT a", "SHOW search_path"] {
        let other = bed.agent().await;
        for sql in ["BEGIN", before] {
            ask(&other, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
        }
        assert_eq!(ask(&other, "SELECT n FROM harmless").await.unwrap_err().code, "25006", "{before}");
        assert_eq!(ask(&other, "SELECT 1").await.unwrap_err().code, "25P02", "{before}");
        ask(&other, "ROLLBACK").await.expect("it goes on");
        assert!(ask(&other, "SELECT 1").await.is_ok(), "{before}");
    }
    assert_eq!((traces(&bed).as_str(), findings(&bed)), ("0", 4));
    bed.verify();
}

#[tokio::test]
async fn nothing_that_touches_only_the_session_lifts_it() {
    let mut bed = Bed::new(Shape::default()).await;
    drop(traps(&mut bed).await);
    let tricks: [&[&str]; 7] = [
        &["SELECT n AS set_config FROM harmless"],
        &["SELECT n FROM harmless; SHOW search_path"],
        &["SET application_name = 'x'; SELECT n FROM harmless"],
        &["BEGIN", "SET default_transaction_read_only = on", "SELECT n FROM harmless"],
        &["BEGIN", "SET LOCAL default_transaction_read_only = on", "SELECT n FROM harmless"],
        &["BEGIN", "CREATE TEMP TABLE x ()", "SELECT n FROM harmless"],
        &["SET default_transaction_read_only = on", "SELECT n FROM harmless"],
    ];
    for trick in tricks {
        let agent = bed.agent().await;
        let (last, before) = trick.split_last().expect("a text");
        for sql in before {
            ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
        }
        assert_eq!(ask(&agent, last).await.unwrap_err().code, "25006", "{trick:?}");
        // It may fail, and may not keep anything.
        drop(ask(&agent, "COMMIT").await);
        assert_eq!(traces(&bed), "0", "{trick:?}");
    }
    let agent = bed.agent().await;
    let mixed = "SELECT n FROM harmless; RESET ALL";
    assert_eq!(ask(&agent, mixed).await.unwrap_err().code, "55000");
    assert_eq!(traces(&bed), "0");
    bed.verify();
}

#[tokio::test]
async fn nor_does_a_cursor_that_is_kept_and_runs_at_the_commit() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = traps(&mut bed).await;
    for sql in
        ["BEGIN", "SELECT id FROM traces", "DECLARE c CURSOR WITH HOLD FOR SELECT n FROM harmless"]
    {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    assert_eq!(ask(&agent, "COMMIT").await.unwrap_err().code, "25006");
    assert_eq!((traces(&bed).as_str(), findings(&bed)), ("0", 1));
    // Nobody vouches for its declaration any more; COMMIT is still free, and others are kept.
    ask(&agent, "BEGIN").await.expect("it goes on");
    let again = ask(&agent, "DECLARE c CURSOR WITH HOLD FOR SELECT n FROM harmless").await;
    assert_eq!(again.unwrap_err().code, "55000");
    ask(&agent, "ROLLBACK").await.expect("it goes on");
    for sql in [
        "BEGIN",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 7",
        "COMMIT",
        "FETCH c",
        "SELECT id FROM traces",
    ] {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    let kept = ["BEGIN", "CREATE TEMP TABLE x ()", "DECLARE d CURSOR WITH HOLD FOR SELECT 8", "COMMIT"];
    for sql in kept {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    bed.verify();
}

#[tokio::test]
async fn functions_that_the_operator_vouches_for_are_reads_as_long_as_the_database_agrees() {
    let upstream = "reads = [\"public.doubled\", \"public.writes\"]";
    let mut bed = Bed::new(Shape { upstream, ..Shape::default() }).await;
    let agent = traps(&mut bed).await;
    bed.truth("CREATE FUNCTION doubled(int) RETURNS int LANGUAGE sql AS 'SELECT 2 * $1'");
    assert_eq!(
        ask(&agent, "SELECT public.doubled(id) FROM guarded WHERE false").await,
        Ok(vec!["#0".to_owned()])
    );
    assert_eq!(
        ask(&agent, "SELECT doubled(4)").await.unwrap_err().code,
        "55000",
        "which one, nobody knows"
    );
    // It does not read, whatever the operator thinks of it.
    assert_eq!(ask(&agent, "SELECT public.writes()").await.unwrap_err().code, "25006");
    assert_eq!((traces(&bed).as_str(), findings(&bed)), ("0", 1));
    assert_eq!(
        ask(&agent, "SELECT public.writes()").await.unwrap_err().code,
        "55000",
        "held from now on"
    );
    bed.verify();
}

#[tokio::test]
async fn an_agent_sees_nothing_of_it() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = traps(&mut bed).await;
    let show = ["SHOW transaction_read_only", "SHOW default_transaction_read_only"];
    for sql in [
        "SELECT 1",
        show[0],
        show[1],
        "SELECT 2",
        "BEGIN",
        "SELECT 1",
        show[0],
        show[1],
        "COMMIT",
        "SELECT 1",
        "CREATE TEMP TABLE scratch (id int); INSERT INTO scratch VALUES (1)",
        "BEGIN",
        "SELECT id FROM scratch",
        "SAVEPOINT tyer_read",
        "SELECT id FROM scratch",
        "ROLLBACK TO tyer_read",
        "RELEASE tyer_read",
        "COMMIT",
        show[0],
        "BEGIN",
        "DECLARE c CURSOR FOR SELECT id FROM scratch",
        "SAVEPOINT s",
        "FETCH c",
        "CLOSE c",
        "COMMIT",
    ] {
        let said = ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
        if sql.starts_with("SHOW") {
            assert_eq!(said.first().map(String::as_str), Some("off"), "{sql}");
        }
        if sql.contains("FROM scratch") && sql.starts_with("SELECT") {
            assert!(said.len() > 1, "{said:?}");
        }
    }
    // What an agent asks for itself stays.
    for sql in ["SET default_transaction_read_only = on", "SELECT 1"] {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    assert_eq!(ask(&agent, show[0]).await.expect("shown")[0], "on");
    assert_eq!(findings(&bed), 0);
    bed.verify();
}
