//! What the locks that a text names come to on this database: which tables, of which size, and who is in front.
//!
//! Until the database has answered, the card says what the text says.

mod find;

use tokio_postgres::{Client, Error, Row};
use tyer_core::limits::LOCKS_MAX;
use tyer_core::locks::{Ahead, Lock, Work};
use tyer_wire::postgres::probe;
use tyer_wire::postgres::understand::{self, Mode, On, Parts};

use super::{Gathered, number};

/// One relation that is locked, as far as it was found.
#[derive(Clone, Debug)]
struct Found {
    oid: u32,
    mode: Mode,
    work: Work,
    parts: Parts,
    through: Option<String>,
}

/// A relation with its parts: their names, number, numbers and bytes. The size is only asked for where it counts, since
/// that waits for whoever keeps everybody off.
const ABOUT: &str = "
    WITH RECURSIVE tree(oid) AS (
        SELECT $1::oid
        UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid
                JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
         WHERE $2 = 'all' OR $2 = 'partitions' AND c.relispartition),
    filled AS (
        SELECT c.oid FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
         WHERE c.relkind IN ('r', 'm', 't'))
    SELECT n.nspname::text, c.relname::text, (SELECT count(*) FROM tree)::int8 - 1,
           (SELECT pg_catalog.array_agg(tree.oid) FROM tree),
           CASE $3 WHEN 'table' THEN
                (SELECT COALESCE(sum(pg_catalog.pg_table_size(f.oid)), 0)::int8 FROM filled f)
            WHEN 'all' THEN
                (SELECT COALESCE(sum(pg_catalog.pg_total_relation_size(f.oid)), 0)::int8 FROM filled f) END
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = $1";

/// Sessions with a lock on one of them that is in the way, or that wait for one, and the age of their oldest transaction
/// in milliseconds; null if one of them is not to be seen.
const AHEAD: &str = "
    SELECT pg_catalog.count(DISTINCT l.virtualtransaction),
           CASE WHEN NOT COALESCE(pg_catalog.bool_or(a.xact_start IS NULL), false) THEN
                (EXTRACT(epoch FROM pg_catalog.clock_timestamp() - min(a.xact_start)) * 1000)::int8 END
      FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
     WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
       AND l.relation = ANY ($1::oid[]) AND l.mode = ANY ($2::text[])
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                          WHERE d.datname = pg_catalog.current_database())";

/// What the text says, without the database.
pub(super) fn named(locks: &[understand::Lock], gathered: &mut Gathered) {
    for lock in locks {
        if let On::Untold(why) = &lock.on {
            gathered.unknown(format!("which locks it takes: {why}"));
            continue;
        }
        let all = lock.in_words().map(|(name, mode, work)| plain(name, mode, work));
        gathered.facts.locks.extend(all);
    }
    gathered.facts.locks.truncate(LOCKS_MAX);
}

/// Whatever is asked from here on is asked in the server's own words.
const OWN: &str = "SET search_path TO pg_catalog";

/// Looks for what is locked. Names mean what they do for the session; nothing else is looked up in its search path, where
/// an agent may have put things. Nothing is changed before all of it was found.
pub(super) async fn ask(
    client: &Client,
    locks: &[understand::Lock],
    gathered: &mut Gathered,
) -> Result<(), Error> {
    let mut found: Vec<Found> = Vec::new();
    let mut listed = Vec::new();
    let mut named = Vec::new();
    for lock in locks {
        named.push(find::name(client, &lock.on, gathered).await?);
    }
    client.batch_execute(OWN).await?;
    for (lock, oid) in locks.iter().zip(named) {
        match lock.on {
            On::Untold(_) => {}
            On::Database => listed.push(whole(client, lock, gathered).await?),
            _ => match find::find(client, (lock, oid), gathered).await? {
                Some(more) => more.into_iter().for_each(|one| join(&mut found, one)),
                // It may be there all the same, so what the text says stays.
                None => {
                    listed.extend(lock.in_words().map(|(name, mode, work)| plain(name, mode, work)))
                }
            },
        }
    }
    let more = found.len().saturating_sub(LOCKS_MAX);
    if more > 0 {
        // The strongest first, since the rest is not listed.
        found.sort_by_key(|one| std::cmp::Reverse((one.mode, one.work)));
        gathered.unknown(format!("{more} more relations are locked and not listed"));
    }
    for one in found.into_iter().take(LOCKS_MAX) {
        listed.extend(about(client, one, gathered).await?);
    }
    gathered.facts.locks = listed;
    Ok(())
}

