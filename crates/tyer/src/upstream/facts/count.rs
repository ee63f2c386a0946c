//! How many rows: what the planner estimates, and what a counting query says.

use std::error::Error as StdError;

use bytes::BytesMut;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Error};
use tyer_core::facts::Counted;
use tyer_core::limits::COUNTED_ROWS_MAX;
use tyer_wire::postgres::identity::{Parameters, Value};
use tyer_wire::postgres::probe::Condition;

use super::{Gathered, Statement, Table, guard};

/// Names in a counting query mean the server's own; policies of rows would be an error; and it does not take long.
const NARROW: &str = "
    SELECT pg_catalog.set_config('search_path', 'pg_catalog', false),
           pg_catalog.set_config('row_security', 'off', false),
           pg_catalog.set_config('statement_timeout', '700', false)";

/// Asks the planner how many rows the statement touches, unless that is in doubt.
pub(super) async fn plan(
    client: &Client,
    statement: &Statement,
    doubt: Option<&str>,
    gathered: &mut Gathered,
) -> Result<(), Error> {
    if let Some(doubt) = doubt {
        gathered.unknown(format!(
            "how many rows, as the planner estimates: it was not asked, since {doubt}"
        ));
        return Ok(());
    }
    let all: Vec<usize> = (1..=statement.parameters.values.len()).collect();
    let sql = format!("EXPLAIN (FORMAT JSON) {}", statement.sql);
    let touched = match bound(client, &sql, &statement.parameters, &all).await {
        Ok(answer) => answer.and_then(|plan| top(&plan)),
        Err(error) => {
            gathered.refused(&error).ok_or(error)?;
            None
        }
    };
    match (touched, gathered.facts.relations.as_mut_slice()) {
        (Some(touched), [only]) => only.touched = Some(touched),
        _ => gathered.unknown("the planner gave no estimate of the rows"),
    }
    Ok(())
}

/// The planner's estimate of the rows that the statement's top node works on.
fn top(plan: &str) -> Option<u64> {
    let plan: serde_json::Value = serde_json::from_str(plan).ok()?;
    let top = plan.pointer("/0/Plan");
    // A statement that changes rows reports none itself; its input does.
    let node = top.and_then(|top| top.pointer("/Plans/0")).or(top);
    node.and_then(|node| node.get("Plan Rows")).and_then(serde_json::Value::as_u64)
}

/// Counts rows with the parameters of one statement, until one count took too long.
pub(super) struct Counter<'a> {
    client: &'a Client,
    parameters: &'a Parameters,
    is_slow: bool,
}

/// What is counted: rows of a table that a query gives.
pub(super) struct Question<'a> {
    pub(super) table: &'a Table,
    /// Columns that it compares, and types that it casts to.
    pub(super) columns: Vec<String>,
    pub(super) types: Vec<String>,
    /// The query that gives the rows, if there is one.
    pub(super) rows: Option<String>,
    /// The parameters that it takes.
    pub(super) parameters: Vec<usize>,
}

impl<'a> Question<'a> {
    /// Rows of the table that a condition lets through.
    pub(super) fn of(table: &'a Table, condition: &Condition) -> Self {
        let owned = |names: Vec<&str>| names.into_iter().map(ToOwned::to_owned).collect();
        Self {
            table,
            columns: owned(condition.columns()),
            types: owned(condition.types()),
            rows: condition.rows((&table.schema, &table.name), &[]),
            parameters: condition.parameters(),
        }
    }
}

impl<'a> Counter<'a> {
    /// From here on the connection only counts.
    pub(super) async fn new(client: &'a Client, parameters: &'a Parameters) -> Result<Self, Error> {
        client.query(NARROW, &[]).await?;
        Ok(Self { client, parameters, is_slow: false })
    }

    /// The number, up to a bound; or why there is none.
    pub(super) async fn count(
        &mut self,
        question: &Question<'_>,
        gathered: &mut Gathered,
    ) -> Result<Result<Counted, String>, Error> {
        if self.is_slow {
            return Ok(Err("counting others took too long".to_owned()));
        }
        let named = (question.columns.as_slice(), question.types.as_slice());
        if let Some(why) = guard::uncountable(self.client, question.table, named, gathered).await? {
            return Ok(Err(why));
        }
        let Some(rows) = &question.rows else {
            return Ok(Err("its condition cannot be put into words again".to_owned()));
        };
        let sql = format!("SELECT count(*)::text FROM ({rows} LIMIT {COUNTED_ROWS_MAX}) AS counted");
        match bound(self.client, &sql, self.parameters, &question.parameters).await {
            Ok(answer) => Ok(answer
                .and_then(|rows| rows.parse().ok())
                .map(|rows| match rows {
                    COUNTED_ROWS_MAX.. => Counted::AtLeast(rows),
                    _ => Counted::Exactly(rows),
                })
                .ok_or_else(|| "its parameters are of types that are not the server's own".to_owned())),
            Err(error) => {
                self.is_slow = error.code() == Some(&SqlState::QUERY_CANCELED);
                let why = gathered.refused(&error).ok_or(error)?;
                Ok(Err(why.to_owned()))
            }
        }
    }
}

/// The only value that a query gives with these of the statement's parameters, as text; none if they are not all there,
/// or of a type that is not the server's own.
async fn bound(
    client: &Client,
    sql: &str,
    parameters: &Parameters,
    taken: &[usize],
) -> Result<Option<String>, Error> {
    let (mut types, mut values) = (Vec::new(), Vec::new());
    for number in taken {
        let at = number.wrapping_sub(1);
        let declared = parameters.types.get(at).copied().filter(|oid| *oid != 0);
        let (Some(kind), Some(value)) =
            (declared.map_or(Some(Type::UNKNOWN), Type::from_oid), parameters.values.get(at))
        else {
            return Ok(None);
        };
        types.push(kind);
        values.push(Raw(value));
    }
    let statement = client.prepare_typed(sql, &types).await?;
    let values: Vec<&(dyn ToSql + Sync)> =
        values.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
    let rows = client.query(&statement, &values).await?;
    rows.first().map(|row| row.try_get::<_, Text>(0).map(|text| text.0)).transpose()
}

/// A parameter exactly as the agent gave it.
#[derive(Debug)]
struct Raw<'a>(&'a Value);

impl ToSql for Raw<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match &self.0.bytes {
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        if self.0.binary { Format::Binary } else { Format::Text }
    }

    to_sql_checked!();
}

/// A value whose binary form is its text, such as `text` and `json`.
struct Text(String);

impl<'a> FromSql<'a> for Text {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TEXT | Type::JSON)
    }
}
