//! Which locks a card names, against those that a real server takes.
//!
//! Each statement is shown to Tyer, which holds it, and then run past Tyer in a transaction that is taken back. What of
//! relations that were there before is locked more strongly than by reading and writing must stand on the card, in that
//! mode or a stronger one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;
use tokio_postgres::{Client, NoTls};
use xtask::cluster::{Cluster, ROLE};
use xtask::instance::Shape;

use crate::bed::{Bed, ask, connect};

const MADE: &str = "
    CREATE TABLE t (id int PRIMARY KEY, a int, b text, c int, u int UNIQUE, CONSTRAINT t_c CHECK (c > 0) NOT VALID);
    INSERT INTO t (id, a, u) SELECT n, n, n FROM generate_series(1, 1000) n;
    CREATE INDEX t_a ON t (a);
    CREATE TABLE r (id int PRIMARY KEY, t_id int, x int, CONSTRAINT r_t FOREIGN KEY (t_id) REFERENCES t);
    CREATE TABLE rr (id int, r_id int REFERENCES r);
    CREATE SEQUENCE q;
    CREATE TABLE s (id serial, n int DEFAULT nextval('q'));
    CREATE VIEW v AS SELECT id, a FROM t;
    CREATE VIEW w AS SELECT id FROM v;
    CREATE MATERIALIZED VIEW m AS SELECT id FROM t;
    CREATE UNIQUE INDEX ON m (id);
    CREATE TABLE p (k int, t_id int REFERENCES t, x int) PARTITION BY LIST (k);
    CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1);
    CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);
    CREATE TABLE pd PARTITION OF p DEFAULT;
    CREATE INDEX p_x ON p (x);
    CREATE TABLE e (k int PRIMARY KEY) PARTITION BY LIST (k);
    CREATE TABLE e1 PARTITION OF e FOR VALUES IN (1);
    CREATE TABLE e2 PARTITION OF e FOR VALUES IN (2);
    CREATE TABLE er (k int REFERENCES e);
    CREATE TABLE loose (k int, t_id int, x int);
    CREATE TABLE h (id int);
    CREATE TABLE hc () INHERITS (h);
    CREATE TABLE other (id int NOT NULL);
    CREATE TABLE other_pk (id int PRIMARY KEY);
    CREATE DOMAIN d AS int;
    ALTER DOMAIN d ADD CONSTRAINT d_c CHECK (VALUE > 0) NOT VALID;
    CREATE TABLE dt (x d);
    CREATE TABLE da (y int, z d);
    CREATE TYPE y AS (a int, b int);
    CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
    CREATE TRIGGER pg AFTER INSERT ON p FOR EACH ROW EXECUTE FUNCTION f();
    CREATE RULE n AS ON UPDATE TO other DO ALSO NOTHING;
    CREATE POLICY o ON t;
    CREATE POLICY op ON p;
    CREATE TABLE loose_e (k int NOT NULL);
    CREATE INDEX p_lone ON ONLY p (t_id, x);
    CREATE INDEX p1_lone ON p1 (t_id, x);
    CREATE TABLE top (id int);
    CREATE RULE hr AS ON UPDATE TO h DO ALSO NOTHING;
    CREATE TRIGGER hg AFTER INSERT ON h FOR EACH ROW EXECUTE FUNCTION f();
    ALTER TABLE h ADD CONSTRAINT hk CHECK (id > 0) NOT VALID;
    CREATE STATISTICS z ON a, b FROM t;
    CREATE PUBLICATION pub FOR TABLE other;
    CREATE SCHEMA shop;
    CREATE TABLE shop.goods (id int PRIMARY KEY, t_id int REFERENCES public.t);
    CREATE TABLE sold (goods int REFERENCES shop.goods)";

/// Statements that can run in a transaction, one a line.
const STATEMENTS: &str = include_str!("locks.sql");

