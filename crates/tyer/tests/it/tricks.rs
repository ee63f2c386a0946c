//! Tricks to get more done than a request seems to say: through the door they are held or refused, and the database
//! says that nothing has happened. Where a read hides it, the trick works past Tyer, and that is shown too.

use serde_json::{Value, json};
use tokio_postgres::Client;
use xtask::instance::Shape;

use crate::bed::{Bed, ask};

/// A function that rings an alarm which no rollback silences, and ways to make it run that do not name it.
const ALARM: &str = "
    CREATE SEQUENCE alarm;
    GRANT ALL ON SEQUENCE alarm TO tyer;
    CREATE FUNCTION ring() RETURNS bool LANGUAGE sql AS 'SELECT nextval(''public.alarm'') > 0';
    CREATE FUNCTION harmless() RETURNS bool STABLE LANGUAGE sql AS 'SELECT public.ring()';
    CREATE FUNCTION constant(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS
        'BEGIN PERFORM public.ring(); RETURN $1; END';
    CREATE FUNCTION same(int, int) RETURNS bool LANGUAGE sql AS 'SELECT public.ring()';
    CREATE OPERATOR === (FUNCTION = same, LEFTARG = int, RIGHTARG = int);
    CREATE DOMAIN checked AS int CHECK (public.ring());
    CREATE TYPE pair AS (x int, y int);
    CREATE FUNCTION to_pair(int) RETURNS pair LANGUAGE sql AS 'SELECT public.ring(); SELECT ROW($1, $1)::pair';
    CREATE CAST (int AS pair) WITH FUNCTION to_pair(int);
    CREATE AGGREGATE rung(int) (SFUNC = step, STYPE = int, INITCOND = 0)";

/// How often it has rung.
fn rung(bed: &Bed) -> u64 {
    let said = bed.truth("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM alarm");
    said.parse().expect("a number")
}

fn payments(bed: &Bed) -> String {
    bed.truth("SELECT count(*) FROM payments")
}

async fn approve(bed: &mut Bed, hold: &str) {
    bed.alice.approve(hold).await.expect("alice");
    // One is enough for some.
    drop(bed.bob.approve(hold).await);
}

/// The card of a text that is held.
async fn card(bed: &mut Bed, agent: &Client, sql: &str) -> (String, Value) {
    let refused = ask(agent, sql).await.expect_err(sql);
    let hold = refused.hold();
    let card = bed.hold(&hold).await;
    (hold, card)
}

#[tokio::test]
async fn whatever_a_text_is_dressed_in_it_is_held() {
    let mut bed = Bed::new(Shape::default()).await;
    let every = "deletes every row of payments";
    let deep =
        |inner: &str| format!("SELECT {}{inner}{}", "(SELECT ".repeat(10_000), ")".repeat(10_000));
    let nots = format!("DELETE FROM payments WHERE {} false", "NOT ".repeat(10_000));
    let ands = format!("DELETE FROM payments WHERE {} true", "true AND ".repeat(10_000));
    for (at, (sql, why)) in [
        ("/* SELECT 1; */ DELETE /* -- */ FROM payments -- WHERE id = 1", every),
        ("SELECT 1; -- nothing more\nDELETE FROM payments", every),
        ("/* /* */ SELECT 1; */ DELETE FROM payments", every),
        ("SELECT '/*'; DELETE FROM payments; SELECT '*/'", every),
        ("SELECT '\\'; DELETE FROM payments; --'", every),
        ("SELECT E'\\\\'; DELETE FROM payments; --'", every),
        ("SELECT $x$ $y$ $x$; DELETE FROM payments; SELECT $x$ $x$", every),
        ("dElEtE\u{b}fRoM/**/PAYMENTS", every),
        ("DELETE FROM U&\"p\\0061yments\"", every),
        ("DELETE FROM U&\"p!0061yments\" UESCAPE '!'", every),
        ("WITH gone AS (DELETE FROM payments RETURNING 1) SELECT 1", every),
        ("EXPLAIN (COSTS off, ANALYZE on) DELETE FROM payments", every),
        ("DO $a$ BEGIN EXECUTE $b$DELETE FROM payments$b$; END $a$", every),
        ("DO 'BEGIN EXECUTE ''DELETE FROM pay'' || ''ments''; END'", "while it runs"),
        ("DO U&'BEGIN DEL\\0045TE FROM payments; END'", every),
        ("SET standard_conforming_strings = off", "standard_conforming_strings"),
        ("SELECT query_to_xml('DELETE FROM payments', true, true, '')", "runs SQL"),
        (deep("1").as_str(), "nested too deeply"),
        (deep("id FROM payments").as_str(), "nested too deeply"),
        (nots.as_str(), "nested too deeply"),
        (ands.as_str(), every),
    ]
    .into_iter()
    .enumerate()
    {
        let agent = bed.agent().await;
        let (_, card) = card(&mut bed, &agent, sql).await;
        let said = card.to_string();
        assert!(said.contains(why), "{at}: {sql:.80}: {said:.2000}");
        assert_eq!(
            ask(&agent, "SELECT 1").await,
            Ok(vec!["1".to_owned(), "#1".to_owned()]),
            "{sql:.80}"
        );
    }
    assert_eq!(payments(&bed), "60000");
    bed.verify();
}

/// What is written to `pg_temp` is the session's own, so nothing there may lead elsewhere unasked.
#[tokio::test]
async fn a_temporary_name_is_not_given_to_a_table_unasked() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    for (sql, why) in [
        ("CREATE TEMP VIEW mine AS SELECT * FROM payments", "to other tables' rows"),
        ("CREATE VIEW pg_temp.mine AS SELECT * FROM payments", "to other tables' rows"),
        ("CREATE OR REPLACE TEMPORARY VIEW mine AS TABLE payments", "to other tables' rows"),
        ("CREATE TEMP RECURSIVE VIEW mine (id) AS SELECT id FROM payments", "to other tables' rows"),
        (
            "CREATE RULE away AS ON DELETE TO pg_temp.own DO INSTEAD DELETE FROM payments",
            "every row of payments",
        ),
        (
            "CREATE TRIGGER away BEFORE DELETE ON pg_temp.own EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "installs code",
        ),
    ] {
        let (_, card) = card(&mut bed, &agent, sql).await;
        assert!(card.to_string().contains(why), "{sql}: {card}");
    }
    ask(&agent, "CREATE TEMP TABLE own AS SELECT 1 AS id").await.expect("the session's own");
    assert_eq!(ask(&agent, "DELETE FROM pg_temp.own").await, Ok(vec!["#1".to_owned()]));
    assert_eq!(ask(&agent, "DELETE FROM pg_temp.mine").await.unwrap_err().code, "42P01");
    assert_eq!(payments(&bed), "60000");
    bed.verify();
}

