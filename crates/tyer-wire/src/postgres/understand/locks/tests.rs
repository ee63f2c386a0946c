//! What each statement locks, one line each.

use super::*;
use crate::postgres::understand::understand;

/// `ACCESS EXCLUSIVE orders+ rewrite`, and what comes with it behind; `/` is with partitions, `+` with heirs too.
fn line(lock: &Lock) -> String {
    let on = match &lock.on {
        On::Relation(name) => name.clone(),
        On::Index(name) => format!("index:{name}"),
        On::Schema(name) => format!("schema:{name}"),
        On::Type(name) => format!("type:{name}"),
        On::Statistics(name) => format!("statistics:{name}"),
        On::Publication(name) => format!("publication:{name}"),
        On::Owned(name) => format!("owned:{name}"),
        On::Database => "*".to_owned(),
        On::Untold(_) => "?".to_owned(),
    };
    let parts = match lock.parts {
        Parts::Alone => "",
        Parts::Partitions => "/",
        Parts::All => "+",
    };
    let mut text = format!("{} {on}{parts} {}", lock.mode.as_str(), lock.work.as_str());
    for Along { to, mode, work } in &lock.along {
        let to = match to {
            To::Above => "above".to_owned(),
            To::Default => "default".to_owned(),
            To::Referred(by) => format!("referred({})", by.as_deref().unwrap_or_default()),
            To::Referring(by) => format!("referring({})", by.as_deref().unwrap_or_default()),
            To::Emptied => "emptied".to_owned(),
            To::Readers(by) => format!("readers({})", by.as_deref().unwrap_or_default()),
            To::Defaults => "defaults".to_owned(),
            To::Under => "under".to_owned(),
        };
        text += &format!(" & {} {to} {}", mode.as_str(), work.as_str());
    }
    text
}

fn check(sql: &str, expect: &[&str]) {
    let found = understand(sql);
    assert_eq!(found.syntax_error, None, "{sql}");
    let lines: Vec<String> = found.locks.iter().map(line).collect();
    assert_eq!(lines, expect, "{sql}");
}

#[test]
fn what_reads_and_writes_rows_is_left_out() {
    for sql in [
        "SELECT * FROM t FOR UPDATE",
        "INSERT INTO t VALUES (1)",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "MERGE INTO t USING u ON true WHEN MATCHED THEN DELETE",
        "COPY t FROM STDIN",
        "CREATE TABLE t (a int)",
        "CREATE TABLE t AS SELECT 1",
        "CREATE VIEW v AS SELECT * FROM t",
        "GRANT SELECT ON t TO bob",
        "EXPLAIN SELECT 1",
        "COMMENT ON FUNCTION f() IS 'x'",
        "ALTER DOMAIN d DROP CONSTRAINT c",
        "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID",
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'TRUNCATE t'",
        "PREPARE p AS DELETE FROM t",
    ] {
        check(sql, &[]);
    }
}

