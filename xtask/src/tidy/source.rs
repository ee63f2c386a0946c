//! A Rust file as the rules see it: code without comments, literals and tests, and the paths it names.
//!
//! This is no parser. It knows just enough of Rust's lexical grammar to blank what is not code, keeping
//! every line break, and enough of `use` to expand groups, globs and renames.

use super::{Page, is_in};

/// One Rust file.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    /// The file as it is.
    pub(super) text: String,
    /// The file with comments and literals blanked.
    pub(super) code: String,
    /// `code` with everything under `#[cfg(test)]` blanked too; empty for a file of tests.
    pub(super) shipped: String,
    /// How many lines the tests in it have.
    pub(super) test_lines: usize,
    /// Every path that the shipped code names.
    pub(super) names: Vec<Name>,
}

/// A path that occurs in code, such as `std::fs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// Where.
    pub(super) line: usize,
    /// Its segments, starting with `crate` where it is relative to the crate.
    pub(super) segments: Vec<String>,
    /// A glob or a rename: it can reach everything below.
    pub(super) is_open: bool,
}

impl Name {
    /// Whether this names `banned` or something below it, or opens something above it.
    pub(super) fn reaches(&self, banned: &str) -> bool {
        let banned: Vec<&str> = banned.split("::").collect();
        let is_prefix = self.segments.iter().zip(&banned).all(|(mine, other)| mine == other);
        is_prefix && (self.segments.len() >= banned.len() || self.is_open)
    }
}

impl Source {
    /// Reads a file; `tests` are the modules that hold nothing but tests.
    pub(super) fn read(page: &Page, tests: &[String]) -> Self {
        let code = blank(&page.text);
        let is_test = is_test(&page.path) || tests.iter().any(|scope| is_in(&page.path, scope));
        let (shipped, test_lines) =
            if is_test { (String::new(), code.lines().count()) } else { without_tests(&code) };
        let names = names(&shipped, &module(&page.path));
        Self { path: page.path.clone(), text: page.text.clone(), code, shipped, test_lines, names }
    }
}

/// The modules that a file declares as `#[cfg(test)] mod name;`, as scopes.
pub(super) fn declared_tests(page: &Page) -> Vec<String> {
    let code = blank(&page.text);
    let declarations = code.split(TEST_MARK).skip(1).filter_map(|after| {
        let item = after.get(..item_length(after))?.trim_end().strip_suffix(';')?;
        let (_, name) = item.split_once("mod ")?;
        Some(name.trim().to_owned())
    });
    let stem = page.path.trim_end_matches(".rs");
    let folder = match stem.rsplit_once('/') {
        Some((folder, "lib" | "main")) => folder,
        _ => stem,
    };
    declarations.map(|name| format!("{folder}/{name}")).collect()
}

const TEST_MARK: &str = "#[cfg(test)]";

/// Whether a file holds nothing but tests or benchmarks.
fn is_test(path: &str) -> bool {
    let mut parts = path.split('/');
    parts.any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "fuzz"))
}

/// The module path of a file, from `crate`: `crates/tyer/src/console/pages.rs` is `crate::console::pages`.
fn module(path: &str) -> Vec<String> {
    let inside = path.rsplit_once("src/").map_or("", |(_, inside)| inside);
    let inside = inside.trim_end_matches(".rs");
    let parts = inside.split('/').filter(|part| !matches!(*part, "" | "lib" | "main"));
    std::iter::once("crate").chain(parts).map(str::to_owned).collect()
}

