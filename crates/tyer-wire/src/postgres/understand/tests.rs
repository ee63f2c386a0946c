//! Tests of the whole: what each statement would do, and what holds for every text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use expect_test::expect_file;
use proptest::prelude::*;
use tyer_core::intent::Tie;
use tyer_core::limits::REQUEST_BYTES_MAX;

use super::*;

const CASES: &str = include_str!("../../../testdata/postgres/understand/cases.txt");
const SCENARIOS: &str = include_str!("../../../testdata/scenarios.jsonl");

/// The statements of the golden file.
fn cases() -> Vec<&'static str> {
    CASES.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', ' '])).collect()
}

/// Single statements that PostgreSQL accepts and that don't depend on what stands before them.
fn lone() -> Vec<&'static str> {
    let stands_alone = |sql: &&str| {
        let found = understand(sql);
        let words = sql.to_ascii_uppercase();
        found.statements == 1 && !words.contains("TEMP") && !words.contains("EXECUTE")
    };
    cases().into_iter().filter(stands_alone).collect()
}

/// Acts as sorted lines, so that they compare as sets.
fn lines(sql: &str) -> BTreeSet<String> {
    understand(sql).acts.iter().map(line).collect()
}

fn line(act: &Act) -> String {
    let local = if act.local { " local" } else { "" };
    format!("{} {} {}{local}: {}", act.effect, act.resource, act.reversibility.as_str(), act.why)
}

/// Whether reads flow and nothing else, as under the guarded preset in production.
fn flows(sql: &str) -> bool {
    understand(sql).acts.iter().all(|act| act.local || act.effect == Effect::Read)
}

fn is_opaque(sql: &str) -> bool {
    let found = understand(sql);
    found.acts.worst() == Effect::Opaque && found.syntax_error.is_none() && !found.explainable
}

/// What acts say of other resources, and of how much goes.
#[test]
fn ties() {
    let check = |sql: &str, expect: &str| {
        let acts = understand(sql).acts;
        let ties: Vec<String> = acts
            .iter()
            .filter_map(|act| act.tie.as_ref().map(|tie| (act, tie)))
            .map(|(act, tie)| match tie {
                Tie::CopyOf(of) => format!("{} copies {of}", act.resource),
                Tie::Becomes(name) => format!("{} becomes {name}", act.resource),
                Tie::Part => format!("some of {}", act.resource),
                Tie::Unnamed => format!("one {}", act.resource),
                Tie::CopiesOf(of) => format!("{} are copies of {of}", act.resource),
            })
            .collect();
        assert_eq!(ties.join(", "), expect, "{sql}");
    };
    let copy = "relation:b copies relation:s.t";
    check("CREATE TABLE b AS SELECT * FROM s.t", copy);
    check("CREATE TABLE b AS TABLE s.t", copy);
    check("CREATE UNLOGGED TABLE IF NOT EXISTS b AS SELECT * FROM s.t", copy);
    check("SELECT * INTO b FROM s.t", copy);
    for part in [
        "CREATE TABLE b AS SELECT * FROM s.t WHERE id = 1",
        "CREATE TABLE b AS SELECT * FROM s.t WITH NO DATA",
        "CREATE TABLE b AS SELECT * FROM s.t LIMIT 1",
        "CREATE TABLE b AS SELECT * FROM s.t OFFSET 1",
        "CREATE TABLE b AS SELECT DISTINCT * FROM s.t",
        "CREATE TABLE b AS SELECT id FROM s.t",
        "CREATE TABLE b AS SELECT *, 1 FROM s.t",
        "CREATE TABLE b AS SELECT * FROM ONLY s.t",
        "CREATE TABLE b AS SELECT * FROM s.t, u",
        "CREATE TABLE b AS SELECT * FROM s.t TABLESAMPLE SYSTEM (1)",
        "CREATE TABLE b AS SELECT * FROM s.t UNION SELECT * FROM s.t",
        "CREATE TABLE b AS SELECT * FROM s.t EXCEPT SELECT * FROM s.t",
        "CREATE TABLE b AS WITH t AS (SELECT 1) SELECT * FROM t",
        "CREATE TABLE b AS VALUES (1)",
        "CREATE TABLE b AS SELECT * FROM f(1)",
        "CREATE MATERIALIZED VIEW b AS SELECT * FROM s.t",
        "CREATE TEMP TABLE t (id int); CREATE TABLE b AS SELECT * FROM t",
        "CREATE TABLE b (LIKE s.t)",
    ] {
        check(part, "");
    }
    check("ALTER TABLE s.a RENAME TO b", "relation:s.a becomes relation:s.b");
    check("ALTER VIEW a RENAME TO b", "relation:a becomes relation:b");
    check("ALTER TABLE s.a SET SCHEMA z", "relation:s.a becomes relation:z.a");
    check("ALTER SCHEMA a RENAME TO b", "schema:a becomes schema:b");
    check("ALTER TABLE a RENAME COLUMN x TO y", "");
    check("ALTER TABLE a RENAME CONSTRAINT x TO y", "");
    check("DELETE FROM t WHERE id = 1", "some of relation:t");
    check("DELETE FROM t", "");
    check("DELETE FROM t WHERE true", "");
    check("TRUNCATE t", "");
}

