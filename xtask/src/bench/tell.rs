//! The numbers in words: a table as they come, or one JSON document at the end; then what is aimed at.

use std::io::{self, Write as _};

use serde_json::{Value, json};

use super::meaning::Meaning;
use super::pgbench::{Protocol, Script};
use super::stream::Understood;
use super::ways::Way;
use super::{BenchError, Commits, Figures, Form, WRITERS, system};

/// What was told so far.
#[derive(Debug)]
pub(super) struct Telling {
    form: Form,
    idle_mib: f64,
    groups: Vec<Vec<Figures>>,
}

/// One aim, and what came of it.
#[derive(Debug)]
struct Aim {
    what: String,
    measured: f64,
    /// At most, or at least if it is a floor.
    bound: f64,
    is_floor: bool,
}

impl Telling {
    pub(super) fn new(form: Form, idle_mib: f64) -> Result<Self, BenchError> {
        if form == Form::Table {
            say(
                "work            clients way             tps /direct /splice    p10 us median us  added us    CPU us",
            )?;
        }
        Ok(Self { form, idle_mib, groups: Vec::new() })
    }

    /// One kind of work on all ways.
    pub(super) fn group(&mut self, group: Vec<Figures>) -> Result<(), BenchError> {
        if self.form == Form::Table {
            for figures in &group {
                say(&row(figures, &group))?;
            }
        }
        self.groups.push(group);
        Ok(())
    }

    pub(super) fn end(
        &self,
        commits: Commits,
        loaded_mib: f64,
        (understood, meaning): (Understood, Meaning),
    ) -> Result<(), BenchError> {
        let mut aims = self.aims(commits);
        aims.extend(understanding(meaning));
        if self.form == Form::Json {
            let document = json!({
                "compared": self.groups.iter().flatten().map(json).collect::<Vec<_>>(),
                "commit": { "median_us": commits.alone_us, "writers": WRITERS, "per_second": commits.together },
                "memory_mib": { "idle": self.idle_mib, "after": loaded_mib },
                "aims": aims.iter().map(Aim::json).collect::<Vec<_>>(),
                "understand": {
                    "lines": understood.lines,
                    "lines_per_second": understood.per_second,
                    "threads": understood.threads,
                },
                "meaning": meaning_json(meaning),
            });
            return say(&document.to_string());
        }
        say(&format!(
            "bare commits: median {:.0} us with one writer, {:.0} a second with {WRITERS}",
            commits.alone_us, commits.together
        ))?;
        say(&format!("memory: {:.1} MiB idle, {loaded_mib:.1} MiB after the load", self.idle_mib))?;
        say(&format!(
            "understand sql: {} distinct lines, {:.0} lines/s on {} threads",
            understood.lines, understood.per_second, understood.threads,
        ))?;
        say(&meaning_row(meaning))?;
        aims.iter().try_for_each(|aim| say(&aim.row()))
    }

    fn aims(&self, commits: Commits) -> Vec<Aim> {
        let mut aims = Vec::new();
        for group in &self.groups {
            let way = |way| group.iter().find(|figures| figures.way == way);
            let (Some(direct), Some(pooled), Some(splice), Some(tyer)) =
                (way(Way::Direct), way(Way::Pgbouncer), way(Way::Splice), way(Way::Tyer))
            else {
                continue;
            };
            let added = |figures: &Figures| figures.median_us - direct.median_us;
            let named = |what: &str| format!("{} x{}: {what}", tyer.work.name(), tyer.work.clients);
            match (tyer.work.script, tyer.work.clients) {
                (Script::Read, 1) => {
                    let what = named("added at the median, of what the splice adds");
                    aims.push(Aim::most(what, added(tyer) / added(splice), 2.0));
                }
                (Script::Read, clients) => {
                    let what = named("CPU, of the splice's");
                    aims.push(Aim::most(what, tyer.cpu_us / splice.cpu_us, 1.5));
                    let what = named("throughput, of the splice's");
                    aims.push(Aim::least(what, tyer.tps / splice.tps, 0.9));
                    if clients == 8 {
                        let what = named("throughput, of pgbouncer's");
                        aims.push(Aim::least(what, tyer.tps / pooled.tps, 1.0));
                    }
                }
                (Script::Insert, 1) if tyer.work.protocol == Protocol::Simple => {
                    let what = named("added at the median, of splice and one bare commit");
                    let floor = added(splice) + commits.alone_us;
                    aims.push(Aim::most(what, added(tyer) / floor, 1.3));
                }
                (Script::Insert, WRITERS) => {
                    let what = named("writes, of the store's bare commits");
                    aims.push(Aim::least(what, tyer.tps / commits.together, 0.5));
                }
                (Script::TpcB | Script::Insert, _) => {}
            }
        }
        aims.push(Aim::most("idle memory, MiB".to_owned(), self.idle_mib, 32.0));
        aims
    }
}

