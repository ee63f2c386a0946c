//! Code that is given in the text: bodies of functions, procedures and DO blocks.
//!
//! Bodies in SQL are parsed. Those in PL/pgSQL are cut into statements by PostgreSQL's scanner, and what is SQL
//! in them is parsed ("43.2 Structure of PL/pgSQL" and the following in the PostgreSQL documentation). What is
//! found is added to the act of the code itself and takes nothing from it, so what is misread or can't be
//! parsed costs detail and nothing else.

use pg_query::protobuf::{self as pb, Token};
use tyer_core::intent::Act;

use super::walk::Walk;
use super::{names, text};

/// How deep bodies are read in bodies; what is deeper stays code not known here.
const BODIES_MAX: usize = 2;
/// How many pieces of SQL of one body are read.
const PIECES_MAX: usize = 1_000;

/// A piece of a body in PL/pgSQL.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// A statement, or an expression behind SELECT.
    Sql(String),
    /// EXECUTE of an expression.
    Dynamic(String),
}

impl Walk {
    /// What a body would do, as far as it can be read; without a language it is PL/pgSQL, as for DO.
    pub(super) fn body(&mut self, options: &[pb::Node]) {
        let language = names::option(options, "language").and_then(names::of_option);
        let Some(body) = names::option(options, "as").and_then(names::of_option) else { return };
        match language.map(|language| language.to_ascii_lowercase()).as_deref() {
            Some("sql") => self.sql(&body),
            Some("plpgsql") | None => self.plpgsql(&body),
            Some(_) => {}
        }
    }

    /// Walks over SQL that is given as a value. What cannot be parsed adds nothing, because whoever
    /// calls this has an act for the unknown code already.
    fn sql(&mut self, sql: &str) {
        if self.bodies >= BODIES_MAX {
            return;
        }
        if let Ok(tree) = super::parsed(sql) {
            self.bodies += 1;
            let temps = std::mem::take(&mut self.temps);
            for statement in tree.protobuf.stmts.iter().filter_map(|raw| raw.stmt.as_ref()) {
                if self.locking.does {
                    statement.node.iter().for_each(|node| self.locks_of(node));
                }
                self.used(statement);
            }
            self.temps = temps;
            self.bodies -= 1;
        }
    }

    fn plpgsql(&mut self, body: &str) {
        let pieces = pieces(body).unwrap_or_default();
        if pieces.len() > PIECES_MAX {
            self.found.push(Act::opaque("has a body of too many statements to read"));
        }
        for piece in pieces.into_iter().take(PIECES_MAX) {
            match piece {
                Piece::Sql(sql) => self.sql(&sql),
                Piece::Dynamic(expression) => match constant(&expression) {
                    Some(sql) => self.sql(&sql),
                    None => {
                        let why = "runs SQL that is put together while it runs (EXECUTE)";
                        self.found.push(Act::opaque(why));
                    }
                },
            }
        }
    }
}

/// Whether a DO block may end its transaction: it says so, runs a procedure or a text that may, or cannot be read.
/// Functions that it calls cannot.
pub(super) fn may_commit(block: &pb::DoStmt) -> bool {
    let language = names::option(&block.args, "language").and_then(names::of_option);
    let is_known = language.is_none_or(|language| language.eq_ignore_ascii_case("plpgsql"));
    let body = names::option(&block.args, "as").and_then(names::of_option);
    let Some((body, tokens)) = body.and_then(|body| text::tokens(&body).map(|tokens| (body, tokens)))
    else {
        return true;
    };
    let words = ["commit", "rollback", "call", "do", "execute"];
    !is_known
        || tokens.iter().any(|token| {
            let place = usize::try_from(token.start).ok().zip(usize::try_from(token.end).ok());
            let word = place.and_then(|(start, end)| body.get(start..end));
            word.is_none_or(|word| words.iter().any(|ends| word.eq_ignore_ascii_case(ends)))
        })
}

