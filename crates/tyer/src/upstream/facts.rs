//! The consequences of a request, asked of the database over a side connection.
//!
//! The connection's transaction is read-only and its statements are bounded in time. The planner is
//! asked about a statement (`EXPLAIN` without `ANALYZE`) only when the statement calls nothing that the
//! planner might run, and the database has nothing of its own that a view, an overload or an operator could
//! bring in: planning runs functions that are immutable or stable.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};
use tyer_core::facts::{Facts, RelationFacts};

use tyer_core::limits::STARTUP_BYTES_MAX;
use tyer_wire::postgres::encode;

use super::login::{self, LoggedIn};
use super::{DialError, Target};
use crate::gateway::About;

/// How long all questions together may take.
const FACTS_WAIT: Duration = Duration::from_secs(3);
/// Bytes on their way between the driver and the server.
const DUPLEX_BYTES: usize = 16 * 1024;
/// Relations that a card says more about.
const RELATIONS_MAX: usize = 10;

/// Dependents of one relation that a card lists.
const DEPENDENTS_MAX: usize = 20;

const SIZES: &str = "
    SELECT n.nspname || '.' || c.relname,
           CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::int8 END,
           CASE WHEN c.relkind IN ('r', 'p', 'm', 't') THEN pg_total_relation_size(c.oid) END,
           c.oid::int8
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = pg_catalog.to_regclass($1)";

const DEPENDENTS: &str = "
    SELECT c.conrelid::regclass::text || CASE c.confdeltype
             WHEN 'c' THEN ' (rows are deleted with it)'
             WHEN 'n' THEN ' (references are set to null)'
             WHEN 'd' THEN ' (references are set to the default)'
             ELSE ' (its foreign key blocks, unless CASCADE)' END
      FROM pg_catalog.pg_constraint c
     WHERE c.contype = 'f' AND c.confrelid = pg_catalog.to_regclass($1)
    UNION ALL
    SELECT DISTINCT r.ev_class::regclass::text || ' (reads it)'
      FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
     WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass
       AND d.refobjid = pg_catalog.to_regclass($1) AND r.ev_class <> d.refobjid
    UNION ALL
    SELECT 'trigger ' || t.tgname FROM pg_catalog.pg_trigger t
     WHERE t.tgrelid = pg_catalog.to_regclass($1) AND NOT t.tgisinternal
     ORDER BY 1";

/// Whether planning might run code of this database: it folds functions that are immutable or stable, and tries
/// operators on the commonest values. Compiled code of extensions was installed by whoever runs the server.
const OWN_CODE: &str = "
    WITH installed AS (
        SELECT d.classid, d.objid FROM pg_catalog.pg_depend d WHERE d.deptype = 'e')
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
         WHERE p.oid >= 16384 AND p.provolatile <> 'v' AND NOT (l.lanname IN ('c', 'internal') AND EXISTS (
            SELECT FROM installed i WHERE i.classid = 'pg_catalog.pg_proc'::regclass AND i.objid = p.oid))
    ) OR EXISTS (
        SELECT FROM pg_catalog.pg_operator o WHERE o.oid >= 16384 AND NOT EXISTS (
            SELECT FROM installed i WHERE i.classid = 'pg_catalog.pg_operator'::regclass AND i.objid = o.oid)
    )";
const NOT_PLANNED: &str =
    "how many rows: the planner was not asked, since it might run functions of this database";

/// What was found out.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) facts: Facts,
    /// The database did not answer every question: what is missing may be there all the same.
    pub(crate) is_partial: bool,
}

/// Asks what is known; never fails, says what stayed unknown.
pub(super) async fn gather(target: &Target, about: &About) -> Gathered {
    let (mut facts, mut is_partial) = (Facts::default(), true);
    match tokio::time::timeout(FACTS_WAIT, ask(target, about, &mut facts)).await {
        Ok(Ok(())) => is_partial = false,
        Ok(Err(error)) => {
            tracing::warn!(%error, "facts are incomplete");
            facts
                .unknown
                .push("the database did not answer every question about the consequences".to_owned());
        }
        Err(_) => {
            facts.unknown.push("the database took too long to answer about the consequences".to_owned())
        }
    }
    if about.relations.len() > RELATIONS_MAX {
        facts
            .unknown
            .push(format!("{} more tables are not described", about.relations.len() - RELATIONS_MAX));
    }
    Gathered { facts, is_partial }
}