#[tokio::test]
async fn names_do_not_come_to_mean_something_else_unasked() {
    let mut bed = Bed::new(Shape::default()).await;
    for sql in [
        "CREATE SCHEMA evil AUTHORIZATION tyer",
        "CREATE VIEW evil.executives AS SELECT * FROM public.payments",
        "ALTER VIEW evil.executives OWNER TO tyer",
    ] {
        bed.truth(sql);
    }
    let agent = bed.agent().await;
    let path = ask(&agent, "SHOW search_path").await.expect("a path");
    for sql in [
        "SET search_path = evil, public",
        "SET SCHEMA 'evil'",
        "SELECT set_config('search_path', 'evil', false)",
        "SELECT pg_catalog.set_config('SEARCH_' || 'PATH', 'evil', false)",
        "ALTER ROLE tyer SET search_path = evil",
        "ALTER DATABASE orders SET search_path = evil",
        "BEGIN; SET LOCAL search_path = evil; DELETE FROM executives; COMMIT",
        "UPDATE pg_settings SET setting = 'evil' WHERE name = 'search_path'",
    ] {
        let (_, card) = card(&mut bed, &agent, sql).await;
        assert!(card.to_string().contains("disarm"), "{sql}: {card}");
    }
    assert_eq!(ask(&agent, "SHOW search_path").await.expect("a path"), path);
    assert_eq!(payments(&bed), "60000");
    bed.verify();
}

#[tokio::test]
async fn code_behind_a_read_is_held_and_named() {
    let mut bed = Bed::new(Shape::default()).await;
    bed.truth("CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'");
    ALARM.split(";\n").for_each(|sql| drop(bed.truth(sql)));
    bed.truth(
        "CREATE OR REPLACE FUNCTION step(int, int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM public.ring(); RETURN 1; END'",
    );
    let mut quiet = Vec::new();
    for (at, sql) in [
        "SELECT harmless()",
        "SELECT 1 FROM executives WHERE harmless()",
        "SELECT id FROM executives ORDER BY constant(id::int)",
        "EXPLAIN SELECT constant(1)",
        "SELECT 1 === 2",
        "SELECT 1 OPERATOR(public.===) 2",
        "SELECT 1 === ANY (ARRAY[2])",
        "SELECT CAST(1 AS pair)",
        "SELECT 1::checked",
        "SELECT * FROM json_to_record('{\"a\": 1}') AS r(a checked)",
        "SELECT domain_in('1', 'checked'::regtype, -1) IS NULL",
        "SELECT rung(1)",
        "SELECT rung(id::int) OVER () FROM executives LIMIT 1",
        "VALUES (harmless())",
        "COPY (SELECT harmless()) TO STDOUT",
        "PREPARE p AS SELECT harmless(); EXECUTE p",
        "SELECT * FROM executives, LATERAL harmless()",
        "SELECT query_to_xml('SELECT public.ring()', true, true, '')",
    ]
    .into_iter()
    .enumerate()
    {
        let agent = bed.agent().await;
        let before = rung(&bed);
        let (_, card) = card(&mut bed, &agent, sql).await;
        assert_eq!(rung(&bed), before, "{at}: {sql}");
        let named = card["facts"]["code"].to_string();
        assert!(named.contains("function public.ring()"), "{at}: {sql}: {named}");
        bed.truth(sql);
        if rung(&bed) == before {
            quiet.push(sql);
        }
    }
    assert!(quiet.is_empty(), "these are no tricks: {quiet:#?}");
    bed.verify();
}

