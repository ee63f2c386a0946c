//! What a server may be asked about a statement before anybody has agreed to it, and in which words.
//!
//! Pure: texts go in, texts come out, and whoever sends them has to look first whether they run anything. A counting
//! query is made from PostgreSQL's own tree, never by cutting the statement's text, and only of a condition that
//! compares columns with values ([`Condition`]). [`Probe::names`] is every name and word of the statement, so that
//! the server can say whether one of them might stand for code of its own.

mod condition;
pub mod names;

use std::collections::BTreeSet;
use std::panic::catch_unwind;

use pg_query::{NodeEnum, protobuf as pb};
use serde_json::Value;

pub use self::condition::Condition;
use super::understand;

/// Different words of one statement that are looked up; one with more is not planned.
const NAMES_MAX: usize = 2_000;
/// The same of a whole request, with those inside of its constants.
const WORDS_MAX: usize = 5_000;
/// Operators that words of the grammar stand for, such as `IN`, `LIKE`, `BETWEEN` and `CASE x WHEN`.
const IMPLIED: [&str; 14] =
    ["=", "<>", "<", ">", "<=", ">=", "~~", "!~~", "~~*", "!~~*", "~", "!~", "~<=~", "~>=~"];

/// What is known of a statement, for asking about it.
#[derive(Clone, Debug)]
pub struct Probe {
    /// What would happen to rows.
    pub touch: Touch,
    /// Every name and constant in it, folded and unescaped, with the operators that its words imply. None if there
    /// are too many, or if it is not one statement.
    pub names: Option<Vec<String>>,
}

/// What would happen to rows, as far as that decides what is asked.
#[derive(Clone, Debug)]
pub enum Touch {
    /// Rows of one table are deleted; the condition if it can be counted.
    Delete(Option<Condition>),
    /// Rows of one table are changed, in these columns.
    Update {
        /// The condition if it can be counted.
        condition: Option<Condition>,
        /// The columns that get values.
        columns: Vec<String>,
    },
    /// Tables are emptied.
    Truncate(Along),
    /// Tables are removed.
    Drop(Along),
    /// Something else.
    Other,
}

/// Whether what refers to a table goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Along {
    /// It does: CASCADE.
    Cascades,
    /// It stops the statement.
    Restricts,
}

impl Probe {
    /// Of a text that may be anything.
    #[must_use]
    pub fn of(sql: &str) -> Self {
        let unknown = || Self { touch: Touch::Other, names: None };
        let Some(tree) = parsed(sql) else { return unknown() };
        let [raw] = tree.stmts.as_slice() else { return unknown() };
        let node = raw.stmt.as_deref().and_then(|statement| statement.node.as_ref());
        Self { touch: node.map_or(Touch::Other, touch), names: names(&tree) }
    }
}

/// Everything in a request of any number of statements that could be the name of something: its names and constants
/// as the parser reads them, and every word and operator of its text, inside of constants and comments too. None if
/// there are too many.
#[must_use]
pub fn words(text: &str) -> Option<Vec<String>> {
    let mut words: BTreeSet<String> = IMPLIED.iter().map(|name| (*name).to_owned()).collect();
    if let Some(tree) = parsed(text) {
        let mut names = BTreeSet::new();
        texts(serde_json::to_value(&tree).ok()?, &mut names);
        names.iter().for_each(|name| split(name, &mut words));
        words.extend(names);
    }
    split(text, &mut words);
    (words.len() <= WORDS_MAX).then(|| words.into_iter().collect())
}

/// The words of a text as they stand and in lower case, and what stands between them.
fn split(text: &str, words: &mut BTreeSet<String>) {
    let is_word =
        |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '$') || !letter.is_ascii();
    let is_operator = |letter: char| "+-*/<>=~!@#%^&|`?".contains(letter);
    for word in text.split(|letter| !is_word(letter)).filter(|word| !word.is_empty()) {
        words.insert(word.to_owned());
        words.insert(word.to_lowercase());
    }
    let operators = text.split(|letter| !is_operator(letter)).filter(|operator| !operator.is_empty());
    words.extend(operators.map(ToOwned::to_owned));
}

