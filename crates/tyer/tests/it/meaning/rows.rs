//! What a statement did to rows, by the server's own counters ("The Cumulative Statistics System" in the PostgreSQL
//! documentation).
//!
//! A connection counts the rows that it adds, changes and removes, those of the catalogue and of work that is rolled
//! back among them, and hands the counts on when a transaction ends, at most once a second. Here each is made to hand
//! them on before a transaction begins, so what it has then is what came since.

use std::collections::BTreeMap;

/// Rows of an answer.
pub(super) type Rows = Vec<Vec<String>>;

/// Makes the connection hand on what it has counted.
pub(super) const HAND_ON: &str = "SELECT pg_catalog.pg_stat_force_next_flush()";

/// What the connection has counted and not handed on.
pub(super) const COUNTED: &str = "
    SELECT c.oid, n.nspname, c.relname, n.nspname IN ('pg_catalog', 'pg_toast'), c.relkind = 'm',
           x.added, x.changed, x.removed
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     CROSS JOIN LATERAL (SELECT pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid),
            pg_catalog.pg_stat_get_xact_tuples_updated(c.oid),
            pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)) x(added, changed, removed)
     WHERE c.relkind IN ('r', 'm') AND x.added + x.changed + x.removed > 0";

/// Rows of one relation, so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Count {
    schema: String,
    name: String,
    is_catalog: bool,
    is_computed: bool,
    rows: [i64; 3],
}

/// All that a connection has counted, by relation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts(BTreeMap<u32, Count>);

/// What happened to rows of one relation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "what the server's counters say, each by itself")]
pub(super) struct Change {
    oid: u32,
    /// The schema and the name.
    pub(super) relation: (String, String),
    pub(super) is_catalog: bool,
    /// Whether it is a materialized view.
    pub(super) is_computed: bool,
    pub(super) added: bool,
    pub(super) changed: bool,
    pub(super) removed: bool,
    /// Names of relations that lead to it: what it is part of, what its foreign keys refer to, views and rules.
    pub(super) along: Vec<String>,
}

/// What one text did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Did {
    pub(super) changes: Vec<Change>,
    /// Names of relations where a change runs code that may do anything: triggers and rules, directly or further on.
    pub(super) coded: Vec<String>,
    /// Whether such code runs wherever something is defined.
    pub(super) watched: bool,
}

impl Counts {
    pub(super) fn of(rows: Rows) -> Self {
        let count = |row: Vec<String>| {
            let [oid, schema, name, is_catalog, is_computed, rest @ ..] =
                <[String; 8]>::try_from(row).ok()?;
            let rows = rest.map(|rows| rows.parse().unwrap_or_default());
            let (is_catalog, is_computed) = (is_catalog == "t", is_computed == "t");
            Some((oid.parse().ok()?, Count { schema, name, is_catalog, is_computed, rows }))
        };
        Self(rows.into_iter().filter_map(count).collect())
    }

    /// What came since; nothing if the connection has handed on in between.
    pub(super) fn since(&self, before: &Self) -> Option<Vec<Change>> {
        let mut changes = Vec::new();
        for (oid, now) in &self.0 {
            let then = before.0.get(oid).map(|count| count.rows).unwrap_or_default();
            let [added, changed, removed] = [0, 1, 2].map(|at| now.rows[at] - then[at]);
            // TRUNCATE takes back what its transaction has counted.
            if [added, changed, removed].iter().any(|rows| *rows > 0) {
                changes.push(Change {
                    oid: *oid,
                    relation: (now.schema.clone(), now.name.clone()),
                    is_catalog: now.is_catalog,
                    is_computed: now.is_computed,
                    added: added > 0,
                    changed: changed > 0,
                    removed: removed > 0,
                    along: Vec::new(),
                });
            }
        }
        let handed_on = self.0.is_empty() && !before.0.is_empty();
        (!handed_on).then_some(changes)
    }
}

/// Triggers; and rules, views, indexes, constraints, defaults and policies that call functions.
const CODE: &str = "
    SELECT t.tgrelid FROM pg_catalog.pg_trigger t WHERE NOT t.tgisinternal
    UNION
    SELECT COALESCE(r.ev_class, i.indrelid, k.conrelid, a.adrelid, y.polrelid)
      FROM pg_catalog.pg_depend d
      LEFT JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
           AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
      LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = d.objid
           AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      LEFT JOIN pg_catalog.pg_constraint k ON k.oid = d.objid
           AND d.classid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
      LEFT JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid
           AND d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
      LEFT JOIN pg_catalog.pg_policy y ON y.oid = d.objid
           AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
     WHERE d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid >= 16384";

/// The question what leads to those relations, and where code runs; that of definitions has no name.
pub(super) fn leading_to(changes: &[Change]) -> String {
    let own = changes.iter().filter(|change| !change.is_catalog);
    let oids = own.map(|change| change.oid.to_string()).collect::<Vec<_>>().join(",");
    format!(
        "WITH RECURSIVE code(oid) AS ({CODE}),
         leads(root, oid) AS (
            (SELECT o, o FROM pg_catalog.unnest('{{{oids}}}'::oid[]) o
             UNION ALL SELECT 0::oid, code.oid FROM code)
            UNION
            SELECT leads.root, next.oid FROM leads CROSS JOIN LATERAL (
                SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = leads.oid
                UNION ALL
                SELECT k.confrelid FROM pg_catalog.pg_constraint k
                 WHERE k.conrelid = leads.oid AND k.contype = 'f'
                   AND (k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd'))
                UNION ALL
                SELECT r.ev_class FROM pg_catalog.pg_depend d
                  JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
                 WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
                   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
                   AND d.refobjid = leads.oid) next(oid))
         SELECT leads.root, c.relname::text FROM leads JOIN pg_catalog.pg_class c ON c.oid = leads.oid
          WHERE leads.oid <> leads.root
         UNION ALL
         SELECT 0, '' FROM pg_catalog.pg_event_trigger e WHERE e.evtenabled <> 'D'"
    )
}

impl Did {
    pub(super) fn new(changes: Vec<Change>, leading: Rows) -> Self {
        let mut did = Self { changes, ..Self::default() };
        for row in leading {
            let [root, name] = <[String; 2]>::try_from(row).unwrap_or_default();
            let root: u32 = root.parse().unwrap_or_default();
            match did.changes.iter_mut().find(|change| change.oid == root) {
                Some(change) => change.along.push(name),
                None if name.is_empty() => did.watched = true,
                None => did.coded.push(name),
            }
        }
        did
    }
}