#[tokio::test]
async fn code_that_is_replaced_after_the_approval_is_asked_about_anew() {
    let mut bed = Bed::new(Shape::default()).await;
    for sql in [
        "CREATE FUNCTION inner_one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE FUNCTION outer_one() RETURNS int LANGUAGE sql AS 'SELECT public.inner_one()'",
        "CREATE TABLE notes (id int, x int)",
        "INSERT INTO notes VALUES (1, 1), (2, 2)",
        "CREATE VIEW seen AS SELECT * FROM notes WHERE id = 1",
        "CREATE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER tell AFTER DELETE ON notes EXECUTE FUNCTION told()",
        "CREATE RULE also AS ON UPDATE TO notes DO ALSO SELECT 1",
        "ALTER TABLE notes OWNER TO tyer",
        "ALTER VIEW seen OWNER TO tyer",
    ] {
        bed.truth(sql);
    }
    let wipe = "AS 'DELETE FROM public.payments; SELECT 1'";
    for (sql, replaced, what) in [
        (
            "SELECT outer_one()",
            format!("CREATE OR REPLACE FUNCTION inner_one() RETURNS int LANGUAGE sql {wipe}"),
            "function public.inner_one() was replaced",
        ),
        (
            "DO 'BEGIN PERFORM outer_one(); END'",
            format!("CREATE OR REPLACE FUNCTION outer_one() RETURNS int LANGUAGE sql {wipe}"),
            "function public.outer_one() was replaced",
        ),
        (
            "DELETE FROM seen",
            "CREATE OR REPLACE VIEW seen AS SELECT * FROM notes".to_owned(),
            "the query of seen was replaced",
        ),
        (
            "DELETE FROM notes WHERE id = 1",
            "CREATE OR REPLACE FUNCTION told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN DELETE FROM payments; RETURN NULL; END'".to_owned(),
            "function public.told() was replaced",
        ),
        (
            "UPDATE notes SET x = 3 WHERE id = 2",
            "CREATE OR REPLACE RULE also AS ON UPDATE TO notes DO ALSO DELETE FROM payments".to_owned(),
            "rule also of notes was replaced",
        ),
        (
            "DELETE FROM notes WHERE id = 2",
            "CREATE FUNCTION hidden(int) RETURNS bool LANGUAGE sql AS 'SELECT true'; CREATE POLICY p ON notes USING (hidden(id))".to_owned(),
            "policy p of notes may run too",
        ),
    ] {
        let agent = bed.agent().await;
        let (hold, _) = card(&mut bed, &agent, sql).await;
        approve(&mut bed, &hold).await;
        replaced.split("; CREATE POLICY").enumerate().for_each(|(at, part)| {
            drop(bed.truth(&if at == 0 { part.to_owned() } else { format!("CREATE POLICY{part}") }));
        });
        let (again, card) = card(&mut bed, &agent, sql).await;
        assert_ne!(again, hold, "{sql}");
        let differences = card["facts"]["differences"].to_string();
        assert!(differences.contains(what), "{sql}: {differences}");
    }
    assert_eq!(payments(&bed), "60000");
    assert_eq!(bed.truth("SELECT count(*) FROM notes"), "2");
    // What nobody replaced runs on its approval.
    let agent = bed.agent().await;
    let (hold, _) = card(&mut bed, &agent, "SELECT 1 + outer_one()").await;
    approve(&mut bed, &hold).await;
    ask(&agent, "SELECT 1 + outer_one()").await.expect("approved");
    assert_eq!(payments(&bed), "0");
    bed.verify();
}

