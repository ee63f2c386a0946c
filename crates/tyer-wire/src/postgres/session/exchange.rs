//! What Tyer asks of the server in between: statements of its own in one pipeline, and their answers.
//!
//! They go by the extended protocol under a name of their own, so that the agent's unnamed statement and portal
//! live on. Names of objects and operators are qualified, so that no search path leads them elsewhere.

use std::collections::{BTreeMap, BTreeSet};

use tyer_core::ceilings::Measured;
use tyer_core::limits::MESSAGE_BYTES_MAX;

use crate::postgres::decode::{DecodeError, Fields, Frame, command_tag, ready_status};
use crate::postgres::encode;
use crate::postgres::probe::identifier;
use crate::postgres::session::Fatal;

/// The name of our statements and portals; no client makes one up by chance.
const NAME: &[u8] = b"\x01tyer";

/// Whether rows are counted.
pub(super) const COUNTING: &str = "SHOW track_counts";
/// Rows that this transaction has touched so far, and what earlier ones have not reported yet.
pub(super) const COUNTS: &str = "SELECT relid, schemaname, relname, n_tup_ins, n_tup_upd, n_tup_del \
    FROM pg_catalog.pg_stat_xact_user_tables WHERE n_tup_ins OPERATOR(pg_catalog.>) 0::pg_catalog.int8 \
    OR n_tup_upd OPERATOR(pg_catalog.>) 0::pg_catalog.int8 \
    OR n_tup_del OPERATOR(pg_catalog.>) 0::pg_catalog.int8";
/// Partitions and heirs, with what is above them.
pub(super) const HEIRS: &str = "SELECT inhrelid, inhparent FROM pg_catalog.pg_inherits";
/// Sets the search path up to the end of the transaction, or of the mark.
pub(super) const PATH: &str = "SELECT pg_catalog.set_config('search_path', $1, true)";
/// Has deferred triggers run now, so that what they do is counted.
pub(super) const CONSTRAINTS: &str = "SET CONSTRAINTS ALL IMMEDIATE";

/// Rows created, changed and destroyed in this transaction, by relation.
pub(super) type Counts = BTreeMap<u64, Measured>;

/// The partitioned tables and ancestors of each relation that has any.
pub(super) type Above = BTreeMap<u64, BTreeSet<u64>>;

/// One row of an answer, as text.
pub(super) type Row = Vec<Option<String>>;
/// The rows of one answer.
pub(super) type Rows = Vec<Row>;

/// One statement of our own.
#[derive(Debug)]
pub(super) struct Own {
    bytes: Vec<u8>,
    must_fail: bool,
}

impl Own {
    pub(super) fn plain(sql: &str) -> Self {
        Self::with(sql, &[])
    }

    /// With one value.
    pub(super) fn of(sql: &str, value: &str) -> Self {
        Self::with(sql, &[value])
    }

    /// A message that must fail.
    pub(super) fn failing(message: Vec<u8>) -> Self {
        Self { bytes: message, must_fail: true }
    }

    fn with(sql: &str, values: &[&str]) -> Self {
        // What an error left behind of the one before.
        let mut bytes = encode::close_portal(NAME);
        bytes.extend(encode::close_statement(NAME));
        bytes.extend(encode::parse(NAME, sql.as_bytes(), &[]));
        bytes.extend(encode::bind(NAME, NAME, values));
        bytes.extend(encode::execute(NAME));
        bytes.extend(encode::close_portal(NAME));
        bytes.extend(encode::close_statement(NAME));
        Self { bytes, must_fail: false }
    }
}

/// The statements as one pipeline.
pub(super) fn own(statements: impl IntoIterator<Item = Own>) -> Vec<u8> {
    let mut bytes: Vec<u8> = statements.into_iter().flat_map(|own| own.bytes).collect();
    bytes.extend(encode::sync());
    bytes
}

/// What the server said to such a pipeline.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// The rows of each statement.
    pub(super) results: Vec<Rows>,
    /// The tag of each.
    pub(super) tags: Vec<String>,
    /// The first error, as it came.
    pub(super) error: Option<Vec<u8>>,
    /// The transaction status at the end.
    pub(super) status: u8,
}

/// The answers so far.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// Statements that are answered unless one fails.
    statements: usize,
    answered: Answered,
    rows: Vec<u8>,
}

impl Exchange {
    /// For the answers to these.
    pub(super) fn of(statements: &[Own]) -> Self {
        let answered = statements.iter().filter(|own| !own.must_fail).count();
        Self { statements: answered, ..Self::default() }
    }

    /// Takes a message; at the last one all that was said.
    pub(super) fn take(&mut self, frame: &Frame<'_>) -> Result<Option<Answered>, Fatal> {
        match frame.tag() {
            // Rows come in pieces, or several at once.
            b'D' if self.rows.len() + frame.bytes().len() <= MESSAGE_BYTES_MAX => {
                self.rows.extend_from_slice(frame.bytes());
            }
            b'C' => {
                self.answered.results.push(rows(&std::mem::take(&mut self.rows))?);
                self.answered.tags.push(command_tag(frame.body())?);
            }
            b'E' => {
                self.rows.clear();
                self.answered.error.get_or_insert_with(|| frame.bytes().to_vec());
            }
            b'Z' => {
                let status = ready_status(frame.body())?;
                let is_whole = self.answered.results.len() == self.statements;
                if !is_whole && self.answered.error.is_none() {
                    return Err(Fatal::Upstream(b'Z'));
                }
                return Ok(Some(Answered { status, ..std::mem::take(&mut self.answered) }));
            }
            b'1' | b'2' | b'3' | b'n' => {}
            tag => return Err(Fatal::Upstream(tag)),
        }
        Ok(None)
    }
}

