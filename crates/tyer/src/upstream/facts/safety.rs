//! What a loss could be made good from, as far as the database knows, and who is at a table now.

use std::time::{SystemTime, UNIX_EPOCH};

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error, Row};
use tyer_core::facts::{InUse, Replica, Safety};
use tyer_core::intent::Timestamp;

use super::{Gathered, Table, number};
use crate::upstream::Target;

/// Replicas and applications that a card names.
const REPLICAS_MAX: usize = 10;
const APPLICATIONS_MAX: usize = 10;

const ARCHIVE: &str = "
    SELECT pg_catalog.current_setting('archive_mode'),
           (EXTRACT(epoch FROM a.last_archived_time) * 1000)::int8,
           COALESCE(a.last_failed_time > a.last_archived_time, a.last_failed_time IS NOT NULL)
      FROM pg_catalog.pg_stat_archiver a";
const REPLICAS: &str = "
    SELECT r.application_name, r.state, (EXTRACT(epoch FROM r.replay_lag) * 1000)::int8,
           pg_catalog.pg_wal_lsn_diff(CASE WHEN pg_catalog.pg_is_in_recovery()
                THEN pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END,
                r.replay_lsn)::int8
      FROM pg_catalog.pg_stat_replication r ORDER BY 1, 2";
/// Begins a transaction in which names mean what they do for the role, whatever was asked before.
const OWN: &str = "
    BEGIN TRANSACTION READ ONLY;
    SET LOCAL search_path TO DEFAULT;
    SET LOCAL row_security TO DEFAULT";
/// Sessions with a lock on a table, a part or an index of it.
const IN_USE: &str = "
    WITH RECURSIVE tree(oid) AS (
        SELECT $1::oid
        UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)
    SELECT pg_catalog.count(DISTINCT l.virtualtransaction),
           COALESCE(pg_catalog.array_agg(DISTINCT a.application_name)
                FILTER (WHERE a.application_name <> ''), '{}')
      FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
     WHERE l.locktype = 'relation' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
       AND l.relation IN (SELECT tree.oid FROM tree)
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                          WHERE d.datname = pg_catalog.current_database())";

/// Who uses a table now.
pub(super) async fn in_use(
    client: &Client,
    table: &Table,
    gathered: &mut Gathered,
) -> Result<(), Error> {
    let about = format!("who else uses {}", table.dotted());
    let found = gathered.query(client, &about, (IN_USE, &[&table.oid])).await?;
    let Some(row) = found.as_deref().and_then(<[Row]>::first) else { return Ok(()) };
    let mut applications: Vec<String> = row.get(1);
    applications.truncate(APPLICATIONS_MAX);
    let in_use = InUse { sessions: number(row, 0).unwrap_or_default(), applications };
    if let Some(relation) = gathered.of(table) {
        relation.in_use = Some(in_use);
    }
    Ok(())
}

/// Archive, backup and replicas.
pub(super) async fn ask(
    client: &Client,
    target: &Target,
    gathered: &mut Gathered,
) -> Result<(), Error> {
    let mut safety = Safety { replicas: replicas(client, gathered).await?, ..Safety::default() };
    safety.archived = archived(client, gathered).await?;
    gathered.facts.safety = Some(safety.clone());
    // Last, since what the operator's own question takes is not known.
    let backup = match &target.config.backup {
        Some(backup) => made(client, backup, gathered).await?,
        None => {
            gathered.unknown("when the last backup was made: no question for it is configured");
            None
        }
    };
    gathered.facts.safety = Some(Safety { backup, ..safety });
    Ok(())
}

async fn archived(client: &Client, gathered: &mut Gathered) -> Result<Option<Timestamp>, Error> {
    let about = "when the log was last archived";
    let found = gathered.query(client, about, (ARCHIVE, &[])).await?;
    let Some(row) = found.as_deref().and_then(<[Row]>::first) else { return Ok(None) };
    let (at, fails) = (row.get::<_, Option<i64>>(1), row.get::<_, bool>(2));
    if row.get::<_, &str>(0) == "off" {
        gathered.unknown(format!("{about}: the server archives nothing (archive_mode is off)"));
        return Ok(None);
    }
    if fails {
        gathered.unknown(
            "whether the log can be restored up to now: the last attempt to archive it failed",
        );
    }
    if at.is_none() {
        gathered.unknown(format!("{about}: not since the server began to count"));
    }
    Ok(at.map(Timestamp))
}

async fn replicas(client: &Client, gathered: &mut Gathered) -> Result<Option<Vec<Replica>>, Error> {
    let Some(rows) = gathered.query(client, "replicas", (REPLICAS, &[])).await? else {
        return Ok(None);
    };
    let replica = |row: &Row| {
        Some(Replica {
            name: row.get::<_, Option<String>>(0).unwrap_or_default(),
            state: row.get::<_, Option<String>>(1)?,
            lag_ms: number(row, 2),
            lag_bytes: number(row, 3),
        })
    };
    let seen: Option<Vec<Replica>> = rows.iter().take(REPLICAS_MAX).map(replica).collect();
    if seen.is_none() {
        let count = rows.len();
        gathered.unknown(format!(
            "how far behind the replicas are, {count} in all: Tyer's role may not see it (it is no member of pg_monitor)"
        ));
    } else if rows.len() > REPLICAS_MAX {
        gathered.unknown(format!("{} more replicas are not listed", rows.len() - REPLICAS_MAX));
    }
    Ok(seen)
}

/// What the operator's own question says.
async fn made(
    client: &Client,
    question: &str,
    gathered: &mut Gathered,
) -> Result<Option<Timestamp>, Error> {
    client.batch_execute(OWN).await?;
    let answer = moment(client, question).await;
    client.batch_execute("ROLLBACK").await?;
    let about = "when the last backup was made";
    match answer {
        Ok(Ok(at)) => return Ok(Some(at)),
        Ok(Err(why)) => gathered.unknown(format!("{about}: the configured question {why}")),
        Err(error) => {
            let why = gathered.refused(&error).ok_or(error)?;
            gathered.unknown(format!("{about}: {why} (the configured question failed)"));
        }
    }
    Ok(None)
}

/// The only value of the only row, if it is a moment; else what is wrong with it.
async fn moment(client: &Client, question: &str) -> Result<Result<Timestamp, &'static str>, Error> {
    let statement = client.prepare(question).await?;
    let is_moment = match statement.columns() {
        [only] => matches!(*only.type_(), Type::TIMESTAMP | Type::TIMESTAMPTZ),
        _ => false,
    };
    if !is_moment {
        return Ok(Err("does not give one timestamp"));
    }
    let rows = client.query(&statement, &[]).await?;
    let [row] = rows.as_slice() else { return Ok(Err("does not give exactly one row")) };
    let at = row.try_get::<_, Option<SystemTime>>(0)?;
    let since = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let ms = since.and_then(|since| i64::try_from(since.as_millis()).ok());
    Ok(ms.map(Timestamp).ok_or("gives no moment"))
}
