//! Finds the relations that a lock is on, and those in the directions in which the text says to look.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row};
use tyer_wire::postgres::probe::quoted;
use tyer_wire::postgres::understand::{Along, Lock, Mode, On, Parts, To};

use super::Found;
use crate::upstream::facts::Gathered;

/// A relation by its name; an index is its table, since planning looks at every index of a table.
const RELATION: &str = "
    SELECT COALESCE(i.indrelid, c.oid), CASE WHEN i.indrelid IS NOT NULL THEN c.relname::text END
      FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid
     WHERE c.oid = $1";
const SCHEMA: &str = "
    SELECT c.oid, NULL::text FROM pg_catalog.pg_class c
     WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND NOT c.relispartition ORDER BY c.relname";
/// Tables with a column of a type, or of one that is made of it.
const TYPE: &str = "
    WITH RECURSIVE made(oid) AS (
        SELECT $1::oid
        UNION SELECT t.oid FROM made CROSS JOIN pg_catalog.pg_type t
          LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
          LEFT JOIN pg_catalog.pg_class k ON k.oid = t.typrelid AND k.relkind = 'c'
         WHERE made.oid IN (t.typbasetype, t.typelem, r.rngsubtype) OR EXISTS (
            SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = k.oid AND a.atttypid = made.oid))
    SELECT DISTINCT c.oid, NULL::text FROM made JOIN pg_catalog.pg_attribute a ON a.atttypid = made.oid
      JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     WHERE NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm', 'f') ORDER BY 1";
const STATISTICS: &str = "
    SELECT s.stxrelid, NULL::text FROM pg_catalog.pg_statistic_ext s
      JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace
     CROSS JOIN LATERAL (SELECT '\"' || pg_catalog.replace(s.stxname, '\"', '\"\"') || '\"',
            '\"' || pg_catalog.replace(n.nspname, '\"', '\"\"') || '\"') it(name, schema)
     WHERE $1 IN (it.name, it.schema || '.' || it.name)";
const PUBLICATION: &str = "
    SELECT r.prrelid, NULL::text FROM pg_catalog.pg_publication_rel r
      JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid
     WHERE '\"' || pg_catalog.replace(p.pubname, '\"', '\"\"') || '\"' = $1";
const OWNED: &str = "
    SELECT c.oid, NULL::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles r ON r.oid = c.relowner
     WHERE r.rolname = CASE WHEN $1 IN ('current_role', 'current_user', 'session_user')
                            THEN current_user::text ELSE $1 END
       AND c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition ORDER BY 1";

/// The trees of relations, with whose parts foreign keys come and go.
macro_rules! tree {
    ($sql:literal) => {
        concat!(
            "WITH RECURSIVE tree(oid) AS (
                SELECT pg_catalog.unnest($1::oid[])
                UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)",
            $sql
        )
    };
}

/// What is above a part, and the default partition there.
const ABOVE: &str = "
    WITH above(oid) AS (
        SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
         WHERE i.inhrelid = ANY ($1::oid[]) AND c.relispartition)
    SELECT above.oid FROM above WHERE $2::text IS NULL
    UNION SELECT p.partdefid FROM above JOIN pg_catalog.pg_partitioned_table p ON p.partrelid = above.oid
     WHERE p.partdefid <> 0";
const DEFAULT: &str = "
    SELECT p.partdefid FROM pg_catalog.pg_partitioned_table p
     WHERE p.partrelid = ANY ($1::oid[]) AND p.partdefid <> 0 AND $2::text IS NULL";
