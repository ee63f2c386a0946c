//! What was approved is what happens: more than the card says is counted, taken back and asked about anew.

use std::process::Output;

use tokio_postgres::Client;
use xtask::instance::Shape;

use crate::bed::{Bed, Refused, ask};
use crate::proposals::propose;

/// A table of seven million rows in the small, whose statistics are from when 120 of them were old.
pub(crate) async fn parts(bed: &mut Bed, old: u32) -> Client {
    let agent = bed.agent().await;
    for sql in [
        "CREATE TABLE parts (id int PRIMARY KEY, old bool) WITH (autovacuum_enabled = off)",
        "ALTER TABLE parts OWNER TO tyer",
        "INSERT INTO parts SELECT n, n <= 120 FROM generate_series(1, 40000) n",
        "ANALYZE parts",
    ] {
        bed.truth(sql);
    }
    bed.truth(&format!("UPDATE parts SET old = true WHERE id <= {old}"));
    agent
}

pub(crate) async fn approve(bed: &mut Bed, hold: &str) {
    bed.alice.approve(hold).await.expect("alice");
    bed.bob.approve(hold).await.expect("bob");
}

pub(crate) async fn held(bed: &mut Bed, agent: &Client, sql: &str) -> String {
    let hold = ask(agent, sql).await.unwrap_err().hold();
    approve(bed, &hold).await;
    hold
}

pub(crate) fn left(bed: &Bed) -> String {
    bed.truth("SELECT count(*) FROM parts")
}

/// The planner thinks of 120 rows or so; nobody counts them before.
const DELETE: &str = "DELETE FROM parts WHERE id IN (SELECT id FROM parts WHERE old)";

#[tokio::test]
async fn more_than_was_approved_is_taken_back_and_held_anew() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 30_000).await;
    let hold = held(&mut bed, &agent, DELETE).await;
    let card = bed.hold(&hold).await;
    let ceilings = card["facts"]["ceilings"].to_string();
    assert!(ceilings.contains("public.parts: at most "), "{ceilings}");
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("30,000 rows of public.parts"), "{refused:?}");
    assert!(refused.message.contains("taken back"), "{refused:?}");
    assert_eq!(left(&bed), "40000");
    let anew = refused.hold();
    assert_ne!(anew, hold);
    bed.until(&hold, "spent").await;
    let differences = bed.hold(&anew).await["facts"]["differences"].to_string();
    assert!(differences.contains("30,000 rows of public.parts, where at most "), "{differences}");
    // The connection goes on, and what was measured is what they agree to now.
    assert!(ask(&agent, "SELECT 1").await.is_ok());
    approve(&mut bed, &anew).await;
    assert_eq!(ask(&agent, DELETE).await, Ok(vec!["#30000".to_owned()]));
    assert_eq!(left(&bed), "10000");
    bed.until(&anew, "spent").await;
    bed.verify();
}

#[tokio::test]
async fn within_a_transaction_of_the_agent_it_fails_as_any_statement() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 30_000).await;
    held(&mut bed, &agent, DELETE).await;
    ask(&agent, "BEGIN").await.expect("a transaction");
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("30,000 rows"), "{refused:?}");
    assert_eq!(ask(&agent, "SELECT 1").await.unwrap_err().code, "25P02");
    ask(&agent, "ROLLBACK").await.expect("rolled back");
    assert_eq!(left(&bed), "40000");
    approve(&mut bed, &refused.hold()).await;
    for sql in ["BEGIN", "SAVEPOINT a", DELETE, "RELEASE a", "COMMIT"] {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    assert_eq!(left(&bed), "10000");
    bed.verify();
}

#[tokio::test]
async fn the_extended_protocol_is_bounded_too() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 30_000).await;
    let delete = format!("{DELETE} RETURNING id");
    let refusal = |error: tokio_postgres::Error| Refused::of(&error);
    let statement = agent.prepare(&delete).await.expect("prepared");
    let hold = refusal(agent.query(&statement, &[]).await.unwrap_err()).hold();
    approve(&mut bed, &hold).await;
    let refused = refusal(agent.query(&statement, &[]).await.unwrap_err());
    assert!(refused.message.contains("30,000 rows of public.parts"), "{refused:?}");
    assert_eq!(left(&bed), "40000");
    approve(&mut bed, &refused.hold()).await;
    assert_eq!(agent.query(&statement, &[]).await.expect("it runs").len(), 30_000);
    assert_eq!(agent.query("SELECT 1 + $1::int", &[&1]).await.expect("it goes on").len(), 1);
    assert_eq!(left(&bed), "10000");
    bed.verify();
}

