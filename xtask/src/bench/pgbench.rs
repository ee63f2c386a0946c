//! PostgreSQL's own benchmark program as the agent.

use std::process::{Command, Stdio};

use super::{BenchError, system};
use crate::cluster::{Cluster, DATABASE};

/// The table that the inserts fill.
pub(super) const INSERTED: &str =
    "CREATE TABLE noted (n int, note text); ALTER TABLE noted OWNER TO tyer";
const INSERT: &str =
    "\\set n random(1, 1000000)\nINSERT INTO noted (n, note) VALUES (:n, 'a small row');\n";

/// How statements are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Simple,
    Extended,
    Prepared,
}

impl Protocol {
    fn word(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Extended => "extended",
            Self::Prepared => "prepared",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// One row by its primary key.
    Read,
    /// One small row.
    Insert,
}

/// What the clients of one round do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Work {
    script: Script,
    protocol: Protocol,
    pub(super) clients: u32,
}

impl Work {
    pub(super) fn reads(protocol: Protocol) -> Self {
        Self { script: Script::Read, protocol, clients: 1 }
    }

    pub(super) fn inserts() -> Self {
        Self { script: Script::Insert, protocol: Protocol::Simple, clients: 1 }
    }

    pub(super) fn with(self, clients: u32) -> Self {
        Self { clients, ..self }
    }

    pub(super) fn name(self) -> String {
        let what = match self.script {
            Script::Read => "read",
            Script::Insert => "insert",
        };
        format!("{what}, {}", self.protocol.word())
    }

    /// Transactions of one round, over all clients.
    pub(super) fn transactions(self) -> u32 {
        let alone = match self.script {
            Script::Read => 2_000,
            Script::Insert => 400,
        };
        // More clients make a longer round, or starting them would be most of it.
        if self.clients == 1 { alone } else { 4 * alone }
    }
}

/// `pgbench` with somewhere to connect.
#[derive(Debug)]
pub(super) struct Pgbench<'a> {
    cluster: &'a Cluster,
    port: u16,
    user: &'a str,
    password: &'a str,
}

impl<'a> Pgbench<'a> {
    pub(super) fn new(cluster: &'a Cluster, port: u16, user: &'a str, password: &'a str) -> Self {
        Self { cluster, port, user, password }
    }

    /// Makes and fills the tables of the built-in scripts.
    pub(super) fn initialise(&self) -> Result<(), BenchError> {
        self.output(&["-i", "-q", "-s", "1"]).map(drop)
    }

    /// Runs one round; transactions per second, without the time to connect.
    pub(super) fn run(&self, work: Work) -> Result<f64, BenchError> {
        let script = tempfile::NamedTempFile::new().map_err(system("a script"))?;
        std::fs::write(script.path(), INSERT).map_err(system("a script"))?;
        let script = script.path().display().to_string();
        let (clients, each) =
            (work.clients.to_string(), (work.transactions() / work.clients).to_string());
        let mut arguments =
            vec!["-n", "-M", work.protocol.word(), "-c", &clients, "-j", "1", "-t", &each];
        match work.script {
            Script::Read => arguments.push("-S"),
            Script::Insert => arguments.extend(["-f", &script]),
        }
        let said = self.output(&arguments)?;
        let tps = said.lines().find_map(|line| {
            line.strip_prefix("tps = ")?.split_whitespace().next()?.parse::<f64>().ok()
        });
        tps.ok_or_else(|| BenchError::Program("pgbench", said))
    }

    fn output(&self, arguments: &[&str]) -> Result<String, BenchError> {
        let mut command = Command::new(self.cluster.programs().join("pgbench"));
        command.env_clear().env("LC_ALL", "C").env("PGPASSWORD", self.password);
        // Both ways in clear, on loopback: TLS is not what is compared.
        command.env("PGSSLMODE", "disable").env("PGGSSENCMODE", "disable");
        command.args(arguments).args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        command.args(["-U", self.user, DATABASE]).stdin(Stdio::null());
        let output = command.output().map_err(system("pgbench"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            return Ok(text(&output.stdout));
        }
        Err(BenchError::Program("pgbench", text(&output.stderr)))
    }
}
