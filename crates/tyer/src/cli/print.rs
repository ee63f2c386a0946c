//! The only place that prints: results to standard output, everything else to standard error.

use std::io::Write as _;

use serde_json::Value;

use super::failure::Failure;
use super::plain::one_line;

/// A line of a result.
pub(super) fn line(text: impl AsRef<str>) -> Result<(), Failure> {
    Ok(writeln!(std::io::stdout().lock(), "{}", text.as_ref())?)
}

/// A result as one line of JSON.
pub(super) fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(|error| Failure::failed(error.to_string(), ""))?;
    line(text)
}

/// Progress or a remark. If nobody reads it, nothing is lost.
pub(super) fn note(text: impl AsRef<str>) {
    writeln!(std::io::stderr().lock(), "{}", text.as_ref()).ok();
}

/// Why a command failed, and what to do next.
pub(super) fn failure(failure: &Failure, as_json: bool) {
    match failure {
        Failure::ReaderGone => {}
        _ if as_json => note(failure.to_json().to_string()),
        Failure::Told { message, next, .. } => {
            note(format!("tyer: {}", super::plain::block(message)));
            if !next.is_empty() {
                note(format!("  next: {}", super::plain::block(next)));
            }
        }
    }
}

/// Rows under headings, in columns as wide as their widest cell; cells are shown plainly.
pub(super) fn table(headings: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let heading = headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>();
    let all: Vec<Vec<String>> = std::iter::once(&heading)
        .chain(rows)
        .map(|row| row.iter().map(|cell| one_line(cell)).collect())
        .collect();
    let mut widths = vec![0; headings.len()];
    for row in &all {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    for row in &all {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// What stands at a pointer of a JSON document, for people: `-` if nothing does.
pub(super) fn at(document: &Value, pointer: &str) -> String {
    match document.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) => {
            let words =
                items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            words.collect::<Vec<_>>().join(", ")
        }
        Some(other) => other.to_string(),
    }
}

/// The list under a key of a document, or the document itself if it is a list.
pub(super) fn list<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    let list = document.get(key).unwrap_or(document);
    list.as_array().map_or(&[], Vec::as_slice)
}