/// Statements that cannot, and the table whose lock they are made to wait for.
const ALONE: &[(&str, &str)] = &[
    ("VACUUM t", "t"),
    ("VACUUM (FULL, ANALYZE) t", "t"),
    ("CREATE INDEX CONCURRENTLY ON t (b)", "t"),
    ("DROP INDEX CONCURRENTLY t_a", "t"),
    ("REINDEX TABLE CONCURRENTLY t", "t"),
    ("REINDEX INDEX CONCURRENTLY t_a", "t"),
    ("ALTER TABLE e DETACH PARTITION e2 CONCURRENTLY", "e"),
    ("CLUSTER t USING t_pkey", "t"),
];

/// The modes of `pg_locks` with the words of cards, the weakest first.
const MODES: [(&str, &str); 8] = [
    ("AccessShareLock", "ACCESS SHARE"),
    ("RowShareLock", "ROW SHARE"),
    ("RowExclusiveLock", "ROW EXCLUSIVE"),
    ("ShareUpdateExclusiveLock", "SHARE UPDATE EXCLUSIVE"),
    ("ShareLock", "SHARE"),
    ("ShareRowExclusiveLock", "SHARE ROW EXCLUSIVE"),
    ("ExclusiveLock", "EXCLUSIVE"),
    ("AccessExclusiveLock", "ACCESS EXCLUSIVE"),
];

/// The strongest that reading and writing rows takes.
const ORDINARY: usize = 2;

/// What is there before a statement, by the server's numbers.
struct There {
    names: BTreeMap<u32, String>,
    /// Of indexes, what TOAST keeps, and sequences of columns: what they belong to.
    of: BTreeMap<u32, u32>,
    above: BTreeMap<u32, BTreeSet<u32>>,
}

impl There {
    async fn look(client: &Client) -> Self {
        let pairs = async |sql: &str| -> Vec<(u32, u32)> {
            let rows = client.query(sql, &[]).await.expect("an answer");
            rows.iter().map(|row| (row.get(0), row.get(1))).collect()
        };
        let sql = "SELECT c.oid, n.nspname || '.' || c.relname FROM pg_class c
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384";
        let rows = client.query(sql, &[]).await.expect("an answer");
        let of = "SELECT indexrelid, indrelid FROM pg_index
             UNION ALL SELECT reltoastrelid, oid FROM pg_class WHERE reltoastrelid <> 0
             UNION ALL SELECT objid, refobjid FROM pg_depend
                 WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
                   AND deptype IN ('a', 'i') AND refobjsubid > 0";
        let above = "WITH RECURSIVE up(oid, above) AS (
                 SELECT inhrelid, inhparent FROM pg_inherits
                 UNION SELECT up.oid, i.inhparent FROM up JOIN pg_inherits i ON i.inhrelid = up.above)
             SELECT oid, above FROM up";
        let mut ancestors: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (part, whole) in pairs(above).await {
            ancestors.entry(part).or_default().insert(whole);
        }
        Self {
            names: rows.iter().map(|row| (row.get(0), row.get(1))).collect(),
            of: pairs(of).await.into_iter().collect(),
            above: ancestors,
        }
    }

    /// The table that a relation is, or belongs to; none if it was not there.
    fn main(&self, oid: u32) -> Option<u32> {
        self.names.get(&oid)?;
        let mut main = oid;
        while let Some(next) = self.of.get(&main) {
            main = *next;
        }
        Some(main)
    }

    /// Whether the card names this lock, or a stronger one.
    fn is_named(&self, locks: &[Value], oid: u32, mode: usize) -> bool {
        let whole = self.above.get(&oid).into_iter().flatten();
        let whole: Vec<&String> = whole.filter_map(|oid| self.names.get(oid)).collect();
        locks.iter().any(|lock| {
            let name = lock["name"].as_str().expect("a name");
            let is_it = self.names.get(&oid).is_some_and(|it| it == name);
            let is_part = lock["parts"].as_u64() > Some(0) && whole.iter().any(|it| *it == name);
            rank(lock["mode"].as_str().expect("a mode")) >= mode && (is_it || is_part)
        })
    }
}

/// How strong a mode is, by either word.
fn rank(word: &str) -> usize {
    let is_it = |(own, card): &(&str, &str)| *own == word || *card == word;
    MODES.iter().position(is_it).unwrap_or_else(|| panic!("no mode: {word}"))
}

