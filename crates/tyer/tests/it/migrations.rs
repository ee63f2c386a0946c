//! Migrations of common tools run to their end once people have agreed: step by step, with the tool run
//! again after each refusal, or as one unit by `tyer propose`. The database is then what it is without Tyer.

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use xtask::cluster::{Cluster, DATABASE, ROLE};
use xtask::instance::Shape;

use crate::bed::{Bed, program};
use crate::clients::{Seat, installed, node, packages, python, script};

/// More than any of these migrations has statements.
const RUNS_MAX: usize = 30;

/// A tool that migrates where libpq's environment says, what it prints offline, and which rows it makes.
struct Tool {
    run: fn() -> Command,
    rows: &'static str,
}

const ALEMBIC: Tool = Tool {
    run: || python("alembic_run.py"),
    rows: "SELECT (SELECT string_agg(version_num, ',') FROM alembic_version), (SELECT count(*) FROM teams), \
           (SELECT sum(team_id) FROM customers)",
};
const DRIZZLE: Tool = Tool {
    run: || node("drizzle.js"),
    rows: "SELECT (SELECT count(*) FROM depots), (SELECT sum(depot_id) FROM orders)",
};
const NODE_PG_MIGRATE: Tool = Tool {
    run: || {
        let mut command =
            Command::new(installed(&packages().join("node_modules/.bin/node-pg-migrate")));
        command.args(["up", "-m"]).arg(script("node_pg_migrate"));
        command
    },
    rows: "SELECT (SELECT string_agg(name, ',') FROM pgmigrations), (SELECT count(*) FROM wagons)",
};

/// What a database is like: its definitions, and the rows that were made.
#[derive(Debug, PartialEq, Eq)]
struct State {
    definitions: String,
    rows: String,
}

