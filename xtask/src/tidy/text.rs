//! What no file contains, whatever it is about.

use super::source::Source;
use super::{Finding, Page, is_in};

const LINES_MAX: usize = 500;

/// Marks of unfinished work, written so that this file does not contain them.
const UNFINISHED: [&str; 4] =
    [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X"), concat!("HA", "CK")];

/// Where somebody's machine keeps things; likewise.
const MACHINE: [&str; 4] =
    [concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/wo", "rk/"), concat!("/Us", "ers/")];

/// Code that hides from the other rules, or from the lints.
const HIDING: [(&str, &str); 6] = [
    ("#[allow", "lints are expected with a reason, never allowed"),
    ("#![allow", "lints are expected with a reason, never allowed"),
    ("allow(clippy", "lints are expected with a reason, never allowed"),
    ("#[path", "a module is where its name says"),
    ("include!(", "a module is where its name says"),
    ("extern crate", "crates are named where they are used"),
];

/// Unfinished work, and paths of one machine, in any text file.
pub(super) fn check(page: &Page) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, text) in page.text.lines().enumerate() {
        for word in UNFINISHED.iter().filter(|word| has_word(text, word)) {
            findings.push(Finding::new(&page.path, line + 1, format!("{word}: finish it or file it")));
        }
        for path in MACHINE.iter().filter(|path| text.contains(**path)) {
            findings.push(Finding::new(
                &page.path,
                line + 1,
                format!("{path} is a path of one machine"),
            ));
        }
    }
    findings
}

/// What a Rust file must begin with, how long it may be, and what hides from other rules.
pub(super) fn check_source(source: &Source) -> Vec<Finding> {
    let path = source.path.as_str();
    let mut findings = Vec::new();
    if !source.text.starts_with("//!") {
        findings.push(Finding::new(path, 1, "begins without `//!` to say why it exists"));
    }
    if path.ends_with("/mod.rs") {
        findings.push(Finding::new(path, 0, "a module is `name.rs`, never `mod.rs`"));
    }
    let lines = source.text.lines().count().saturating_sub(source.test_lines);
    if lines > LINES_MAX {
        findings.push(Finding::new(
            path,
            0,
            format!("{lines} lines without tests, more than {LINES_MAX}"),
        ));
    }
    for (line, text) in source.code.lines().enumerate() {
        for (word, why) in HIDING.iter().filter(|(word, _)| text.contains(word)) {
            findings.push(Finding::new(path, line + 1, format!("`{word}`: {why}")));
        }
        let is_pure = is_in(path, "crates/tyer-core") || is_in(path, "crates/tyer-wire");
        if is_pure && (has_word(text, "async") || has_word(text, "await")) {
            findings.push(Finding::new(path, line + 1, "async: this crate never waits"));
        }
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if compact.contains("cfg(") && has_word(text, "feature") {
            findings.push(Finding::new(
                path,
                line + 1,
                "a Cargo feature: everything is always compiled",
            ));
        }
    }
    findings
}

/// Whether `word` stands in `text` with no letter, digit or underscore beside it.
fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part == word)
}
