//! What a card says of the consequences: taken from a real database, exact where it can be, and never by running
//! what is being judged.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};
use xtask::cluster::{Cluster, DATABASE, ROLE};
use xtask::instance::Shape;

use crate::bed::{Bed, ask};

/// The facts of the card that a statement leads to.
async fn facts(bed: &mut Bed, agent: &Client, sql: &str) -> Value {
    let hold = ask(agent, sql).await.unwrap_err().hold();
    let facts = bed.hold(&hold).await["facts"].clone();
    // What is not known is said.
    for fact in ["archived", "backup", "replicas"] {
        let said = facts["unknown"].to_string().contains(fact);
        assert!(said || !facts["safety"][fact].is_null(), "{fact}: {facts}");
    }
    facts
}

/// Rows of the first table, as the card counted them: `120`, `>=100000`, or `-`.
fn counted(facts: &Value) -> String {
    number(&facts["relations"][0]["counted"])
}

fn number(counted: &Value) -> String {
    match (&counted["rows"], &counted["exact"]) {
        (Value::Null, _) => "-".to_owned(),
        (rows, Value::Bool(true)) => rows.to_string(),
        (rows, _) => format!(">={rows}"),
    }
}

fn run(bed: &Bed, statements: &str) {
    statements
        .split(";;")
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .for_each(|it| drop(bed.truth(it)));
}

/// The tables of this text, owned by Tyer's role.
fn make(bed: &Bed, statements: &str) {
    run(bed, &format!("SET ROLE {ROLE}; {}", statements.replace(";;", ";")));
}