#[test]
fn golden() {
    let mut found = String::new();
    for text in CASES.lines().filter(|line| !line.starts_with("  ")) {
        writeln!(found, "{text}").unwrap();
        if !text.is_empty() && !text.starts_with('#') {
            for act in understand(text).acts.iter() {
                writeln!(found, "  {}", line(act)).unwrap();
            }
        }
    }
    expect_file!["../../../testdata/postgres/understand/cases.txt"].assert_eq(&found);
    assert!(cases().len() >= 250, "{} cases", cases().len());
}

#[test]
fn scenarios_flow_or_are_held_as_expected() {
    let mut steps = 0;
    for scenario in SCENARIOS.lines() {
        let scenario: serde_json::Value = serde_json::from_str(scenario).unwrap();
        if scenario["protocol"] != "postgres" {
            continue;
        }
        let (of, expected) = (scenario["steps"].as_array(), scenario["expected"].as_array());
        for (step, expect) in of.unwrap().iter().zip(expected.unwrap()) {
            let sql = step.as_str().unwrap();
            let id = &scenario["id"];
            assert_eq!(flows(sql), expect == "allow", "{id}: {sql}: {:?}", understand(sql).acts);
            steps += 1;
        }
    }
    assert!(steps >= 37, "{steps} steps");
}

#[test]
fn harmless_kinds_of_node_are_no_statements() {
    // Named like statements, but only parts of others.
    let parts = ["ReplicaIdentityStmt", "ReturnStmt"];
    let harmless: BTreeSet<_> = tree::HARMLESS.iter().collect();
    assert_eq!(harmless.len(), tree::HARMLESS.len());
    let named: Vec<_> = harmless.iter().filter(|name| name.ends_with("Stmt")).collect();
    assert!(named.iter().all(|name| parts.contains(name)), "{named:?}");
    assert!(tree::STATEMENTS.iter().all(|name| name.ends_with("Stmt") && !harmless.contains(name)));
    assert!(tree::STATEMENTS.len() > 100, "{}", tree::STATEMENTS.len());
}

#[test]
fn lists_are_sorted() {
    for list in builtin::SORTED {
        assert!(list.is_sorted_by(|one, next| one < next), "{:?}", list.first());
    }
}

#[test]
fn what_cannot_be_understood_is_opaque_and_no_crash() {
    // Parentheses leave no nodes, so the tree is flat; sub-selects do.
    assert!(flows(&format!("SELECT {}1{}", "(".repeat(1000), ")".repeat(1000))));
    assert!(is_opaque(&format!("SELECT {}1{}", "(SELECT ".repeat(1000), ")".repeat(1000))));
    assert!(is_opaque(&format!("SELECT {}1{}", "(".repeat(400_000), ")".repeat(400_000))));
    for depth in [60, 5_000, 100_000] {
        assert!(is_opaque(&format!("SELECT {}1", "NOT ".repeat(depth))));
    }
    assert!(is_opaque(&format!("SELECT 1{}", "+1".repeat(100_000))));
    assert!(is_opaque("SELECT '\0'"));
    assert!(is_opaque(&format!("SELECT 1 -- {}", "x".repeat(REQUEST_BYTES_MAX))));
    let long = understand(&"x".repeat(REQUEST_BYTES_MAX + 1));
    assert_eq!(long.redacted, format!("(not understood: {} bytes)", REQUEST_BYTES_MAX + 1));
    assert_eq!(understand("").acts.worst(), Effect::Read);
    assert!(understand(" /* x */ ").acts.all_local());
    let refused = understand("SELEC 1");
    assert_eq!(refused.syntax_error.as_deref(), Some("syntax error at or near \"SELEC\""));
    assert_eq!((refused.acts.worst(), refused.statements), (Effect::Opaque, 0));
}

