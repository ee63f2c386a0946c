//! The benchmarks: what it costs to go through Tyer, next to the same work without it, through the pooler that
//! people know, and through a proxy that only copies bytes.
//!
//! Rounds of all ways are interleaved, and medians are compared, so that a busy machine slows all alike;
//! ratios and processor time mean more than milliseconds. Numbers are told, never asserted. The throwaway
//! PostgreSQL does not flush at commit and Tyer's store does, so the ratio of the writes is the worst that
//! it can be. What is built how stands in the workspace's manifest, at its profiles.

pub mod aws;
mod meaning;
mod pgbench;
pub mod splice;
mod stream;
mod tell;
mod ways;

use std::io;
use std::path::Path;

use serde_json::Value;

use self::pgbench::{Protocol, Script, Work};
use self::stream::Cores;
use self::tell::Telling;
use self::ways::{Way, Ways};
use crate::cluster::ClusterError;
use crate::instance::InstanceError;

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

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Everything, in about ten minutes.
    Full,
    /// Reads and plain writes, in about one.
    Quick,
}

impl Extent {
    fn rounds(self) -> u32 {
        match self {
            Self::Full => 7,
            Self::Quick => 3,
        }
    }

    fn works(self) -> Vec<Work> {
        let (scripts, clients): (&[Script], &[u32]) = match self {
            Self::Full => (&[Script::Read, Script::TpcB], &[1, 8, 32]),
            Self::Quick => (&[Script::Read], &[1, 8]),
        };
        let mut works = Vec::new();
        for script in scripts.iter().copied() {
            for protocol in Protocol::ALL {
                works.extend(clients.iter().map(|clients| Work {
                    script,
                    protocol,
                    clients: *clients,
                }));
            }
        }
        let inserts = |clients| Work { script: Script::Insert, protocol: Protocol::Simple, clients };
        works.extend([1, WRITERS].map(inserts));
        works
    }
}

/// Clients that write at once where the store's rate is the measure.
const WRITERS: u32 = 64;

/// One kind of work on one way.
#[derive(Clone, Debug)]
struct Figures {
    work: Work,
    way: Way,
    /// Transactions per second, the median of the rounds.
    tps: f64,
    /// Of one transaction, over all rounds, in microseconds: in quiet moments, and usually.
    p10_us: f64,
    median_us: f64,
    /// Processor time of the process in between for one transaction, in microseconds.
    cpu_us: f64,
}

/// The bare store: how fast leaves become durable when nothing else happens.
#[derive(Clone, Copy, Debug, Default)]
struct Commits {
    /// One writer, the median in microseconds.
    alone_us: f64,
    /// Commits per second of [`WRITERS`].
    together: f64,
}

/// Measures with the built program and tells it on standard output.
///
/// # Errors
/// When something cannot be started, or a transaction fails.
pub fn run(program: &Path, form: Form, extent: Extent) -> Result<(), BenchError> {
    let ways = Ways::open(program)?;
    let mut telling = Telling::new(form, ways.memory_mib()?)?;
    pgbench::initialise(&ways.cluster, ways.address(Way::Direct, true))?;
    ways.cluster.query(pgbench::INSERTED)?;
    for work in extent.works() {
        telling.group(compare(&ways, work, extent.rounds())?)?;
    }
    let (commits, loaded_mib) = (commits(&ways)?, ways.memory_mib()?);
    let understood = stream::run(program, Cores::All)?;
    telling.end(commits, loaded_mib, (understood, meaning::run(program, extent)?))
}

/// Measures only what it costs to understand statements; needs no database.
///
/// # Errors
/// When the program does not run.
pub fn understanding(program: &Path, form: Form, extent: Extent) -> Result<(), BenchError> {
    tell::meaning(form, meaning::run(program, extent)?)
}

fn compare(ways: &Ways, work: Work, rounds: u32) -> Result<Vec<Figures>, BenchError> {
    let run = |way: Way, each| {
        let before = ways.cpu_us(way)?;
        let round = pgbench::run(&ways.cluster, ways.address(way, work.keeps()), work, each)?;
        Ok::<_, BenchError>((round, ways.cpu_us(way)? - before))
    };
    let mut found = Vec::new();
    for way in Way::ALL {
        // What is done once is done now; then what it takes to connect, to be taken off.
        run(way, 2)?;
        let (_, connecting) = run(way, 1)?;
        found.push((way, connecting, Vec::new(), Vec::new(), 0.0));
    }
    for _ in 0..rounds {
        for (way, _, tps, latencies, cpu) in &mut found {
            let (round, spent) = run(*way, work.each())?;
            tps.push(round.tps);
            latencies.extend(round.latencies);
            *cpu += spent;
        }
    }
    let transactions = f64::from((work.each() - 1) * work.clients * rounds);
    let figures = found.into_iter().map(|(way, connecting, tps, latencies, cpu)| Figures {
        work,
        way,
        tps: quantile(tps, 50),
        p10_us: quantile(latencies.iter().copied().map(f64::from).collect(), 10),
        median_us: quantile(latencies.into_iter().map(f64::from).collect(), 50),
        cpu_us: (cpu - connecting * f64::from(rounds)) / transactions,
    });
    Ok(figures.collect())
}

/// Measures the store by itself, on the disk that this Tyer's data is on.
fn commits(ways: &Ways) -> Result<Commits, BenchError> {
    let measured = |writers: u32| -> Result<Value, BenchError> {
        let said = ways.instance.run(&["--json", "measure", "--writers", &writers.to_string()])?;
        serde_json::from_str(&said).map_err(|_| BenchError::Program("tyer measure", said))
    };
    let number = |value: &Value, key: &str| value.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let (alone, together) = (measured(1)?, measured(WRITERS)?);
    Ok(Commits {
        alone_us: number(&alone, "median_us"),
        together: number(&together, "leaves_per_second"),
    })
}

/// The value that this many in a hundred don't exceed.
fn quantile(mut values: Vec<f64>, hundredths: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len() * hundredths / 100).min(values.len().saturating_sub(1));
    values.get(at).copied().unwrap_or(f64::NAN)
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> BenchError {
    move |error| BenchError::System(what, error)
}
