//! What counters of rows do not show: a trigger that empties, removes or alters another table, what goes to another
//! server, and tables of which the role may not lock all.

use serde_json::Value;
use tokio_postgres::Client;
use xtask::cluster::ROLE;
use xtask::instance::Shape;

use crate::bed::{Bed, ask};
use crate::ceilings::{approve, held, left, parts};

/// One row, by a condition that is counted.
const DELETE: &str = "DELETE FROM parts WHERE id = 7";

/// A table of logs that Tyer's role owns, and a trigger of the table of parts that runs this.
fn trigger(bed: &Bed, body: &str) {
    for sql in [
        "DROP TABLE IF EXISTS logs".to_owned(),
        format!("SET ROLE {ROLE}; CREATE TABLE logs AS SELECT generate_series(1, 9000) AS id"),
        format!(
            "CREATE OR REPLACE FUNCTION clean() RETURNS trigger LANGUAGE plpgsql AS $body$ BEGIN {body} RETURN NULL; END $body$"
        ),
        "DROP TRIGGER IF EXISTS clean ON parts".to_owned(),
        "CREATE TRIGGER clean AFTER DELETE ON parts FOR EACH STATEMENT EXECUTE FUNCTION clean()"
            .to_owned(),
    ] {
        bed.truth(&sql);
    }
}

fn logs(bed: &Bed) -> String {
    bed.truth("SELECT count(*) FROM logs")
}

/// Approved for one row, it is taken back; the new hold says what it did, and with that it runs.
async fn check(bed: &mut Bed, agent: &Client, body: &str, expect: &str) {
    trigger(bed, body);
    let hold = held(bed, agent, DELETE).await;
    let refused = ask(agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains(expect), "{body}: {refused:?}");
    assert!(refused.message.contains("taken back"), "{body}: {refused:?}");
    let anew = refused.hold();
    assert_ne!(anew, hold, "{body}");
    bed.until(&hold, "spent").await;
    assert_eq!(logs(bed), "9000", "{body}");
    assert_eq!(left(bed), "40000", "{body}");
    let facts = bed.hold(&anew).await["facts"].clone();
    assert!(facts["differences"].to_string().contains(expect), "{body}: {facts}");
    assert!(facts["ceilings"].to_string().contains("public.logs: it may be"), "{body}: {facts}");
    approve(bed, &anew).await;
    assert_eq!(ask(agent, DELETE).await, Ok(vec!["#1".to_owned()]), "{body}");
    bed.truth("INSERT INTO parts VALUES (7, true)");
}

#[tokio::test]
async fn a_trigger_that_empties_removes_or_alters_another_table_is_taken_back() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    let empty = "empty or rewrite public.logs, which nobody agreed to";
    check(&mut bed, &agent, "TRUNCATE logs;", empty).await;
    let behind = "BEGIN TRUNCATE logs; EXCEPTION WHEN others THEN NULL; END;";
    check(&mut bed, &agent, behind, empty).await;
    let remove = "remove public.logs, which nobody agreed to";
    check(&mut bed, &agent, "DROP TABLE logs;", remove).await;
    let behind = "BEGIN DROP TABLE logs; EXCEPTION WHEN others THEN NULL; END;";
    check(&mut bed, &agent, behind, remove).await;
    let alter = "alter public.logs or keep it from everybody, which nobody agreed to";
    check(&mut bed, &agent, "ALTER TABLE logs ADD COLUMN more int;", alter).await;
    bed.verify();
}

#[tokio::test]
async fn what_is_taken_back_by_itself_or_temporary_is_nobodys_loss() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    for body in [
        "BEGIN TRUNCATE logs; RAISE 'no'; EXCEPTION WHEN others THEN NULL; END;",
        "CREATE TEMP TABLE mine (id int); TRUNCATE mine; DROP TABLE mine;",
        "CREATE TEMP TABLE mine (id int) ON COMMIT DROP;",
    ] {
        trigger(&bed, body);
        held(&mut bed, &agent, DELETE).await;
        assert_eq!(ask(&agent, DELETE).await, Ok(vec!["#1".to_owned()]), "{body}");
        assert_eq!(logs(&bed), "9000", "{body}");
        bed.truth("INSERT INTO parts VALUES (7, true)");
    }
    bed.verify();
}

#[tokio::test]
async fn within_a_transaction_of_the_agent_it_is_taken_back_too() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    trigger(&bed, "TRUNCATE logs;");
    held(&mut bed, &agent, DELETE).await;
    ask(&agent, "BEGIN").await.expect("a transaction");
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("empty or rewrite public.logs"), "{refused:?}");
    ask(&agent, "ROLLBACK").await.expect("rolled back");
    assert_eq!(logs(&bed), "9000");
    approve(&mut bed, &refused.hold()).await;
    for sql in ["BEGIN", DELETE, "COMMIT"] {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    assert_eq!(logs(&bed), "0");
    bed.verify();
}