#[test]
fn redaction() {
    let check = |sql: &str, expect: &str| assert_eq!(understand(sql).redacted, expect);
    check("SELECT * FROM t WHERE a = 'x' AND b=1.5", "SELECT * FROM t WHERE a = ? AND b=?");
    check("SELECT 1 /* key sk-1 */ -- more", "SELECT ?");
    check("ALTER ROLE bob\n PASSWORD 'x'", "ALTER ROLE bob PASSWORD ?");
    check("DO $$ secret $$", "DO ?");
    check("SELECT E'a\\'b', U&'x', B'1', X'2', $1", "SELECT ?, ?, ?, ?, $1");
    check("SELECT 'unterminated", "(not understood: 20 bytes)");
    check("SELECT \"Ünï\" FROM täble", "SELECT \"Ünï\" FROM täble");
    check("COMMENT ON TABLE t IS 'x'; NOTIFY c, 'y'", "COMMENT ON TABLE t IS ?; NOTIFY c, ?");
}

#[test]
fn shapes() {
    let shape = |sql: &str| understand(sql).shape;
    let same = |one: &str, other: &str| assert_eq!(shape(one), shape(other), "{one} / {other}");
    let differ = |one: &str, other: &str| assert_ne!(shape(one), shape(other), "{one} / {other}");
    same("SELECT * FROM t WHERE a = 1", "select *\nfrom T where A='x' -- y");
    same("SELECT * FROM t WHERE a IN (1)", "SELECT * FROM t WHERE a IN (1, 2, 3)");
    same("SELECT * FROM t WHERE a IN ($1)", "SELECT * FROM t WHERE a IN ($1, $2)");
    differ("SELECT * FROM orders_2024_01", "SELECT * FROM orders_2024_02");
    differ("SELECT * FROM a.t x", "SELECT * FROM b.t x");
    differ("SELECT * FROM a x", "SELECT * FROM b x");
    differ("SELECT * FROM t", "SELECT * FROM \"T\"");
    differ("SELECT a FROM t", "SELECT b FROM t");
    differ("SELECT lower(a) FROM t", "SELECT upper(a) FROM t");
    differ("SELECT round(a, 1) FROM t", "SELECT round(a) FROM t");
    differ("SELECT set_config('seed', '1', true)", "SELECT set_config('role', '1', true)");
    differ("SELECT a FROM t WHERE a IN (1, b)", "SELECT a FROM t WHERE a IN (1, c)");
    differ("SELEC 1 FROM a", "SELEC 1 FROM b");
}

#[test]
fn control_of_transactions() {
    let check = |sql: &str, expect: &[Control]| assert_eq!(understand(sql).controls, expect, "{sql}");
    check("BEGIN", &[Control::Begin]);
    check("START TRANSACTION READ ONLY", &[Control::Begin]);
    check("END", &[Control::Commit { chain: false }]);
    check("COMMIT AND CHAIN", &[Control::Commit { chain: true }]);
    check("ABORT", &[Control::Rollback { chain: false }]);
    check("SAVEPOINT A", &[Control::Savepoint("a".into())]);
    check("RELEASE \"A\"", &[Control::Release("A".into())]);
    check("ROLLBACK TO a", &[Control::RollbackTo("a".into())]);
    check("PREPARE TRANSACTION 'a'", &[Control::Prepare]);
    check("SELECT 1", &[]);
    check("BEGIN; DELETE FROM t; COMMIT", &[Control::Begin, Control::Commit { chain: false }]);
}

