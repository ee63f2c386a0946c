//! What goes, counted: the rows of a statement's tables, and those of tables that go along by foreign keys.

use std::collections::BTreeMap;

use tokio_postgres::{Client, Error, Row};
use tyer_core::facts::{Cascade, Counted, How};
use tyer_wire::postgres::probe::{Along, Condition, Probe, Touch, identifier};

use super::count::{Counter, Question};
use super::{Gathered, Statement, Table, guard, number};

/// Tables that go along and are listed, and how far from the statement's own they may be.
const CASCADES_MAX: usize = 20;
const DEPTH_MAX: usize = 6;

/// Foreign keys to a table or a part of it. Those that the server keeps for parts of a partitioned table are left out
/// where it has the one that they come from.
const FOREIGN_KEYS: &str = "
    WITH RECURSIVE tree(oid) AS (
        SELECT $1::oid
        UNION SELECT i.inhrelid FROM tree JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid)
    SELECT n.nspname::text, c.relname::text, c.oid,
           CASE WHEN c.reltuples < 0 OR c.relkind = 'p' THEN NULL ELSE c.reltuples::int8 END,
           k.confdeltype::text, k.confupdtype::text,
           (SELECT pg_catalog.array_agg(a.attname::text ORDER BY key.at)
              FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY key(number, at)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = key.number),
           (SELECT pg_catalog.array_agg(a.attname::text ORDER BY key.at)
              FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY key(number, at)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = key.number)
      FROM pg_catalog.pg_constraint k
      JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_catalog.pg_constraint above ON above.oid = k.conparentid
     WHERE k.contype = 'f' AND k.confrelid IN (SELECT tree.oid FROM tree)
       AND (above.oid IS NULL OR above.confrelid NOT IN (SELECT tree.oid FROM tree))
     ORDER BY 1, 2, k.conname";

/// What starts it.
#[derive(Clone, Copy)]
enum Start<'a> {
    Delete,
    /// Rows change in these columns.
    Update(&'a [String]),
    Truncate,
}

/// Counts what the statement does to its tables, and finds and counts what goes along.
pub(super) async fn ask(
    client: &Client,
    (statement, probe): (&Statement, &Probe),
    (tables, doubt): (&[Table], Option<&str>),
    gathered: &mut Gathered,
) -> Result<(), Error> {
    let all = Condition::all();
    let (condition, start) = match &probe.touch {
        Touch::Delete(condition) => (condition.as_ref(), Some(Start::Delete)),
        Touch::Update { condition, columns } => (condition.as_ref(), Some(Start::Update(columns))),
        Touch::Truncate(Along::Cascades) => (Some(&all), Some(Start::Truncate)),
        Touch::Truncate(Along::Restricts) | Touch::Drop(_) => (Some(&all), None),
        Touch::Other => return Ok(()),
    };
    let mut counter = Counter::new(client, &statement.parameters).await?;
    let about_rows = matches!(start, Some(Start::Delete | Start::Update(_)));
    for table in tables {
        let counted = match (condition, doubt) {
            (_, Some(doubt)) => Err(doubt.to_owned()),
            (None, None) => Err("its condition does more than compare columns with values".to_owned()),
            (Some(condition), None) => counter.count(&Question::of(table, condition), gathered).await?,
        };
        let why = counted.as_ref().err();
        if let Some(why) = why.filter(|_| about_rows || tables.len() == 1) {
            gathered.unknown(format!("how many rows of {}: not counted, since {why}", table.dotted()));
        }
        let counted = counted.ok();
        if statement.in_transaction && counted.is_some() {
            gathered.unknown("what the open transaction has changed already is not in the counts");
        }
        if let Some(relation) = gathered.of(table) {
            relation.counted = counted;
        }
        let keys = condition.filter(|_| about_rows).map(|condition| Rows::of(table, condition));
        if let Some(start) = start {
            let origin = Origin { table, keys, counted, start };
            let mut search = Search { client, counter: &mut counter, gathered, seen: Vec::new() };
            search.seen.push(table.oid);
            search.from(origin).await?;
        }
    }
    Ok(())
}

