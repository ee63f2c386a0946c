//! The consequences of a request, asked of the database over a side connection.
//!
//! The connection's transactions are read-only, its statements are bounded in time, and all of them together are.
//! Nothing is run that is being judged: a statement is planned (`EXPLAIN` without `ANALYZE`), and rows are counted,
//! only where no code of the database's own could take part ([`guard`]). What a question does not find out is said.

mod along;
mod code;
mod count;
mod depend;
mod guard;
mod locks;
mod meanings;
mod safety;
mod side;

use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row};
use tyer_core::facts::{Facts, RelationFacts};
use tyer_core::names::{Meant, Named};
use tyer_wire::postgres::probe::{self, Probe};

use self::meanings::Meanings;
use super::{DialError, Statement, Target};
use crate::gateway::About;

pub(super) use self::side::side_connection;

/// How long all questions together may take.
const FACTS_WAIT: Duration = Duration::from_secs(3);
/// Relations that a card says more about.
const RELATIONS_MAX: usize = 10;

/// A table, with what is part of it.
const SIZES: &str = "
    WITH RECURSIVE tree(oid) AS (
        SELECT $1::oid
        UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid),
    filled AS (
        SELECT c.oid, c.reltuples FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
         WHERE c.relkind IN ('r', 'm', 't'))
    SELECT n.nspname::text, c.relname::text,
           (SELECT CASE WHEN NOT bool_or(f.reltuples < 0) THEN sum(f.reltuples)::int8 END FROM filled f),
           (SELECT sum(pg_catalog.pg_total_relation_size(f.oid))::int8 FROM filled f),
           c.oid,
           EXISTS (SELECT FROM tree JOIN pg_catalog.pg_class f ON f.oid = tree.oid WHERE f.relkind = 'f')
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE c.oid = $1::oid";

/// What was found out.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) facts: Facts,
    /// The database did not answer every question: what is missing may be there all the same.
    pub(crate) is_partial: bool,
}

/// One table that the facts are about.
#[derive(Clone, Debug)]
struct Table {
    schema: String,
    name: String,
    oid: u32,
}

impl Table {
    /// As people are shown it.
    fn dotted(&self) -> String {
        probe::dotted(&self.schema, &self.name)
    }
}

/// What the text says, where no upstream is asked.
pub(super) fn unasked(about: &About) -> Gathered {
    let mut gathered = Gathered::default();
    let locks = about.statement.as_ref().map_or(&[][..], |statement| &statement.locks);
    locks::named(locks, &mut gathered);
    gathered
}

/// Asks what is known; never fails, says what stayed unknown.
pub(super) async fn gather(target: &Target, about: &About, agreed: Option<Arc<Meant>>) -> Gathered {
    let mut gathered = unasked(about);
    match tokio::time::timeout(FACTS_WAIT, ask(target, (about, agreed), &mut gathered)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "facts are incomplete");
            gathered.is_partial = true;
            gathered.unknown("the database did not answer every question about the consequences");
        }
        Err(_) => {
            gathered.is_partial = true;
            gathered.unknown("the database took too long to answer everything about the consequences");
        }
    }
    if about.relations.len() > RELATIONS_MAX {
        let more = about.relations.len() - RELATIONS_MAX;
        gathered.unknown(format!("{more} more tables are not described"));
    }
    gathered
}

async fn ask(
    target: &Target,
    (about, agreed): (&About, Option<Arc<Meant>>),
    gathered: &mut Gathered,
) -> Result<(), AskError> {
    // First, since the agent's connection has nothing else to do now.
    let here = about.here.meant().await.or(agreed);
    let client = side_connection(target).await?;
    if !about.text.is_empty() {
        code::ask(&client, (&about.text, about.defines), gathered).await?;
    }
    if let Some(statement) = &about.statement {
        settle(&client, statement).await?;
    }
    let meanings = meanings::ask(&client, about, here.as_deref(), gathered).await?;
    let mut tables = Vec::new();
    for named in gathered.written(about.relations.len().min(RELATIONS_MAX)) {
        if let Some(table) = sizes(&client, &named, gathered).await? {
            depend::ask(&client, &table, gathered).await?;
            tables.push(table);
        }
    }
    let Some(statement) = &about.statement else { return Ok(()) };
    if statement.locks_something() {
        if statement.in_transaction {
            gathered.unknown("when its locks end: that is when the session ends its open transaction");
        }
        locks::ask(&client, &statement.locks, gathered).await?;
    }
    if about.relations.is_empty() {
        return Ok(());
    }
    rows(&client, statement, (&tables, meanings), gathered).await?;
    for table in &tables {
        safety::in_use(&client, table, gathered).await?;
    }
    safety::ask(&client, target, gathered).await?;
    Ok(())
}