#[test]
fn what_may_commit_work_before_it() {
    let check = |sql: &str, expect: bool| assert_eq!(understand(sql).may_commit(), expect, "{sql}");
    for sql in
        ["VACUUM t", "CALL p()", "SELECT f()", "EXECUTE p", "BEGIN; DELETE FROM t; COMMIT", "SELEC 1"]
    {
        check(sql, true);
    }
    // What stays of these commits nothing else.
    for sql in
        ["SET row_security = off", "SELECT nextval('s')", "SELECT pg_terminate_backend(1)", "ROLLBACK"]
    {
        check(sql, false);
    }
}

#[test]
fn what_a_rollback_takes_back() {
    let check = |sql: &str, expect: bool| assert_eq!(understand(sql).transactional(), expect, "{sql}");
    for sql in [
        "DELETE FROM t WHERE id = 1",
        "BEGIN; ALTER TABLE t DROP COLUMN c; DROP TABLE u; COMMIT",
        "CREATE INDEX i ON t (a)",
        "TRUNCATE t",
        "COPY t FROM STDIN",
        "GRANT SELECT ON t TO r",
        "SET LOCAL statement_timeout = 5000",
    ] {
        check(sql, true);
    }
    for sql in [
        "VACUUM t",
        "CREATE INDEX CONCURRENTLY i ON t (a)",
        "DROP INDEX CONCURRENTLY i",
        "REINDEX TABLE t",
        "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
        "ALTER SYSTEM SET work_mem = 1",
        "DROP DATABASE d",
        "COPY t TO '/tmp/x'",
        "SELECT pg_terminate_backend(1)",
        "DELETE FROM t; SELECT dblink_exec('a', 'b')",
        "INSERT INTO t SELECT nextval('s')",
        "SELECT setval('s', 1)",
        "SELECT f()",
        "CALL p()",
        "DO $$ BEGIN COMMIT; END $$",
        "EXECUTE p",
        "selec",
        "NOTIFY c",
        "SELECT pg_advisory_lock(1)",
        "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
    ] {
        check(sql, false);
    }
}

#[test]
fn what_is_done_to_names_of_prepared_statements() {
    let check = |sql: &str, expect: &str| {
        let found = understand(sql);
        let one = |naming: &Naming| match naming {
            Naming::Prepare(name, body) => format!("{name}{}={}", body.types, body.sql),
            Naming::Forget(name) => format!("-{name}"),
            Naming::ForgetAll => "-*".to_owned(),
            Naming::Fetch => "fetch".to_owned(),
        };
        let mut all: Vec<String> = found.namings.iter().map(one).collect();
        all.extend(found.executes.iter().map(|name| format!("{name}?")));
        assert_eq!(all.join(" "), expect, "{sql}");
    };
    check("PREPARE a AS SELECT 1; DEALLOCATE b; EXECUTE c", "a=SELECT 1 -b c?");
    check("/*1*/ PREPARE /*2*/ A /*3*/ AS/*4*/SELECT 1 AS b ; ;", "a=/*4*/SELECT 1 AS b");
    check("PREPARE \"as\" AS VALUES (1)", "as=VALUES (1)");
    check(
        "prepare a(int, numeric(10,2)[]) as select $1 as x;SELECT 1",
        "a(int, numeric(10,2)[])=select $1 as x",
    );
    check("SELECT 'ö'; PREPARE ä AS SELECT 'ö'; EXECUTE ä", "ä=SELECT 'ö'");
    check("EXECUTE b; EXECUTE a; EXECUTE b", "b? a?");
    check("PREPARE a AS SELECT 1; EXECUTE b; EXECUTE a", "a=SELECT 1 b? a?");
    check("PREPARE a AS SELECT 1; EXECUTE a; DEALLOCATE a; EXECUTE a", "a=SELECT 1 -a");
    check("EXPLAIN ANALYZE EXECUTE a; CREATE TABLE t AS EXECUTE b; EXPLAIN EXECUTE c", "a? b? c?");
    check("DEALLOCATE PREPARE ALL", "-*");
    check("DISCARD ALL; DISCARD PLANS", "-*");
    check("FETCH 1 FROM c; MOVE 1 FROM c; CLOSE c", "fetch fetch");
    check("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'PREPARE a AS SELECT 1; EXECUTE b'", "");
}