#[test]
fn sub_commands_of_alter_table() {
    let table = |sub: &str, expect: &str| check(&format!("ALTER TABLE t {sub}"), &[expect]);
    let exclusive = |sub: &str, work: &str| table(sub, &format!("ACCESS EXCLUSIVE t+ {work}"));
    let alone = |sub: &str, work: &str| table(sub, &format!("ACCESS EXCLUSIVE t {work}"));
    exclusive("ADD COLUMN a int", "instant");
    exclusive("ADD COLUMN a int DEFAULT 1", "instant");
    exclusive("ADD COLUMN a int DEFAULT -1", "instant");
    exclusive("ADD COLUMN a int[] DEFAULT '{}'::int[]", "instant");
    exclusive("ADD COLUMN a int NOT NULL DEFAULT 1", "instant");
    exclusive("ADD COLUMN a timestamptz DEFAULT now()", "instant");
    exclusive("ADD COLUMN a timestamptz DEFAULT CURRENT_TIMESTAMP", "instant");
    exclusive("ADD COLUMN a int NOT NULL", "read");
    exclusive("ADD COLUMN a int CHECK (a > 0)", "read");
    exclusive("ADD COLUMN a int UNIQUE", "build");
    exclusive("ADD COLUMN a uuid DEFAULT gen_random_uuid()", "rewrite");
    exclusive("ADD COLUMN a timestamptz DEFAULT clock_timestamp()", "rewrite");
    exclusive("ADD COLUMN a int DEFAULT my.now()", "rewrite");
    exclusive("ADD COLUMN a serial", "rewrite");
    exclusive("ADD COLUMN a int GENERATED ALWAYS AS IDENTITY", "rewrite");
    exclusive("ADD COLUMN a int GENERATED ALWAYS AS (b + 1) STORED", "rewrite");
    exclusive("ADD COLUMN a int GENERATED ALWAYS AS (b + 1) VIRTUAL", "instant");
    exclusive("ADD COLUMN a my_domain", "rewrite");
    exclusive("ALTER a SET DEFAULT 1", "instant");
    exclusive("ALTER a SET NOT NULL", "read");
    exclusive("ALTER a DROP NOT NULL", "instant");
    exclusive("ALTER a SET STORAGE external", "instant");
    exclusive("ALTER a SET EXPRESSION AS (b + 1)", "rewrite");
    exclusive("ADD CHECK (a > 0)", "read");
    exclusive("ADD CHECK (a > 0) NOT VALID", "instant");
    exclusive("ADD PRIMARY KEY (a)", "build");
    exclusive("ADD UNIQUE (a)", "build");
    exclusive("ADD UNIQUE USING INDEX i", "instant");
    exclusive("ADD PRIMARY KEY USING INDEX i", "read");
    exclusive("ADD EXCLUDE USING gist (a WITH &&)", "build");
    alone("SET LOGGED", "rewrite");
    alone("SET UNLOGGED", "rewrite");
    alone("SET TABLESPACE x", "rewrite");
    alone("SET ACCESS METHOD heap", "rewrite");
    alone("OWNER TO bob", "instant");
    alone("ENABLE ROW LEVEL SECURITY", "instant");
    alone("DISABLE RULE r", "instant");
    alone("SET (user_catalog_table = true)", "instant");
    alone("NO INHERIT u", "instant");
    let mild = |sub: &str, work: &str| table(sub, &format!("SHARE UPDATE EXCLUSIVE t+ {work}"));
    mild("ALTER a SET STATISTICS 100", "instant");
    mild("ALTER a SET (n_distinct = 5)", "instant");
    mild("VALIDATE CONSTRAINT c", "read");
    table("CLUSTER ON i", "SHARE UPDATE EXCLUSIVE t instant");
    table("SET (fillfactor = 70, autovacuum_enabled = off)", "SHARE UPDATE EXCLUSIVE t instant");
    table("RESET (fillfactor)", "SHARE UPDATE EXCLUSIVE t instant");
    table("DISABLE TRIGGER ALL", "SHARE ROW EXCLUSIVE t/ instant");
    table("ENABLE TRIGGER g", "SHARE ROW EXCLUSIVE t/ instant");
    check("ALTER TABLE ONLY t ALTER a DROP DEFAULT", &["ACCESS EXCLUSIVE t instant"]);
    // The strongest of several, for the longest.
    table("ALTER a SET STATISTICS 9, ALTER b SET NOT NULL, ADD c int", "ACCESS EXCLUSIVE t+ read");
}

#[test]
fn what_comes_to_be_locked_with_a_table() {
    let all = "ACCESS EXCLUSIVE";
    check(
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES s.u",
        &["SHARE ROW EXCLUSIVE t+ read", "SHARE ROW EXCLUSIVE s.u+ instant"],
    );
    check(
        "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u NOT VALID",
        &["SHARE ROW EXCLUSIVE t+ instant", "SHARE ROW EXCLUSIVE u+ instant"],
    );
    check(
        "ALTER TABLE t ADD COLUMN a int REFERENCES u",
        &["ACCESS EXCLUSIVE t+ instant", "SHARE ROW EXCLUSIVE u+ instant"],
    );
    check(
        "ALTER TABLE t ADD COLUMN a int DEFAULT 1 REFERENCES u",
        &["ACCESS EXCLUSIVE t+ read", "SHARE ROW EXCLUSIVE u+ instant"],
    );
    check("ALTER TABLE t DROP COLUMN a", &[&format!("{all} t+ instant & {all} referred(a) instant")]);
    check(
        "ALTER TABLE t DROP CONSTRAINT c CASCADE",
        &[&format!(
            "{all} t+ instant & {all} referred(c) instant & {all} referring(c) instant & {all} readers(c) instant"
        )],
    );
    check(
        "ALTER TABLE t ALTER a TYPE bigint",
        &[&format!("{all} t+ rewrite & {all} referred(a) instant & {all} referring(a) instant")],
    );
    check("ALTER TABLE t ALTER CONSTRAINT c DEFERRABLE", &[&format!("{all} t+ instant")]);
    check(
        "ALTER TABLE t ALTER CONSTRAINT c NOT ENFORCED",
        &[&format!("{all} t+ instant & {all} referred(c) instant")],
    );
}