/// What foreign keys refer to: all, or those of that name or with a column of that name. Those that a part has from what it
/// is a part of leave no trace there.
const REFERRED: &str = tree!(
    "
    SELECT DISTINCT k.confrelid FROM tree JOIN pg_catalog.pg_constraint k ON k.conrelid = tree.oid
     WHERE k.contype = 'f' AND k.conparentid = 0 AND ($2::text IS NULL OR k.conname::text = $2 OR EXISTS (
        SELECT FROM pg_catalog.pg_attribute a
         WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND a.attname::text = $2))"
);
/// What has foreign keys to it: all, or those to that constraint or to a column of that name. A part that has one from what
/// it is a part of comes with that. One to a part is one to what that is a part of, and goes as a whole.
const REFERRING: &str = tree!(
    ",
    tied(oid, owner, referred, parent) AS (
        SELECT k.oid, k.conrelid, k.confrelid, k.conparentid
          FROM tree JOIN pg_catalog.pg_constraint k ON k.confrelid = tree.oid
          LEFT JOIN pg_catalog.pg_constraint up ON up.oid = k.conparentid AND up.conrelid <> k.conrelid
         WHERE k.contype = 'f' AND up.oid IS NULL AND ($2::text IS NULL OR EXISTS (
            SELECT FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = k.confrelid AND a.attnum = ANY (k.confkey) AND a.attname::text = $2)
          OR EXISTS (SELECT FROM pg_catalog.pg_constraint own
                      WHERE own.conrelid = k.confrelid AND own.conindid = k.conindid
                        AND own.contype <> 'f' AND own.conname::text = $2))
        UNION SELECT k.oid, k.conrelid, k.confrelid, k.conparentid
          FROM tied JOIN pg_catalog.pg_constraint k ON k.oid = tied.parent AND k.conrelid = tied.owner)
    SELECT tied.owner FROM tied UNION SELECT tied.referred FROM tied WHERE tied.parent = 0"
);
const EMPTIED: &str = "
    WITH RECURSIVE emptied(oid) AS (
        SELECT pg_catalog.unnest($1::oid[])
        UNION SELECT next.oid FROM emptied CROSS JOIN LATERAL (
            SELECT k.conrelid FROM pg_catalog.pg_constraint k
             WHERE k.contype = 'f' AND k.confrelid = emptied.oid
            UNION ALL
            SELECT i.inhrelid FROM pg_catalog.pg_inherits i WHERE i.inhparent = emptied.oid) next(oid))
    SELECT emptied.oid FROM emptied JOIN pg_catalog.pg_class c ON c.oid = emptied.oid
     WHERE NOT c.relispartition AND $2::text IS NULL";
const READERS: &str = "
    WITH RECURSIVE readers(oid) AS (
        SELECT r.ev_class FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
          LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
               AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          LEFT JOIN pg_catalog.pg_constraint k ON k.oid = d.refobjid
               AND d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass
         WHERE d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
           AND (d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = ANY ($1::oid[])
                    AND ($2::text IS NULL OR a.attname::text = $2)
                OR k.conrelid = ANY ($1::oid[]) AND k.conname::text = $2)
        UNION SELECT r.ev_class FROM readers JOIN pg_catalog.pg_depend d ON d.refobjid = readers.oid
           AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
          JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid)
    SELECT readers.oid FROM readers";
const DEFAULTS: &str = "
    SELECT DISTINCT f.adrelid FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef f ON f.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass
       AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
       AND d.refobjid = ANY ($1::oid[]) AND $2::text IS NULL";
