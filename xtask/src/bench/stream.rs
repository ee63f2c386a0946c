//! `tyer understand sql --jsonl` over many different statements.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::json;

use super::{BenchError, system};

/// Lines that are fed; no two have the same text.
pub(super) const LINES: u32 = 200_000;

/// On how many cores the program runs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cores {
    One,
    All,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Understood {
    pub(super) lines: u32,
    pub(super) per_second: f64,
    pub(super) threads: usize,
}

/// Feeds the lines, reads the answers, and stops the time until the last one.
pub(super) fn run(program: &Path, cores: Cores) -> Result<Understood, BenchError> {
    let input: Vec<u8> = (0..LINES).flat_map(line).collect();
    let mut command = match cores {
        Cores::All => Command::new(program),
        // The program takes as many threads as it is given cores.
        Cores::One => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", "0"]).arg(program);
            command
        }
    };
    command.args(["understand", "sql", "--jsonl"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().map_err(system("tyer understand"))?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let feeder = std::thread::spawn(move || {
        let Some(stdin) = stdin else { return Ok(()) };
        BufWriter::new(stdin).write_all(&input)
    });
    let mut answered = 0;
    for line in stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).split(b'\n')) {
        line.map_err(system("tyer understand"))?;
        answered += 1;
    }
    let seconds = started.elapsed().as_secs_f64();
    let fed = feeder.join().map_err(|_| std::io::Error::other("the feeding thread failed"));
    fed.and_then(|fed| fed).map_err(system("tyer understand"))?;
    let ended = child.wait().map_err(system("tyer understand"))?;
    if !ended.success() || answered != LINES {
        let said = format!("{ended} after {answered} of {LINES} lines");
        return Err(BenchError::Program("tyer understand", said));
    }
    let threads = match cores {
        Cores::One => 1,
        Cores::All => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
    };
    Ok(Understood { lines: LINES, per_second: f64::from(LINES) / seconds, threads })
}

fn line(n: u32) -> Vec<u8> {
    format!("{}\n", json!({ "id": n, "request": request(n) })).into_bytes()
}

/// One of ten kinds of statements.
pub(super) fn request(n: u32) -> String {
    match n % 10 {
        0 => format!("SELECT id, name FROM customers WHERE id = {n}"),
        1 => format!("INSERT INTO orders (customer, total) VALUES ({n}, 12.50), ({n}, 7)"),
        2 => format!("UPDATE orders SET status = 'paid' WHERE id = {n} AND status <> 'paid'"),
        3 => format!("DELETE FROM payments WHERE order_id = {n}"),
        4 => format!(
            "SELECT c.name, sum(o.total) FROM customers c JOIN orders o ON o.customer = c.id \
             WHERE o.placed > now() - interval '{n} days' GROUP BY c.name ORDER BY 2 DESC LIMIT 10"
        ),
        5 => format!("ALTER TABLE customers ADD COLUMN c{n} text DEFAULT 'x'"),
        6 => format!(
            "WITH gone AS (DELETE FROM orders WHERE id < {n} RETURNING id) SELECT count(*) FROM gone"
        ),
        7 => format!("BEGIN; INSERT INTO audit VALUES ({n}); COMMIT"),
        8 => format!("GRANT SELECT ON orders TO reader_{n}"),
        _ => format!("CREATE INDEX CONCURRENTLY i{n} ON orders (customer) WHERE total > {n}"),
    }
}
