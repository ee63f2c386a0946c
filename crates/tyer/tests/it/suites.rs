//! Test suites that others have published: what passes directly passes through the door, test by test.
//!
//! Each suite runs twice at the same time, as a superuser on a fresh cluster of its own and as a session on
//! another, behind a Tyer whose upstream is only observed. A file beside the suite's name in `tests/suites`
//! lists every test that differs, with the reason; a difference that isn't listed fails, and so does a
//! listed one that no longer occurs. `./dev setup` fetches the sources.

pub(crate) mod outcomes;
mod pytest;
pub(crate) mod regress;

use std::path::{Path, PathBuf};
use std::process::Command;

use xtask::cluster::{Cluster, ROLE, free_port};
use xtask::instance::{Instance, Shape};

use self::outcomes::{Listed, Outcomes};
use crate::bed::program;

/// A published suite.
pub(crate) struct Suite {
    /// Its name, and that of its list of differences.
    pub(crate) name: &'static str,
    /// The database that it uses.
    pub(crate) database: &'static str,
    /// What it expects to find; the superuser runs it in the orders database.
    pub(crate) server: &'static [&'static str],
    /// What it expects to find in its own database.
    pub(crate) schema: &'static [&'static str],
    /// So many tests pass at least, or the comparison says nothing.
    pub(crate) passes_min: usize,
}

/// Where a run of a suite connects, and as whom.
pub(crate) struct Seat {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) database: &'static str,
    /// The server's programs.
    pub(crate) programs: PathBuf,
}

impl Seat {
    /// Lets a program know it in the way of libpq.
    pub(crate) fn take(&self, command: &mut Command) {
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user)
            .env("PGPASSWORD", &self.password)
            .env("PGDATABASE", self.database)
            // The cluster has no TLS, and some tests look at what the driver makes of it.
            .env("PGSSLMODE", "disable");
    }
}

/// Runs the suite both ways and compares.
pub(crate) fn check(suite: &Suite, run: impl Fn(&Seat) -> Outcomes + Sync) {
    let (direct, door) = std::thread::scope(|scope| {
        let door = scope.spawn(|| through_the_door(suite, &run));
        let direct = run(&past_tyer(suite, &fresh(suite)));
        (direct, door.join().expect("the run through the door"))
    });
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites").join(suite.name);
    let listed = Listed::read(&list.with_extension("differences"));
    let passed = door.passed();
    println!("{}: {passed} of {} passed through the door", suite.name, door.len());
    assert!(passed >= suite.passes_min, "only {passed} passed: {}", door.failures());
    let wrong = listed.compare(&direct, &door);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A cluster of its own, in which the role of Tyer's upstream may do everything.
pub(crate) fn fresh(suite: &Suite) -> Cluster {
    let mut cluster = Cluster::start().expect("a cluster");
    cluster.load_orders().expect("the orders database");
    let ask = |cluster: &Cluster, sql: &str| {
        cluster.query(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    };
    ask(&cluster, &format!("ALTER ROLE {ROLE} SUPERUSER"));
    ask(&cluster, "ALTER SYSTEM SET max_prepared_transactions = 20");
    cluster.resume().expect("a restart");
    suite.server.iter().for_each(|sql| ask(&cluster, sql));
    let seat = past_tyer(suite, &cluster);
    for sql in suite.schema {
        let mut psql = Command::new(seat.programs.join("psql"));
        seat.take(psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql]));
        assert!(psql.status().expect("psql").success(), "{sql}");
    }
    cluster
}

pub(crate) fn past_tyer(suite: &Suite, cluster: &Cluster) -> Seat {
    Seat {
        port: cluster.port(),
        user: ROLE.to_owned(),
        password: cluster.password().to_owned(),
        database: suite.database,
        programs: cluster.programs().to_owned(),
    }
}

fn through_the_door(suite: &Suite, run: &impl Fn(&Seat) -> Outcomes) -> Outcomes {
    let cluster = fresh(suite);
    let door = free_port(0).expect("a port");
    let upstream = format!(
        r#"[upstream.suite]
protocol = "postgres"
listen = "127.0.0.1:{door}"
address = "127.0.0.1:{port}"
database = "{database}"
user = "{ROLE}"
password = {{ file = "orders.password" }}
tls = "disable"
environment = "staging"
owners = ["bob"]
mode = "observe"
allow_role_powers = ["superuser"]
"#,
        port = cluster.port(),
        database = suite.database,
    );
    // A shape is made of constants; this one lives as long as the test.
    let shape = Shape { sections: upstream.leak(), ..Shape::default() };
    let tyer = Instance::start(program().as_ref(), &cluster, &shape).expect("an instance");
    let said = tyer
        .run(&["--json", "session", "new", "--agent", "suite", "--for", "alice", "--upstream", "suite"])
        .expect("a session");
    let said: serde_json::Value = serde_json::from_str(&said).expect("json");
    let text = |key: &str| said[key].as_str().expect("a text").to_owned();
    let seat = Seat {
        port: door,
        user: text("session"),
        password: text("password"),
        ..past_tyer(suite, &cluster)
    };
    let outcomes = run(&seat);
    let verified = tyer.output(&["ledger", "verify"]).expect("verify");
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    outcomes
}

/// What `./dev setup` has put under the name.
pub(crate) fn fetched(name: &str) -> PathBuf {
    let target = Path::new(program()).ancestors().nth(2).expect("the target directory");
    let path = target.join("suites").join(name);
    assert!(path.exists(), "{} is missing: ./dev setup fetches it", path.display());
    path.canonicalize().expect("a path")
}

/// A copy of a tree.
fn copy(from: &Path, to: &Path) {
    let done = Command::new("cp").arg("-r").arg(from).arg(to).status().expect("cp");
    assert!(done.success(), "{} could not be copied", from.display());
}