/// One line for each relation: the stronger lock, for the longer work.
fn join(found: &mut Vec<Found>, one: Found) {
    match found.iter_mut().find(|known| known.oid == one.oid) {
        Some(known) => {
            known.mode = known.mode.max(one.mode);
            known.work = known.work.max(one.work);
            known.parts = known.parts.max(one.parts);
        }
        None => found.push(one),
    }
}

fn plain(name: String, mode: Mode, work: Work) -> Lock {
    Lock {
        name,
        mode: mode.as_str().to_owned(),
        blocks: mode.blocks(),
        work,
        through: None,
        parts: 0,
        identity: None,
        bytes: None,
        ahead: None,
    }
}

/// Every table of the database, one after another.
async fn whole(
    client: &Client,
    lock: &understand::Lock,
    gathered: &mut Gathered,
) -> Result<Lock, Error> {
    let size = "SELECT pg_catalog.pg_database_size(pg_catalog.current_database())";
    let rows = gathered.query(client, "how large the database is", (size, &[])).await?;
    let bytes = rows.as_deref().and_then(<[Row]>::first).and_then(|row| number(row, 0));
    let name = "every table of the database, one after another".to_owned();
    Ok(Lock { bytes, ..plain(name, lock.mode, lock.work) })
}

async fn about(client: &Client, one: Found, gathered: &mut Gathered) -> Result<Option<Lock>, Error> {
    let Found { oid, mode, work, parts, through } = one;
    let size = match work {
        Work::Instant | Work::Untold => "",
        // What is read is the table; what is built or written is more.
        Work::Read => "table",
        Work::Build | Work::Rewrite => "all",
    };
    let parts = match parts {
        Parts::Alone => "",
        Parts::Partitions => "partitions",
        Parts::All => "all",
    };
    let asked = "what is locked, and how large it is";
    let rows = match gathered.query(client, asked, (ABOUT, &[&oid, &parts, &size])).await? {
        Some(rows) => rows,
        // Somebody may keep everybody off; its name can be had in any case.
        None => gathered.query(client, asked, (ABOUT, &[&oid, &parts, &""])).await?.unwrap_or_default(),
    };
    let Some(row) = rows.first() else { return Ok(None) };
    let name = probe::dotted(row.get(0), row.get(1));
    let tree: Vec<u32> = row.get(3);
    Ok(Some(Lock {
        through,
        parts: number(row, 2).unwrap_or_default(),
        identity: Some(u64::from(oid)),
        bytes: number(row, 4),
        ahead: ahead(client, (&name, &tree), mode, gathered).await?,
        ..plain(name, mode, work)
    }))
}

async fn ahead(
    client: &Client,
    (name, tree): (&str, &[u32]),
    mode: Mode,
    gathered: &mut Gathered,
) -> Result<Option<Ahead>, Error> {
    let modes: Vec<&str> = mode.conflicts().iter().map(|mode| mode.in_pg_locks()).collect();
    let asked = format!("who uses {name} so that a lock on it has to wait");
    let rows = gathered.query(client, &asked, (AHEAD, &[&tree, &modes])).await?;
    let Some(row) = rows.as_deref().and_then(<[Row]>::first) else { return Ok(None) };
    Ok(Some(Ahead { sessions: number(row, 0).unwrap_or_default(), oldest_ms: number(row, 1) }))
}
