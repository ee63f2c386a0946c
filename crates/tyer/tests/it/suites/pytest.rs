//! Suites that pytest runs: asyncpg's, psycopg2's, and SQLAlchemy's for its PostgreSQL dialect.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::outcomes::Outcomes;
use super::{Seat, Suite, check, fetched};

/// What SQLAlchemy's tests are run without: thousands of combinations of the same few catalog queries, the same
/// operators on five more types of range, and tests that replace letters of an address, so that a password with such a
/// letter is another.
const LEFT_OUT: [&str; 7] = [
    "test_get_multi",
    "NumRangeRoundTrip",
    "Int8RangeRoundTrip",
    "DateRangeRoundTrip",
    "DateTimeRangeRoundTrip",
    "DateTimeTZRangeRoundTrip",
    "test_multiple_host_real_connect",
];

#[test]
fn asyncpg() {
    let suite = Suite {
        name: "asyncpg",
        // Some of its tests name this database.
        database: "postgres",
        server: &[],
        schema: &[],
        passes_min: 250,
    };
    check(&suite, |seat| {
        // A test of the source's style asks for tools that nothing else needs.
        run(seat, "asyncpg", &["tests", "--deselect", "tests/test__sourcecode.py"])
    });
}

#[test]
fn psycopg2() {
    let suite = Suite {
        name: "psycopg2",
        database: "psycopg2_test",
        server: &["CREATE DATABASE psycopg2_test TEMPLATE template0"],
        schema: &["CREATE EXTENSION hstore"],
        passes_min: 735,
    };
    check(&suite, |seat| run(seat, "psycopg2", &["tests"]));
}

#[test]
fn sqlalchemy() {
    let suite = Suite {
        name: "sqlalchemy",
        database: "test",
        server: &["CREATE DATABASE test TEMPLATE template0"],
        schema: &[
            "CREATE SCHEMA test_schema",
            "CREATE SCHEMA test_schema_2",
            "CREATE EXTENSION hstore",
            "CREATE EXTENSION citext",
            "CREATE EXTENSION btree_gist",
        ],
        passes_min: 4200,
    };
    check(&suite, |seat| {
        let address = format!(
            "postgresql+psycopg://{}:{}@127.0.0.1:{}/{}",
            seat.user, seat.password, seat.port, seat.database
        );
        run(
            seat,
            "sqlalchemy",
            &[
                "test/dialect/postgresql",
                "test/dialect/test_suite.py",
                "--dburi",
                &address,
                "--maxfail=100000",
                "-p",
                "no:logging",
                "-k",
                &format!("not ({})", LEFT_OUT.join(" or ")),
            ],
        )
    });
}

/// Runs pytest in a copy of the sources, so that runs do not meet in their files.
fn run(seat: &Seat, source: &str, arguments: &[&str]) -> Outcomes {
    let place = tempfile::Builder::new().prefix("tyer-suite-").tempdir().expect("a directory");
    let tree = place.path().join(source);
    super::copy(&fetched(source), &tree);
    let told = place.path().join("outcomes");
    let mut command = Command::new(fetched("venv").join("bin/python"));
    seat.take(&mut command);
    command
        .args(["-m", "pytest", "-q", "--tb=short", "-W", "ignore", "-p", "no:cacheprovider"])
        .args(["-p", "outcomes"])
        .args(arguments)
        .env("PYTHONPATH", Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suites"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("OUTCOMES", &told)
        .current_dir(&tree);
    let output = command.output().expect("pytest");
    let said = fs::read_to_string(&told).unwrap_or_default();
    assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    let mut outcomes = Outcomes::default();
    for line in said.lines() {
        let mut fields = line.splitn(3, '\t');
        let mut next = || fields.next().unwrap_or_default();
        let (state, id, why) = (next(), next(), next());
        outcomes.insert(&without_version(id), state, why);
    }
    outcomes
}

/// SQLAlchemy names the server's version in the ids of its tests.
fn without_version(id: &str) -> String {
    let Some((before, rest)) = id.split_once("+psycopg_") else { return id.to_owned() };
    let rest = rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
    format!("{before}+psycopg{rest}")
}