/// Acts of a text where `s`, `d` and others were prepared before.
fn among(sql: &str) -> Understanding {
    let bodies = [
        ("s", "SELECT * FROM users WHERE id = $1"),
        ("d", "DELETE FROM users"),
        ("f", "SELECT f()"),
        ("v", "VACUUM"),
        ("e", "EXECUTE d"),
        ("p", "PREPARE s AS DELETE FROM users"),
        ("c", "COMMIT"),
        ("t", "DROP TABLE t"),
    ];
    let bodies = bodies.map(|(name, body)| (name.to_owned(), Arc::new(understand(body))));
    understand_among(sql, HashMap::from(bodies))
}

#[test]
fn executing_is_what_the_body_is() {
    let check = |sql: &str, expect: Effect| {
        let found = among(sql);
        assert_eq!(found.acts.worst(), expect, "{sql}: {:?}", found.acts);
        found
    };
    let read = check("EXECUTE s(7)", Effect::Read);
    assert!(!read.acts.all_local() && read.transactional());
    assert_eq!(read.redacted, "EXECUTE s(?)\n-- s is:\n-- SELECT * FROM users WHERE id = $1");
    assert_eq!(check("EXECUTE d", Effect::Destroy).relations, ["users"]);
    assert_eq!(check("EXPLAIN ANALYZE EXECUTE d", Effect::Destroy).relations, ["users"]);
    assert_eq!(check("EXPLAIN EXECUTE d", Effect::Read).relations.len(), 0);
    check("CREATE TABLE x AS EXECUTE s(1)", Effect::Create);
    check("EXPLAIN CREATE TABLE x AS EXECUTE s(1)", Effect::Read);
    // The arguments are computed, even where only a plan is shown.
    check("EXECUTE s(g())", Effect::Execute);
    check("EXPLAIN EXECUTE s(g())", Effect::Execute);
    check("EXPLAIN EXECUTE s(nextval('q'))", Effect::Change);
    // Planning may compute functions.
    check("EXPLAIN EXECUTE f", Effect::Execute);
    check("EXPLAIN EXECUTE unknown", Effect::Opaque);
    assert!(!check("EXECUTE v", Effect::Change).transactional());
    for sql in ["EXECUTE unknown", "EXECUTE e", "EXECUTE p", "EXECUTE c", "EXECUTE f; EXECUTE s(1)"] {
        check(sql, Effect::Opaque);
    }
    // Names change in the order of the text.
    check("PREPARE x AS SELECT 1; EXECUTE x; EXECUTE s(1); DEALLOCATE s", Effect::Read);
    check("DEALLOCATE s; EXECUTE s(1)", Effect::Opaque);
    check("DISCARD ALL; EXECUTE s(1)", Effect::Opaque);
    check("DEALLOCATE s; PREPARE s AS SELECT 1; EXECUTE s", Effect::Read);
    let both = check("DEALLOCATE d; PREPARE d AS SELECT 1; EXECUTE d; DEALLOCATE d", Effect::Read);
    assert!(both.relations.is_empty() && both.executes.is_empty());
    check("PREPARE x AS SELECT 1; SELECT f(); EXECUTE x", Effect::Opaque);
    check("DECLARE c CURSOR FOR SELECT f(); PREPARE x AS SELECT 1; FETCH c; EXECUTE x", Effect::Opaque);
    check("PREPARE x AS SELECT 1; FETCH c; EXECUTE x", Effect::Read);
    // A temporary table may be gone when a name is executed.
    check(
        "CREATE TEMP TABLE t (); PREPARE x AS DELETE FROM t; DROP TABLE t; EXECUTE x",
        Effect::Destroy,
    );
    let dropped = check("CREATE TEMP TABLE t (); EXECUTE t; DELETE FROM t", Effect::Destroy);
    assert!(dropped.relations.contains(&"t".to_owned()));
    check("CREATE FUNCTION g() RETURNS void LANGUAGE sql AS 'EXECUTE s(1)'", Effect::Opaque);
}

#[test]
fn a_shape_is_that_of_the_body_too() {
    let shape = |sql: &str, body: &str| {
        let body = Arc::new(understand(body));
        understand_among(sql, HashMap::from([("s".to_owned(), body)])).shape
    };
    let one = shape("EXECUTE s(1)", "SELECT a FROM t WHERE b = 1 AND c = $1");
    assert_eq!(one, shape("execute S(2)", "SELECT a FROM t WHERE b = 2 AND c = $1"));
    assert_ne!(one, shape("EXECUTE s(1)", "SELECT b FROM t WHERE b = 1 AND c = $1"));
    assert_ne!(one, understand("EXECUTE s(1)").shape);
}