#[tokio::test]
async fn cascades_triggers_and_partitions_are_counted() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    for sql in [
        "CREATE TABLE uses (part int REFERENCES parts ON DELETE CASCADE)",
        "ALTER TABLE uses OWNER TO tyer",
        "INSERT INTO uses SELECT 1 + n % 120 FROM generate_series(1, 5000) n",
    ] {
        bed.truth(sql);
    }
    let hold = held(&mut bed, &agent, DELETE).await;
    let refused = ask(&agent, DELETE).await.unwrap_err();
    assert!(refused.message.contains("5,000 rows of public.uses"), "{refused:?}");
    assert_ne!(refused.hold(), hold);
    approve(&mut bed, &refused.hold()).await;
    assert_eq!(ask(&agent, DELETE).await, Ok(vec!["#120".to_owned()]));
    assert_eq!(bed.truth("SELECT count(*) FROM uses"), "0");
    // A trigger that fires only at the end of a transaction.
    for sql in [
        "CREATE TABLE logs (id int)",
        "ALTER TABLE logs OWNER TO tyer",
        "INSERT INTO logs SELECT generate_series(1, 9000)",
        "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM logs; RETURN NULL; END$$",
        "CREATE CONSTRAINT TRIGGER late AFTER DELETE ON parts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gone()",
    ] {
        bed.truth(sql);
    }
    let delete = "DELETE FROM parts WHERE id = 200";
    held(&mut bed, &agent, delete).await;
    let refused = ask(&agent, delete).await.unwrap_err();
    assert!(refused.message.contains("9,000 rows of public.logs"), "{refused:?}");
    assert_eq!(bed.truth("SELECT count(*) FROM logs"), "9000");
    bed.verify();
}

#[tokio::test]
async fn a_block_of_code_is_bounded_by_what_it_names() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    for sql in [
        "CREATE TABLE logs (id int)",
        "ALTER TABLE logs OWNER TO tyer",
        "INSERT INTO logs SELECT generate_series(1, 60000)",
        "CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM logs; RETURN NULL; END$$",
        "CREATE TRIGGER late AFTER DELETE ON parts FOR EACH STATEMENT EXECUTE FUNCTION gone()",
    ] {
        bed.truth(sql);
    }
    let block = "DO $$DECLARE n int; BEGIN DELETE FROM parts WHERE id = 200; END$$";
    held(&mut bed, &agent, block).await;
    let refused = ask(&agent, block).await.unwrap_err();
    assert!(refused.message.contains("60,000 rows of public.logs"), "{refused:?}");
    assert_eq!(
        (left(&bed).as_str(), bed.truth("SELECT count(*) FROM logs").as_str()),
        ("40000", "60000")
    );
    approve(&mut bed, &refused.hold()).await;
    ask(&agent, block).await.expect("it runs");
    assert_eq!((left(&bed).as_str(), bed.truth("SELECT count(*) FROM logs").as_str()), ("39999", "0"));
    // One that may commit by itself cannot be taken back, and its card says so.
    let commits = "DO $$BEGIN DELETE FROM parts WHERE id = 201; COMMIT; END$$";
    let hold = ask(&agent, commits).await.unwrap_err().hold();
    let unknown = bed.hold(&hold).await["facts"]["unknown"].to_string();
    assert!(unknown.contains("cannot be counted first and taken back"), "{unknown}");
    bed.verify();
}