/// A connection of Tyer's own, which the server keeps read-only.
pub(super) async fn side_connection(target: &Target) -> Result<Client, DialError> {
    let read_only = "-c default_transaction_read_only=on -c statement_timeout=2000 -c lock_timeout=500";
    let settings = [("application_name", "tyer facts"), ("options", read_only)];
    let logged_in = login::login(target, &settings).await?;
    let (ours, theirs) = tokio::io::duplex(DUPLEX_BYTES);
    tokio::spawn(async move {
        if let Err(error) = carry(logged_in, theirs).await {
            tracing::debug!(%error, "a side connection ended");
        }
    });
    let mut config = tokio_postgres::Config::new();
    config.user(&target.config.user);
    let refused = |error: tokio_postgres::Error| DialError::Refused(error.to_string());
    let (client, connection) = config.connect_raw(ours, NoTls).await.map_err(refused)?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a side connection ended");
        }
    });
    Ok(client)
}

/// Lets the driver in, since Tyer has logged in already and in its own way, and carries bytes.
async fn carry(logged_in: LoggedIn, mut driver: DuplexStream) -> io::Result<()> {
    let LoggedIn { mut stream, parameters, cancel, rest } = logged_in;
    let length = usize::try_from(driver.read_u32().await?).unwrap_or(usize::MAX);
    let mut startup = vec![0; length.saturating_sub(4).min(STARTUP_BYTES_MAX)];
    driver.read_exact(&mut startup).await?;
    let mut greeting = encode::authentication_ok();
    for (name, value) in &parameters {
        greeting.extend(encode::parameter_status(name, value));
    }
    // The driver is given no way to cancel: its statements are bounded in time.
    greeting.extend(encode::backend_key(cancel.process.cast_unsigned(), &[0; 4]));
    greeting.extend(encode::ready());
    greeting.extend(rest);
    driver.write_all(&greeting).await?;
    tokio::io::copy_bidirectional(&mut driver, &mut stream).await.map(drop)
}

async fn ask(target: &Target, about: &About, facts: &mut Facts) -> Result<(), AskError> {
    let client = side_connection(target).await?;
    for name in about.relations.iter().take(RELATIONS_MAX) {
        let Some(row) = client.query_opt(SIZES, &[name]).await? else {
            facts.unknown.push(format!("{name} is not a table that Tyer's role can see"));
            continue;
        };
        let count =
            |at: usize| row.get::<_, Option<i64>>(at).and_then(|value| u64::try_from(value).ok());
        let (rows, bytes) = (count(1), count(2));
        let dependents = client.query(DEPENDENTS, &[name]).await?;
        facts.relations.push(RelationFacts {
            name: row.get(0),
            rows,
            touched: None,
            bytes,
            dependents: dependents.iter().take(DEPENDENTS_MAX).map(|row| row.get(0)).collect(),
            identity: count(3),
        });
        if dependents.len() > DEPENDENTS_MAX {
            let more = dependents.len() - DEPENDENTS_MAX;
            facts.unknown.push(format!("{more} more objects depend on {name} and are not listed"));
        }
    }
    if let (Some(statement), [only]) = (&about.explain, facts.relations.as_mut_slice()) {
        let might_run: bool = client.query_one(OWN_CODE, &[]).await?.get(0);
        match if might_run { None } else { explain(&client, statement).await.ok() } {
            Some(touched) => only.touched = touched,
            None if might_run => facts.unknown.push(NOT_PLANNED.to_owned()),
            None => facts.unknown.push("the planner gave no estimate of the rows".to_owned()),
        }
    }
    Ok(())
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Postgres(#[from] tokio_postgres::Error),
}

/// The planner's estimate of the rows that the statement's top node works on.
async fn explain(client: &Client, statement: &str) -> Result<Option<u64>, tokio_postgres::Error> {
    let answer = client.simple_query(&format!("EXPLAIN (FORMAT JSON) {statement}")).await?;
    let text = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    let plan: serde_json::Value = serde_json::from_str(text.unwrap_or("null")).unwrap_or_default();
    let top = plan.pointer("/0/Plan");
    // A statement that changes rows reports none itself; its input does.
    let node = top.and_then(|top| top.pointer("/Plans/0")).or(top);
    Ok(node.and_then(|node| node.get("Plan Rows")).and_then(serde_json::Value::as_u64))
}
