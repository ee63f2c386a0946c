//! The upstream is killed or restarted, or ends one connection, at the worst moments.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use xtask::cluster::DATABASE;
use xtask::instance::{Login, Shape};

use crate::bed::{Bed, ask, record};

/// Deferred constraint triggers make a commit slow.
const SETUP: &str = "
    CREATE TABLE slow (id int);
    CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_sleep(60); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER dawdles AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION dawdle();
    CREATE TABLE copied (id int);
    ALTER TABLE slow OWNER TO tyer;
    ALTER TABLE copied OWNER TO tyer";

const BUSY: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE usename = 'tyer' AND application_name <> 'tyer facts' AND state = 'active'";
const CONNECTED: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE usename = 'tyer' AND application_name <> 'tyer facts'";
const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE usename = 'tyer' AND application_name <> 'tyer facts'";

/// What the agent is in the middle of.
const MIDDLES: [(&str, &[&str]); 5] = [
    (
        "a query",
        &["UPDATE customers SET name = 'x' WHERE id IN (SELECT 1 FROM generate_series(1, 300000000))"],
    ),
    ("a copy in", &["COPY copied FROM STDIN"]),
    ("a copy out", &["COPY (SELECT generate_series(1, 2000000000)) TO STDOUT"]),
    ("an implicit commit", &["INSERT INTO slow VALUES (1)"]),
    ("an explicit commit", &["BEGIN", "INSERT INTO slow VALUES (1)", "COMMIT"]),
];

/// A copy out whose reader is never waited for: of a client that has to be waited for PostgreSQL takes no leave.
const SLOWLY: &str = "COPY (SELECT pg_sleep(0.01) FROM generate_series(1, 1000000)) TO STDOUT";

/// psql in the middle of something. Its standard input stays open.
fn psql(bed: &Bed, login: &Login, statements: &[&str]) -> Child {
    let mut command = Command::new(bed.cluster.programs().join("psql"));
    command.args(["-X", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"]);
    command.args(["-h", "127.0.0.1", "-p", &bed.tyer.door.to_string()]);
    command.args(["-U", &login.session, "-d", DATABASE]);
    for statement in statements {
        command.args(["-c", statement]);
    }
    command.env("PGPASSWORD", &login.password);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().expect("psql")
}

/// Waits until the database answers that.
async fn until(bed: &Bed, sql: &str, expected: &str) {
    for _ in 0..400 {
        if bed.truth(sql) == expected {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{sql}: {}", bed.truth(sql));
}

/// The outcomes of the leaves from `first` on, once each of them has one.
async fn outcomes(bed: &Bed, first: usize) -> Vec<String> {
    let mut seen = Vec::new();
    for _ in 0..100 {
        let leaves = bed.leaves();
        let of = |kind: &str| -> Vec<_> {
            let leaves = leaves[first..].iter().map(record);
            leaves.filter(|leaf| leaf["kind"] == kind).cloned().collect()
        };
        let settled = of("settled");
        seen = settled.iter().map(|leaf| leaf["outcome"]["is"].to_string()).collect();
        if settled.len() == of("cleared").len() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    seen
}

/// Ends `middle` by `fault`; returns what psql said and the outcomes in the ledger.
async fn ended(
    bed: &mut Bed,
    (name, middle): (&str, &[&str]),
    fault: impl AsyncFnOnce(&mut Bed),
) -> (String, Vec<String>) {
    let login = bed.session(&[]);
    let first = bed.leaves().len();
    let mut child = psql(bed, &login, middle);
    until(bed, BUSY, "1").await;
    // A statement before the last one may be what is seen; the last one takes for ever.
    tokio::time::sleep(Duration::from_millis(300)).await;
    until(bed, BUSY, "1").await;
    fault(bed).await;
    drop(child.stdin.take());
    let said = tokio::task::spawn_blocking(move || child.wait_with_output());
    let said = said.await.expect("psql").expect("psql");
    assert!(!said.status.success(), "{name}");
    until(bed, CONNECTED, "0").await;
    let seen = outcomes(bed, first).await;
    let agent = bed.connect(&login).await;
    assert_eq!(ask(&agent, "SELECT 7").await.expect("the door works")[0], "7", "{name}");
    (String::from_utf8_lossy(&said.stderr).into_owned(), seen)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_is_killed_and_restarted() {
    let mut bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    bed.truth(SETUP);
    for middle in MIDDLES {
        let restart = async |bed: &mut Bed| {
            bed.cluster.halt();
            bed.cluster.resume().expect("the database is back");
        };
        let (said, seen) = ended(&mut bed, middle, restart).await;
        let name = middle.0;
        assert!(said.contains("08006") || said.contains("57P0"), "{name}: {said}");
        let reads_only = name == "a copy out";
        assert_eq!(seen.is_empty(), reads_only, "{name}: {seen:?}");
        assert!(seen.iter().all(|outcome| outcome == "\"unknown\""), "{name}: {seen:?}");
    }
    assert_eq!(bed.truth("SELECT count(*) FROM slow"), "0", "nothing was committed");
    bed.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_database_terminates() {
    let mut bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    bed.truth(SETUP);
    for middle in MIDDLES {
        let terminate = async |bed: &mut Bed| drop(bed.truth(TERMINATE));
        let name = middle.0;
        let middle = if name == "a copy out" { (name, [SLOWLY].as_slice()) } else { middle };
        let (said, seen) = ended(&mut bed, middle, terminate).await;
        assert!(said.contains("57P01"), "the server's own words: {name}: {said}");
        assert!(!said.contains("08006"), "and no others: {name}: {said}");
        let reads_only = name == "a copy out";
        assert_eq!(seen.is_empty(), reads_only, "{name}: {seen:?}");
        assert!(!seen.iter().any(|outcome| outcome == "\"done\""), "{name}: {seen:?}");
    }
    assert_eq!(bed.truth("SELECT count(*) FROM slow"), "0", "nothing was committed");
    bed.verify();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_upstream_is_down_the_door_says_so() {
    let mut bed = Bed::new(Shape { environment: "staging", ..Shape::default() }).await;
    let login = bed.session(&[]);
    bed.cluster.halt();
    let refused = crate::bed::connect(bed.tyer.door, &login.session, &login.password).await;
    let refused = crate::bed::Refused::of(&refused.expect_err("no database"));
    assert_eq!(refused.code, "08006", "{refused:?}");
    bed.cluster.resume().expect("the database is back");
    let agent = bed.connect(&login).await;
    assert!(ask(&agent, "SELECT 1").await.is_ok());
}