/// Rows of a table, as a query.
#[derive(Clone)]
enum Rows {
    /// Those that a condition lets through.
    Condition(Table, Condition),
    /// Those that refer to others.
    Referring { table: Table, test: String, parameters: Vec<usize> },
}

impl Rows {
    fn of(table: &Table, condition: &Condition) -> Self {
        Self::Condition(table.clone(), condition.clone())
    }

    /// The query that gives these columns, or one for each row.
    fn select(&self, columns: &[String]) -> Option<String> {
        match self {
            Self::Condition(table, condition) => condition.rows((&table.schema, &table.name), columns),
            Self::Referring { table, test, .. } => {
                let columns = if columns.is_empty() { "1".to_owned() } else { listed(columns) };
                let (schema, name) = (identifier(&table.schema), identifier(&table.name));
                Some(format!("SELECT {columns} FROM {schema}.{name} WHERE {test}"))
            }
        }
    }

    fn parameters(&self) -> Vec<usize> {
        match self {
            Self::Condition(_, condition) => condition.parameters(),
            Self::Referring { parameters, .. } => parameters.clone(),
        }
    }
}

/// One table whose rows go, and by what.
struct Origin<'a> {
    table: &'a Table,
    keys: Option<Rows>,
    counted: Option<Counted>,
    start: Start<'a>,
}

/// A table that goes along, with the foreign keys by which it does: its columns and those that they refer to.
struct Next {
    table: Table,
    rows: Option<u64>,
    how: How,
    keys: Vec<(Vec<String>, Vec<String>)>,
}

struct Search<'a, 'c> {
    client: &'a Client,
    counter: &'a mut Counter<'c>,
    gathered: &'a mut Gathered,
    seen: Vec<u32>,
}

impl Search<'_, '_> {
    /// Everything that goes along with one table, near before far.
    async fn from(&mut self, origin: Origin<'_>) -> Result<(), Error> {
        let top = origin.table;
        let mut level = vec![(origin.table.clone(), origin.keys, origin.counted, origin.start)];
        for _ in 0..DEPTH_MAX {
            let mut below = Vec::new();
            for (table, keys, counted, start) in level {
                for next in self.nexts(top, &table, start).await? {
                    let listed: usize =
                        self.gathered.facts.relations.iter().map(|it| it.cascades.len()).sum();
                    if listed >= CASCADES_MAX {
                        self.gathered.unknown("more tables go along and are not listed");
                        return Ok(());
                    }
                    let rows = next.rows_of(keys.as_ref(), start);
                    let counted = self.count(&table, &next, rows.as_ref(), counted).await?;
                    self.put(top, &next, counted);
                    match (next.how, start) {
                        (How::Deleted, _) => below.push((next.table, rows, counted, Start::Delete)),
                        (How::Emptied, _) => below.push((next.table, None, counted, Start::Truncate)),
                        (How::Changed | How::Dropped, _) => {}
                    }
                }
            }
            if below.is_empty() {
                return Ok(());
            }
            level = below;
        }
        self.gathered.unknown("what goes along was not followed to its end");
        Ok(())
    }

    fn put(&mut self, top: &Table, next: &Next, counted: Option<Counted>) {
        let cascade = Cascade {
            name: next.table.dotted(),
            identity: u64::from(next.table.oid),
            how: next.how,
            rows: next.rows,
            counted,
        };
        if let Some(relation) = self.gathered.of(top) {
            relation.cascades.push(cascade);
        }
    }

    /// The tables that go along with one, each once; that one comes round to itself is said.
    async fn nexts(
        &mut self,
        top: &Table,
        table: &Table,
        start: Start<'_>,
    ) -> Result<Vec<Next>, Error> {
        let about = format!("what goes along with {}", table.dotted());
        let found = self.gathered.query(self.client, &about, (FOREIGN_KEYS, &[&table.oid])).await?;
        let mut nexts: BTreeMap<(u32, How), Next> = BTreeMap::new();
        for row in found.unwrap_or_default() {
            let Some(how) = how(&row, start) else { continue };
            let next = Next::of(&row, how);
            if self.seen.contains(&next.table.oid) {
                let name = next.table.dotted();
                self.gathered.unknown(format!(
                    "how many more rows of {name} go along with {}: they refer to each other",
                    top.dotted()
                ));
                continue;
            }
            let keys = next.keys.clone();
            let entry = nexts.entry((next.table.oid, how)).or_insert(Next { keys: Vec::new(), ..next });
            entry.keys.extend(keys);
        }
        self.seen.extend(nexts.keys().map(|(oid, _)| oid));
        Ok(nexts.into_values().collect())
    }

