//! Names of prepared statements, which SQL and the protocol share: each execution is decided as its body.

use serde_json::Value;
use xtask::instance::Shape;

use crate::bed::{Bed, Refused, ask};

#[tokio::test]
async fn executed_by_name_it_is_decided_as_its_body() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let count = "PREPARE r (bigint) AS SELECT count(*) FROM payments WHERE id <= $1";
    ask(&agent, count).await.expect("it only reads");
    for sql in ["EXECUTE r(3)", "EXPLAIN ANALYZE EXECUTE r(3)", "EXPLAIN EXECUTE r(3)"] {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    // What the driver prepared, SQL executes.
    let update = agent.prepare("UPDATE payments SET amount_cents = $1").await.expect("prepare");
    let named = "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'UPDATE%'";
    let name = ask(&agent, named).await.expect("its name").remove(0);
    let sql = format!("EXECUTE {name}(777777777)");
    let hold = ask(&agent, &sql).await.unwrap_err().hold();
    let card = bed.hold(&hold).await.to_string();
    assert!(card.contains("UPDATE payments SET amount_cents = $1") && card.contains(&sql), "{card}");
    assert!(card.contains("overwrites every row of payments"), "{card}");
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    // The approval is for that body and for no other one of the name.
    ask(&agent, &format!("DEALLOCATE {name}")).await.expect("deallocate");
    let other = agent.prepare("DELETE FROM payments").await.expect("prepare");
    let named = "SELECT name FROM pg_prepared_statements WHERE statement LIKE 'DELETE%'";
    let renamed = ask(&agent, named).await.expect("its name").remove(0);
    assert_ne!(ask(&agent, &format!("EXECUTE {renamed}")).await.unwrap_err().hold(), hold);
    let gone = ask(&agent, &sql).await.unwrap_err();
    assert_ne!(gone.hold(), hold, "{gone:?}");
    drop((update, other));
    assert_eq!(bed.truth("SELECT count(*) FROM payments WHERE amount_cents = 777777777"), "0");
    bed.verify();
}

#[tokio::test]
async fn an_approved_execution_runs_once_and_only_with_its_body() {
    let mut bed = Bed::new(Shape::default()).await;
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let prepare = "PREPARE d AS DELETE FROM payments WHERE id = $1";
    let hold = ask(&agent, prepare).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    ask(&agent, prepare).await.expect("prepared");
    let hold = ask(&agent, "EXECUTE d(1)").await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    // Another connection gives the name another body.
    let other = bed.connect(&login).await;
    ask(&other, "PREPARE d (bigint) AS SELECT $1").await.expect("prepared");
    ask(&other, "EXECUTE d(1)").await.expect("a read");
    assert_eq!(bed.truth("SELECT count(*) FROM payments WHERE id = 1"), "1");
    ask(&agent, "EXECUTE d(1)").await.expect("approved");
    assert_eq!(bed.truth("SELECT count(*) FROM payments WHERE id = 1"), "0");
    assert_ne!(ask(&agent, "EXECUTE d(1)").await.unwrap_err().hold(), hold);
    bed.verify();
}

/// A function that gives a name another body is not seen through; what runs is still what was asked about.
#[tokio::test]
async fn a_function_cannot_swap_what_a_name_stands_for() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let read = agent.prepare("SELECT count(*) FROM payments").await.expect("prepare");
    ask(&agent, "PREPARE r AS SELECT 1").await.expect("it only reads");
    let names = "SELECT string_agg(name, ' ') FROM pg_prepared_statements WHERE statement LIKE '%count%' \
        AND NOT statement LIKE '%string_agg%'";
    let name = ask(&agent, names).await.expect("its name").remove(0);
    bed.truth(&format!(
        "CREATE FUNCTION swap() RETURNS void LANGUAGE plpgsql AS $$ BEGIN
            EXECUTE 'DEALLOCATE r'; EXECUTE 'PREPARE r AS DELETE FROM payments';
            EXECUTE 'DEALLOCATE {name}'; EXECUTE 'PREPARE {name} AS DELETE FROM payments RETURNING id';
        END $$"
    ));
    let hold = ask(&agent, "SELECT swap()").await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    ask(&agent, "SELECT swap()").await.expect("approved");
    let refused = ask(&agent, "EXECUTE r").await.unwrap_err();
    let card: Value = bed.hold(&refused.hold()).await;
    assert!(card.to_string().contains("opaque"), "{card}");
    // The driver's statement is what it was, in a transaction too.
    for round in 0..3 {
        let row = agent.query_one(&read, &[]).await;
        let row = row.unwrap_or_else(|error| panic!("round {round}: {:?}", Refused::of(&error)));
        assert_eq!(row.get::<_, i64>(0), 60_000, "round {round}");
    }
    ask(&agent, "DEALLOCATE r; PREPARE r AS SELECT 2; EXECUTE r").await.expect("known again");
    ask(&agent, "EXECUTE r").await.expect("known again");
    bed.verify();
}
