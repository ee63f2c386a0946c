//! What a request does to a relation that the server's counters of rows do not show: TRUNCATE, DROP and ALTER, also
//! in a trigger or a function, and what goes to another server.
//!
//! All of these take a lock on the relation that stands up to the end of the transaction, out of a block with an
//! exception handler too, and is gone only where what was done under it is taken back ("13.3 Explicit Locking" and
//! `pg_locks` in the PostgreSQL documentation). What the relation was before tells them apart.

use std::collections::BTreeMap;

use tyer_core::ceilings::{Beyond, Deed, Relation};

use crate::postgres::probe::dotted;
use crate::postgres::session::exchange::Row;

/// Every relation that lasts and has rows, in one text: identity and storage, `16384:16390`.
pub(super) const LASTING: &str = "SELECT pg_catalog.string_agg(\
    pg_catalog.concat_ws(':', c.oid, c.relfilenode), ' ') FROM pg_catalog.pg_class c \
    WHERE c.oid OPERATOR(pg_catalog.>=) '16384'::pg_catalog.oid \
    AND c.relpersistence OPERATOR(pg_catalog.<>) 't'::pg_catalog.\"char\" \
    AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,m,f}'::pg_catalog.\"char\"[])";
/// Relations that this transaction has for itself, or that it writes on another server: identity, storage, and which
/// of both.
pub(super) const HELD: &str = "SELECT DISTINCT l.relation, c.relfilenode, \
    l.mode OPERATOR(pg_catalog.=) 'RowExclusiveLock'::pg_catalog.text FROM pg_catalog.pg_locks l \
    LEFT JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) l.relation \
    WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.granted \
    AND l.locktype OPERATOR(pg_catalog.=) 'relation'::pg_catalog.text \
    AND (l.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'::pg_catalog.text \
    OR l.mode OPERATOR(pg_catalog.=) 'RowExclusiveLock'::pg_catalog.text \
    AND c.relkind OPERATOR(pg_catalog.=) 'f'::pg_catalog.\"char\")";
/// The names of these, once they are back.
pub(super) const NAMES: &str = "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
    WHERE c.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])";

/// What there was, and what the transaction had done already.
#[derive(Debug, Default)]
pub(super) struct Before {
    /// The storage of each relation.
    lasting: BTreeMap<u64, u64>,
    held: BTreeMap<(u64, bool), Option<u64>>,
}

impl Before {
    pub(super) fn of(lasting: &[Row], held: &[Row]) -> Self {
        let all = lasting.first().and_then(|row| row.first()?.as_deref()).unwrap_or_default();
        let one = |text: &str| {
            let (identity, storage) = text.split_once(':')?;
            Some((identity.parse().ok()?, storage.parse().ok()?))
        };
        Self { lasting: all.split(' ').filter_map(one).collect(), held: self::held(held) }
    }

    /// What was done since.
    pub(super) fn since(&self, now: &[Row]) -> Vec<(u64, Deed)> {
        let done = held(now).into_iter().filter_map(|((identity, elsewhere), storage)| {
            // What is temporary, or was made meanwhile, is nobody's loss.
            let before = self.lasting.get(&identity)?;
            let is_new = !self.held.contains_key(&(identity, elsewhere));
            let what = match storage {
                _ if elsewhere => is_new.then_some(Deed::Elsewhere),
                None => Some(Deed::Removed),
                Some(now) if now != *before => Some(Deed::Emptied),
                Some(_) => is_new.then_some(Deed::Altered),
            };
            Some((identity, what?))
        });
        done.collect()
    }
}

fn held(rows: &[Row]) -> BTreeMap<(u64, bool), Option<u64>> {
    let one = |row: &Row| {
        let [identity, storage, elsewhere] = row.as_slice() else { return None };
        let storage = match storage {
            Some(storage) => Some(storage.parse().ok()?),
            None => None,
        };
        Some(((identity.as_deref()?.parse().ok()?, elsewhere.as_deref() == Some("t")), storage))
    };
    rows.iter().filter_map(one).collect()
}

/// These identities as one text, as [`NAMES`] takes them.
pub(super) fn array(done: &[(u64, Deed)]) -> String {
    let all: Vec<String> = done.iter().map(|(identity, _)| identity.to_string()).collect();
    format!("{{{}}}", all.join(","))
}

/// The same with names, as far as they are known.
pub(super) fn named(done: &[(u64, Deed)], names: Option<&Vec<Row>>) -> Vec<Beyond> {
    let name = |row: &Row| {
        let [Some(identity), Some(schema), Some(name)] = row.as_slice() else { return None };
        Some((identity.parse::<u64>().ok()?, dotted(schema, name)))
    };
    let names: BTreeMap<u64, String> = names.into_iter().flatten().filter_map(name).collect();
    let one = |(identity, what): &(u64, Deed)| {
        let known = names.get(identity).cloned();
        let name = known.unwrap_or_else(|| format!("a relation with the number {identity}"));
        Beyond { relation: Relation { name, identity: *identity }, what: *what }
    };
    done.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<Row> {
        let field = |field: &str| (field != "-").then(|| field.to_owned());
        text.split_whitespace().map(|row| row.split('|').map(field).collect()).collect()
    }

    #[test]
    fn what_was_done_is_told_apart_by_what_there_was() {
        let lasting = vec![vec![Some("7:70 8:80 9:0 10:0".to_owned())]];
        let before = Before::of(&lasting, &rows("8|80|f 10|0|t"));
        let check = |now: &str, expect: &[(u64, Deed)]| {
            assert_eq!(before.since(&rows(now)), expect, "{now}");
        };
        check("", &[]);
        check("8|80|f 10|0|t", &[]);
        check("7|70|f", &[(7, Deed::Altered)]);
        check("7|71|f", &[(7, Deed::Emptied)]);
        check("7|-|f", &[(7, Deed::Removed)]);
        check("8|81|f", &[(8, Deed::Emptied)]);
        check("8|-|f", &[(8, Deed::Removed)]);
        check("9|0|t 9|0|f", &[(9, Deed::Altered), (9, Deed::Elsewhere)]);
        check("9|-|f", &[(9, Deed::Removed)]);
        // Made meanwhile, or temporary.
        check("11|110|f 12|-|f", &[]);
        let names = rows("7|public|orders");
        let words = named(&[(7, Deed::Emptied), (8, Deed::Removed)], Some(&names));
        assert_eq!(
            words.iter().map(Beyond::in_words).collect::<Vec<_>>(),
            [
                "empty or rewrite public.orders, which nobody agreed to",
                "remove a relation with the number 8, which nobody agreed to"
            ]
        );
        assert_eq!(array(&[(7, Deed::Emptied), (8, Deed::Removed)]), "{7,8}");
    }
}