    async fn count(
        &mut self,
        from: &Table,
        next: &Next,
        rows: Option<&Rows>,
        of_origin: Option<Counted>,
    ) -> Result<Option<Counted>, Error> {
        let about = format!("how many rows of {} go along", next.table.dotted());
        let (Some(rows), Some(origin)) = (rows, of_origin) else {
            self.gathered.unknown(format!("{about}: those of {} were not counted", from.dotted()));
            return Ok(None);
        };
        match (origin, next.how) {
            (Counted::Exactly(0), How::Deleted | How::Changed) => {
                return Ok(Some(Counted::Exactly(0)));
            }
            (Counted::AtLeast(_), How::Deleted | How::Changed) => {
                self.gathered.unknown(format!("{about}: {} has too many to look", from.dotted()));
                return Ok(None);
            }
            (Counted::Exactly(_) | Counted::AtLeast(_), _) => {}
        }
        let oids = [next.table.oid];
        let doubt = guard::of_tables(self.client, &oids, self.gathered).await?;
        let referred = |(_, referred): &(Vec<String>, Vec<String>)| referred.clone();
        let keys: Vec<String> = next.keys.iter().flat_map(referred).collect();
        let doubt = match doubt {
            Some(doubt) => Some(doubt),
            None => guard::uncountable(self.client, from, (&keys, &[]), self.gathered).await?,
        };
        let counted = match doubt {
            Some(doubt) => Err(doubt),
            None => self.counter.count(&next.question(rows), self.gathered).await?,
        };
        if let Err(why) = &counted {
            self.gathered.unknown(format!("{about}: not counted, since {why}"));
        }
        Ok(counted.ok())
    }
}

impl Next {
    fn of(row: &Row, how: How) -> Self {
        Self {
            table: Table { schema: row.get(0), name: row.get(1), oid: row.get(2) },
            rows: number(row, 3),
            how,
            keys: vec![(row.get(6), row.get(7))],
        }
    }

    /// The rows that go along with those.
    fn rows_of(&self, from: Option<&Rows>, start: Start<'_>) -> Option<Rows> {
        if matches!(start, Start::Truncate) {
            return Some(Rows::of(&self.table, &Condition::all()));
        }
        let from = from?;
        let tests: Option<Vec<String>> = self
            .keys
            .iter()
            .map(|(own, referred)| Some(format!("({}) IN ({})", listed(own), from.select(referred)?)))
            .collect();
        Some(Rows::Referring {
            table: self.table.clone(),
            test: tests?.join(" OR "),
            parameters: from.parameters(),
        })
    }

    fn question<'a>(&'a self, rows: &Rows) -> Question<'a> {
        Question {
            table: &self.table,
            columns: self.keys.iter().flat_map(|(own, _)| own.clone()).collect(),
            types: Vec::new(),
            rows: rows.select(&[]),
            parameters: rows.parameters(),
        }
    }
}

/// What a foreign key does, if it does something.
fn how(row: &Row, start: Start<'_>) -> Option<How> {
    let of = |word: &str| match word {
        "c" => Some(How::Deleted),
        "n" | "d" => Some(How::Changed),
        _ => None,
    };
    match start {
        Start::Truncate => Some(How::Emptied),
        Start::Delete => of(row.get(4)),
        Start::Update(columns) => {
            let referred: Vec<String> = row.get(7);
            let changes = referred.iter().any(|column| columns.contains(column));
            of(row.get(5)).filter(|_| changes).map(|_| How::Changed)
        }
    }
}

fn listed(columns: &[String]) -> String {
    columns.iter().map(|column| identifier(column)).collect::<Vec<_>>().join(", ")
}