#[test]
fn what_comes_and_goes_with_a_table() {
    let all = "ACCESS EXCLUSIVE";
    let share = "SHARE ROW EXCLUSIVE";
    check(
        "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)",
        &[
            &format!(
                "SHARE UPDATE EXCLUSIVE t instant & {all} default read & {share} referred() instant & {share} referring() instant"
            ),
            &format!("{all} p+ read"),
        ],
    );
    check(
        "ALTER TABLE t DETACH PARTITION p",
        &[
            &format!(
                "{all} t instant & {all} default instant & {share} referred() instant \
                 & {all} referring() instant"
            ),
            &format!("{all} p+ instant"),
        ],
    );
    check(
        "ALTER TABLE t INHERIT u",
        &["ACCESS EXCLUSIVE t instant", "SHARE UPDATE EXCLUSIVE u instant"],
    );
    check(
        "ALTER INDEX i ATTACH PARTITION j",
        &["SHARE UPDATE EXCLUSIVE i instant", "ACCESS EXCLUSIVE index:j instant"],
    );
    check(
        "CREATE TABLE p PARTITION OF t DEFAULT",
        &[&format!(
            "{all} t instant & {all} default read & {share} referred() instant & {share} referring() instant"
        )],
    );
    check(
        "CREATE TABLE t (a int REFERENCES u, b int, FOREIGN KEY (b) REFERENCES t) INHERITS (v)",
        &["SHARE UPDATE EXCLUSIVE v instant", "SHARE ROW EXCLUSIVE u+ instant"],
    );
    check("TRUNCATE t, ONLY u", &["ACCESS EXCLUSIVE t+ instant", "ACCESS EXCLUSIVE u instant"]);
    check("TRUNCATE t CASCADE", &[&format!("{all} t+ instant & {all} emptied instant")]);
    check(
        "DROP TABLE t",
        &[&format!("{all} t+ instant & {all} referred() instant & {all} above instant")],
    );
    check(
        "DROP SCHEMA s CASCADE",
        &[&format!(
            "{all} schema:s+ instant & {all} referring() instant & {all} referred() instant & {all} readers() instant"
        )],
    );
    check("DROP SCHEMA s", &[]);
}

#[test]
fn other_statements() {
    let one = |sql: &str, expect: &str| check(sql, &[expect]);
    one("CREATE INDEX ON t (a)", "SHARE t/ build");
    one("CREATE INDEX CONCURRENTLY ON t (a)", "SHARE UPDATE EXCLUSIVE t/ build");
    one("DROP INDEX i", "ACCESS EXCLUSIVE index:i/ instant");
    one("DROP INDEX CONCURRENTLY i", "SHARE UPDATE EXCLUSIVE index:i/ instant");
    one("REINDEX TABLE t", "ACCESS EXCLUSIVE t/ build");
    one("REINDEX INDEX i", "ACCESS EXCLUSIVE index:i/ build");
    one("REINDEX TABLE CONCURRENTLY t", "SHARE UPDATE EXCLUSIVE t/ build");
    one("REINDEX SCHEMA s", "ACCESS EXCLUSIVE schema:s/ build");
    one("REINDEX DATABASE d", "ACCESS EXCLUSIVE */ build");
    one("VACUUM t", "SHARE UPDATE EXCLUSIVE t+ read");
    one("VACUUM FULL t", "ACCESS EXCLUSIVE t+ rewrite");
    one("VACUUM (FULL off) t", "SHARE UPDATE EXCLUSIVE t+ read");
    one("ANALYZE t", "SHARE UPDATE EXCLUSIVE t+ read");
    one("VACUUM", "SHARE UPDATE EXCLUSIVE * read");
    one("CLUSTER t USING i", "ACCESS EXCLUSIVE t+ rewrite");
    one("CLUSTER", "ACCESS EXCLUSIVE * rewrite");
    one("LOCK t", "ACCESS EXCLUSIVE t+ instant & ACCESS EXCLUSIVE under instant");
    one("LOCK t IN SHARE MODE", "SHARE t+ instant & SHARE under instant");
    one("LOCK ONLY t IN ACCESS SHARE MODE", "ACCESS SHARE t instant & ACCESS SHARE under instant");
    one("CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()", "SHARE ROW EXCLUSIVE t/ instant");
    one("DROP TRIGGER g ON s.t", "ACCESS EXCLUSIVE s.t/ instant");
    one("CREATE RULE r AS ON DELETE TO t DO NOTHING", "ACCESS EXCLUSIVE t instant");
    one("CREATE POLICY p ON t", "ACCESS EXCLUSIVE t instant");
    one("ALTER POLICY p ON t USING (true)", "ACCESS EXCLUSIVE t instant");
    one("DROP POLICY p ON t", "ACCESS EXCLUSIVE t instant");
    one("CREATE OR REPLACE VIEW v AS SELECT 1", "ACCESS EXCLUSIVE v instant");
    one("DROP VIEW v CASCADE", "ACCESS EXCLUSIVE v instant & ACCESS EXCLUSIVE readers() instant");
    one("REFRESH MATERIALIZED VIEW v", "ACCESS EXCLUSIVE v untold");
    one("REFRESH MATERIALIZED VIEW CONCURRENTLY v", "EXCLUSIVE v untold");
    one("REFRESH MATERIALIZED VIEW v WITH NO DATA", "ACCESS EXCLUSIVE v instant");
    one("ALTER TABLE t RENAME TO u", "ACCESS EXCLUSIVE t instant");
    one("ALTER TABLE t RENAME COLUMN a TO b", "ACCESS EXCLUSIVE t+ instant");
    one("ALTER INDEX i RENAME TO j", "SHARE UPDATE EXCLUSIVE index:i instant");
    one("ALTER TABLE t SET SCHEMA s", "ACCESS EXCLUSIVE t instant");
    one("ALTER SEQUENCE q RESTART", "SHARE ROW EXCLUSIVE q instant");
    one("ALTER DOMAIN d ADD CHECK (VALUE > 0)", "SHARE type:d read");
    one("ALTER DOMAIN d SET NOT NULL", "SHARE type:d read");
    one("COMMENT ON TABLE t IS 'x'", "SHARE UPDATE EXCLUSIVE t instant");
    one("COMMENT ON COLUMN s.t.a IS 'x'", "SHARE UPDATE EXCLUSIVE s.t instant");
    one("CREATE STATISTICS z ON a, b FROM t", "SHARE UPDATE EXCLUSIVE t instant");
    one("DROP STATISTICS z", "SHARE UPDATE EXCLUSIVE statistics:z instant");
    one("CREATE PUBLICATION p FOR TABLE t", "SHARE UPDATE EXCLUSIVE t+ instant");
    one("ALTER PUBLICATION p ADD TABLE t", "SHARE UPDATE EXCLUSIVE t+ instant");
    check(
        "ALTER PUBLICATION p SET TABLE t",
        &["SHARE UPDATE EXCLUSIVE t+ instant", "SHARE UPDATE EXCLUSIVE publication:p instant"],
    );
    check("DROP PUBLICATION p", &[]);
    one("REASSIGN OWNED BY a TO b", "ACCESS EXCLUSIVE owned:a instant");
    one("CREATE EXTENSION x", "ACCESS EXCLUSIVE ? untold");
    one("CALL p()", "ACCESS EXCLUSIVE ? untold");
    one(
        "DROP SEQUENCE q CASCADE",
        "ACCESS EXCLUSIVE q instant & ACCESS EXCLUSIVE defaults instant & ACCESS EXCLUSIVE readers() instant",
    );
    one("DROP TYPE y CASCADE", "ACCESS EXCLUSIVE ? untold");
    check("DROP TYPE y", &[]);
}