#[test]
fn losing_relations() {
    let loses = |sql: &str| understand(sql).relations.join(" ");
    assert_eq!(loses("DELETE FROM a; UPDATE s.b SET x = 1 WHERE y = 2; TRUNCATE a, c"), "a s.b c");
    assert_eq!(loses("DROP TABLE a, s.b; DROP INDEX i; DROP VIEW v"), "a s.b");
    assert_eq!(loses("ALTER TABLE a DROP COLUMN b; ALTER TABLE c ADD COLUMN d int"), "a");
    assert_eq!(loses("INSERT INTO a VALUES (1)"), "");
    assert_eq!(loses("INSERT INTO a VALUES (1) ON CONFLICT (b) DO UPDATE SET b = 1"), "a");
    assert_eq!(loses("DELETE FROM pg_temp.a"), "");
    assert_eq!(loses("EXPLAIN DELETE FROM a"), "");
    assert_eq!(loses("DELETE FROM \"a.b\".c"), "\"a.b\".c");
}

#[test]
fn explainable_statements() {
    let check = |sql: &str, expect| assert_eq!(understand(sql).explainable, expect, "{sql}");
    check("SELECT * FROM t", true);
    check("DELETE FROM t", true);
    check("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d", true);
    check("MERGE INTO a USING b ON a.i = b.i WHEN MATCHED THEN DELETE", true);
    check("UPDATE t SET a = evil(b)", false);
    check("DELETE FROM t; DELETE FROM t", false);
    check("TRUNCATE t", false);
    check("SELECT * INTO x FROM t", false);
    check("SELECT pg_terminate_backend(1)", false);
    check("EXPLAIN SELECT 1", false);
    check("", false);
}

#[test]
fn joined_statements_do_what_each_does() {
    let lone = lone();
    assert!(lone.len() >= 200, "{}", lone.len());
    for (one, other) in lone.iter().zip(lone.iter().rev()) {
        let mut both = lines(&format!("{one}\n;{other}"));
        // What decides where reads run does so for those beside it.
        both.retain(|line| !line.contains("reads beside what decides"));
        assert_eq!(both, &lines(one) | &lines(other), "{one}\n;{other}");
    }
}

#[test]
fn comments_and_white_space_change_nothing() {
    for sql in cases() {
        let Ok(tokens) = pg_query::scan_tokens(&format!("{sql}\n")) else { continue };
        let mut padded = String::from("/* DROP TABLE x */\n");
        for token in &tokens {
            let (start, end) = (token.start.try_into().unwrap(), token.end.try_into().unwrap());
            let text: &str = sql.get::<std::ops::Range<usize>>(start..end).unwrap();
            write!(padded, "{text}\n/* ; */\t").unwrap();
        }
        let (plain, padded) = (understand(sql), understand(&padded));
        assert_eq!((plain.acts, plain.shape), (padded.acts, padded.shape), "{sql}");
    }
}

#[test]
fn wrapping_keeps_the_effects() {
    let changes = cases().into_iter().filter(|sql| {
        ["INSERT ", "UPDATE ", "DELETE "].iter().any(|word| sql.starts_with(word))
            && understand(sql).statements == 1
    });
    let mut count = 0;
    for sql in changes {
        let inner = lines(sql);
        let bare = sql.split(" RETURNING").next().unwrap();
        for wrapped in [
            format!("WITH w AS ({bare} RETURNING 1) SELECT 1"),
            format!("SELECT * FROM (WITH w AS ({bare} RETURNING 1) SELECT 1) s"),
            format!("EXPLAIN ANALYZE {sql}"),
            format!("EXPLAIN (COSTS off, ANALYZE) {sql}"),
            format!("PREPARE p AS {sql}"),
            format!("COPY ({bare} RETURNING 1) TO STDOUT"),
            format!("CREATE RULE r AS ON INSERT TO z DO ALSO {sql}"),
            format!("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $body$ {sql} $body$"),
        ] {
            assert!(inner.is_subset(&lines(&wrapped)), "{wrapped}");
        }
        assert!(flows(&format!("EXPLAIN {sql}")), "{sql}");
        count += 1;
    }
    assert!(count > 30, "{count}");
}