/// A name in the words of SQL, for `to_regclass`: every part of a dotted name of [`understand`] quoted.
#[must_use]
pub fn quoted(dotted: &str) -> String {
    let mut rest = dotted;
    let mut sql = String::with_capacity(dotted.len() + 8);
    loop {
        let (part, after) = first_part(rest);
        sql.push_str(&identifier(&part));
        match after {
            Some(after) => {
                sql.push('.');
                rest = after;
            }
            None => return sql,
        }
    }
}

/// One identifier in the words of SQL, quoted whatever it is.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A qualified name as [`understand`] writes names.
#[must_use]
pub fn dotted(schema: &str, name: &str) -> String {
    understand::dotted([schema, name])
}

/// The first part of a dotted name, and what follows its dot.
fn first_part(dotted: &str) -> (String, Option<&str>) {
    let Some(inside) = dotted.strip_prefix('"') else {
        return match dotted.split_once('.') {
            Some((part, after)) => (part.to_owned(), Some(after)),
            None => (dotted.to_owned(), None),
        };
    };
    let mut part = String::new();
    let mut rest = inside;
    while let Some((before, after)) = rest.split_once('"') {
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                part.push('"');
                rest = after;
            }
            None => return (part, after.strip_prefix('.')),
        }
    }
    part.push_str(rest);
    (part, None)
}

/// The tree of a text that the parser takes.
fn parsed(sql: &str) -> Option<pb::ParseResult> {
    // The parser's own summary of the tree, which is of no use here, indexes without looking.
    catch_unwind(|| pg_query::parse(sql, 0)).ok()?.ok().map(|tree| tree.protobuf)
}

fn touch(node: &NodeEnum) -> Touch {
    match node {
        NodeEnum::DeleteStmt(delete) => Touch::Delete(condition::of_delete(delete)),
        NodeEnum::UpdateStmt(update) => Touch::Update {
            condition: condition::of_update(update),
            columns: update.target_list.iter().filter_map(target).collect(),
        },
        NodeEnum::TruncateStmt(truncate) => Touch::Truncate(along(truncate.behavior())),
        NodeEnum::DropStmt(drop) if drop.remove_type() == pb::ObjectType::ObjectTable => {
            Touch::Drop(along(drop.behavior()))
        }
        _ => Touch::Other,
    }
}

fn along(behavior: pb::DropBehavior) -> Along {
    match behavior {
        pb::DropBehavior::DropCascade => Along::Cascades,
        pb::DropBehavior::DropRestrict | pb::DropBehavior::Undefined => Along::Restricts,
    }
}

fn target(node: &pb::Node) -> Option<String> {
    match node.node.as_ref()? {
        NodeEnum::ResTarget(target) => Some(target.name.clone()),
        _ => None,
    }
}

/// Every text in the tree, whatever it means there: what is not looked at cannot be missed.
fn names(tree: &pb::ParseResult) -> Option<Vec<String>> {
    let mut names: BTreeSet<String> = IMPLIED.iter().map(|name| (*name).to_owned()).collect();
    texts(serde_json::to_value(tree).ok()?, &mut names);
    (names.len() <= NAMES_MAX).then(|| names.into_iter().collect())
}