/// The value of an expression that is one constant.
fn constant(expression: &str) -> Option<String> {
    let tree = super::parsed(&format!("SELECT {expression}")).ok()?;
    let statement = tree.protobuf.stmts.first()?.stmt.as_ref()?;
    match statement.node.as_ref()? {
        pg_query::NodeEnum::SelectStmt(select) => match select.target_list.first()?.node.as_ref()? {
            pg_query::NodeEnum::ResTarget(target) => names::literal(target.val.as_ref()?.node.as_ref()),
            _ => None,
        },
        _ => None,
    }
}

/// One word of a body.
#[derive(Clone, Copy)]
struct Word<'a> {
    kind: Token,
    text: &'a str,
}

impl Word<'_> {
    fn is(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }

    fn is_one_of(self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is(word))
    }
}

/// The SQL of a body; nothing if it has no words that can be told apart.
fn pieces(body: &str) -> Option<Vec<Piece>> {
    let mut words = Vec::new();
    for token in text::tokens(body)? {
        let kind = Token::try_from(token.token).ok()?;
        let place = usize::try_from(token.start).ok()?..usize::try_from(token.end).ok()?;
        if !matches!(kind, Token::SqlComment | Token::CComment) {
            words.push(Word { kind, text: body.get(place)? });
        }
    }
    let words = with_parameters(&words);
    let mut pieces = Vec::new();
    statements(&words).into_iter().for_each(|statement| read(statement, &mut pieces));
    Some(pieces)
}

/// The words with a parameter for each field of a row that a variable holds, so that none is taken for a column.
fn with_parameters<'a>(words: &[Word<'a>]) -> Vec<Word<'a>> {
    let mut rows = vec!["new", "old"];
    for (one, next) in words.iter().zip(words.iter().skip(1)) {
        if one.is_one_of(&["for", "foreach"]) {
            rows.push(next.text);
        } else if next.is("record") {
            rows.push(one.text);
        }
    }
    let mut left = Vec::with_capacity(words.len());
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        match after {
            [dot, _, behind @ ..] if dot.text == "." && word.is_one_of(&rows) => {
                left.push(Word { kind: Token::Param, text: "$1" });
                rest = behind;
            }
            _ => left.push(*word),
        }
    }
    left
}

