//! What it costs to go to AWS through Tyer: straight to a fast upstream on this machine, through nginx, through a proxy
//! that only copies requests, and through Tyer. Calls are small JSON, bodies are S3's.
//!
//! Requests are signed once and sent again, so that what a client takes to sign is not measured. Rounds of all ways are
//! interleaved.

mod load;
mod servers;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use self::load::{Load, Round};
use self::servers::{Servers, Way};
use super::{BenchError, Extent, Form, quantile};

pub use servers::{proxy, upstream};

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A small JSON call, and its answer.
    Call,
    /// An object of so many bytes, its SHA-256 signed.
    Put(usize),
    /// The same, not signed.
    PutUnsigned(usize),
    /// An object of so many bytes that is read.
    Get(usize),
}

const MIB: usize = 1024 * 1024;

impl Work {
    const ALL: [Self; 7] = [
        Self::Call,
        Self::Put(MIB),
        Self::PutUnsigned(MIB),
        Self::Get(MIB),
        Self::Put(64 * MIB),
        Self::PutUnsigned(64 * MIB),
        Self::Get(64 * MIB),
    ];

    fn name(self) -> String {
        match self {
            Self::Call => "call".to_owned(),
            Self::Put(bytes) => format!("put {} MiB", bytes / MIB),
            Self::PutUnsigned(bytes) => format!("put {} MiB unsigned", bytes / MIB),
            Self::Get(bytes) => format!("get {} MiB", bytes / MIB),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Call => 0,
            Self::Put(bytes) | Self::PutUnsigned(bytes) | Self::Get(bytes) => bytes,
        }
    }

    fn clients(self) -> &'static [usize] {
        if self.bytes() > MIB { &[1] } else { &[1, 8] }
    }
}

/// One kind of work on one way.
#[derive(Clone, Debug)]
struct Figures {
    way: Way,
    /// Requests a second, the median of the rounds.
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    cpu_us: f64,
}

/// Measures with the built program and tells it on standard output.
///
/// # Errors
/// When something cannot be started, or a request fails.
pub fn run(program: &Path, form: Form, extent: Extent) -> Result<(), BenchError> {
    let runtime = tokio::runtime::Runtime::new().map_err(super::system("a runtime"))?;
    let servers = Servers::open(program)?;
    let (rounds, each) = match extent {
        Extent::Full => (7, Duration::from_millis(1_500)),
        Extent::Quick => (3, Duration::from_millis(500)),
    };
    let (mut groups, mut aims) = (Vec::new(), Vec::new());
    if form == Form::Table {
        super::tell::say(
            "work                 clients way          req/s     MiB/s    p50 us    p99 us  added us    CPU us",
        )?;
    }
    for work in Work::ALL {
        for clients in work.clients() {
            let group = runtime.block_on(compare(&servers, (work, *clients), (rounds, each)))?;
            if form == Form::Table {
                for figures in &group {
                    super::tell::say(&row((work, *clients), figures, &group))?;
                }
            }
            aims.extend(aim((work, *clients), &group));
            groups.push(document((work, *clients), &group));
        }
    }
    match form {
        Form::Json => super::tell::say(&json!({ "groups": groups, "aims": aims }).to_string()),
        Form::Table => aims.iter().try_for_each(|aim| super::tell::say(&in_words(aim))),
    }
}

async fn compare(
    servers: &Servers,
    (work, clients): (Work, usize),
    (rounds, each): (usize, Duration),
) -> Result<Vec<Figures>, BenchError> {
    let mut found = Vec::new();
    for way in Way::ALL {
        let load = Load::new(servers, way, work)?;
        // What is done once is done now.
        load.run(clients, each / 4).await?;
        found.push((way, load, Vec::new(), Vec::new(), 0.0));
    }
    for _ in 0..rounds {
        for (way, load, rates, latencies, cpu) in &mut found {
            let before = servers.cpu_us(*way)?;
            let Round { rate, latencies_us } = load.run(clients, each).await?;
            *cpu += servers.cpu_us(*way)? - before;
            rates.push(rate);
            latencies.extend(latencies_us);
        }
    }
    let figures = found.into_iter().map(|(way, _, rates, latencies, cpu)| {
        let count = f64::from(u32::try_from(latencies.len()).unwrap_or(u32::MAX));
        Figures {
            way,
            rate: quantile(rates, 50),
            p50_us: quantile(latencies.clone(), 50),
            p99_us: quantile(latencies, 99),
            cpu_us: cpu / count,
        }
    });
    Ok(figures.collect())
}

fn of(group: &[Figures], way: Way) -> Option<&Figures> {
    group.iter().find(|figures| figures.way == way)
}

fn added_us(figures: &Figures, group: &[Figures]) -> f64 {
    of(group, Way::Direct).map_or(f64::NAN, |direct| figures.p50_us - direct.p50_us)
}

fn mib_s(work: Work, figures: &Figures) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "sizes are small")]
    let mib = work.bytes() as f64 / MIB as f64;
    mib * figures.rate
}

fn row((work, clients): (Work, usize), figures: &Figures, group: &[Figures]) -> String {
    format!(
        "{:<20} {clients:>7} {:<10} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>9.0} {:>9.1}",
        work.name(),
        figures.way.name(),
        figures.rate,
        mib_s(work, figures),
        figures.p50_us,
        figures.p99_us,
        added_us(figures, group),
        figures.cpu_us,
    )
}

fn document((work, clients): (Work, usize), group: &[Figures]) -> Value {
    let ways = group.iter().map(|figures| {
        json!({
            "way": figures.way.name(),
            "requests_per_second": figures.rate,
            "mib_per_second": mib_s(work, figures),
            "p50_us": figures.p50_us,
            "p99_us": figures.p99_us,
            "added_us": added_us(figures, group),
            "cpu_us": figures.cpu_us,
        })
    });
    json!({ "work": work.name(), "clients": clients, "ways": ways.collect::<Vec<_>>() })
}

/// What verifying and signing anew may cost beside the bare proxy, in microseconds.
const SIGNING_US: f64 = 5.0;

/// What is aimed at.
fn aim((work, clients): (Work, usize), group: &[Figures]) -> Option<Value> {
    let (tyer, proxy, nginx) = (of(group, Way::Tyer)?, of(group, Way::Proxy)?, of(group, Way::Nginx)?);
    match work {
        Work::Call if clients == 1 => {
            let bound = 1.2 * added_us(proxy, group) + SIGNING_US;
            let what = "small call: added at the median, us, at most 1.2 of the bare proxy's and 5";
            Some(
                json!({ "what": what, "measured": added_us(tyer, group), "bound": bound, "is_floor": false }),
            )
        }
        work if work.bytes() > MIB => {
            let what = format!("{}: throughput, of nginx's", work.name());
            let measured = tyer.rate / nginx.rate;
            Some(json!({ "what": what, "measured": measured, "bound": 0.8, "is_floor": true }))
        }
        _ => None,
    }
}

fn in_words(aim: &Value) -> String {
    let number = |key: &str| aim.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let is_floor = aim.get("is_floor").and_then(Value::as_bool).unwrap_or_default();
    let (measured, bound) = (number("measured"), number("bound"));
    let (word, is_met) =
        if is_floor { ("least", measured >= bound) } else { ("most", measured <= bound) };
    let met = if is_met { "met" } else { "not met" };
    let what = aim.get("what").and_then(Value::as_str).unwrap_or_default();
    format!("aim: {what:<70} {measured:>8.2} (at {word} {bound:.2}) {met}")
}
