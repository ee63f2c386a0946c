//! Whether planning or counting might run code of the database's own.
//!
//! Planning runs functions that are immutable or stable, and tries operators on the commonest values; so does counting.
//! Such code comes in by a name in the statement, or by what belongs to a table that it names: views and
//! rules, policies, partition keys, indexes over expressions, constraints, generated columns, domains. Any doubt is
//! a reason. Names are compared whatever the search path is. Compiled code of extensions was installed by whoever runs the
//! server, and is trusted like the server's own.

use tokio_postgres::{Client, Error};
use tyer_wire::postgres::probe::Probe;

use super::{Gathered, Table};

/// The first reason why something of the database's own might run, by names and by tables. What the server came with has
/// numbers below 16384, and stands in no dependency.
const DOUBT: &str = "
    WITH RECURSIVE own AS (
        SELECT p.oid, p.proname, p.pronamespace
          FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
         WHERE p.oid >= 16384 AND NOT (l.lanname IN ('c', 'internal') AND EXISTS (
            SELECT FROM pg_catalog.pg_depend d WHERE d.deptype = 'e' AND d.objid = p.oid
               AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass))),
    tables(oid) AS (
        SELECT c.oid FROM pg_catalog.pg_class c
         WHERE c.relname::text = ANY ($1::text[]) OR c.oid = ANY ($2::oid[])
        UNION
        SELECT next.oid FROM tables t CROSS JOIN LATERAL (
            SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = t.oid
            UNION ALL
            SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = t.oid
            UNION ALL
            SELECT d.refobjid FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_depend d
                ON d.objid = r.oid AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
             WHERE r.ev_class = t.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
            UNION ALL
            SELECT d.refobjid FROM pg_catalog.pg_policy y JOIN pg_catalog.pg_depend d
                ON d.objid = y.oid AND d.classid = 'pg_catalog.pg_policy'::pg_catalog.regclass
             WHERE y.polrelid = t.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        ) next(oid)),
    types(oid) AS (
        (SELECT t.oid FROM pg_catalog.pg_type t WHERE t.oid >= 16384 AND t.typname::text = ANY ($1::text[])
         UNION
         SELECT a.atttypid FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid
          WHERE a.attnum > 0 AND a.atttypid >= 16384)
        UNION
        SELECT next.oid FROM types JOIN pg_catalog.pg_type t ON t.oid = types.oid CROSS JOIN LATERAL (
            SELECT t.typelem UNION ALL SELECT t.typbasetype
            UNION ALL
            SELECT a.atttypid FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = t.typrelid AND a.attnum > 0
            UNION ALL
            SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid
        ) next(oid) WHERE next.oid >= 16384),
    parts(class, oid) AS (
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, t.oid FROM tables t
        UNION ALL
        SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
          FROM tables t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
          FROM tables t JOIN pg_catalog.pg_constraint k ON k.conrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_attrdef'::pg_catalog.regclass, a.oid
          FROM tables t JOIN pg_catalog.pg_attrdef a ON a.adrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid
          FROM tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, y.oid
          FROM tables t JOIN pg_catalog.pg_policy y ON y.polrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid
          FROM tables t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid
        UNION ALL
        SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid FROM types t
        UNION ALL
        SELECT 'pg_catalog.pg_constraint'::pg_catalog.regclass, k.oid
          FROM types t JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid),
    needed(class, oid) AS (
        SELECT DISTINCT d.refclassid, d.refobjid FROM parts p JOIN pg_catalog.pg_depend d
            ON d.classid = p.class AND d.objid = p.oid),
    runs(oid) AS (
        SELECT o.oid FROM pg_catalog.pg_operator o WHERE o.oid >= 16384 AND EXISTS (
            SELECT FROM own WHERE own.oid IN (o.oprcode, o.oprrest, o.oprjoin))),
    xml(pattern) AS (
        SELECT ':funcid (' || pg_catalog.string_agg(p.oid::text, '|') || ') ' FROM pg_catalog.pg_proc p
         WHERE p.oid < 16384 AND p.proname::text ~ '_to_xml')
    SELECT 'it might run the function ' || n.nspname || '.' || own.proname
      FROM own JOIN pg_catalog.pg_namespace n ON n.oid = own.pronamespace
     WHERE own.proname::text = ANY ($1::text[]) OR EXISTS (
        SELECT FROM needed d WHERE d.oid = own.oid
           AND d.class = 'pg_catalog.pg_proc'::pg_catalog.regclass)
    UNION ALL
    SELECT 'it might run the operator ' || n.nspname || '.' || o.oprname
      FROM runs JOIN pg_catalog.pg_operator o ON o.oid = runs.oid
      JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
     WHERE o.oprname::text = ANY ($1::text[]) OR EXISTS (
        SELECT FROM needed d WHERE d.oid = o.oid
           AND d.class = 'pg_catalog.pg_operator'::pg_catalog.regclass)
    UNION ALL
    SELECT 'it might run a cast from ' || pg_catalog.format_type(k.castsource, NULL) || ' to '
            || pg_catalog.format_type(k.casttarget, NULL)
      FROM pg_catalog.pg_cast k JOIN own ON own.oid = k.castfunc
    UNION ALL
    SELECT 'it might run what the operator class ' || c.opcname || ' of an index does'
      FROM needed d JOIN pg_catalog.pg_opclass c ON c.oid = d.oid
     WHERE d.class = 'pg_catalog.pg_opclass'::pg_catalog.regclass AND (
        EXISTS (SELECT FROM pg_catalog.pg_amproc a JOIN own ON own.oid = a.amproc
                 WHERE a.amprocfamily = c.opcfamily)
        OR EXISTS (SELECT FROM pg_catalog.pg_amop a JOIN runs ON runs.oid = a.amopopr
                    WHERE a.amopfamily = c.opcfamily))
    UNION ALL
    SELECT 'it might ask another server, which has ' || c.relname
      FROM tables t JOIN pg_catalog.pg_class c ON c.oid = t.oid WHERE c.relkind = 'f'
    UNION ALL
    SELECT 'it might run what ' || c.relname || ' makes XML of'
      FROM xml, tables t JOIN pg_catalog.pg_rewrite r ON r.ev_class = t.oid
      JOIN pg_catalog.pg_class c ON c.oid = t.oid
     WHERE r.ev_action::text ~ xml.pattern OR r.ev_qual::text ~ xml.pattern
    UNION ALL
    SELECT 'it might run what a policy of ' || c.relname || ' makes XML of'
      FROM xml, tables t JOIN pg_catalog.pg_policy y ON y.polrelid = t.oid
      JOIN pg_catalog.pg_class c ON c.oid = t.oid
     WHERE y.polqual::text ~ xml.pattern OR y.polwithcheck::text ~ xml.pattern
     LIMIT 1";

