//! What names of relations mean to one session of a server: its search path, its temporary tables and the rules of
//! its views are in the answer.
//!
//! Operators and names of objects are qualified, so that no search path leads them elsewhere. Nothing is run and
//! nothing is locked: a relation is found by the server's own `to_regclass`, and rules are read as the catalogue keeps them.

use tyer_core::names::{Meaning, Meant, Named};

use super::{dotted, quoted};

/// For an array of names in the words of SQL a row for each in their order: where in the array, identity, kind,
/// schema and name, the digest of all rules on the way, whether the open transaction has it for itself, whether it may
/// be locked, and the search path. What is missing is NULL; all is text.
pub const MEANINGS: &str = "WITH RECURSIVE asked AS (
        SELECT a.at, pg_catalog.to_regclass(a.name)::pg_catalog.oid AS oid
          FROM pg_catalog.unnest($1::pg_catalog.text[]) WITH ORDINALITY a(name, at)),
    ruled(at, oid) AS (
        SELECT asked.at, asked.oid FROM asked WHERE asked.oid IS NOT NULL
        UNION
        SELECT ruled.at, d.refobjid FROM ruled
          JOIN pg_catalog.pg_rewrite r ON r.ev_class OPERATOR(pg_catalog.=) ruled.oid
          JOIN pg_catalog.pg_depend d ON d.objid OPERATOR(pg_catalog.=) r.oid
           AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
           AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass),
    rules AS (
        SELECT ruled.at, pg_catalog.encode(pg_catalog.sha256(pg_catalog.textsend(pg_catalog.string_agg(
                   pg_catalog.concat_ws(' ', r.oid, r.ev_enabled, r.ev_qual, r.ev_action), ' ' ORDER BY r.oid))),
                   'hex') AS digest
          FROM ruled JOIN pg_catalog.pg_rewrite r ON r.ev_class OPERATOR(pg_catalog.=) ruled.oid
         GROUP BY ruled.at),
    held AS (
        SELECT DISTINCT l.relation FROM pg_catalog.pg_locks l
         WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
           AND l.locktype OPERATOR(pg_catalog.=) 'relation'::pg_catalog.text
           AND l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'::pg_catalog.text)
    SELECT asked.at::pg_catalog.text, c.oid::pg_catalog.text, c.relkind::pg_catalog.text,
           n.nspname::pg_catalog.text, c.relname::pg_catalog.text, rules.digest,
           (held.relation IS NOT NULL)::pg_catalog.text,
           pg_catalog.has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')::pg_catalog.text,
           pg_catalog.current_setting('search_path')
      FROM asked
      LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) asked.oid
      LEFT JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
      LEFT JOIN rules ON rules.at OPERATOR(pg_catalog.=) asked.at
      LEFT JOIN held ON held.relation OPERATOR(pg_catalog.=) asked.oid
     ORDER BY asked.at";

/// Columns of a row of [`MEANINGS`].
pub const COLUMNS: usize = 9;

/// The names in the words of SQL, as [`MEANINGS`] takes them.
#[must_use]
pub fn asked(names: &[String]) -> Vec<String> {
    names.iter().map(|name| quoted(name)).collect()
}

/// The same array as one text.
#[must_use]
pub fn array(names: &[String]) -> String {
    let element =
        |name: &String| format!("\"{}\"", quoted(name).replace('\\', "\\\\").replace('"', "\\\""));
    format!("{{{}}}", names.iter().map(element).collect::<Vec<_>>().join(","))
}

/// What the rows say; none if they are not the answer to these names.
#[must_use]
pub fn meant(names: &[String], rows: &[Vec<Option<String>>]) -> Option<Meant> {
    if names.len() != rows.len() {
        return None;
    }
    let named = names.iter().zip(rows).enumerate().map(|(at, (name, row))| {
        let [place, identity, kind, schema, relation, rules, own, ..] = row.as_slice() else {
            return None;
        };
        (place.as_deref()?.parse() == Ok(at + 1)).then_some(())?;
        let means = match (identity, kind, schema, relation) {
            (None, ..) => None,
            (Some(identity), Some(kind), Some(schema), Some(relation)) => Some(Meaning {
                qualified: dotted(schema, relation),
                identity: identity.parse().ok()?,
                kind: word(kind).to_owned(),
                rules: rules.clone(),
                own: own.as_deref() == Some("true"),
            }),
            _ => return None,
        };
        Some(Named { name: name.clone(), means })
    });
    let names = named.collect::<Option<Vec<_>>>()?;
    let path = rows.first().and_then(|row| row.last().cloned().flatten());
    Some(Meant { names, path })
}

/// A kind of relation in a word.
fn word(kind: &str) -> &str {
    match kind {
        "r" => "table",
        "p" => "partitioned table",
        "v" => "view",
        "m" => "materialized view",
        "f" => "foreign table",
        "S" => "sequence",
        "i" | "I" => "index",
        "c" => "type",
        "t" => "storage table",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fields: &str) -> Vec<Option<String>> {
        fields.split('|').map(|field| (field != "-").then(|| field.to_owned())).collect()
    }

    #[test]
    fn rows_are_the_answer_to_names_or_nothing() {
        let check = |names: &[&str], rows: &[&str], expect: Option<&[&str]>| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let rows: Vec<_> = rows.iter().map(|fields| row(fields)).collect();
            let meant = meant(&names, &rows);
            let words = meant.map(|it| it.names.iter().map(Named::in_words).collect::<Vec<_>>());
            assert_eq!(
                words.as_deref(),
                expect.map(|it| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>()).as_deref()
            );
        };
        let table = "1|7|r|public|orders|-|false|true|public";
        check(&["orders"], &[table], Some(&["orders: the table public.orders"]));
        check(&["orders"], &["1|-|-|-|-|-|false|true|public"], Some(&["orders: nothing of that name"]));
        check(
            &["orders", "o"],
            &[table, "2|8|v|a.b|o|abc|true|true|public"],
            Some(&["orders: the table public.orders", "o: the view \"a.b\".o"]),
        );
        check(&["orders"], &[], None);
        check(&["orders"], &["2|7|r|public|orders|-|false|true|public"], None);
        check(&["orders"], &["1|7|-|public|orders|-|false|true|public"], None);
        check(&["orders"], &["1|x|r|public|orders|-|false|true|public"], None);
        check(&["orders"], &["1|7"], None);
        check(&[], &[], Some(&[]));
    }

    #[test]
    fn names_are_one_array() {
        let check = |names: &[&str], expect: &str| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(array(&names), expect);
        };
        check(&[], "{}");
        check(&["orders", "public.o"], r#"{"\"orders\"","\"public\".\"o\""}"#);
        check(&["a\\b"], r#"{"\"a\\b\""}"#);
        check(&["\"a\"\"b.c\""], r#"{"\"a\"\"b.c\""}"#.replace("a\"\"b", "a\\\"\\\"b").as_str());
    }
}