/// What it costs to understand statements, alone.
pub(super) fn meaning(form: Form, meaning: Meaning) -> Result<(), BenchError> {
    let aims = understanding(meaning);
    if form == Form::Json {
        let aims: Vec<Value> = aims.iter().map(Aim::json).collect();
        return say(&json!({ "meaning": meaning_json(meaning), "aims": aims }).to_string());
    }
    say(&meaning_row(meaning))?;
    aims.iter().try_for_each(|aim| say(&aim.row()))
}

fn meaning_row(meaning: Meaning) -> String {
    format!(
        "understanding: {} statements, {:.1} us each, the bare parser {:.1}; by lines {:.1}, the bare parser {:.1}; \
         seen before {:.0} ns, the worst {:.0}",
        meaning.statements,
        meaning.understand_us,
        meaning.parse_us,
        meaning.line_us,
        meaning.line_parse_us,
        meaning.seen_ns,
        meaning.seen_worst_ns,
    )
}

fn meaning_json(meaning: Meaning) -> Value {
    json!({
        "statements": meaning.statements,
        "parse_us": meaning.parse_us,
        "understand_us": meaning.understand_us,
        "speed": meaning.speed(),
        "line_parse_us": meaning.line_parse_us,
        "line_us": meaning.line_us,
        "line_speed": meaning.line_speed(),
        "seen_ns": meaning.seen_ns,
        "seen_worst_ns": meaning.seen_worst_ns,
    })
}

fn understanding(meaning: Meaning) -> [Aim; 3] {
    [
        Aim::least("understanding, of the bare parser's speed".to_owned(), meaning.speed(), 0.5),
        Aim::least(
            "understand sql on one core, of the bare parser's".to_owned(),
            meaning.line_speed(),
            0.5,
        ),
        Aim::most("a statement seen before, us".to_owned(), meaning.seen_worst_ns / 1e3, 1.0),
    ]
}

impl Aim {
    fn most(what: String, measured: f64, bound: f64) -> Self {
        Self { what, measured, bound, is_floor: false }
    }

    fn least(what: String, measured: f64, bound: f64) -> Self {
        Self { what, measured, bound, is_floor: true }
    }

    fn is_met(&self) -> bool {
        if self.is_floor { self.measured >= self.bound } else { self.measured <= self.bound }
    }

    fn row(&self) -> String {
        let (word, met) = (
            if self.is_floor { "at least" } else { "at most" },
            if self.is_met() { "met" } else { "not met" },
        );
        format!("aim: {:<68} {:>6.2} ({word} {}) {met}", self.what, self.measured, self.bound)
    }

    fn json(&self) -> Value {
        let bound = if self.is_floor { "at_least" } else { "at_most" };
        json!({ "aim": self.what, "measured": self.measured, bound: self.bound, "met": self.is_met() })
    }
}

fn row(figures: &Figures, group: &[Figures]) -> String {
    let of = |way| group.iter().find(|figures| figures.way == way).unwrap_or(figures);
    let (direct, splice) = (of(Way::Direct), of(Way::Splice));
    format!(
        "{:<15} {:>7} {:<10} {:>8.0} {:>7.2} {:>7.2} {:>9.0} {:>9.0} {:>9.0} {:>9.1}",
        figures.work.name(),
        figures.work.clients,
        figures.way.name(),
        figures.tps,
        figures.tps / direct.tps,
        figures.tps / splice.tps,
        figures.p10_us,
        figures.median_us,
        figures.median_us - direct.median_us,
        figures.cpu_us,
    )
}

fn json(figures: &Figures) -> Value {
    json!({
        "work": figures.work.name(),
        "clients": figures.work.clients,
        "way": figures.way.name(),
        "tps": figures.tps,
        "p10_us": figures.p10_us,
        "median_us": figures.median_us,
        "cpu_us": figures.cpu_us,
    })
}

pub(super) fn say(line: &str) -> Result<(), BenchError> {
    writeln!(io::stdout().lock(), "{line}").map_err(system("standard output"))
}