/// The locks on the card that a statement leads to.
async fn named(bed: &mut Bed, sql: &str) -> Vec<Value> {
    let login = bed.session(&[]);
    let agent = bed.connect(&login).await;
    let hold = ask(&agent, sql).await.expect_err(sql).hold();
    let facts = bed.hold(&hold).await["facts"].clone();
    // Its hold ends with it.
    bed.tyer.run(&["session", "end", &login.session]).expect("an end");
    let locks = facts["locks"].as_array().unwrap_or_else(|| panic!("{sql}: {facts}"));
    locks.clone()
}

/// The strongest lock on each relation that this backend has or waits for.
async fn taken(watch: &Client, pid: i32) -> BTreeMap<u32, usize> {
    let sql = "SELECT relation, mode FROM pg_locks WHERE locktype = 'relation' AND pid = $1";
    let rows = watch.query(sql, &[&pid]).await.expect("an answer");
    let mut strongest = BTreeMap::new();
    for row in rows {
        let mode = rank(row.get::<_, &str>(1));
        let known = strongest.entry(row.get(0)).or_insert(mode);
        *known = mode.max(*known);
    }
    strongest
}

async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.expect("an answer").get(0)
}

/// What is locked and not named.
fn understated(there: &There, taken: &BTreeMap<u32, usize>, locks: &[Value]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (oid, mode) in taken.iter().filter(|(_, mode)| **mode > ORDINARY) {
        let Some(main) = there.main(*oid) else { continue };
        if !there.is_named(locks, main, *mode) && !there.is_named(locks, *oid, *mode) {
            wrong.push(format!("{} {}", MODES[*mode].1, there.names[oid]));
        }
    }
    wrong
}

/// What is named although nothing of it is locked more than by reading and writing.
fn overstated(there: &There, taken: &BTreeMap<u32, usize>, locks: &[Value]) -> Vec<String> {
    let is_locked = |name: &str| {
        let strong = taken.iter().filter(|(_, mode)| **mode > ORDINARY);
        let mut all = strong.flat_map(|(oid, _)| [Some(*oid), there.main(*oid)]).flatten();
        all.any(|oid| there.names.get(&oid).is_some_and(|it| it == name))
    };
    let names = locks.iter().filter_map(|lock| lock["name"].as_str());
    names.filter(|name| !is_locked(name)).map(str::to_owned).collect()
}

async fn compare(cluster: Cluster) {
    let mut bed = Bed::over(cluster, Shape::default()).await;
    bed.truth(&format!("SET ROLE {ROLE}; {MADE}"));
    let (port, password) = (bed.cluster.port(), bed.cluster.password().to_owned());
    let mut server = connect(port, ROLE, &password).await.expect("a connection");
    let watch = connect(port, ROLE, &password).await.expect("a connection");
    let there = There::look(&watch).await;
    let own = pid(&server).await;
    let (mut wrong, mut too_much, mut compared) = (Vec::new(), Vec::new(), 0);
    let statements = STATEMENTS.lines().filter(|line| !line.is_empty() && !line.starts_with("--"));
    for sql in statements {
        let locks = named(&mut bed, sql).await;
        let transaction = server.transaction().await.expect("a transaction");
        transaction.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        let taken = taken(&watch, own).await;
        transaction.rollback().await.expect("a rollback");
        let (less, more) = (understated(&there, &taken, &locks), overstated(&there, &taken, &locks));
        compared += usize::from(taken.values().any(|mode| *mode > ORDINARY));
        wrong.extend(less.into_iter().map(|it| format!("{sql} -- takes {it}")));
        too_much.extend(more.into_iter().map(|it| format!("{sql} -- does not lock {it}")));
    }
    for (sql, table) in ALONE {
        let locks = named(&mut bed, sql).await;
        let blocker = connect(port, ROLE, &password).await.expect("a connection");
        blocker.batch_execute(&format!("BEGIN; LOCK TABLE ONLY {table}")).await.expect("a lock");
        let waits = waiting(&watch, &server, own, sql).await;
        drop(blocker);
        compared += 1;
        let less = understated(&there, &waits, &locks);
        wrong.extend(less.into_iter().map(|it| format!("{sql} -- takes {it}")));
    }
    assert!(wrong.is_empty(), "understated:\n{}", wrong.join("\n"));
    assert!(too_much.is_empty(), "overstated:\n{}", too_much.join("\n"));
    assert!(compared > 80, "{compared}");
    bed.verify();
}

