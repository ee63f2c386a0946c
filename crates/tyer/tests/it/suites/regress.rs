//! PostgreSQL's own regression tests, run by its own `pg_regress` in the order of its own schedule.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use xtask::cluster::Cluster;

use super::outcomes::Outcomes;
use super::{Seat, Suite, check, copy, fetched, fresh, past_tyer};

const SUITE: Suite = Suite {
    name: "postgresql",
    database: "regression",
    server: &[
        "CREATE DATABASE regression TEMPLATE template0",
        // As pg_regress itself sets a database that it makes.
        "ALTER DATABASE regression SET lc_messages TO 'C'",
        "ALTER DATABASE regression SET lc_monetary TO 'C'",
        "ALTER DATABASE regression SET lc_numeric TO 'C'",
        "ALTER DATABASE regression SET lc_time TO 'C'",
        "ALTER DATABASE regression SET bytea_output TO 'hex'",
        "ALTER DATABASE regression SET timezone_abbreviations TO 'Default'",
    ],
    schema: &[],
    passes_min: 214,
};

/// A cluster as the scripts expect it, in which nothing but them writes and no question is compiled before it is asked.
pub(crate) fn cluster() -> Cluster {
    let cluster = fresh(&SUITE);
    let settings =
        ["ALTER SYSTEM SET autovacuum = off", "ALTER SYSTEM SET jit = off", "SELECT pg_reload_conf()"];
    for sql in settings {
        cluster.query(sql).expect("a setting");
    }
    cluster
}

/// Where the scripts connect to it.
pub(crate) fn seat(cluster: &Cluster) -> Seat {
    past_tyer(&SUITE, cluster)
}

#[test]
fn postgresql() {
    check(&SUITE, run);
}

fn run(seat: &Seat) -> Outcomes {
    run_by(seat, 20)
}

/// Runs `pg_regress` in a place that the server can read, too: statements name its files. So many connect at
/// the same time.
pub(crate) fn run_by(seat: &Seat, connections: usize) -> Outcomes {
    let place = tempfile::Builder::new().prefix("tyer-suite-").tempdir().expect("a directory");
    let open = |path: &Path, mode| {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("permissions");
    };
    open(place.path(), 0o755);
    let (input, libraries) = (place.path().join("regress"), place.path().join("lib"));
    copy(&fetched("postgresql/src/test/regress"), &input);
    fs::create_dir(&libraries).expect("a directory");
    let server = seat.programs.join("../lib");
    for library in ["refint.so", "autoinc.so"] {
        fs::copy(server.join(library), libraries.join(library)).expect("a library");
    }
    fs::copy(fetched("regress.so"), libraries.join("regress.so")).expect("the tests' library");
    let results = input.join("results");
    fs::create_dir_all(&results).expect("a directory");
    open(&results, 0o777);
    let mut command = Command::new(server.join("pgxs/src/test/regress/pg_regress"));
    seat.take(&mut command);
    command
        .args(["--use-existing", "--inputdir=.", "--outputdir=.", "--schedule=parallel_schedule"])
        .args(["--host=127.0.0.1", "--dbname=regression"])
        .arg(format!("--max-connections={connections}"))
        .arg(format!("--bindir={}", seat.programs.display()))
        .arg(format!("--dlpath={}", libraries.display()))
        .arg(format!("--port={}", seat.port))
        .arg(format!("--user={}", seat.user))
        .current_dir(&input);
    let output = command.output().expect("pg_regress");
    let diffs = fs::read_to_string(input.join("regression.diffs")).unwrap_or_default();
    outcomes(&String::from_utf8_lossy(&output.stdout), &by_test(&diffs))
}

/// The lines of `pg_regress`: a name and `ok` or `FAILED`. A test that fails in another way is in another state.
fn outcomes(said: &str, diffs: &BTreeMap<String, String>) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for line in said.lines() {
        let Some((name, result)) = line.split_once(" ... ") else { continue };
        let name = name.trim_start_matches("test ").trim();
        if result.trim_start().starts_with("ok") {
            outcomes.insert(name, "passed", "");
        } else {
            let diff = diffs.get(name).map_or(result, String::as_str);
            outcomes.insert(name, &format!("failed: {}", diff.replace('\n', " | ")), "");
        }
    }
    outcomes
}

/// The changed lines of each test's differences from what PostgreSQL expects.
fn by_test(diffs: &str) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in diffs.lines() {
        if let Some(files) = line.strip_prefix("diff ") {
            let file = Path::new(files.rsplit(' ').next().unwrap_or_default());
            name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        } else if line.starts_with(['+', '-']) && !line.starts_with("+++ ") && !line.starts_with("--- ")
        {
            all.entry(name.clone()).or_default().push_str(&format!("{line}\n"));
        }
    }
    all
}
