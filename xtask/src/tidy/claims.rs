//! What a page of the documentation says is tested has such a test.

use super::source::Source;
use super::{Finding, Page};

/// Tables whose last column names tests.
const TABLES: [&str; 1] = ["docs/two-person-rule.md"];

pub(super) fn check(pages: &[Page], sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for page in pages.iter().filter(|page| TABLES.contains(&page.path.as_str())) {
        for (line, text) in page.text.lines().enumerate() {
            let Some(cell) =
                text.strip_prefix('|').and_then(|row| row.trim_end_matches('|').rsplit('|').next())
            else {
                continue;
            };
            // The heading, and the line below it.
            if cell.trim() == "test" || cell.trim().starts_with("--") {
                continue;
            }
            let names: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
            if names.is_empty() {
                findings.push(Finding::new(&page.path, line + 1, "names no test"));
            }
            for name in names.iter().filter(|name| !is_test(sources, name)) {
                findings.push(Finding::new(&page.path, line + 1, format!("there is no test `{name}`")));
            }
        }
    }
    findings
}

fn is_test(sources: &[Source], name: &str) -> bool {
    let declared = format!("fn {name}()");
    sources.iter().any(|source| source.code.contains(&declared))
}