/// Cuts a body where statements begin: behind a semicolon, and behind the words that open a block or a branch.
fn statements<'a>(words: &'a [Word<'a>]) -> Vec<&'a [Word<'a>]> {
    let mut found = Vec::new();
    let (mut start, mut depth, mut cases) = (0, 0_usize, 0_usize);
    for (at, word) in words.iter().enumerate() {
        let first = words.get(start).copied().unwrap_or(*word);
        match word.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        let opens = at == start && word.is_one_of(&["begin", "declare", "exception", "else", "loop"]);
        let branch = word.is("then") && first.is_one_of(&["if", "elsif", "elseif", "when", "case"]);
        let repeats = word.is("loop") && first.is_one_of(&["for", "foreach", "while"]);
        if at > start && word.is("case") {
            cases += 1;
        } else if at > start && word.is("end") {
            cases = cases.saturating_sub(1);
        }
        let ends = word.text == ";" || opens || (branch || repeats) && cases == 0;
        // A semicolon in parentheses belongs to what is not understood anyway.
        if ends && (depth == 0 || word.text == ";") {
            found.extend(words.get(start..at).filter(|statement| !statement.is_empty()));
            (start, depth, cases) = (at + 1, 0, 0);
        } else if word.text == ">>" && first.text == "<<" {
            start = at + 1;
        }
    }
    found.extend(words.get(start..).filter(|statement| !statement.is_empty()));
    found
}

/// The SQL of one statement.
fn read(words: &[Word<'_>], pieces: &mut Vec<Piece>) {
    let Some((first, rest)) = words.split_first() else { return };
    let mut select = |words: &[Word<'_>]| {
        if !words.is_empty() {
            pieces.push(Piece::Sql(format!("SELECT {}", joined(words))));
        }
    };
    match first.text.to_ascii_lowercase().as_str() {
        "if" | "elsif" | "elseif" | "while" | "when" | "case" | "perform" | "assert" => {
            rest.split(|word| first.is("case") && word.is("when")).for_each(select);
        }
        "exit" | "continue" => select(behind(rest, &["when"]).unwrap_or_default()),
        "raise" => behind(rest, &[","])
            .into_iter()
            .for_each(|rest| rest.split(|word| word.is("using")).for_each(&mut select)),
        "for" | "foreach" => query(behind(rest, &["in"]).unwrap_or_default(), pieces),
        "open" => match behind(rest, &["for"]) {
            Some(rest) => query(rest, pieces),
            None => select(rest),
        },
        "return" => match rest.split_first() {
            Some((word, rest)) if word.is("query") => query(rest, pieces),
            Some((word, rest)) if word.is("next") => select(rest),
            _ => select(rest),
        },
        "execute" => query(words, pieces),
        "end" | "null" | "get" | "fetch" | "move" | "close" | "commit" | "rollback" | "begin" => {}
        _ if words.iter().any(|word| word.is("cursor")) && !first.is("declare") => {
            query(behind(rest, &["for", "is"]).unwrap_or_default(), pieces);
        }
        _ if is_sql(*first) => pieces.push(Piece::Sql(joined(&without_targets(words)))),
        // An assignment, or a variable with its first value.
        _ => select(behind(rest, &[":=", "=", "default"]).unwrap_or_default()),
    }
}

/// What stands where a query may stand: a query, EXECUTE of a text, or the bounds of a loop.
fn query(words: &[Word<'_>], pieces: &mut Vec<Piece>) {
    match words.split_first() {
        Some((first, rest)) if first.is("execute") => {
            let mut parts = rest.split(|word| word.is_one_of(&["into", "using"]));
            pieces.push(Piece::Dynamic(joined(parts.next().unwrap_or_default())));
            parts.for_each(|part| pieces.push(Piece::Sql(format!("SELECT {}", joined(part)))));
        }
        Some((first, _)) if is_sql(*first) || first.text == "(" => {
            pieces.push(Piece::Sql(joined(&without_targets(words))));
        }
        Some(_) => {
            for bound in words.split(|word| word.is_one_of(&["reverse", "array", "by", ".."])) {
                pieces.push(Piece::Sql(format!("SELECT {}", joined(bound))));
            }
        }
        None => {}
    }
}

/// Whether a statement of SQL begins with this word.
fn is_sql(word: Word<'_>) -> bool {
    let words = [
        "select",
        "insert",
        "update",
        "delete",
        "merge",
        "with",
        "values",
        "table",
        "truncate",
        "drop",
        "create",
        "alter",
        "grant",
        "revoke",
        "copy",
        "lock",
        "set",
        "reset",
        "notify",
        "refresh",
        "import",
        "comment",
        "analyze",
        "vacuum",
        "reindex",
        "cluster",
        "call",
        "do",
        "reassign",
        "security",
        "discard",
        "load",
        "listen",
        "unlisten",
        "prepare",
        "deallocate",
        "explain",
        "show",
        "checkpoint",
        "declare",
    ];
    word.is_one_of(&words)
}

/// What stands behind the first of these words that is not in parentheses.
fn behind<'a, 'b>(words: &'a [Word<'b>], these: &[&str]) -> Option<&'a [Word<'b>]> {
    let mut depth = 0_usize;
    let at = words.iter().position(|word| {
        match word.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && word.is_one_of(these)
    })?;
    words.get(at + 1..)
}

/// A statement without INTO and the variables that it names: SQL would make a table of that name.
fn without_targets<'a>(words: &[Word<'a>]) -> Vec<Word<'a>> {
    let mut left = Vec::with_capacity(words.len());
    let mut rest = words;
    while let Some((word, after)) = rest.split_first() {
        rest = after;
        let adds = left.last().is_some_and(|last: &Word<'_>| last.is_one_of(&["insert", "merge"]));
        if word.is("into") && !adds {
            rest = targets(rest);
        } else {
            left.push(*word);
        }
    }
    left
}