const UNDER: &str = "
    WITH RECURSIVE under(oid) AS (
        SELECT pg_catalog.unnest($1::oid[])
        UNION SELECT d.refobjid FROM under
          JOIN pg_catalog.pg_class c ON c.oid = under.oid AND c.relkind = 'v'
          JOIN pg_catalog.pg_rewrite r ON r.ev_class = under.oid
          JOIN pg_catalog.pg_depend d ON d.objid = r.oid
           AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
    SELECT under.oid FROM under WHERE $2::text IS NULL";

/// What the database knows a name by, where it is looked up in the search path; none if it has nothing of that name.
pub(super) async fn name(
    client: &Client,
    on: &On,
    gathered: &mut Gathered,
) -> Result<Option<u32>, Error> {
    let sql = match on {
        On::Relation(_) | On::Index(_) => "SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
        On::Schema(_) => "SELECT pg_catalog.to_regnamespace($1)::pg_catalog.oid",
        On::Type(_) => "SELECT pg_catalog.to_regtype($1)::pg_catalog.oid",
        On::Statistics(_) | On::Publication(_) | On::Owned(_) | On::Database | On::Untold(_) => {
            return Ok(None);
        }
    };
    let shown = shown(on);
    let rows = gathered.query(client, &format!("what {shown} is"), (sql, &[&quoted(shown)])).await?;
    let oid = rows.as_deref().and_then(<[Row]>::first).and_then(|row| row.get::<_, Option<u32>>(0));
    if oid.is_none() {
        gathered
            .unknown(format!("{shown}, which is locked, is not there or Tyer's role cannot see it"));
    }
    Ok(oid)
}

/// The relations of one lock; none if the database did not say, or has nothing of that name.
pub(super) async fn find(
    client: &Client,
    (lock, oid): (&Lock, Option<u32>),
    gathered: &mut Gathered,
) -> Result<Option<Vec<Found>>, Error> {
    let Some(rows) = roots(client, &lock.on, oid, gathered).await? else { return Ok(None) };
    let why = why(&lock.on);
    let mut found = Vec::new();
    for row in &rows {
        let index: Option<String> = row.get(1);
        let is_other = matches!(lock.on, On::Index(_)) && index.is_none();
        let mode = if is_other { Mode::AccessExclusive } else { lock.mode };
        let through = index.map(|index| format!("its index {index} is locked"));
        found.push(Found {
            oid: row.get(0),
            mode,
            work: lock.work,
            parts: lock.parts,
            through: through.or_else(|| why.clone()),
        });
    }
    let roots: Vec<u32> = found.iter().map(|one| one.oid).collect();
    for along in &lock.along {
        found.extend(further(client, along, (&roots, shown(&lock.on)), gathered).await?);
    }
    Ok(Some(found))
}

/// What a lock itself is on.
async fn roots(
    client: &Client,
    on: &On,
    oid: Option<u32>,
    gathered: &mut Gathered,
) -> Result<Option<Vec<Row>>, Error> {
    let (name, role) = (quoted(shown(on)), shown(on));
    let value: &(dyn ToSql + Sync) = match (on, &oid) {
        (On::Statistics(_) | On::Publication(_), _) => &name,
        // Roles are not dotted.
        (On::Owned(_), _) => &role,
        (_, Some(oid)) => oid,
        (_, None) => return Ok(None),
    };
    let sql = match on {
        On::Relation(_) | On::Index(_) | On::Database | On::Untold(_) => RELATION,
        On::Schema(_) => SCHEMA,
        On::Type(_) => TYPE,
        On::Statistics(_) => STATISTICS,
        On::Publication(_) => PUBLICATION,
        On::Owned(_) => OWNED,
    };
    let asked = format!("what of {role} is locked");
    gathered.query(client, &asked, (sql, &[value])).await
}

/// Why relations that the text does not name are locked.
fn why(on: &On) -> Option<String> {
    Some(match on {
        On::Relation(_) | On::Index(_) | On::Database | On::Untold(_) => return None,
        On::Schema(name) => format!("it is in the schema {name}"),
        On::Type(name) => format!("it has a column of the type {name}"),
        On::Statistics(name) => format!("the statistics {name} are about it"),
        On::Publication(name) => format!("the publication {name} has it"),
        On::Owned(role) => format!("{role} owns it"),
    })
}

fn shown(on: &On) -> &str {
    match on {
        On::Relation(name)
        | On::Index(name)
        | On::Schema(name)
        | On::Type(name)
        | On::Statistics(name)
        | On::Publication(name)
        | On::Owned(name) => name,
        On::Database | On::Untold(_) => "",
    }
}

/// What is locked in one direction from these.
async fn further(
    client: &Client,
    along: &Along,
    (roots, name): (&[u32], &str),
    gathered: &mut Gathered,
) -> Result<Vec<Found>, Error> {
    let Along { to, mode, work } = along;
    let none: Option<String> = None;
    let (sql, by, why) = match to {
        To::Above => (ABOVE, &none, format!("{name} is a partition of it, or stands beside it")),
        To::Default => (DEFAULT, &none, format!("it is the default partition of {name}")),
        To::Referred(by) => (REFERRED, by, format!("a foreign key ties it to {name}")),
        To::Referring(by) => (REFERRING, by, format!("a foreign key ties it to {name}")),
        To::Emptied => (EMPTIED, &none, format!("its foreign key leads to {name}")),
        To::Readers(by) => (READERS, by, format!("it reads {name}")),
        To::Defaults => (DEFAULTS, &none, format!("its default takes from {name}")),
        To::Under => (UNDER, &none, format!("{name} reads it")),
    };
    let asked = format!("what else is locked with {name}");
    let values: [&(dyn ToSql + Sync); 2] = [&roots, by];
    let rows = gathered.query(client, &asked, (sql, &values)).await?.unwrap_or_default();
    let oids = rows.iter().map(|row| row.get::<_, u32>(0)).filter(|oid| !roots.contains(oid));
    // What is above is locked by itself; other parts of it are not.
    let parts = match to {
        To::Above | To::Readers(_) | To::Defaults | To::Under => Parts::Alone,
        To::Default | To::Referred(_) | To::Referring(_) | To::Emptied => Parts::Partitions,
    };
    let found = |oid| Found { oid, mode: *mode, work: *work, parts, through: Some(why.clone()) };
    Ok(oids.map(found).collect())
}
