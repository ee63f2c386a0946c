//! Every rule of the tree that the compiler does not check, as a failing check.
//!
//! A rule here is an absence: a module that another never imports, a word that no name contains. Rules
//! take the root of a tree, so that each is tested on a small tree that breaks it; one test runs them on
//! our own, so plain test runs include them. The reasons stand in ARCHITECTURE.md.

mod chain;
mod claims;
mod graph;
mod imports;
mod manifest;
mod names;
mod source;
mod text;

use std::fmt;
use std::fs;
use std::path::Path;

use source::Source;

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// One text file of the tree.
#[derive(Debug)]
struct Page {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

/// Checks the tree under `root` with every rule. What cannot be read is a finding, never skipped.
#[must_use]
pub fn run(root: &Path) -> Vec<Finding> {
    let mut findings = files(root);
    findings.extend(graph::check(root));
    findings.sort();
    findings
}

/// The rules that look at files only.
fn files(root: &Path) -> Vec<Finding> {
    let (mut pages, mut findings) = (Vec::new(), Vec::new());
    collect(root, "", &mut pages, &mut findings);
    if pages.is_empty() {
        findings.push(Finding::new(".", 0, "nothing to check"));
    }
    let rust = || pages.iter().filter(|page| page.path.ends_with(".rs"));
    let tests: Vec<String> = rust().flat_map(source::declared_tests).collect();
    let sources: Vec<Source> = rust().map(|page| Source::read(page, &tests)).collect();
    for page in &pages {
        findings.extend(text::check(page));
    }
    for source in &sources {
        findings.extend(text::check_source(source));
        findings.extend(names::check(source));
        findings.extend(imports::check(source));
    }
    findings.extend(chain::check(&sources));
    findings.extend(manifest::check(&pages));
    findings.extend(claims::check(&pages, &sources));
    findings
}

/// Folders that are not ours to keep tidy: version control, build output, recorded bytes.
const SKIPPED: [&str; 5] = [".git", "target", "testdata", "__fuzz__", "node_modules"];
/// Written by cargo.
const GENERATED: &str = "Cargo.lock";
/// Endings of files that are not text.
const BINARY: [&str; 7] = [".png", ".ico", ".woff2", ".bin", ".gz", ".der", ".jpg"];

fn collect(root: &Path, folder: &str, pages: &mut Vec<Page>, findings: &mut Vec<Finding>) {
    let Ok(entries) = fs::read_dir(root.join(folder)) else {
        findings.push(Finding::new(folder, 0, "the folder cannot be read"));
        return;
    };
    for entry in entries {
        let Ok((name, kind)) = entry.and_then(|entry| Ok((entry.file_name(), entry.file_type()?)))
        else {
            findings.push(Finding::new(folder, 0, "an entry cannot be read"));
            continue;
        };
        let name = name.to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let is_ours = !SKIPPED.contains(&&*name) && name != GENERATED;
        if kind.is_dir() && is_ours {
            collect(root, &path, pages, findings);
        } else if kind.is_file() && is_ours && !BINARY.iter().any(|ending| name.ends_with(ending)) {
            match fs::read_to_string(root.join(&path)) {
                Ok(text) => pages.push(Page { path, text }),
                Err(_) => findings.push(Finding::new(&path, 0, "the file is not readable text")),
            }
        }
    }
}

/// Whether `path` is the module `scope`: the file `scope.rs`, or anything in the folder `scope/`. A scope
/// that ends in `/` is the folder alone.
fn is_in(path: &str, scope: &str) -> bool {
    let Some(rest) = path.strip_prefix(scope) else { return false };
    scope.is_empty()
        || scope.ends_with('/')
        || rest == ".rs"
        || rest.is_empty()
        || rest.starts_with('/')
}

#[cfg(test)]
mod tests;