impl State {
    fn of(cluster: &Cluster, rows: &str) -> Self {
        let dump = Command::new(cluster.programs().join("pg_dump"))
            .args(["--schema-only", "-h", "127.0.0.1", "-U", ROLE, "-d", DATABASE])
            .args(["-p", &cluster.port().to_string()])
            .env("PGPASSWORD", cluster.password())
            .output()
            .expect("pg_dump");
        assert!(dump.status.success(), "{}", said(&dump));
        let definitions = String::from_utf8_lossy(&dump.stdout);
        // Newer dumps carry a random word that keeps psql to itself.
        let definitions =
            definitions.lines().filter(|line| !line.starts_with('\\')).collect::<Vec<_>>();
        Self { definitions: definitions.join("\n"), rows: cluster.query(rows).expect("rows") }
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{} {}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// Runs a command while people answer whatever is held meanwhile.
async fn attended(bed: &mut Bed, mut command: Command) -> Output {
    let mut running = tokio::task::spawn_blocking(move || command.output().expect("a tool"));
    loop {
        answer(bed).await;
        match tokio::time::timeout(Duration::from_millis(50), &mut running).await {
            Ok(output) => {
                answer(bed).await;
                return output.expect("the tool");
            }
            Err(_still_running) => {}
        }
    }
}

/// alice and bob approve every open hold.
async fn answer(bed: &mut Bed) {
    let (_, open) = bed.alice.http().get("/api/v1/holds?state=open").await.expect("the holds");
    for hold in ids(&open) {
        // One of them may be enough.
        let _enough = bed.bob.approve(&hold).await;
        let _enough = bed.alice.approve(&hold).await;
    }
}

/// The ids of the holds anywhere in an answer.
fn ids(answer: &Value) -> BTreeSet<String> {
    match answer {
        Value::Array(all) => all.iter().flat_map(ids).collect(),
        Value::Object(fields) => {
            let own = fields.get("hold").and_then(Value::as_str).filter(|id| id.starts_with("H-"));
            fields.values().flat_map(ids).chain(own.map(ToOwned::to_owned)).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// What the tool makes of the orders database without Tyer.
fn expected(tool: &Tool) -> State {
    let cluster = Cluster::start().expect("a cluster");
    cluster.load_orders().expect("the orders database");
    let seat =
        Seat { port: cluster.port(), user: ROLE.to_owned(), password: cluster.password().to_owned() };
    let mut command = (tool.run)();
    seat.seat(&mut command);
    let output = command.output().expect("the tool");
    assert!(output.status.success(), "the tool fails without Tyer: {}", said(&output));
    State::of(&cluster, tool.rows)
}

/// The tool is run again until it ends well; what was approved stays so when its transaction rolls back.
async fn step_by_step(tool: Tool) {
    let mut bed = Bed::new(Shape { wait_seconds: 20, ..Shape::default() }).await;
    let seat = Seat::door(&bed);
    let mut last = String::new();
    for _ in 0..RUNS_MAX {
        let mut command = (tool.run)();
        seat.seat(&mut command);
        let output = attended(&mut bed, command).await;
        last = said(&output);
        if output.status.success() {
            assert_eq!(State::of(&bed.cluster, tool.rows), expected(&tool));
            bed.verify();
            return;
        }
        assert!(last.contains("held as"), "it failed for another reason: {last}");
    }
    panic!("it never ended: {last}");
}

#[tokio::test]
async fn alembic_ends_step_by_step() {
    step_by_step(ALEMBIC).await;
}

#[tokio::test]
async fn drizzle_ends_step_by_step() {
    step_by_step(DRIZZLE).await;
}

#[tokio::test]
async fn node_pg_migrate_ends_step_by_step() {
    step_by_step(NODE_PG_MIGRATE).await;
}

/// The text that a tool prints is held as one unit, approved once, and makes what psql makes of it.
async fn by_proposal(text: impl FnOnce(&Seat) -> String, rows: &str) {
    let mut bed = Bed::new(Shape::default()).await;
    let text = text(&Seat::door(&bed));
    let login = bed.session(&[]);
    let file = bed.tyer.directory().join("migration.sql");
    std::fs::write(&file, text).expect("a file");
    let propose = || {
        let mut command = Command::new(program());
        command.args(["propose", "sql"]).arg(&file);
        command.env("PGUSER", &login.session).env("PGPASSWORD", &login.password);
        command.env("TYER_URL", bed.tyer.http().origin()).output().expect("tyer")
    };
    let held = propose();
    assert_eq!(held.status.code(), Some(3), "{}", said(&held));
    bed.alice.approve("H-1").await.expect("alice");
    bed.bob.approve("H-1").await.expect("bob");
    let done = propose();
    assert!(done.status.success(), "{}", said(&done));
    let cluster = Cluster::start().expect("a cluster");
    cluster.load_orders().expect("the orders database");
    let seat =
        Seat { port: cluster.port(), user: ROLE.to_owned(), password: cluster.password().to_owned() };
    let mut psql = Command::new(cluster.programs().join("psql"));
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]).arg(&file);
    seat.seat(&mut psql);
    let psql = psql.output().expect("psql");
    assert!(psql.status.success(), "{}", said(&psql));
    assert_eq!(State::of(&bed.cluster, rows), State::of(&cluster, rows));
    bed.verify();
}

/// What a program prints; it may read the database, through the door.
fn printed(mut command: Command, seat: &Seat) -> String {
    seat.seat(&mut command);
    let output = command.output().expect("the tool");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn alembic_offline_is_one_unit() {
    let mut command = python("alembic_run.py");
    command.arg("--sql");
    by_proposal(|seat| printed(command, seat), ALEMBIC.rows).await;
}

#[tokio::test]
async fn a_migration_of_django_is_one_unit() {
    let rows = "SELECT label, room FROM django_shop_shelf";
    by_proposal(|seat| printed(python("django_sql.py"), seat), rows).await;
}

#[tokio::test]
async fn files_of_drizzle_are_one_unit() {
    let read = |name: &str| std::fs::read_to_string(script("drizzle").join(name)).expect("a file");
    let text = read("0000_depots.sql") + "\n" + &read("0001_rates.sql");
    by_proposal(|_| text, "SELECT (SELECT count(*) FROM depots), (SELECT sum(depot_id) FROM orders)")
        .await;
}
