//! The benchmarks: what it costs to go through Tyer, next to the same work without it.
//!
//! Rounds with and without are interleaved, and medians are compared, so that a busy machine slows both
//! alike. Numbers are told, never asserted. The throwaway PostgreSQL does not flush at commit and Tyer's
//! store does, so the ratio of the writes is the worst that it can be. What is built how stands in the
//! workspace's manifest, at its profiles.

mod pgbench;
mod stream;

use std::io::{self, Write as _};
use std::path::Path;

use serde_json::{Value, json};

use self::pgbench::{Pgbench, Protocol, Work};
use crate::cluster::{Cluster, ClusterError, ROLE};
use crate::instance::{Instance, InstanceError, Shape};

/// Each is run once directly and once through the door.
const ROUNDS: u32 = 5;
/// The kernel counts processor time in hundredths of a second.
const TICK_US: f64 = 10_000.0;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No cluster.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// No Tyer.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The system refused something.
    #[error("{0}: {1}")]
    System(&'static str, #[source] io::Error),
    /// A program ended unhappily; with what it said.
    #[error("{0} failed: {1}")]
    Program(&'static str, String),
}

/// How the numbers are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table.
    Table,
    /// One JSON document.
    Json,
}

/// One kind of work, with and without Tyer.
#[derive(Clone, Debug)]
struct Comparison {
    work: Work,
    /// Transactions per second, the median of the rounds.
    direct: f64,
    door: f64,
    /// Processor time of Tyer for one transaction, in microseconds; steadier than the rest.
    cpu_us: f64,
}

impl Comparison {
    /// What the door adds to one transaction, in microseconds.
    fn added_us(&self) -> f64 {
        f64::from(self.work.clients) * 1e6 * (1.0 / self.door - 1.0 / self.direct)
    }

    fn ratio(&self) -> f64 {
        self.door / self.direct
    }

    fn row(&self) -> String {
        format!(
            "{:<17} {:>7} {:>10.0} {:>10.0} {:>7.2} {:>9.0} us {:>9.0} us",
            self.work.name(),
            self.work.clients,
            self.direct,
            self.door,
            self.ratio(),
            self.added_us(),
            self.cpu_us,
        )
    }

    fn json(&self) -> Value {
        json!({
            "work": self.work.name(),
            "clients": self.work.clients,
            "direct_tps": self.direct,
            "door_tps": self.door,
            "ratio": self.ratio(),
            "added_us": self.added_us(),
            "cpu_us": self.cpu_us,
        })
    }
}

/// Measures everything with the built program and tells it on standard output.
///
/// # Errors
/// When something cannot be started, or a transaction fails.
pub fn run(program: &Path, form: Form) -> Result<(), BenchError> {
    let mut compared = Vec::new();
    compare(program, &mut |comparison| {
        if form == Form::Table {
            if compared.is_empty() {
                say(
                    "work              clients direct tps   door tps   ratio   added latency  Tyer's CPU",
                )?;
            }
            say(&comparison.row())?;
        }
        compared.push(comparison.json());
        Ok(())
    })?;
    let understood = stream::run(program)?;
    match form {
        Form::Table => say(&format!(
            "understand sql    {:>7} distinct lines: {:.0} lines/s on {} threads",
            understood.lines, understood.per_second, understood.threads,
        )),
        Form::Json => {
            let understand = json!({
                "lines": understood.lines,
                "lines_per_second": understood.per_second,
                "threads": understood.threads,
            });
            say(&json!({ "compared": compared, "understand": understand }).to_string())
        }
    }
}

fn compare(
    program: &Path,
    told: &mut dyn FnMut(Comparison) -> Result<(), BenchError>,
) -> Result<(), BenchError> {
    let cluster = Cluster::start()?;
    cluster.load_orders()?;
    // Outside production, `guarded` lets plain writes flow: each with a leaf of its own and an outcome.
    let shape = Shape { environment: "staging", ..Shape::default() };
    let instance = Instance::start(program, &cluster, &shape)?;
    let login = instance.session("pgbench", "alice", &[])?;
    let direct = Pgbench::new(&cluster, cluster.port(), ROLE, cluster.password());
    let door = Pgbench::new(&cluster, instance.door, &login.session, &login.password);
    direct.initialise()?;
    cluster.query(pgbench::INSERTED)?;
    let reads = [Protocol::Simple, Protocol::Extended, Protocol::Prepared].map(Work::reads);
    for work in reads.into_iter().chain([Work::inserts()]) {
        for clients in [1, 8] {
            let work = work.with(clients);
            let (mut without, mut with) = (Vec::new(), Vec::new());
            let before = cpu_us(&instance)?;
            for _ in 0..ROUNDS {
                without.push(direct.run(work)?);
                with.push(door.run(work)?);
            }
            let cpu_us =
                (cpu_us(&instance)? - before) / (f64::from(work.transactions()) * f64::from(ROUNDS));
            told(Comparison { work, direct: median(without), door: median(with), cpu_us })?;
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The processor time that the instance has used so far; see `proc_pid_stat(5)`.
fn cpu_us(instance: &Instance) -> Result<f64, BenchError> {
    let path = format!("/proc/{}/stat", instance.process().unwrap_or_default());
    let stat = std::fs::read_to_string(path).map_err(system("the processor time of Tyer"))?;
    // The name may contain spaces and ends at the last parenthesis; user and system time come later.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks =
        after_name.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() * TICK_US)
}

fn say(line: &str) -> Result<(), BenchError> {
    writeln!(io::stdout().lock(), "{line}").map_err(system("standard output"))
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> BenchError {
    move |error| BenchError::System(what, error)
}