fn texts(value: Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => drop(names.insert(text)),
        Value::Array(items) => items.into_iter().for_each(|item| texts(item, names)),
        Value::Object(fields) => fields.into_iter().for_each(|(_, field)| texts(field, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_name_is_quoted() {
        let check = |parts: &[&str], expect: &str| {
            assert_eq!(quoted(&understand::dotted(parts.iter().copied())), expect);
        };
        check(&["orders"], r#""orders""#);
        check(&["Orders"], r#""Orders""#);
        check(&["public", "orders"], r#""public"."orders""#);
        check(&["db", "My Schema", "ORDERS"], r#""db"."My Schema"."ORDERS""#);
        check(&["a.b", "c"], r#""a.b"."c""#);
        check(&["a", "b.c"], r#""a"."b.c""#);
        check(&[r#"a"b"#], r#""a""b""#);
        check(&["\"", "x\".\"y"], r#"""""."x"".""y""#);
        check(&["Bücher", "日本"], r#""Bücher"."日本""#);
        check(&["a b; DROP"], r#""a b; DROP""#);
    }

    #[test]
    fn every_name_of_a_statement_is_among_its_names() {
        let check = |sql: &str, expect: &[&str]| {
            let names = Probe::of(sql).names.unwrap_or_default();
            for name in expect {
                assert!(names.iter().any(|is| is == name), "{sql}: {name} not in {names:?}");
            }
        };
        check("DELETE FROM t WHERE LOWER(a) = 'x'", &["t", "lower", "a", "=", "x"]);
        check("DELETE FROM \"S\".\"T\" WHERE a OPERATOR(p.===) b", &["S", "T", "p", "==="]);
        check("DELETE FROM t WHERE U&\"\\0061b\" < 1", &["ab", "<"]);
        check("UPDATE t SET a = b::my.kind RETURNING t.f", &["my", "kind", "f"]);
        check(
            "DELETE FROM t WHERE a IN (SELECT x FROM v ORDER BY y USING >>>)",
            &["v", "x", "y", ">>>"],
        );
        check(
            "WITH w AS (SELECT f(1)) DELETE FROM t USING w WHERE a BETWEEN 1 AND 2",
            &["f", "<=", ">="],
        );
        check("SELECT CASE a WHEN 1 THEN 2 END FROM g() AS h (i j)", &["=", "g", "i", "j"]);
    }

    #[test]
    fn every_word_of_a_request_is_among_its_words() {
        let check = |sql: &str, expect: &[&str]| {
            let words = words(sql).unwrap_or_default();
            for word in expect {
                assert!(words.iter().any(|is| is == word), "{sql}: {word} not in {words:?}");
            }
        };
        check("SELECT Wipe(); SELECT \"Wipe2\"(1 === 2)", &["wipe", "Wipe2", "==="]);
        check("DO $$BEGIN PERFORM \"My\".wipe(); END$$", &["My", "wipe"]);
        check("EXECUTE p\n-- p is:\n-- SELECT wipe()", &["p", "wipe"]);
        check("SELECT U&\"\\0077ipe\"()", &["wipe"]);
        check("SELECT query_to_xml('select wipe()', true, true, '')", &["wipe"]);
        check("SELECT löschen()", &["löschen"]);
        check("not sql: wipe(", &["wipe"]);
        let many: Vec<_> = (0..=WORDS_MAX).map(|number| format!("w{number}")).collect();
        assert_eq!(words(&many.join(" ")), None);
    }

    #[test]
    fn only_one_statement_of_a_bounded_size_has_names() {
        let check = |sql: &str, expect: bool| {
            assert_eq!(Probe::of(sql).names.is_some(), expect, "{:.40}", sql);
        };
        check("DELETE FROM t", true);
        check("DELETE FROM t; DELETE FROM u", false);
        check("", false);
        check("DELETE FROM", false);
        check("DELETE FROM t WHERE \0", false);
        let many: Vec<_> = (0..NAMES_MAX).map(|number| format!("'{number}'")).collect();
        check(&format!("DELETE FROM t WHERE a IN ({})", many.join(", ")), false);
    }

    #[test]
    fn what_goes_along_is_what_was_written() {
        let check = |sql: &str, expect: &str| {
            assert_eq!(format!("{:?}", Probe::of(sql).touch), expect, "{sql}");
        };
        check("TRUNCATE a, b", "Truncate(Restricts)");
        check("TRUNCATE a CASCADE", "Truncate(Cascades)");
        check("DROP TABLE a, b CASCADE", "Drop(Cascades)");
        check("DROP TABLE IF EXISTS a", "Drop(Restricts)");
        check("DROP VIEW a CASCADE", "Other");
        check("INSERT INTO a VALUES (1)", "Other");
        check("MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE", "Other");
    }
}