/// `DataRow` messages one behind the other, in text format.
fn rows(mut bytes: &[u8]) -> Result<Rows, DecodeError> {
    let mut found = Rows::new();
    while !bytes.is_empty() {
        let mut message = Fields::new(bytes, "DataRow");
        message.byte()?;
        let length = usize::try_from(message.u32()?).unwrap_or(usize::MAX).saturating_sub(4);
        let mut fields = Fields::new(message.take(length)?, "DataRow");
        bytes = message.rest();
        let mut row = Vec::new();
        for _ in 0..fields.i16()? {
            let length = fields.u32()?;
            // The length of NULL is -1.
            row.push(if length == u32::MAX {
                None
            } else {
                let value = fields.take(usize::try_from(length).unwrap_or(usize::MAX))?;
                Some(String::from_utf8_lossy(value).into_owned())
            });
        }
        fields.end()?;
        found.push(row);
    }
    Ok(found)
}

/// Keeps a table from being dropped or altered, as its request would. Other kinds of relations cannot be locked, nor
/// can a table of which the role may only update columns.
pub(super) fn lock(row: &[Option<String>]) -> Option<String> {
    let [_, _, Some(kind), Some(schema), Some(name), _, _, Some(may), ..] = row else { return None };
    if !matches!(kind.as_str(), "r" | "p") || may != "true" {
        return None;
    }
    let (schema, name) = (identifier(schema), identifier(name));
    Some(format!("LOCK TABLE {schema}.{name} IN ROW EXCLUSIVE MODE"))
}

fn count(row: &[Option<String>]) -> Option<Measured> {
    let [Some(identity), Some(schema), Some(name), Some(created), Some(changed), Some(destroyed)] = row
    else {
        return None;
    };
    Some(Measured {
        name: format!("{schema}.{name}"),
        identity: identity.parse().ok()?,
        created: created.parse().ok()?,
        changed: changed.parse().ok()?,
        destroyed: destroyed.parse().ok()?,
    })
}

fn heir(row: &[Option<String>]) -> Option<(u64, u64)> {
    let [Some(heir), Some(parent)] = row else { return None };
    Some((heir.parse().ok()?, parent.parse().ok()?))
}

pub(super) fn counts(rows: &[Row]) -> Counts {
    rows.iter().filter_map(|row| count(row)).map(|it| (it.identity, it)).collect()
}

/// The partitioned tables and ancestors of each relation that has any.
pub(super) fn above(rows: &[Row]) -> Above {
    let pairs: Vec<(u64, u64)> = rows.iter().filter_map(|row| heir(row)).collect();
    let mut above = Above::new();
    for (heir, parent) in &pairs {
        above.entry(*heir).or_default().insert(*parent);
    }
    // One level further up each time, until nothing is added.
    loop {
        let mut more = Vec::new();
        for (heir, ups) in &above {
            let higher = ups.iter().filter_map(|up| above.get(up)).flatten();
            more.extend(higher.filter(|up| !ups.contains(up)).map(|up| (*heir, *up)));
        }
        if more.is_empty() {
            return above;
        }
        for (heir, up) in more {
            above.entry(heir).or_default().insert(up);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        let check = |(kind, may): (&str, &str), name: &str, expect: Option<&str>| {
            let row =
                ["1", "7", kind, "a b", name, "", "false", may].map(|field| Some(field.to_owned()));
            assert_eq!(lock(&row).as_deref(), expect);
        };
        check(("r", "true"), "x", Some("LOCK TABLE \"a b\".\"x\" IN ROW EXCLUSIVE MODE"));
        let evil = "x\" IN ACCESS EXCLUSIVE MODE; DROP TABLE y --";
        let held = "LOCK TABLE \"a b\".\"x\"\" IN ACCESS EXCLUSIVE MODE; DROP TABLE y --\" IN ROW EXCLUSIVE MODE";
        check(("p", "true"), evil, Some(held));
        check(("v", "true"), "x", None);
        check(("r", "false"), "x", None);
        assert_eq!(lock(&[None]), None);
    }

    #[test]
    fn rows_are_read_whole() {
        let row = |values: &[Option<&str>]| {
            encode::message(b'D', |out| {
                out.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
                for value in values {
                    let length = value.map_or(u32::MAX, |it| u32::try_from(it.len()).unwrap());
                    out.extend(length.to_be_bytes());
                    out.extend(value.unwrap_or_default().as_bytes());
                }
            })
        };
        let bytes = [row(&[Some("1"), None]), row(&[]), row(&[Some("")])].concat();
        let expect = vec![vec![Some("1".to_owned()), None], vec![], vec![Some(String::new())]];
        assert_eq!(rows(&bytes), Ok(expect));
        for cut in 1..bytes.len() {
            // Never a panic; a whole row less is a row less.
            let whole = [row(&[Some("1"), None]).len(), bytes.len() - row(&[Some("")]).len()];
            assert_eq!(rows(&bytes[..cut]).is_ok(), whole.contains(&cut), "{cut}");
        }
    }
}