/// Rows that the statement touches, here and in tables that go along.
async fn rows(
    client: &Client,
    statement: &Statement,
    (tables, meanings): (&[Table], Meanings),
    gathered: &mut Gathered,
) -> Result<(), Error> {
    let probe = Probe::of(&statement.sql);
    let doubt = match meanings {
        Meanings::Differ => Some("its names mean something else on another connection".to_owned()),
        Meanings::Same => guard::of_statement(client, &probe, gathered).await?,
    };
    if statement.explainable && tables.len() == 1 {
        count::plan(client, statement, doubt.as_deref(), gathered).await?;
    }
    along::ask(client, (statement, &probe), (tables, doubt.as_deref()), gathered).await
}

/// Reads dates, times and names as the agent's session does.
async fn settle(client: &Client, statement: &Statement) -> Result<(), Error> {
    for name in ["DateStyle", "IntervalStyle", "TimeZone", "search_path"] {
        if let Some(value) = statement.settings.get(name) {
            client.execute("SELECT pg_catalog.set_config($1, $2, false)", &[&name, value]).await?;
        }
    }
    Ok(())
}

async fn sizes(
    client: &Client,
    named: &Named,
    gathered: &mut Gathered,
) -> Result<Option<Table>, Error> {
    let name = &named.name;
    let oid = named.means.as_ref().and_then(|means| u32::try_from(means.identity).ok());
    let about = format!("anything about {name}");
    let Some(rows) = gathered.query(client, &about, (SIZES, &[&oid])).await? else {
        return Ok(None);
    };
    let Some(row) = rows.first() else {
        gathered.unknown(format!("{name} is not a table that Tyer's role can see"));
        return Ok(None);
    };
    let table = Table { schema: row.get(0), name: row.get(1), oid: row.get(4) };
    gathered.facts.relations.push(RelationFacts {
        name: table.dotted(),
        rows: number(row, 2),
        bytes: number(row, 3),
        identity: Some(u64::from(table.oid)),
        elsewhere: row.get(5),
        ..RelationFacts::default()
    });
    Ok(Some(table))
}

/// A number that is not negative.
fn number(row: &Row, at: usize) -> Option<u64> {
    row.get::<_, Option<i64>>(at).and_then(|value| u64::try_from(value).ok())
}

impl Gathered {
    /// What the first names mean, which are those that lose or change rows.
    fn written(&self, count: usize) -> Vec<Named> {
        self.facts.names.iter().take(count).cloned().collect()
    }

    fn unknown(&mut self, what: impl Into<String>) {
        self.facts.unknown.push(what.into());
    }

    /// The facts of one of the tables that were found.
    fn of(&mut self, table: &Table) -> Option<&mut RelationFacts> {
        let identity = Some(u64::from(table.oid));
        self.facts.relations.iter_mut().find(|relation| relation.identity == identity)
    }

    /// The answer to one question, or none if the database refused it: that is then said, and the rest is asked all
    /// the same.
    async fn query(
        &mut self,
        client: &Client,
        about: &str,
        (sql, values): (&str, &[&(dyn ToSql + Sync)]),
    ) -> Result<Option<Vec<Row>>, Error> {
        match client.query(sql, values).await {
            Ok(rows) => Ok(Some(rows)),
            Err(error) => {
                let why = self.refused(&error).ok_or(error)?;
                self.unknown(format!("{about}: {why}"));
                Ok(None)
            }
        }
    }

    /// Why the database refused one question, unless the connection is gone. What may be answered another time
    /// leaves the facts incomplete.
    fn refused(&mut self, error: &Error) -> Option<&'static str> {
        let code = error.as_db_error()?.code().clone();
        tracing::info!(%error, "the database did not answer a question about consequences");
        self.is_partial |= code != SqlState::INSUFFICIENT_PRIVILEGE;
        Some(match code {
            SqlState::QUERY_CANCELED => "the database took too long",
            SqlState::LOCK_NOT_AVAILABLE => "somebody holds a lock on it",
            SqlState::INSUFFICIENT_PRIVILEGE => "Tyer's role may not read it",
            _ => "the database refused the question",
        })
    }
}

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Postgres(#[from] Error),
}