/// What names a table for that may do it to that table, its parts and what goes along, and to no other.
#[tokio::test]
async fn what_is_emptied_or_removed_by_name_runs() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    let own = |sql: &str| bed.truth(&format!("SET ROLE {ROLE}; {sql}"));
    own("CREATE TABLE days (day int) PARTITION BY LIST (day)");
    own("CREATE TABLE days_1 PARTITION OF days FOR VALUES IN (1)");
    own("CREATE TABLE uses (part int REFERENCES parts)");
    own("CREATE TABLE spare (id int PRIMARY KEY)");
    own("CREATE TABLE spares (id int REFERENCES spare)");
    for sql in [
        "TRUNCATE days",
        "TRUNCATE parts CASCADE",
        "ALTER TABLE uses ADD COLUMN more int, ALTER COLUMN part TYPE bigint",
        "DROP TABLE uses",
        "DROP TABLE days",
        "DROP TABLE spare CASCADE",
    ] {
        let hold = held(&mut bed, &agent, sql).await;
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
        bed.until(&hold, "spent").await;
    }
    bed.verify();
}

#[tokio::test]
async fn nothing_bounds_what_another_server_has_and_that_is_said() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    for sql in [
        "CREATE TABLE kept AS SELECT generate_series(1, 50) AS id",
        "ALTER TABLE kept OWNER TO tyer",
        "CREATE EXTENSION postgres_fdw",
    ] {
        bed.truth(sql);
    }
    let port = bed.cluster.port();
    for sql in [
        format!(
            "CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '{port}', dbname 'orders')"
        ),
        format!(
            "CREATE USER MAPPING FOR {ROLE} SERVER other OPTIONS (user '{ROLE}', password '{}')",
            bed.cluster.password()
        ),
        "CREATE FOREIGN TABLE far (id int) SERVER other OPTIONS (table_name 'kept')".to_owned(),
        "ALTER FOREIGN TABLE far OWNER TO tyer".to_owned(),
    ] {
        bed.truth(&sql);
    }
    let delete = "DELETE FROM far WHERE id <= 5";
    let hold = held(&mut bed, &agent, delete).await;
    let facts = bed.hold(&hold).await["facts"].clone();
    let ceilings = facts["ceilings"].to_string();
    assert!(
        ceilings.contains("public.far: any number of rows, since another server has them"),
        "{facts}"
    );
    assert_eq!(ask(&agent, delete).await, Ok(vec!["#5".to_owned()]));
    assert_eq!(bed.truth("SELECT count(*) FROM kept"), "45");
    // Hidden behind a trigger nobody has agreed to it.
    trigger(&bed, "DELETE FROM far;");
    held(&mut bed, &agent, DELETE).await;
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("write public.far, whose rows another server has"), "{refused:?}");
    assert_eq!(bed.truth("SELECT count(*) FROM kept"), "45");
    bed.verify();
}

#[tokio::test]
async fn a_table_of_which_only_columns_may_be_changed_needs_no_lock() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    for sql in [
        "CREATE TABLE prices (id int, price int)",
        "INSERT INTO prices SELECT n, n FROM generate_series(1, 200) n",
        "GRANT SELECT, UPDATE (price) ON prices TO tyer",
        "ANALYZE prices",
    ] {
        bed.truth(sql);
    }
    let update = "UPDATE prices SET price = 0 WHERE id = 7";
    held(&mut bed, &agent, update).await;
    assert_eq!(ask(&agent, update).await, Ok(vec!["#1".to_owned()]));
    // It is bounded all the same.
    let update = "UPDATE prices SET price = 1 WHERE id IN (SELECT id FROM prices WHERE price >= 0)";
    let hold = held(&mut bed, &agent, update).await;
    let card = bed.hold(&hold).await;
    assert!(matches!(&card["facts"]["ceilings"], Value::Array(all) if !all.is_empty()), "{card}");
    bed.truth("INSERT INTO prices SELECT n, n FROM generate_series(1, 5000) n");
    let refused = ask(&agent, update).await.unwrap_err();
    assert_ne!(refused.hold(), hold, "{refused:?}");
    assert_eq!(bed.truth("SELECT count(*) FROM prices WHERE price = 1"), "2");
    bed.verify();
}

#[tokio::test]
async fn what_code_did_to_rows_is_recorded() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    trigger(&bed, "");
    bed.truth(
        "CREATE FUNCTION purge() RETURNS int LANGUAGE plpgsql AS $$ BEGIN \
         DELETE FROM parts WHERE old; UPDATE logs SET id = 0 WHERE id <= 4; INSERT INTO logs VALUES (1); \
         RETURN 1; END $$",
    );
    let call = "SELECT purge()";
    let hold = held(&mut bed, &agent, call).await;
    let facts = bed.hold(&hold).await["facts"].clone();
    assert!(facts["unknown"].to_string().contains("unbounded: it runs code"), "{facts}");
    ask(&agent, call).await.expect("it runs");
    bed.until(&hold, "spent").await;
    let settled = bed.leaves_of("settled");
    let did = settled.last().expect("a leaf").to_string();
    for (table, how) in [("public.parts", "\"destroyed\":120"), ("public.logs", "\"changed\":4")] {
        assert!(did.contains(table) && did.contains(how), "{did}");
    }
    let told = bed.leaves().iter().any(|leaf| leaf.to_string().contains("public.parts: 120 deleted"));
    assert!(told, "{settled:?}");
    // What was named is recorded too, with what went along.
    let delete = "DELETE FROM parts WHERE id = 200";
    held(&mut bed, &agent, delete).await;
    ask(&agent, delete).await.expect("it runs");
    let did = bed.leaves_of("settled").last().expect("a leaf").to_string();
    assert!(did.contains("public.parts"), "{did}");
    bed.verify();
}