/// Why rows of a table are not to be counted by these columns and casts, if so.
const UNCOUNTABLE: &str = "
    WITH RECURSIVE tree(oid) AS (
        SELECT $1::oid
        UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid),
    named AS (
        SELECT n.name, t.oid, t.typtype, t.typelem, t.typbasetype
          FROM pg_catalog.unnest($2::text[]) n(name)
          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = $1::oid AND a.attname::text = n.name
               AND NOT a.attisdropped
          LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid)
    SELECT CASE
        WHEN EXISTS (SELECT FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
                      WHERE c.relkind NOT IN ('r', 'p'))
            THEN 'it is no table, or a part of it is none'
        WHEN EXISTS (SELECT FROM tree WHERE pg_catalog.row_security_active(tree.oid))
            THEN 'row security may hide rows from Tyer''s role'
        WHEN EXISTS (SELECT FROM named WHERE named.oid IS NULL)
            THEN 'its condition names something that is no column of the table'
        WHEN EXISTS (
            SELECT FROM named LEFT JOIN pg_catalog.pg_type b ON b.oid = named.typbasetype
              LEFT JOIN pg_catalog.pg_type e ON e.oid = named.typelem
             WHERE NOT (named.oid < 16384 AND named.typtype = 'b' OR named.typtype = 'e'
                OR named.typtype = 'd' AND b.oid < 16384 AND b.typtype = 'b'
                OR named.typtype = 'b' AND e.typtype = 'e'))
            THEN 'its condition is about a type that is not the server''s own'
        WHEN EXISTS (SELECT FROM pg_catalog.pg_type t
                      WHERE t.oid >= 16384 AND t.typname::text = ANY ($3::text[]))
            THEN 'the database has a type of its own with the name of one of the server''s'
        WHEN EXISTS (SELECT FROM pg_catalog.pg_operator o
                      WHERE o.oid >= 16384 AND o.oprleft < 16384 AND o.oprright < 16384
                        AND o.oprname IN ('=', '<>', '<', '>', '<=', '>=', '~~', '!~~', '~~*', '!~~*'))
            THEN 'the database has comparisons of its own'
        END";

/// Why nothing of a statement may be planned or counted, if so.
pub(super) async fn of_statement(
    client: &Client,
    probe: &Probe,
    gathered: &mut Gathered,
) -> Result<Option<String>, Error> {
    match &probe.names {
        Some(names) => doubt(client, (names, &[]), gathered).await,
        None => Ok(Some("it is too much to be looked through".to_owned())),
    }
}

/// The same for tables that the statement does not name.
pub(super) async fn of_tables(
    client: &Client,
    tables: &[u32],
    gathered: &mut Gathered,
) -> Result<Option<String>, Error> {
    doubt(client, (&[], tables), gathered).await
}

async fn doubt(
    client: &Client,
    (names, tables): (&[String], &[u32]),
    gathered: &mut Gathered,
) -> Result<Option<String>, Error> {
    let about = "whether looking would run code of the database's own";
    match gathered.query(client, about, (DOUBT, &[&names, &tables])).await? {
        Some(rows) => Ok(rows.first().map(|row| row.get(0))),
        None => Ok(Some("the database did not say what it might run".to_owned())),
    }
}

/// Why rows of a table are not counted by these columns and casts, if so.
pub(super) async fn uncountable(
    client: &Client,
    table: &Table,
    (columns, types): (&[String], &[String]),
    gathered: &mut Gathered,
) -> Result<Option<String>, Error> {
    let about = format!("whether rows of {} can be counted", table.dotted());
    match gathered.query(client, &about, (UNCOUNTABLE, &[&table.oid, &columns, &types])).await? {
        Some(rows) => Ok(rows.first().and_then(|row| row.get(0))),
        None => Ok(Some("the database did not say what it might run".to_owned())),
    }
}