#[tokio::test]
async fn a_rule_that_deletes_elsewhere_is_named_and_taken_back() {
    let mut bed = Bed::new(Shape::default()).await;
    for sql in [
        "CREATE TABLE notes (id int, x int)",
        "INSERT INTO notes VALUES (1, 1), (2, 2)",
        "ALTER TABLE notes OWNER TO tyer",
        "CREATE RULE also AS ON UPDATE TO notes DO ALSO DELETE FROM payments",
    ] {
        bed.truth(sql);
    }
    let agent = bed.agent().await;
    let update = "UPDATE notes SET x = 3 WHERE id = 2";
    let (hold, before) = card(&mut bed, &agent, update).await;
    assert!(before["facts"]["code"].to_string().contains("rule also of notes"), "{before}");
    approve(&mut bed, &hold).await;
    let refused = ask(&agent, update).await.unwrap_err();
    assert!(refused.message.contains("60,000 rows of public.payments"), "{refused:?}");
    assert_eq!(payments(&bed), "60000");
    assert_eq!(bed.truth("SELECT count(*) FROM notes WHERE x = 3"), "0");
    bed.verify();
}

/// A condition that looks like one and lets everything through: by the data, by a sequence, by the time.
#[tokio::test]
async fn a_condition_that_lets_everything_through_is_counted() {
    let mut bed = Bed::new(Shape::default()).await;
    bed.truth("CREATE SEQUENCE high START 100000");
    bed.truth("ALTER SEQUENCE high OWNER TO tyer");
    let agent = bed.agent().await;
    let (_, by_data) = card(&mut bed, &agent, "DELETE FROM payments WHERE id > 0").await;
    let relation = &by_data["facts"]["relations"][0];
    let (counted, share) = (&relation["counted"]["rows"], &relation["share_percent"]);
    assert_eq!((counted, share), (&json!(60_000), &json!(100)), "{by_data}");
    for (sql, unseen) in [
        ("DELETE FROM payments WHERE id < nextval('high')", "more than compare columns"),
        ("DELETE FROM payments WHERE received < clock_timestamp()", "more than compare columns"),
    ] {
        let (hold, before) = card(&mut bed, &agent, sql).await;
        assert!(before["facts"]["unknown"].to_string().contains(unseen), "{sql}: {before}");
        assert!(before["facts"]["relations"][0]["touched"].as_u64() < Some(30_000), "{sql}: {before}");
        approve(&mut bed, &hold).await;
        let refused = ask(&agent, sql).await.expect_err(sql);
        assert!(refused.message.contains("60,000 rows of public.payments"), "{sql}: {refused:?}");
        assert_eq!(payments(&bed), "60000", "{sql}");
    }
    bed.verify();
}

/// What no text shows: code that comes in by a table, a better overload or a column that is none.
#[tokio::test]
async fn a_read_that_is_none_fails_at_the_server() {
    let bed = Bed::new(Shape::default()).await;
    bed.truth("CREATE FUNCTION step(int, int) RETURNS int LANGUAGE sql AS 'SELECT 1'");
    ALARM.split(";\n").for_each(|sql| drop(bed.truth(sql)));
    for sql in [
        "CREATE TABLE guarded AS SELECT 1 AS id",
        "ALTER TABLE guarded OWNER TO tyer",
        "CREATE POLICY p ON guarded USING (public.ring())",
        "ALTER TABLE guarded ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE guarded FORCE ROW LEVEL SECURITY",
        "CREATE VIEW seen AS SELECT harmless()",
        "GRANT SELECT ON seen TO tyer",
        "CREATE FUNCTION lower(varchar) RETURNS bool LANGUAGE sql AS 'SELECT public.ring()'",
        "CREATE FUNCTION spy(executives) RETURNS bool LANGUAGE sql AS 'SELECT public.ring()'",
        "CREATE FUNCTION close(text, varchar) RETURNS bool LANGUAGE sql AS 'SELECT public.ring()'",
        "CREATE OPERATOR = (FUNCTION = close, LEFTARG = text, RIGHTARG = varchar)",
    ] {
        bed.truth(sql);
    }
    let agent = bed.agent().await;
    for sql in [
        "SELECT * FROM guarded",
        "SELECT * FROM seen",
        "SELECT lower('x'::varchar)",
        "SELECT e.spy FROM executives e",
        "SELECT 'a'::text = 'b'::varchar",
    ] {
        let before = rung(&bed);
        let refused = ask(&agent, sql).await.expect_err(sql);
        assert_eq!(refused.code, "25006", "{sql}: {refused:?}");
        assert_eq!(rung(&bed), before, "{sql}");
        bed.truth(&format!("SET ROLE tyer; {sql}"));
        assert!(rung(&bed) > before, "{sql} is no trick");
    }
    bed.verify();
}
