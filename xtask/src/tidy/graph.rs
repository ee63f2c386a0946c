//! What never gets into the crates without I/O, however indirectly.

use std::path::Path;
use std::process::Command;

use super::Finding;

/// The packages that must not be in the tree of a crate of ours, tests aside.
const ABSENT: [(&str, &[&str]); 2] = [
    ("tyer-core", &["tokio", "hyper", "axum", "rusqlite", "tracing", "pg_query", "tyer-wire", "xtask"]),
    ("tyer-wire", &["tokio", "hyper", "axum", "rusqlite", "xtask"]),
];

/// Asks cargo for each tree; an answer that cannot be had is a finding.
pub(super) fn check(root: &Path) -> Vec<Finding> {
    ABSENT.iter().flat_map(|(package, absent)| check_package(root, package, absent)).collect()
}

fn check_package(root: &Path, package: &str, absent: &[&str]) -> Vec<Finding> {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root).args(["tree", "--locked", "--package", package]);
    cargo.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    match cargo.output() {
        Ok(output) if output.status.success() => {
            present(package, &String::from_utf8_lossy(&output.stdout), absent)
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            vec![Finding::new("Cargo.lock", 0, format!("the tree of {package}: {}", said.trim_end()))]
        }
        Err(error) => vec![Finding::new("Cargo.lock", 0, format!("cargo does not run: {error}"))],
    }
}

/// The packages of `absent` that are in the tree, which has one `name version` a line, its root first.
pub(super) fn present(package: &str, tree: &str, absent: &[&str]) -> Vec<Finding> {
    let mut names = tree.lines().filter_map(|line| line.split_whitespace().next());
    if names.next() != Some(package) {
        return vec![Finding::new(
            "Cargo.lock",
            0,
            format!("the tree of {package} does not begin with it"),
        )];
    }
    let names: Vec<&str> = names.collect();
    let found = absent.iter().filter(|name| names.contains(name));
    found.map(|name| Finding::new("Cargo.lock", 0, format!("{package} depends on {name}"))).collect()
}
