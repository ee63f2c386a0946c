//! The text without its literals: what records keep, and what makes two requests alike.
//!
//! Both come from PostgreSQL's scanner and not from its tree, so every literal is replaced wherever
//! the grammar allows one: function bodies, passwords, comments on objects, connection strings.

use pg_query::protobuf::{ScanToken, Token};
use tyer_core::intent::{Acts, Digest};
use tyer_core::limits::REQUEST_BYTES_MAX;

/// The texts that are derived from a request's tokens.
pub(super) struct Texts {
    /// The text with literals replaced by `?` and comments left out.
    pub(super) redacted: String,
    /// The tokens, folded and separated by line breaks; without tokens, the whole text.
    tokens: String,
}

impl Texts {
    /// Takes the text apart.
    pub(super) fn of(sql: &str) -> Self {
        let tokens = if sql.len() > REQUEST_BYTES_MAX { None } else { tokens(sql) };
        tokens.and_then(|tokens| Self::from_tokens(sql, &tokens)).unwrap_or_else(|| Self {
            redacted: format!("(not understood: {} bytes)", sql.len()),
            tokens: sql.to_owned(),
        })
    }

    fn from_tokens(sql: &str, tokens: &[ScanToken]) -> Option<Self> {
        let mut texts = Self {
            redacted: String::with_capacity(sql.len()),
            tokens: String::with_capacity(sql.len()),
        };
        let mut last = 0;
        let mut list = List::Outside;
        for token in tokens {
            let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
            let text = sql.get(start..end)?;
            let kind = Token::try_from(token.token).ok()?;
            if matches!(kind, Token::SqlComment | Token::CComment) {
                continue;
            }
            if last > 0 && start > last {
                texts.redacted.push(' ');
            }
            last = end;
            texts.redacted.push_str(if is_literal(kind) { "?" } else { text });
            list = list.next(kind);
            if list != List::Repeating {
                texts.fold(kind, text);
            }
        }
        Some(texts)
    }

    /// Adds a token the way PostgreSQL reads it: keywords and plain names know no case.
    fn fold(&mut self, kind: Token, text: &str) {
        if is_literal(kind) {
            self.tokens.push('?');
        } else if text.starts_with('"') || kind == Token::Uident {
            self.tokens.push_str(text);
        } else {
            self.tokens.extend(text.chars().map(|c| c.to_ascii_lowercase()));
        }
        self.tokens.push('\n');
    }

    /// The identity of the request without literals. The acts belong to it: some literals decide
    /// what is done, such as the first argument of `set_config`.
    pub(super) fn shape(&self, acts: &Acts) -> Digest {
        let mut done = String::new();
        for act in acts.iter() {
            for part in [
                act.effect.as_str(),
                act.resource.kind.as_str(),
                &act.resource.name,
                act.reversibility.as_str(),
                if act.local { "local" } else { "" },
            ] {
                done.push_str(part);
                done.push('\0');
            }
        }
        Digest::of_parts(&[b"tyer shape v1", self.tokens.as_bytes(), done.as_bytes()])
    }
}

/// The types in parentheses, if any, and the body of one PREPARE.
pub(super) fn prepared(statement: &str) -> Option<(&str, &str)> {
    let mut tokens = tokens(statement)?;
    tokens.retain(|token| {
        !matches!(Token::try_from(token.token), Ok(Token::SqlComment | Token::CComment))
    });
    let place = |at: i32| usize::try_from(at).ok();
    // PREPARE and the name, which AS can't be.
    let after = tokens.get(2..)?;
    let mut depth = 0_usize;
    for token in after {
        match Token::try_from(token.token).ok()? {
            Token::Ascii40 => depth += 1,
            Token::Ascii41 => depth = depth.checked_sub(1)?,
            Token::As if depth == 0 => {
                let types = statement.get(place(after.first()?.start)?..place(token.start)?)?;
                return Some((types.trim(), statement.get(place(token.end)?..)?.trim()));
            }
            _ => {}
        }
    }
    None
}

/// The scanner's tokens. It is given one more, a semicolon, because for a text without any it hands
/// back a null pointer, which its wrapper makes a slice of.
pub(super) fn tokens(sql: &str) -> Option<Vec<ScanToken>> {
    let mut tokens = pg_query::scan_tokens(&format!("{sql}\n;")).ok()?;
    let last = tokens.pop()?;
    let added = usize::try_from(last.start).is_ok_and(|start| start == sql.len() + 1);
    added.then_some(tokens)
}

fn is_literal(kind: Token) -> bool {
    matches!(
        kind,
        Token::Sconst | Token::Usconst | Token::Bconst | Token::Xconst | Token::Fconst | Token::Iconst
    )
}

/// Where in `IN (?, ?, ...)` the tokens are: however many values it lists, its shape is the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum List {
    Outside,
    In,
    Open,
    Value,
    /// Between or at the second value or a later one.
    Repeating,
}

impl List {
    fn next(self, kind: Token) -> Self {
        let value = is_literal(kind) || kind == Token::Param;
        match (self, kind) {
            (_, Token::InP) => Self::In,
            (Self::In, Token::Ascii40) => Self::Open,
            (Self::Open, _) if value => Self::Value,
            (Self::Value | Self::Repeating, Token::Ascii44) => Self::Repeating,
            (Self::Repeating, _) if value => Self::Repeating,
            _ => Self::Outside,
        }
    }
}