#[tokio::test]
async fn a_name_that_means_something_else_here_is_not_what_was_approved() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    let hold = held(&mut bed, &agent, DELETE).await;
    // The role may make temporary tables; here one is made behind the agent's back, as a pooler might.
    let make = "CREATE TEMP TABLE parts AS SELECT 1 AS id, true AS old";
    let made = ask(&agent, make).await;
    if let Err(refused) = made {
        approve(&mut bed, &refused.hold()).await;
        ask(&agent, make).await.expect("a temporary table");
    }
    let refused = ask(&agent, DELETE).await.unwrap_err();
    let anew = refused.hold();
    assert_ne!(anew, hold);
    bed.until(&hold, "abandoned").await;
    let facts = bed.hold(&anew).await["facts"].clone();
    let differences = facts["differences"].to_string();
    let means = "parts means the table pg_temp_";
    assert!(differences.contains(means), "{facts}");
    assert!(differences.contains(".parts now; it was the table public.parts"), "{facts}");
    assert!(facts["names"].to_string().contains("parts: the table pg_temp_"), "{facts}");
    let drop_it = "DROP TABLE pg_temp.parts";
    if let Err(refused) = ask(&agent, drop_it).await {
        approve(&mut bed, &refused.hold()).await;
        ask(&agent, drop_it).await.expect("dropped");
    }
    // An agreement about the one is none about the other.
    approve(&mut bed, &anew).await;
    let again = ask(&agent, DELETE).await.unwrap_err().hold();
    assert_ne!(again, anew);
    approve(&mut bed, &again).await;
    assert_eq!(ask(&agent, DELETE).await, Ok(vec!["#120".to_owned()]));
    bed.verify();
}

/// Names are looked up where the request will run, whatever the search path of Tyer's other connections is.
#[tokio::test]
async fn each_name_is_looked_up_on_the_agents_own_connection() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    for sql in [
        "CREATE SCHEMA mine",
        "GRANT USAGE ON SCHEMA mine TO tyer",
        "CREATE TABLE mine.parts AS SELECT * FROM parts WHERE id <= 7",
        "ALTER TABLE mine.parts OWNER TO tyer",
    ] {
        bed.truth(sql);
    }
    let set = "SET search_path TO mine, public";
    if let Err(refused) = ask(&agent, set).await {
        approve(&mut bed, &refused.hold()).await;
        ask(&agent, set).await.expect("set");
    }
    let delete = "DELETE FROM parts WHERE old";
    let hold = held(&mut bed, &agent, delete).await;
    let facts = bed.hold(&hold).await["facts"].clone();
    assert_eq!(facts["relations"][0]["name"], "mine.parts", "{facts}");
    assert_eq!(facts["relations"][0]["counted"]["rows"], 7, "{facts}");
    assert!(!facts["unknown"].to_string().contains("names"), "{facts}");
    assert_eq!(ask(&agent, delete).await, Ok(vec!["#7".to_owned()]));
    // In a transaction of the agent too, and of a name that is refused it says so.
    bed.truth("CREATE TABLE mine.others AS SELECT 1 AS id");
    bed.truth("ALTER TABLE mine.others OWNER TO tyer");
    let delete = "DELETE FROM others";
    ask(&agent, "BEGIN").await.expect("a transaction");
    let hold = ask(&agent, delete).await.unwrap_err().hold();
    ask(&agent, "ROLLBACK").await.expect("rolled back");
    let facts = bed.hold(&hold).await["facts"].clone();
    assert_eq!(facts["names"][0], "others: the table mine.others", "{facts}");
    approve(&mut bed, &hold).await;
    for sql in ["BEGIN", delete, "COMMIT"] {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    assert_eq!(bed.truth("SELECT count(*) FROM mine.others"), "0");
    bed.verify();
}

/// A view keeps its identity under another body, and one of more tables than a card describes is one of them.
#[tokio::test]
async fn any_name_that_comes_to_mean_something_else_is_said() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    for sql in [
        "CREATE VIEW obsolete AS SELECT id FROM parts WHERE id <= 3",
        "ALTER VIEW obsolete OWNER TO tyer",
        "CREATE VIEW gone AS SELECT id FROM obsolete",
        "ALTER VIEW gone OWNER TO tyer",
    ] {
        bed.truth(sql);
    }
    let delete = "DELETE FROM parts WHERE id IN (SELECT id FROM gone)";
    let hold = held(&mut bed, &agent, delete).await;
    bed.truth("CREATE OR REPLACE VIEW obsolete AS SELECT id FROM parts WHERE id <= 9");
    let anew = ask(&agent, delete).await.unwrap_err().hold();
    assert_ne!(anew, hold);
    let differences = bed.hold(&anew).await["facts"]["differences"].to_string();
    let view = "the view public.gone, which gone means, has other rules now";
    assert!(differences.contains(view), "{differences}");
    approve(&mut bed, &anew).await;
    assert_eq!(ask(&agent, delete).await, Ok(vec!["#9".to_owned()]));
    let names: Vec<String> = (1..=14).map(|number| format!("t{number}")).collect();
    for name in &names {
        bed.truth(&format!("CREATE TABLE {name} AS SELECT 1 AS id"));
        bed.truth(&format!("ALTER TABLE {name} OWNER TO tyer"));
    }
    let truncate = format!("TRUNCATE {}", names.join(", "));
    let hold = held(&mut bed, &agent, &truncate).await;
    for sql in ["DROP TABLE t13", "CREATE TABLE t13 AS SELECT 1 AS id", "ALTER TABLE t13 OWNER TO tyer"]
    {
        bed.truth(sql);
    }
    let anew = ask(&agent, &truncate).await.unwrap_err().hold();
    assert_ne!(anew, hold);
    let differences = bed.hold(&anew).await["facts"]["differences"].to_string();
    assert!(differences.contains("public.t13 was removed and made again"), "{differences}");
    approve(&mut bed, &anew).await;
    ask(&agent, &truncate).await.expect("emptied");
    bed.verify();
}

