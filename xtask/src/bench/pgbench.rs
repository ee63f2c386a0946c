//! PostgreSQL's own benchmark program as the agent.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::ways::Address;
use super::{BenchError, system};
use crate::cluster::Cluster;

/// The table that the inserts fill.
pub(super) const INSERTED: &str =
    "CREATE TABLE noted (n int, note text); ALTER TABLE noted OWNER TO tyer";
const INSERT: &str =
    "\\set n random(1, 1000000)\nINSERT INTO noted (n, note) VALUES (:n, 'a small row');\n";
/// Branches of the built-in scripts: as many clients write without waiting for each other.
const SCALE: &str = "16";

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Simple,
    Extended,
    Prepared,
}

impl Protocol {
    pub(super) const ALL: [Self; 3] = [Self::Simple, Self::Extended, Self::Prepared];

    fn word(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Extended => "extended",
            Self::Prepared => "prepared",
        }
    }
}

/// What one transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    /// One row by its primary key; pgbench's `-S`.
    Read,
    /// Seven statements in one transaction, four of them writes; pgbench's default, like TPC-B.
    TpcB,
    /// One small row.
    Insert,
}

/// What the clients of one round do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    pub(super) script: Script,
    pub(super) protocol: Protocol,
    pub(super) clients: u32,
}

impl Work {
    pub(super) fn name(self) -> String {
        let what = match self.script {
            Script::Read => "read",
            Script::TpcB => "tpc-b",
            Script::Insert => "insert",
        };
        format!("{what}, {}", self.protocol.word())
    }

    /// Whether a transaction relies on what an earlier one left on its connection.
    pub(super) fn keeps(self) -> bool {
        self.protocol == Protocol::Prepared
    }

    /// Transactions of each client in one round: of the order of a second, or starting them would be
    /// most of it.
    pub(super) fn each(self) -> u32 {
        let (alone, together) = match self.script {
            Script::Read => (2_000, 16_000),
            Script::TpcB => (150, 1_200),
            Script::Insert => (2_000, 16_000),
        };
        if self.clients == 1 { alone } else { together / self.clients }
    }
}

/// What came of one round.
#[derive(Clone, Debug)]
pub(super) struct Round {
    /// Transactions per second, without the time to connect.
    pub(super) tps: f64,
    /// How long each transaction took, in microseconds.
    pub(super) latencies: Vec<u32>,
}

/// Makes and fills the tables of the built-in scripts.
pub(super) fn initialise(cluster: &Cluster, address: Address<'_>) -> Result<(), BenchError> {
    let mut command = command(cluster, address);
    command.args(["-i", "-q", "-s", SCALE]);
    output(command).map(drop)
}

/// Runs one round of that many transactions for each client.
pub(super) fn run(
    cluster: &Cluster,
    address: Address<'_>,
    work: Work,
    each: u32,
) -> Result<Round, BenchError> {
    let directory = tempfile::tempdir().map_err(system("a directory for pgbench"))?;
    let script = directory.path().join("insert.sql");
    fs::write(&script, INSERT).map_err(system("a script"))?;
    let mut command = command(cluster, address);
    command.args(["-n", "-j", "1", "-M", work.protocol.word()]);
    command.args(["-c", &work.clients.to_string(), "-t", &each.to_string()]);
    command.arg("-l").arg("--log-prefix").arg(directory.path().join("log"));
    match work.script {
        Script::Read => command.arg("-S"),
        Script::TpcB => &mut command,
        Script::Insert => command.arg("-f").arg(&script),
    };
    let said = output(command)?;
    let tps = said
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split_whitespace().next()?.parse::<f64>().ok());
    let tps = tps.ok_or_else(|| BenchError::Program("pgbench", said))?;
    Ok(Round { tps, latencies: latencies(directory.path()).map_err(system("pgbench's log"))? })
}

/// The third word of each line of the logs: microseconds from the transaction's start to its end.
fn latencies(directory: &Path) -> std::io::Result<Vec<u32>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "sql") {
            continue;
        }
        let text = fs::read_to_string(path)?;
        all.extend(text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u32>().ok()));
    }
    Ok(all)
}

fn command(cluster: &Cluster, address: Address<'_>) -> Command {
    let mut command = Command::new(cluster.programs().join("pgbench"));
    command.env_clear().env("LC_ALL", "C").env("PGPASSWORD", address.password);
    // All ways in clear, on loopback: TLS is not what is compared.
    command.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
    command.env("PGHOST", "127.0.0.1").env("PGPORT", address.port.to_string());
    command.env("PGUSER", address.user).env("PGDATABASE", address.database);
    command.stdin(Stdio::null());
    command
}

fn output(mut command: Command) -> Result<String, BenchError> {
    let output = command.output().map_err(system("pgbench"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    Err(BenchError::Program("pgbench", text(&output.stderr)))
}
