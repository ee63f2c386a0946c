//! Words that say nothing, and therefore stand in no name.

use super::Finding;
use super::source::Source;

const BANNED: [&str; 10] =
    ["manager", "handler", "helper", "util", "common", "service", "engine", "data", "info", "base"];

/// Terms that a specification gave, or that everybody uses for the thing; in snake case.
const TERMS: [&str; 8] = [
    "connect_info",
    "data_row",
    "row_data",
    "copy_data",
    "client_data",
    "authenticator_data",
    "auth_data",
    "data_directory",
];

const KEYWORDS: [&str; 8] = ["fn", "struct", "enum", "trait", "mod", "type", "const", "static"];

/// Items and files whose name contains a banned word.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let file = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    findings.extend(banned_in(file).map(|word| {
        Finding::new(&source.path, 0, format!("the file's name contains `{word}`, which says nothing"))
    }));
    for (line, text) in source.shipped.lines().enumerate() {
        // The name of an associated type is its trait's.
        if text.starts_with(' ') && text.trim_start().starts_with("type ") {
            continue;
        }
        let mut is_item = false;
        for piece in text.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_')) {
            let word = piece.trim_end_matches(|c: char| !(c.is_alphanumeric() || c == '_'));
            if word.is_empty() {
                // Anything but white space ends an item's head, such as the `=` of an attribute.
                is_item &= piece.trim().is_empty();
                continue;
            }
            if is_item && !KEYWORDS.contains(&word) {
                findings.extend(banned_in(word).map(|banned| {
                    let message = format!("`{word}` contains `{banned}`, which says nothing");
                    Finding::new(&source.path, line + 1, message)
                }));
            }
            is_item = KEYWORDS.contains(&word) && piece.ends_with(char::is_whitespace);
        }
    }
    findings
}

fn banned_in(name: &str) -> Option<&'static str> {
    let snake = TERMS.iter().fold(snake(name), |name, term| name.replace(term, ""));
    BANNED.into_iter().find(|banned| {
        snake.split('_').any(|part| part == *banned || part.strip_suffix('s') == Some(banned))
    })
}

/// `HTTPInfo` and `HttpInfo` are both `http_info`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    let (mut was_lower, mut rest) = (false, name.chars().peekable());
    while let Some(c) = rest.next() {
        let ends_acronym = rest.peek().is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && !snake.is_empty() && (was_lower || ends_acronym) {
            snake.push('_');
        }
        was_lower = !c.is_uppercase();
        snake.extend(c.to_lowercase());
    }
    snake
}