/// What stands behind a list of variables.
fn targets<'a, 'b>(words: &'a [Word<'b>]) -> &'a [Word<'b>] {
    let strict = usize::from(words.first().is_some_and(|word| word.is("strict")));
    let (mut at, mut depth, mut name) = (strict, 0_usize, false);
    for word in words.iter().skip(strict) {
        match word.text {
            "[" => depth += 1,
            "]" => depth = depth.saturating_sub(1),
            "." | "," => name = false,
            _ if depth > 0 => {}
            // A second name is no part of the list any more.
            _ if name || word.kind == Token::Ascii59 => break,
            _ => name = true,
        }
        at += 1;
    }
    words.get(at..).unwrap_or_default()
}

fn joined(words: &[Word<'_>]) -> String {
    words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sql_is_found_in_bodies() {
        let check = |body: &str, expect: &[&str]| {
            let found: Vec<_> = pieces(body)
                .unwrap()
                .into_iter()
                .map(|piece| match piece {
                    Piece::Sql(sql) => sql,
                    Piece::Dynamic(sql) => format!("EXECUTE {sql}"),
                })
                .collect();
            assert_eq!(found, expect, "{body}");
        };
        check("BEGIN DELETE FROM users; END", &["DELETE FROM users"]);
        check(
            "<<l>> DECLARE a int := f(1); b text DEFAULT g(); BEGIN NULL; END l;",
            &["SELECT f ( 1 )", "SELECT g ( )"],
        );
        check(
            "DECLARE c CURSOR FOR SELECT 1 FROM t; BEGIN OPEN c; END",
            &["SELECT 1 FROM t", "SELECT c"],
        );
        check(
            "BEGIN IF f(x) THEN TRUNCATE a; ELSE DROP TABLE b; END IF; END",
            &["SELECT f ( x )", "TRUNCATE a", "DROP TABLE b"],
        );
        check(
            "BEGIN IF CASE WHEN a THEN b ELSE c END THEN DELETE FROM t; END IF; END",
            &["SELECT CASE WHEN a THEN b ELSE c END", "DELETE FROM t"],
        );
        check(
            "BEGIN SELECT a, b INTO STRICT x, y.z FROM t WHERE c = d; END",
            &["SELECT a , b FROM t WHERE c = d"],
        );
        check(
            "BEGIN INSERT INTO t VALUES (1) RETURNING id INTO x; END",
            &["INSERT INTO t VALUES ( 1 ) RETURNING id"],
        );
        check(
            "BEGIN FOR r IN SELECT * FROM t LOOP DELETE FROM u WHERE id = r.id; END LOOP; END",
            &["SELECT * FROM t", "DELETE FROM u WHERE id = $1"],
        );
        check(
            "BEGIN FOR i IN 1..f(3) LOOP x := x + i; END LOOP; END",
            &["SELECT 1", "SELECT f ( 3 )", "SELECT x + i"],
        );
        check(
            "BEGIN EXECUTE 'DROP TABLE ' || x; EXECUTE 'TRUNCATE a' USING g(); END",
            &["EXECUTE 'DROP TABLE ' || x", "EXECUTE 'TRUNCATE a'", "SELECT g ( )"],
        );
        check(
            "BEGIN RETURN QUERY EXECUTE s; RETURN QUERY SELECT 1; RETURN f(); END",
            &["EXECUTE s", "SELECT 1", "SELECT f ( )"],
        );
        check(
            "BEGIN PERFORM pg_terminate_backend(1); RAISE EXCEPTION 'x %', f(); END",
            &["SELECT pg_terminate_backend ( 1 )", "SELECT f ( )"],
        );
        check(
            "BEGIN MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE; EXCEPTION WHEN others THEN DELETE FROM x; END",
            &[
                "MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE",
                "SELECT others",
                "DELETE FROM x",
            ],
        );
        check("BEGIN /* ; DROP TABLE x; */ NULL; -- DELETE FROM y;\n END", &[]);
        assert_eq!(pieces("BEGIN 'unterminated"), None);
    }
}