#[test]
fn many_things_at_once_stay_bounded_and_grave() {
    let many: String = (0..20_000).map(|n| format!("INSERT INTO t{n} VALUES(1);")).collect();
    let found = understand(&format!("{many} DROP TABLE x"));
    assert!(found.acts.iter().count() < 1_010);
    assert_eq!(found.acts.worst(), Effect::Destroy);
    assert_eq!(found.statements, 20_001);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn total_on_any_text(text in "\\PC*", bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        for text in [text.as_str(), &String::from_utf8_lossy(&bytes)] {
            let found = understand(text);
            prop_assert!(found.acts.iter().count() > 0);
            prop_assert_eq!(found, understand(text));
        }
    }

    #[test]
    fn total_on_mutated_sql(
        at in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        graft in any::<prop::sample::Index>(),
        insert in "[-'\"();,*$ a.:/]{0,3}",
    ) {
        let all = cases();
        let (sql, other) = (all[at.index(all.len())], all[graft.index(all.len())]);
        let chars: Vec<char> = sql.chars().collect();
        let (head, tail) = chars.split_at(cut.index(chars.len() + 1));
        let (head, tail): (String, String) = (head.iter().collect(), tail.iter().skip(1).collect());
        for text in [format!("{head}{insert}{tail}"), format!("{head}{insert}{other}")] {
            let found = understand(&text);
            prop_assert!(found.syntax_error.is_none() || found.acts.worst() == Effect::Opaque);
        }
    }

    /// Whatever the literal is, it neither changes a plain read nor shows in what is recorded.
    #[test]
    fn literals_are_only_literals(text in "[a-z;'\\-/* $]{6,40}") {
        let sql = format!("SELECT * FROM users WHERE name = '{}'", text.replace('\'', "''"));
        let found = understand(&sql);
        let plain = understand("SELECT * FROM users WHERE name = 'x'");
        prop_assert_eq!((found.acts, found.shape), (plain.acts, plain.shape));
        prop_assert_eq!(found.redacted, plain.redacted);
    }
}

#[test]
fn a_cursor_may_run_its_query_again() {
    let check = |sql: &str, expect| assert_eq!(understand(sql).acts.worst(), expect, "{sql}");
    check("DECLARE c CURSOR FOR SELECT * FROM t", Effect::Read);
    check("DECLARE c SCROLL CURSOR FOR SELECT lower(name) FROM t", Effect::Read);
    check("DECLARE c CURSOR FOR SELECT g(n) FROM t", Effect::Opaque);
}

#[test]
fn what_fits_into_a_block_of_somebody_elses() {
    let check = |sql: &str, expect: bool| assert_eq!(understand(sql).fits_block, expect, "{sql}");
    check("DELETE FROM t", true);
    check("DELETE FROM t; TRUNCATE u; DROP TABLE v", true);
    check("ALTER TABLE t ADD COLUMN c int", true);
    check("DELETE FROM t; COMMIT", false);
    check("DELETE FROM t; SAVEPOINT a; RELEASE a", false);
    check("VACUUM FULL t", false);
    check("CREATE INDEX CONCURRENTLY i ON t (a)", false);
    check("DO $$BEGIN COMMIT; END$$", false);
    check("DO $$BEGIN PERFORM f(); DELETE FROM t; -- COMMIT\nEND$$", true);
    check("DO $$BEGIN CALL p(); END$$", false);
    check("DO $$BEGIN EXECUTE 'DELETE FROM t'; END$$", false);
    check("DO LANGUAGE plpython3u $$plpy.commit()$$", false);
    check("DO $$ unterminated ' $$", false);
    // A name may stand for a COMMIT that the protocol prepared.
    check("DELETE FROM t; EXECUTE c", false);
    check("DELETE FROM t; EXPLAIN ANALYZE EXECUTE c", false);
    check("PREPARE c AS DELETE FROM t; EXECUTE c", false);
    check("DELETE FROM t; COPY t FROM STDIN", false);
    // Its query runs at the commit.
    check("DELETE FROM t; DECLARE c CURSOR WITH HOLD FOR SELECT wipe()", false);
    check("not sql", false);
}