/// Replaces comments and the insides of literals by spaces.
fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let rest = chars.get(at..).unwrap_or_default();
        let follows_word = at.checked_sub(1).and_then(|i| chars.get(i)).is_some_and(|c| is_word(*c));
        let length = match c {
            '/' if rest.starts_with(&['/', '/']) => line_length(rest),
            '/' if rest.starts_with(&['/', '*']) => comment_length(rest),
            '"' => quoted_length(rest),
            'r' | 'b' | 'c' if !follows_word => raw_length(rest),
            '\'' => char_length(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(c);
            at += 1;
            continue;
        }
        let end = (at + length).min(chars.len());
        let blanked = chars.get(at..end).unwrap_or_default();
        code.extend(blanked.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at = end;
    }
    code
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_length(rest: &[char]) -> usize {
    rest.iter().position(|c| *c == '\n').unwrap_or(rest.len())
}

/// A block comment; they nest.
fn comment_length(rest: &[char]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(tail) = rest.get(at..).filter(|tail| !tail.is_empty()) {
        let step = if tail.starts_with(&['/', '*']) {
            depth += 1;
            2
        } else if tail.starts_with(&['*', '/']) {
            depth = depth.saturating_sub(1);
            2
        } else {
            1
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// A string with escapes, from its opening quote.
fn quoted_length(rest: &[char]) -> usize {
    let mut is_escaped = false;
    for (at, c) in rest.iter().enumerate().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"..."`, `br#"..."#` and `cr"..."`; 0 for anything else that begins with these letters.
fn raw_length(rest: &[char]) -> usize {
    let prefix = rest.iter().take(2).take_while(|c| matches!(c, 'b' | 'c')).count();
    let after = rest.get(prefix..).unwrap_or_default();
    if after.first() != Some(&'r') {
        return 0;
    }
    let hashes = after.iter().skip(1).take_while(|c| **c == '#').count();
    if after.get(1 + hashes) != Some(&'"') {
        return 0;
    }
    let open = prefix + 2 + hashes;
    let closing: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let inside = rest.get(open..).unwrap_or_default();
    let length = inside.windows(closing.len()).position(|window| window == closing);
    length.map_or(rest.len(), |length| open + length + closing.len())
}

/// A character literal; 0 for a lifetime.
fn char_length(rest: &[char]) -> usize {
    match (rest.get(1), rest.get(2)) {
        (Some('\\'), Some(_)) => {
            let close = rest.iter().skip(3).position(|c| *c == '\'');
            close.map_or(0, |close| close + 4)
        }
        (Some(_), Some('\'')) => 3,
        _ => 0,
    }
}

/// Blanks each item under `#[cfg(test)]`, to its closing brace or its semicolon; and counts their lines.
fn without_tests(code: &str) -> (String, usize) {
    let (mut kept, mut rest) = (String::with_capacity(code.len()), code);
    let mut lines = 0;
    while let Some((before, after)) = rest.split_once(TEST_MARK) {
        let (item, tail) = after.split_at_checked(item_length(after)).unwrap_or((after, ""));
        kept.push_str(before);
        kept.push_str(&" ".repeat(TEST_MARK.len()));
        kept.extend(item.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        lines += item.lines().count();
        rest = tail;
    }
    kept.push_str(rest);
    (kept, lines)
}

fn item_length(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && c == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

/// A word, `::`, or one other sign; with its line.
fn tokens(code: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (token, tail) = rest.split_at_checked(length).unwrap_or((rest, ""));
            tokens.push((line + 1, token));
            rest = tail.trim_start();
        }
    }
    tokens
}

/// Every path in the code, with groups expanded and `self` and `super` resolved against `module`.
fn names(code: &str, module: &[String]) -> Vec<Name> {
    let tokens = tokens(code);
    let mut names = Vec::new();
    let mut rest = tokens.as_slice();
    while let Some(((line, token), tail)) = rest.split_first() {
        rest = match *token {
            "use" => use_tree(tail, &[], &mut names),
            word if word.starts_with(is_word) => inline_path((*line, word), tail, &mut names),
            _ => tail,
        };
    }
    for name in &mut names {
        name.segments = resolved(&name.segments, module);
    }
    names
}

type Tokens<'t> = &'t [(usize, &'t str)];

/// Reads one tree of a `use` and returns what follows it.
fn use_tree<'t>(mut rest: Tokens<'t>, prefix: &[String], names: &mut Vec<Name>) -> Tokens<'t> {
    let mut segments = prefix.to_vec();
    let mut last = 0;
    while let Some(((line, token), tail)) = rest.split_first() {
        last = *line;
        match *token {
            "::" => rest = tail,
            "{" => return use_group(tail, &segments, names),
            "*" | "as" => {
                names.push(Name { line: last, segments, is_open: true });
                return if *token == "as" { tail.get(1..).unwrap_or_default() } else { tail };
            }
            word if word.starts_with(is_word) => {
                segments.push(word.to_owned());
                rest = tail;
            }
            _ => break,
        }
    }
    names.push(Name { line: last, segments, is_open: false });
    rest
}

fn use_group<'t>(mut rest: Tokens<'t>, prefix: &[String], names: &mut Vec<Name>) -> Tokens<'t> {
    while let Some(((_, token), tail)) = rest.split_first() {
        let after = match *token {
            "}" => return tail,
            "," => tail,
            _ => use_tree(rest, prefix, names),
        };
        // Whatever is no `use` tree is stepped over, so that this ends.
        rest = if after.len() == rest.len() { tail } else { after };
    }
    rest
}

fn inline_path<'t>(first: (usize, &str), mut rest: Tokens<'t>, names: &mut Vec<Name>) -> Tokens<'t> {
    let (line, word) = first;
    let mut segments = vec![word.to_owned()];
    while let [(_, "::"), (_, next), tail @ ..] = rest {
        if !next.starts_with(is_word) {
            break;
        }
        segments.push((*next).to_owned());
        rest = tail;
    }
    if segments.len() > 1 {
        names.push(Name { line, segments, is_open: false });
    }
    rest
}

/// The path from the crate's root, where it starts with `self` or `super`.
fn resolved(segments: &[String], module: &[String]) -> Vec<String> {
    let up = segments.iter().take_while(|segment| *segment == "super").count();
    let starts_here = segments.first().is_some_and(|first| first == "self");
    let keep = if up > 0 {
        module.len().saturating_sub(up).max(1)
    } else if starts_here {
        module.len()
    } else {
        0
    };
    let own = segments.iter().filter(|segment| !matches!(segment.as_str(), "self" | "super"));
    module.iter().take(keep).chain(own).cloned().collect()
}