#[tokio::test]
async fn a_proposal_is_bounded_too() {
    let mut bed = Bed::new(Shape::default()).await;
    drop(parts(&mut bed, 30_000).await);
    let login = bed.session(&[]);
    let said = |output: Output| {
        (
            output.status.code(),
            String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        )
    };
    assert_eq!(propose(&bed, &login, DELETE).status.code(), Some(3));
    approve(&mut bed, "H-1").await;
    let (code, words) = said(propose(&bed, &login, DELETE));
    assert_eq!(code, Some(1), "{words}");
    assert!(words.contains("30,000 rows of public.parts") && words.contains("H-2"), "{words}");
    assert_eq!(left(&bed), "40000");
    approve(&mut bed, "H-2").await;
    let (code, words) = said(propose(&bed, &login, DELETE));
    assert_eq!(code, Some(0), "{words}");
    assert_eq!(left(&bed), "10000");
    bed.verify();
}

#[tokio::test]
async fn names_are_those_of_the_text_and_what_it_reads_is_not_swapped() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    for sql in [
        "CREATE TABLE \"My Parts\" AS SELECT * FROM parts",
        "ALTER TABLE \"My Parts\" OWNER TO tyer",
        "CREATE TABLE obsolete AS SELECT 1 AS id",
        "ALTER TABLE obsolete OWNER TO tyer",
    ] {
        bed.truth(sql);
    }
    let delete = "DELETE FROM \"My Parts\" WHERE old";
    held(&mut bed, &agent, delete).await;
    assert_eq!(ask(&agent, delete).await, Ok(vec!["#120".to_owned()]));
    // Other rows than those that were agreed to would go.
    let delete = "DELETE FROM parts WHERE id IN (SELECT id FROM obsolete)";
    let hold = held(&mut bed, &agent, delete).await;
    let make = "CREATE TEMP TABLE obsolete AS SELECT 39999 AS id";
    if let Err(refused) = ask(&agent, make).await {
        approve(&mut bed, &refused.hold()).await;
        ask(&agent, make).await.expect("a temporary table");
    }
    let anew = ask(&agent, delete).await.unwrap_err().hold();
    assert_ne!(anew, hold);
    let differences = bed.hold(&anew).await["facts"]["differences"].to_string();
    assert!(differences.contains("obsolete means the table pg_temp_"), "{differences}");
    assert_eq!(left(&bed), "40000");
    bed.until(&hold, "abandoned").await;
    bed.verify();
}

#[tokio::test]
async fn what_an_agent_defers_stays_deferred() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = parts(&mut bed, 120).await;
    for sql in [
        "CREATE TABLE uses (part int REFERENCES parts DEFERRABLE INITIALLY DEFERRED)",
        "ALTER TABLE uses OWNER TO tyer",
        "INSERT INTO uses VALUES (7)",
    ] {
        bed.truth(sql);
    }
    let (parent, child) = ("DELETE FROM parts WHERE id = 7", "DELETE FROM uses WHERE part = 7");
    held(&mut bed, &agent, parent).await;
    held(&mut bed, &agent, child).await;
    for sql in ["BEGIN", parent, child, "COMMIT"] {
        ask(&agent, sql).await.unwrap_or_else(|refused| panic!("{sql}: {refused:?}"));
    }
    assert_eq!(left(&bed), "39999");
    bed.verify();
}