#[tokio::test]
async fn a_name_is_looked_up_as_it_is_written() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    make(
        &bed,
        r#"
        CREATE TABLE "Orders" (id int);; INSERT INTO "Orders" VALUES (1), (2), (3);;
        CREATE SCHEMA "My.Schema";; CREATE TABLE "My.Schema"."a""b.c" AS SELECT 1 AS id;;
        CREATE TABLE "Bücher 日本" AS SELECT 1 AS id"#,
    );
    for (table, name, rows) in [
        (r#""Orders""#, "public.Orders", "3"),
        ("orders", "public.orders", "60000"),
        ("ORDERS", "public.orders", "60000"),
        (r#"public."Orders""#, "public.Orders", "3"),
        (r#""My.Schema"."a""b.c""#, r#""My.Schema"."a""b.c""#, "1"),
        (r#"U&"B\00fccher 日本""#, "public.Bücher 日本", "1"),
    ] {
        let facts = facts(&mut bed, &agent, &format!("TRUNCATE {table}")).await;
        assert_eq!(facts["relations"][0]["name"], name, "{table}: {facts}");
        assert_eq!(counted(&facts), rows, "{table}: {facts}");
    }
    let facts = facts(&mut bed, &agent, r#"TRUNCATE "ORDERS""#).await;
    assert!(facts["unknown"].to_string().contains("ORDERS is not a table"), "{facts}");
}

#[tokio::test]
async fn rows_are_counted_by_the_statements_own_condition() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    make(&bed, "
        CREATE TYPE mood AS ENUM ('sad', 'glad');; CREATE DOMAIN code AS text CHECK (VALUE <> '');;
        CREATE TABLE things (id int, name text, mood mood, code code, at timestamptz, tags int[], pair point);;
        INSERT INTO things SELECT n, 'n' || n, (ARRAY['sad', 'glad'])[1 + n % 2]::mood, 'c', '2026-01-01 00:00Z', '{1}'
          FROM generate_series(1, 400) n;;
        CREATE TABLE many AS SELECT n FROM generate_series(1, 100001) n;;
        CREATE FUNCTION old(things) RETURNS bool LANGUAGE sql AS 'SELECT true'");
    for (sql, rows, why) in [
        ("DELETE FROM things", "400", ""),
        ("DELETE FROM things WHERE id <= 120", "120", ""),
        ("DELETE FROM things t WHERE t.id BETWEEN 11 AND 20 AND NOT t.name LIKE 'n1_'", "1", ""),
        ("UPDATE public.things SET name = lower(name) WHERE things.id IN (1, 2, 999)", "2", ""),
        ("DELETE FROM things WHERE mood = 'glad' AND code = 'c'", "200", ""),
        ("DELETE FROM things WHERE id = ANY ('{1,2,3}') OR name IS NULL", "3", ""),
        ("DELETE FROM things WHERE at < '2026-01-01 00:30'", "400", ""),
        ("DELETE FROM things WHERE id = 0 RETURNING *", "0", ""),
        ("DELETE FROM many WHERE n > 0", ">=100000", ""),
        ("DELETE FROM many WHERE n > 2", "99999", ""),
        ("DELETE FROM things WHERE id + 0 = 1", "-", "more than compare columns with values"),
        ("DELETE FROM things WHERE lower(name) = 'n1'", "-", "more than compare columns with values"),
        ("DELETE FROM things USING many WHERE things.id = many.n", "-", "more than compare"),
        ("DELETE FROM things WHERE things.old", "-", "might run the function public.old"),
        ("DELETE FROM things WHERE nothing = 1", "-", "no column of the table"),
        ("DELETE FROM things WHERE id = 'x'", "-", "refused the question"),
    ] {
        let facts = facts(&mut bed, &agent, sql).await;
        assert_eq!(counted(&facts), rows, "{sql}: {facts}");
        let unknown = facts["unknown"].to_string();
        assert!(unknown.contains(why), "{sql}: {unknown}");
        assert_eq!(unknown.contains("not counted"), rows == "-", "{sql}: {unknown}");
    }
    // The session's own time zone and date style are those of the count.
    ask(&agent, "SET TimeZone = 'America/New_York'").await.expect("a setting");
    let sql = "DELETE FROM things WHERE at < '2025-12-31 23:30'";
    assert_eq!(counted(&facts(&mut bed, &agent, sql).await), "400");
    bed.verify();
}

#[tokio::test]
async fn parameters_count_as_they_are() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    let cases: [(&str, &[&(dyn ToSql + Sync)], &str); 4] = [
        ("DELETE FROM payments WHERE id <= $1", &[&20_i64], "20"),
        ("DELETE FROM payments WHERE method = $1 AND id <= $2", &[&"card", &30_i64], "10"),
        ("UPDATE payments SET method = $1 WHERE id = ANY ($2)", &[&"cash", &vec![1_i64, 2, 2]], "2"),
        ("DELETE FROM payments WHERE method = $1", &[&None::<&str>], "0"),
    ];
    for (sql, values, rows) in cases {
        let error = agent.execute(sql, values).await.expect_err("it is held");
        let hint = error.as_db_error().expect("an answer").message().to_owned();
        let hold = hint.split_whitespace().find(|word| word.starts_with("H-")).expect("a hold");
        let hold = hold.trim_matches(|letter: char| !letter.is_alphanumeric()).to_owned();
        let facts = bed.hold(&hold).await["facts"].clone();
        assert_eq!(counted(&facts), rows, "{sql}: {facts}");
        assert!(facts["relations"][0]["touched"].is_u64(), "{sql}: {facts}");
    }
}

/// Planning and counting run functions, so nothing is planned or counted where one of the database's own might be run.
#[tokio::test]
async fn taking_facts_runs_nothing_of_the_database() {
    let cluster = Cluster::with(&["track_functions=all"]).expect("a cluster");
    let mut bed = Bed::over(cluster, Shape::default()).await;
    let agent = bed.agent().await;
    for (made, delete) in spied() {
        make(&bed, &made);
        // What was called until here is not asked about; servers count when a session ends.
        none_left(&bed, "application_name IN ('psql', 'tyer facts')").await;
        bed.truth("SELECT pg_stat_reset()");
        let facts = facts(&mut bed, &agent, delete).await;
        none_left(&bed, "application_name = 'tyer facts'").await;
        assert_eq!(bed.truth(CALLS), "0", "{delete}");
        let unknown = facts["unknown"].to_string();
        assert!(unknown.contains("might run"), "{delete}: {facts}");
        let relation = &facts["relations"][0];
        if relation["cascades"].as_array().is_some_and(|all| !all.is_empty()) {
            assert_eq!(number(&relation["cascades"][0]["counted"]), "-", "{facts}");
        } else {
            assert_eq!(
                (counted(&facts), &relation["touched"]),
                ("-".to_owned(), &Value::Null),
                "{facts}"
            );
        }
        make(&bed, "DROP OPERATOR IF EXISTS = (kind, kind)");
    }
    // What else a statement does not name does not matter.
    let others = facts(&mut bed, &agent, "DELETE FROM payments WHERE method = 'card'").await;
    assert_eq!(counted(&others), "20000", "{others}");
    assert!(others["relations"][0]["touched"].is_u64(), "{others}");
    // The server does count.
    bed.truth("SELECT pg_stat_reset()");
    bed.truth("SELECT c_spy('x'), lower('x'::varchar)");
    none_left(&bed, "application_name = 'psql'").await;
    assert_eq!(bed.truth(CALLS), "2");
}

/// Tables with code of the database's own about them, and a statement that must not make it run.
fn spied() -> [(String, &'static str); 7] {
    let spy = "RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END'";
    [
        // An overload that fits better than the server's own.
        (
            format!("CREATE TABLE a (x varchar);; CREATE FUNCTION lower(varchar) {spy}"),
            "DELETE FROM a WHERE x = lower('A'::varchar)",
        ),
        // Indexes over expressions, and conditions of indexes.
        (
            format!(
                "CREATE TABLE b (x text, y text);; CREATE FUNCTION b_spy(text) {spy};;
                 CREATE INDEX ON b ((x || b_spy('i')));; CREATE INDEX ON b (x) WHERE y = b_spy('k')"
            ),
            "DELETE FROM b WHERE y = 'k'",
        ),
        // A view, and one over another.
        (
            format!(
                "CREATE TABLE c (x text);; CREATE FUNCTION c_spy(text) {spy};;
                 CREATE VIEW c_inner AS SELECT x FROM c WHERE x = c_spy('v');;
                 CREATE VIEW c_outer AS SELECT x FROM c_inner"
            ),
            "DELETE FROM c_outer WHERE x = 'v'",
        ),
        // Row security.
        (
            format!(
                "CREATE TABLE d (x text);; CREATE FUNCTION d_spy(text) {spy};;
                 CREATE POLICY p ON d USING (x = d_spy('p'));; ALTER TABLE d ENABLE ROW LEVEL SECURITY;;
                 ALTER TABLE d FORCE ROW LEVEL SECURITY"
            ),
            "DELETE FROM d WHERE x = 'p'",
        ),
        // Constraints and partitions, under a parent.
        (
            format!(
                "CREATE TABLE e (x text) PARTITION BY LIST (x);; CREATE FUNCTION e_spy(text) {spy};;
                 CREATE TABLE e_one PARTITION OF e (CHECK (x <> e_spy('c'))) FOR VALUES IN ('a')"
            ),
            "DELETE FROM e WHERE x = 'a'",
        ),
        // Comparisons, and casts that nobody wrote.
        (
            "CREATE TYPE kind AS ENUM ('a', 'b');; CREATE TABLE f (x kind);;
             CREATE FUNCTION f_spy(kind, kind) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN true; END';;
             CREATE OPERATOR = (FUNCTION = f_spy, LEFTARG = kind, RIGHTARG = kind);;
             INSERT INTO f VALUES ('a');; ANALYZE f"
                .to_owned(),
            "DELETE FROM f WHERE x = 'a'",
        ),
        // A cascade's own index.
        (
            format!(
                "CREATE TABLE g (x text PRIMARY KEY);; CREATE FUNCTION g_spy(text) {spy};;
                 CREATE TABLE g_one (x text REFERENCES g ON DELETE CASCADE);;
                 CREATE INDEX ON g_one (x) WHERE x = g_spy('k');; INSERT INTO g VALUES ('a')"
            ),
            "DELETE FROM g WHERE x = 'a'",
        ),
    ]
}

/// How often functions of the database were called.
const CALLS: &str = "SELECT COALESCE(sum(calls), 0) FROM pg_stat_user_functions";

/// Waits until no such session is left but the one that asks.
async fn none_left(bed: &Bed, which: &str) {
    let left =
        format!("SELECT count(*) FROM pg_stat_activity WHERE {which} AND pid <> pg_backend_pid()");
    while bed.truth(&left) != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Tables that refer to each other in every way.
const SHOPS: &str = "
        CREATE TABLE shops (id int PRIMARY KEY);; INSERT INTO shops VALUES (1), (2);;
        CREATE TABLE \"Shelves\" (id int PRIMARY KEY, shop int REFERENCES shops ON DELETE CASCADE);;
        INSERT INTO \"Shelves\" SELECT n, 1 + n % 2 FROM generate_series(1, 10) n;;
        CREATE TABLE goods (shelf int REFERENCES \"Shelves\" ON DELETE CASCADE, ghost int);;
        INSERT INTO goods SELECT 1 + n % 10 FROM generate_series(1, 100) n;;
        CREATE TABLE visits (shop int REFERENCES shops ON DELETE SET NULL ON UPDATE CASCADE);;
        INSERT INTO visits VALUES (1), (1), (2);;
        CREATE TABLE trees (id int PRIMARY KEY, above int REFERENCES trees ON DELETE CASCADE);;
        INSERT INTO trees VALUES (1, NULL), (2, 1)";

#[tokio::test]
async fn what_goes_along_is_named_and_counted() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    make(&bed, SHOPS);
    for (sql, expect) in [
        (
            "DELETE FROM shops WHERE id = 1",
            json!([
                ["public.Shelves", "deleted", "5"],
                ["public.visits", "changed", "2"],
                ["public.goods", "deleted", "50"]
            ]),
        ),
        (
            "DELETE FROM shops",
            json!([
                ["public.Shelves", "deleted", "10"],
                ["public.visits", "changed", "3"],
                ["public.goods", "deleted", "100"]
            ]),
        ),
        (
            "DELETE FROM shops WHERE id = 9",
            json!([
                ["public.Shelves", "deleted", "0"],
                ["public.visits", "changed", "0"],
                ["public.goods", "deleted", "0"]
            ]),
        ),
        (
            "DELETE FROM shops WHERE id + 0 = 1",
            json!([
                ["public.Shelves", "deleted", "-"],
                ["public.visits", "changed", "-"],
                ["public.goods", "deleted", "-"]
            ]),
        ),
        ("UPDATE shops SET id = 5 WHERE id = 1", json!([["public.visits", "changed", "2"]])),
        (
            "TRUNCATE shops CASCADE",
            json!([
                ["public.Shelves", "emptied", "10"],
                ["public.visits", "emptied", "3"],
                ["public.goods", "emptied", "100"]
            ]),
        ),
        ("TRUNCATE shops", json!([])),
        ("DELETE FROM trees WHERE id = 1", json!([])),
    ] {
        let facts = facts(&mut bed, &agent, sql).await;
        let cascades = facts["relations"][0]["cascades"].as_array().expect("a list");
        let seen: Vec<_> =
            cascades.iter().map(|it| json!([it["name"], it["how"], number(&it["counted"])])).collect();
        assert_eq!(json!(seen), expect, "{sql}: {facts}");
        let comes_round = facts["unknown"].to_string().contains("refer to each other");
        assert_eq!(comes_round, sql.contains("trees"), "{sql}: {facts}");
    }
    bed.verify();
}

#[tokio::test]
async fn more_that_goes_along_is_asked_about_anew() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    make(&bed, SHOPS);
    let delete = "DELETE FROM shops WHERE id = 2";
    let hold = ask(&agent, delete).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    bed.truth("INSERT INTO goods SELECT 1 FROM generate_series(1, 1000)");
    let again = ask(&agent, delete).await.unwrap_err().hold();
    assert_ne!(again, hold);
    let differences = bed.hold(&again).await["facts"]["differences"].to_string();
    assert!(differences.contains("1,050 rows of public.goods, not 50"), "{differences}");
    bed.verify();
}

#[tokio::test]
async fn what_depends_on_a_table_and_what_it_consists_of_is_named() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    make(
        &bed,
        "
        CREATE TABLE logs (id int, day int) PARTITION BY LIST (day);;
        CREATE TABLE logs_1 PARTITION OF logs FOR VALUES IN (1);;
        CREATE TABLE logs_2 PARTITION OF logs FOR VALUES IN (2);;
        INSERT INTO logs SELECT n, 1 + n % 2 FROM generate_series(1, 1000) n;; ANALYZE logs;;
        CREATE VIEW seen AS SELECT * FROM logs;; CREATE VIEW seen_twice AS SELECT * FROM seen;;
        CREATE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END';;
        CREATE TRIGGER watch BEFORE DELETE ON logs FOR EACH ROW EXECUTE FUNCTION spy();;
        CREATE FUNCTION purge() RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM logs; END';;
        CREATE FUNCTION other() RETURNS void LANGUAGE plpgsql AS 'BEGIN DELETE FROM catalogs; END';;
        CREATE RULE shadow AS ON UPDATE TO logs DO ALSO NOTHING",
    );
    let delete = "DELETE FROM logs WHERE id <= 100";
    let before = facts(&mut bed, &agent, delete).await;
    let relation = &before["relations"][0];
    assert_eq!(relation["parts"], json!(["public.logs_1", "public.logs_2"]), "{before}");
    assert_eq!(
        (counted(&before).as_str(), &relation["share_percent"]),
        ("100", &json!(10)),
        "{before}"
    );
    assert_eq!(relation["rows"], 1000, "{before}");
    let dependents = relation["dependents"].to_string();
    for named in [
        "trigger watch (runs spy, version ",
        "rule shadow (does something more)",
        "\"seen (reads it)\"",
        "\"seen_twice (reads it through another)\"",
        "\"function purge (its text names it)\"",
    ] {
        assert!(dependents.contains(named), "{named}: {dependents}");
    }
    assert!(!dependents.contains("function other"), "{dependents}");
    // A trigger that runs something else is another consequence.
    let hold = ask(&agent, delete).await.unwrap_err().hold();
    bed.alice.approve(&hold).await.expect("alice");
    bed.bob.approve(&hold).await.expect("bob");
    bed.truth(
        "CREATE OR REPLACE FUNCTION spy() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    let again = ask(&agent, delete).await.unwrap_err().hold();
    assert_ne!(again, hold, "what the trigger runs was replaced");
}

#[tokio::test]
async fn what_a_loss_could_be_made_good_from_is_said() {
    let backups = "backup = { query = \"SELECT max(made) FROM backups\" }";
    let mut bed = Bed::new(Shape { upstream: backups, ..Shape::default() }).await;
    let agent = bed.agent().await;
    let mut number = 0;
    let mut taken = async |bed: &mut Bed| {
        number += 1;
        facts(bed, &agent, &format!("DELETE FROM payments WHERE id = {number}")).await
    };
    let without = taken(&mut bed).await;
    assert!(without["unknown"].to_string().contains("the configured question failed"), "{without}");
    assert_eq!(without["safety"]["backup"], Value::Null);
    let unknown = without["unknown"].to_string();
    assert!(unknown.contains("archive_mode is off"), "{unknown}");
    assert_eq!(without["safety"]["replicas"], json!([]), "{without:#}");
    assert_eq!(without["relations"][0]["in_use"]["sessions"], 0, "{without}");
    make(&bed, "CREATE TABLE backups (made timestamptz)");
    let none = taken(&mut bed).await;
    assert!(none["unknown"].to_string().contains("the configured question gives no moment"), "{none}");
    bed.truth("INSERT INTO backups VALUES ('2026-01-02 03:04:05Z')");
    // Somebody else is at the table.
    let (port, password) = (bed.cluster.port(), bed.cluster.password());
    let mut other = tokio_postgres::Config::new();
    other.host("127.0.0.1").port(port).user(ROLE).password(password).dbname(DATABASE);
    let (other, connection) =
        other.application_name("nightly").connect(NoTls).await.expect("a connection");
    tokio::spawn(connection);
    other.batch_execute("BEGIN; SELECT FROM payments LIMIT 1").await.expect("a lock");
    let with = taken(&mut bed).await;
    assert_eq!(with["safety"]["backup"], "2026-01-02T03:04:05Z", "{with}");
    let in_use = json!({ "sessions": 1, "applications": ["nightly"] });
    assert_eq!(with["relations"][0]["in_use"], in_use, "{with}");
    // A lock on the table hides its rows, and nothing else.
    other.batch_execute("LOCK payments").await.expect("a lock");
    let locked = taken(&mut bed).await;
    assert!(locked["unknown"].to_string().contains("somebody holds a lock on it"), "{locked}");
    assert_eq!(locked["safety"]["backup"], "2026-01-02T03:04:05Z", "{locked}");
    other.batch_execute("ROLLBACK").await.expect("no lock");
    let shown = bed.tyer.run(&["show", "H-1"]).expect("the card");
    for line in ["touches    public.payments: 1 rows (counted)", "backup     last made: not known"] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    bed.verify();
}

#[tokio::test]
async fn replicas_are_named_to_whoever_may_see_them() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    bed.truth("CREATE ROLE follower REPLICATION LOGIN PASSWORD 'f'");
    let copy = tempfile::tempdir().expect("a directory");
    let mut follower = Command::new(bed.cluster.programs().join("pg_receivewal"))
        .args(["-h", "127.0.0.1", "-U", "follower", "-D"])
        .arg(copy.path())
        .env("PGPORT", bed.cluster.port().to_string())
        .env("PGPASSWORD", "f")
        .env("PGAPPNAME", "lisbon")
        .stderr(Stdio::null())
        .spawn()
        .expect("pg_receivewal");
    while bed.truth("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") != "1" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let hidden = facts(&mut bed, &agent, "DELETE FROM payments WHERE id = 1").await;
    assert_eq!(hidden["safety"]["replicas"], Value::Null, "{hidden}");
    let why = "how far behind the replicas are, 1 in all: Tyer's role may not see it";
    assert!(hidden["unknown"].to_string().contains(why), "{hidden}");
    bed.truth(&format!("GRANT pg_monitor TO {ROLE}"));
    let seen = facts(&mut bed, &agent, "DELETE FROM payments WHERE id = 2").await;
    let replica = &seen["safety"]["replicas"][0];
    assert_eq!(
        (&replica["name"], &replica["state"]),
        (&json!("lisbon"), &json!("streaming")),
        "{seen}"
    );
    follower.kill().expect("the follower ends");
    follower.wait().expect("the follower has ended");
}