#[test]
fn texts_of_several_statements() {
    // One line for each relation, as strong as the strongest.
    check(
        "CREATE INDEX ON t (a); ANALYZE t; TRUNCATE u",
        &["SHARE t+ build", "ACCESS EXCLUSIVE u+ instant"],
    );
    // Nobody else uses what is temporary, or not there for them yet.
    check("CREATE TEMP TABLE t (a int); CREATE INDEX ON t (a); TRUNCATE t; DROP TABLE t", &[]);
    check("TRUNCATE pg_temp.t", &[]);
    check("CREATE TABLE t (a int); ALTER TABLE t ADD b int; CREATE INDEX ON t (b)", &[]);
    let index = "SHARE t/ build";
    check("CREATE TABLE IF NOT EXISTS t (a int); CREATE INDEX ON t (a)", &[index]);
    check("CREATE TABLE t (a int); SET search_path = s; CREATE INDEX ON t (a)", &[index]);
    check("CREATE TABLE t (a int); COMMIT; CREATE INDEX ON t (a)", &[index]);
    // What a block runs is run now; what it makes is not.
    check(
        "DO $$ BEGIN TRUNCATE t; CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'TRUNCATE u'; END $$",
        &["ACCESS EXCLUSIVE ? untold", "ACCESS EXCLUSIVE t+ instant"],
    );
    let many: Vec<String> = (0..200).map(|n| format!("TRUNCATE t{n}")).collect();
    let found = understand(&many.join(";")).locks;
    assert_eq!(found.len(), LOCKS_MAX + 1);
    assert!(matches!(found.last().map(|lock| &lock.on), Some(On::Untold(_))));
}

#[test]
fn modes_conflict_with_each_other() {
    for (one, other) in Mode::ALL.iter().flat_map(|one| Mode::ALL.iter().map(move |other| (one, other)))
    {
        assert_eq!(
            one.conflicts().contains(other),
            other.conflicts().contains(one),
            "{one:?} {other:?}"
        );
    }
    let count = |mode: Mode| mode.conflicts().len();
    assert_eq!(Mode::ALL.map(count), [1, 2, 4, 5, 5, 6, 7, 8]);
}
