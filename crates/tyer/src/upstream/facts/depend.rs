//! What depends on a table, and what it is made of.

use tokio_postgres::{Client, Error};
use tyer_core::facts::Part;
use tyer_wire::postgres::probe;

use super::{Gathered, Table};

/// Dependents that a card lists, of one relation and of all.
const DEPENDENTS_MAX: usize = 20;
const DEPENDENTS_MAX_IN_ALL: usize = 60;
/// Parts of tables that a card lists in all.
const PARTS_MAX: usize = 30;

/// What refers to a table, what runs with it, and what reads it, the gravest first. A function that a trigger runs has a
/// version, since another body is another consequence.
const DEPENDENTS: &str = "
    WITH RECURSIVE readers(oid, is_near) AS (
        SELECT r.ev_class, true FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
         WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND d.refobjid = $1 AND r.ev_class <> d.refobjid
        UNION
        SELECT r.ev_class, false FROM readers
          JOIN pg_catalog.pg_depend d ON d.refobjid = readers.oid
           AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND r.ev_class <> d.refobjid),
    own(oid, name) AS (
        SELECT p.oid, p.oid::pg_catalog.regproc::text FROM pg_catalog.pg_proc p WHERE p.oid >= 16384)
    SELECT 1, c.conrelid::pg_catalog.regclass::text || CASE c.confdeltype
             WHEN 'c' THEN ' (rows are deleted with it)'
             WHEN 'n' THEN ' (references are set to null)'
             WHEN 'd' THEN ' (references are set to the default)'
             ELSE ' (its foreign key blocks, unless CASCADE)' END
      FROM pg_catalog.pg_constraint c WHERE c.contype = 'f' AND c.confrelid = $1
    UNION
    SELECT 2, 'trigger ' || t.tgname || ' (runs ' || t.tgfoid::pg_catalog.regproc::text || ', version '
            || pg_catalog.substr(pg_catalog.encode(pg_catalog.sha256(
                pg_catalog.textsend(p.prosrc)), 'hex'), 1, 8) || ')'
      FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
     WHERE t.tgrelid = $1 AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    UNION
    SELECT 3, 'rule ' || r.rulename || CASE WHEN r.is_instead THEN ' (does something else instead)'
            ELSE ' (does something more)' END
      FROM pg_catalog.pg_rewrite r
     WHERE r.ev_class = $1 AND r.ev_type <> '1' AND r.ev_enabled <> 'D'
    UNION
    SELECT 4, readers.oid::pg_catalog.regclass::text
            || CASE WHEN pg_catalog.bool_or(is_near) THEN ' (reads it)' ELSE ' (reads it through another)' END
      FROM readers GROUP BY readers.oid
    UNION
    SELECT 5, 'function ' || own.name || ' (reads it)' FROM own JOIN pg_catalog.pg_depend d
        ON d.objid = own.oid AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
     WHERE d.refobjid = $1 AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    UNION
    SELECT 6, 'function ' || own.name || ' (its text names it)'
      FROM own JOIN pg_catalog.pg_proc p ON p.oid = own.oid
      JOIN pg_catalog.pg_language l ON l.oid = p.prolang
     WHERE l.lanname NOT IN ('c', 'internal') AND p.prokind IN ('f', 'p') AND CASE
        WHEN $2 ~ '^\\w+$' THEN p.prosrc ~* ('\\m' || $2 || '\\M')
        ELSE pg_catalog.strpos(p.prosrc, $2) > 0 END
     ORDER BY 1, 2";

/// Its partitions and the tables that inherit from it.
const PARTS: &str = "
    WITH RECURSIVE tree(oid) AS (
        SELECT $1::oid
        UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)
    SELECT n.nspname::text, c.relname::text, c.oid
      FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid <> $1::oid ORDER BY 1, 2";

pub(super) async fn ask(client: &Client, table: &Table, gathered: &mut Gathered) -> Result<(), Error> {
    let name = table.dotted();
    let about = format!("what depends on {name}");
    let found = gathered.query(client, &about, (DEPENDENTS, &[&table.oid, &table.name])).await?;
    if let Some(rows) = found {
        let listed: usize = gathered.facts.relations.iter().map(|it| it.dependents.len()).sum();
        let room = DEPENDENTS_MAX.min(DEPENDENTS_MAX_IN_ALL.saturating_sub(listed));
        if let Some(relation) = gathered.of(table) {
            relation.dependents = rows.iter().take(room).map(|row| row.get(1)).collect();
        }
        if rows.len() > room {
            let more = rows.len() - room;
            gathered.unknown(format!("{more} more objects depend on {name} and are not listed"));
        }
    }
    let listed: usize = gathered.facts.relations.iter().map(|it| it.parts.len()).sum();
    let parts = parts(client, table, PARTS_MAX.saturating_sub(listed), gathered).await?;
    if let Some(relation) = gathered.of(table) {
        relation.parts = parts;
    }
    Ok(())
}

/// The parts of a table, as far as there is room for them; that there are more is said.
async fn parts(
    client: &Client,
    table: &Table,
    room: usize,
    gathered: &mut Gathered,
) -> Result<Vec<Part>, Error> {
    let about = format!("what {} consists of", table.dotted());
    let rows = gathered.query(client, &about, (PARTS, &[&table.oid])).await?.unwrap_or_default();
    if rows.len() > room {
        let more = rows.len() - room;
        gathered.unknown(format!("{} has {more} more parts, which are not listed", table.dotted()));
    }
    let part = |row: &tokio_postgres::Row| Part {
        name: probe::dotted(row.get(0), row.get(1)),
        identity: u64::from(row.get::<_, u32>(2)),
    };
    Ok(rows.iter().take(room).map(part).collect())
}