/// The locks of a statement that waits for one, and is then cancelled.
async fn waiting(watch: &Client, server: &Client, own: i32, sql: &str) -> BTreeMap<u32, usize> {
    let cancel = server.cancel_token();
    let look = async {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(25)).await;
            let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = $1 AND NOT granted)";
            let waits: bool = watch.query_one(sql, &[&own]).await.expect("an answer").get(0);
            if waits {
                break;
            }
        }
        let taken = taken(watch, own).await;
        cancel.cancel_query(NoTls).await.expect("a cancellation");
        taken
    };
    let (ended, taken) = tokio::join!(server.batch_execute(sql), look);
    ended.expect_err("it was cancelled");
    taken
}

#[tokio::test]
async fn no_lock_that_a_server_takes_is_understated() {
    compare(Cluster::start().expect("a cluster")).await;
}

#[tokio::test]
async fn no_lock_that_the_newest_server_takes_is_understated() {
    compare(Cluster::of_version(18).expect("a cluster")).await;
}

#[tokio::test]
async fn a_card_says_how_large_it_is_and_who_is_in_front() {
    let mut bed = Bed::new(Shape::default()).await;
    let (port, password) = (bed.cluster.port(), bed.cluster.password().to_owned());
    let reader = connect(port, ROLE, &password).await.expect("a connection");
    reader.batch_execute("BEGIN; SELECT 1 FROM orders LIMIT 1").await.expect("a read");
    let locks = named(&mut bed, "ALTER TABLE orders ALTER total_cents TYPE numeric").await;
    let lock = &locks[0];
    assert_eq!((&lock["name"], &lock["work"]), (&"public.orders".into(), &"rewrite".into()), "{lock}");
    let bytes = bed.truth("SELECT pg_total_relation_size('orders')");
    assert_eq!(lock["bytes"].to_string(), bytes, "{lock}");
    assert_eq!(lock["ahead"]["sessions"], 1, "{lock}");
    assert!(lock["ahead"]["oldest_ms"].is_u64(), "{lock}");
    let words = lock["words"].as_str().expect("words");
    assert!(words.contains("blocks reads and writes of public.orders (ACCESS EXCLUSIVE)"), "{words}");
    assert!(words.contains("at an assumed 100 MB/s"), "{words}");
    // A reader is not in the way of what lets reads through.
    let lock = &named(&mut bed, "CREATE INDEX ON orders (status)").await[0];
    assert_eq!((&lock["blocks"], &lock["ahead"]["sessions"]), (&"writes".into(), &0.into()), "{lock}");
    reader.batch_execute("ROLLBACK").await.expect("an end");
    bed.verify();
}

#[tokio::test]
async fn an_approval_does_not_cover_another_table_of_the_name() {
    let mut bed = Bed::new(Shape::default()).await;
    let agent = bed.agent().await;
    bed.truth(&format!("SET ROLE {ROLE}; CREATE TABLE goods (id int)"));
    let sql = "ALTER TABLE goods ADD COLUMN n int";
    let first = ask(&agent, sql).await.expect_err("it is held").hold();
    bed.alice.approve(&first).await.expect("an approval");
    bed.truth(&format!("DROP TABLE goods; SET ROLE {ROLE}; CREATE TABLE goods (id int)"));
    let second = ask(&agent, sql).await.expect_err("it is held anew").hold();
    assert_ne!(first, second);
    let differences = bed.hold(&second).await["facts"]["differences"].to_string();
    assert!(differences.contains("public.goods was removed and made again"), "{differences}");
    bed.alice.approve(&second).await.expect("an approval");
    ask(&agent, sql).await.expect("it runs");
    bed.verify();
}
