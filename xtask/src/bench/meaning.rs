//! What it costs to understand a statement, next to the bare parser, on one core.
//!
//! Both take turns at each statement of the project's own corpus, in this process, so that a busy machine slows both
//! alike; the ratio of their medians is told. The bare parser is PostgreSQL's own with the hand-over of its tree, since
//! nothing can be understood without that. The command line is measured too, on one core and with its JSON.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use tyer_wire::postgres::session::Understood;
use tyer_wire::postgres::understand::understand;

use super::stream::{self, Cores};
use super::{BenchError, Extent, quantile};

/// One statement a line; comments begin with `#`, and what was found is indented.
const CASES: &str = include_str!("../../../crates/tyer-wire/testdata/postgres/understand/cases.txt");
/// How often a statement that was seen before is asked for, to be timed at all.
const AGAIN: u32 = 1_000;

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meaning {
    pub(super) statements: usize,
    /// All statements once, each at its median, in microseconds for one.
    pub(super) parse_us: f64,
    pub(super) understand_us: f64,
    /// The same by the command line, of which each statement is another.
    pub(super) line_parse_us: f64,
    pub(super) line_us: f64,
    /// A statement seen before: usually, and the worst one.
    pub(super) seen_ns: f64,
    pub(super) seen_worst_ns: f64,
}

impl Meaning {
    /// The speed of understanding, as a part of the bare parser's.
    pub(super) fn speed(&self) -> f64 {
        self.parse_us / self.understand_us
    }

    /// The same of the command line.
    pub(super) fn line_speed(&self) -> f64 {
        self.line_parse_us / self.line_us
    }
}

/// Measures both, and what was seen before.
pub(super) fn run(program: &Path, extent: Extent) -> Result<Meaning, BenchError> {
    let statements = corpus();
    let rounds = match extent {
        Extent::Full => 101,
        Extent::Quick => 21,
    };
    let (mut parse, mut whole) = (0.0, 0.0);
    for sql in &statements {
        let (parsed, understood) = turns(sql, rounds);
        parse += parsed;
        whole += understood;
    }
    let count = f64::from(u32::try_from(statements.len()).unwrap_or(u32::MAX));
    let seen: Vec<f64> = statements.iter().map(|sql| again(sql)).collect();
    let lines = stream::run(program, Cores::One)?;
    Ok(Meaning {
        statements: statements.len(),
        parse_us: parse / count,
        understand_us: whole / count,
        line_parse_us: parsed_lines(),
        line_us: 1e6 / lines.per_second,
        seen_ns: quantile(seen.clone(), 50),
        seen_worst_ns: quantile(seen, 100),
    })
}

/// What PostgreSQL accepts of the corpus; the parser gives up early on the rest.
fn corpus() -> Vec<&'static str> {
    let lines = CASES.lines().filter(|line| !line.is_empty() && !line.starts_with(['#', ' ']));
    lines.filter(|sql| pg_query::parse(sql, 0).is_ok()).collect()
}

/// The medians of parsing and of understanding a statement by turns, in microseconds.
fn turns(sql: &str, rounds: usize) -> (f64, f64) {
    let (mut parse, mut whole) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Whoever comes second finds a warm cache.
        if round % 2 == 0 {
            parse.push(timed(|| pg_query::parse(sql, 0).is_ok()));
            whole.push(timed(|| understand(sql)));
        } else {
            whole.push(timed(|| understand(sql)));
            parse.push(timed(|| pg_query::parse(sql, 0).is_ok()));
        }
    }
    (quantile(parse, 50), quantile(whole, 50))
}

/// How long one asking for a statement takes that a connection has seen before, in nanoseconds.
fn again(sql: &str) -> f64 {
    let mut understood = Understood::default();
    understood.of(sql);
    let all = timed(|| {
        for _ in 0..AGAIN {
            black_box(understood.of(black_box(sql)));
        }
    });
    all * 1e3 / f64::from(AGAIN)
}

/// The bare parser over what the command line is given, in microseconds for one.
fn parsed_lines() -> f64 {
    let requests: Vec<String> = (0..stream::LINES).map(stream::request).collect();
    let all = timed(|| requests.iter().filter(|sql| pg_query::parse(sql, 0).is_ok()).count());
    all / f64::from(stream::LINES)
}

fn timed<T>(work: impl FnOnce() -> T) -> f64 {
    let started = Instant::now();
    black_box(work());
    started.elapsed().as_secs_f64() * 1e6
}
