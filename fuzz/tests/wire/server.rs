//! A model of the server, as far as it matters what runs: names, portals, transactions and `COPY`.
//!
//! It takes what the session sends and fails if it is made to plan or run anything but what was asked about
//! ("Message Flow" and "Extended Query" in the PostgreSQL documentation). It knows what became of each
//! change, so that outcomes can be compared.

use std::collections::{BTreeSet, HashMap, VecDeque};

use tyer_wire::postgres::decode::{self, Bind, Decoder, Frame, Parse, Side, Target};
use tyer_wire::postgres::encode;

/// What was asked about and answered by yes.
#[derive(Clone, Debug)]
pub(crate) struct Cleared {
    pub(crate) leaf: u64,
    pub(crate) sql: String,
    pub(crate) values: Vec<Vec<u8>>,
    /// It was asked about as something that can't be seen through.
    pub(crate) is_opaque: bool,
    /// What it is about has no text: a name that only the server knows.
    pub(crate) is_nameless: bool,
}

#[derive(Clone, Debug)]
struct Statement {
    sql: String,
    /// It was read while `standard_conforming_strings` was off.
    is_odd: bool,
}

#[derive(Clone, Debug)]
struct Portal {
    statement: Statement,
    values: Vec<Vec<u8>>,
    rows: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Bound,
    Suspended,
    Finished,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Block {
    #[default]
    Idle,
    Open,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copying {
    Simple(u64),
    Extended(u64),
}

/// An answer, and the type of the message that it is to.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) to: u8,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Debug, Default)]
pub(crate) struct Server {
    statements: HashMap<Vec<u8>, Statement>,
    portals: HashMap<Vec<u8>, Portal>,
    skipping: bool,
    block: Block,
    copying: Option<Copying>,
    /// Whether `standard_conforming_strings` is off now, was when the transaction began, and is known to be.
    is_odd: (bool, bool, bool),
    cleared: Option<Cleared>,
    /// The name of the statement is taken already.
    taken: bool,
    pub(crate) answers: VecDeque<Answer>,
    /// Leaves whose change is not committed yet.
    open: BTreeSet<u64>,
    /// Leaves whose change stands.
    pub(crate) stands: BTreeSet<u64>,
    /// Leaves whose change was taken back by a transaction in which nothing ran that was not seen through: that
    /// may have committed it, so it counts as done.
    pub(crate) undone: BTreeSet<u64>,
    /// Those of the transaction that has not ended.
    lost: BTreeSet<u64>,
    /// Whether something ran in it that was not seen through.
    is_foggy: bool,
}

/// What stands for the type of a `Parse` whose name is taken already.
pub(crate) const TAKEN: u8 = b'=';

/// What came of running something.
type Ran = Result<&'static str, ()>;

/// Texts that touch nothing but the session: they may be bound unasked.
const LOCAL: [&str; 8] = [
    "select 1",
    "deallocate a",
    "deallocate all",
    "begin",
    "commit",
    "rollback",
    "fetch 1 from a",
    "set standard_conforming_strings to off",
];
/// A read of more than one row.
const READ: &str = "select n from orders";
const ROWS: u32 = 3;

fn name(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().take(63).copied().collect()
}

impl Server {
    /// Takes bytes that leave together, and what they may run.
    pub(crate) fn take(&mut self, bytes: &[u8], cleared: Option<Cleared>) {
        self.cleared = cleared;
        let mut decoder = Decoder::new(Side::Agent);
        decoder.push(bytes);
        while let Some(frame) = decoder.frame().expect("what is sent is the protocol") {
            self.message(&frame);
        }
        assert_eq!(decoder.pending(), 0, "what is sent are whole messages");
        self.cleared = None;
    }

    fn answer(&mut self, to: u8, tag: u8, body: &[u8]) {
        let bytes = encode::message(tag, |out| out.extend(body));
        self.answers.push_back(Answer { to, bytes });
    }

    fn message(&mut self, frame: &Frame<'_>) {
        match (frame.tag(), self.copying) {
            (b'd' | b'c' | b'f', None) => {}
            (b'd', Some(_)) if !frame.bytes().ends_with(b"bad") => {}
            (b'S' | b'H', Some(_)) => {}
            (tag, Some(copying)) => self.copied(tag, copying),
            (b'S', None) => {
                self.skipping = false;
                self.ready(b'S');
            }
            (_, None) if self.skipping => {}
            (b'Q', None) => self.query(decode::query(frame.body()).expect("a text")),
            (tag, None) => {
                let done = match tag {
                    b'P' => self.parse(&Parse::decode(frame.body()).expect("fields")),
                    b'B' => self.bind(&Bind::decode(frame.body()).expect("fields")),
                    b'E' => self.execute(frame),
                    b'D' => self.describe(frame),
                    b'C' => self.close(frame),
                    b'H' => Ok(()),
                    tag => panic!("{} reached the server", char::from(tag)),
                };
                if done.is_err() {
                    let taken = std::mem::take(&mut self.taken);
                    self.error(if taken { TAKEN } else { tag });
                    self.skipping = true;
                }
            }
        }
    }

    /// The end of a `COPY`; whatever has no place in it makes it fail, and is lost.
    fn copied(&mut self, tag: u8, copying: Copying) {
        self.copying = None;
        let (to, leaf) = match copying {
            Copying::Simple(leaf) => (b'Q', leaf),
            Copying::Extended(leaf) => (b'E', leaf),
        };
        if tag == b'c' {
            self.open.insert(leaf);
            self.answer(to, b'C', b"COPY 1\0");
        } else {
            self.error(to);
        }
        match copying {
            Copying::Simple(_) => self.ready(b'Q'),
            Copying::Extended(_) => self.skipping = tag != b'c',
        }
    }

    fn error(&mut self, to: u8) {
        self.answer(to, b'E', b"SERROR\0VERROR\0CXX000\0Mfailed\0\0");
        self.roll_back();
        if self.block != Block::Idle {
            self.block = Block::Failed;
        }
    }

    fn roll_back(&mut self) {
        self.lost.append(&mut self.open);
        self.portals.clear();
        self.is_odd.0 = self.is_odd.1;
    }

    fn commit(&mut self) {
        self.stands.append(&mut self.open);
        self.portals.clear();
        self.is_odd.1 = self.is_odd.0;
    }

    /// The transaction has ended.
    fn end(&mut self) {
        let lost = std::mem::take(&mut self.lost);
        if !std::mem::take(&mut self.is_foggy) {
            self.undone.extend(lost);
        }
    }

    fn ready(&mut self, to: u8) {
        if self.block == Block::Idle {
            self.commit();
            self.end();
        }
        if self.is_odd.2 != self.is_odd.0 {
            self.is_odd.2 = self.is_odd.0;
            let value: &[u8] = if self.is_odd.0 { b"off\0" } else { b"on\0" };
            self.answer(to, b'S', &[b"standard_conforming_strings\0", value].concat());
        }
        let status = match self.block {
            Block::Idle => b"I",
            Block::Open => b"T",
            Block::Failed => b"E",
        };
        self.answer(to, b'Z', status);
    }

    fn query(&mut self, sql: &[u8]) {
        let sql = String::from_utf8(sql.to_vec()).expect("UTF-8");
        self.statements.remove(&b""[..]);
        self.portals.remove(&b""[..]);
        let statement = Statement { sql, is_odd: self.is_odd.0 };
        let leaf = self.may(&statement, &[]);
        match self.run(&statement.sql, leaf) {
            Ok("") => {
                self.copying = leaf.map(Copying::Simple);
                return self.answer(b'Q', b'G', &[0; 3]);
            }
            Ok(tag) => self.answer(b'Q', b'C', tag.as_bytes()),
            Err(()) => self.error(b'Q'),
        }
        self.ready(b'Q');
    }

    /// The leaf under which this may run; only what must fail may run without.
    fn may(&mut self, statement: &Statement, values: &[Vec<u8>]) -> Option<u64> {
        if statement.sql == "SELECT \"tyer_refused\"" {
            return None;
        }
        let cleared = self.cleared.take();
        let cleared = cleared.unwrap_or_else(|| panic!("ran unasked: {statement:?} {values:?}"));
        self.compare(&cleared, statement, values);
        if cleared.is_opaque || cleared.is_nameless {
            self.is_foggy = true;
        }
        Some(cleared.leaf)
    }

    fn compare(&self, cleared: &Cleared, statement: &Statement, values: &[Vec<u8>]) {
        let is_same = cleared.sql == statement.sql && cleared.values == values;
        assert!(is_same || cleared.is_nameless, "asked: {cleared:?}, ran: {statement:?} {values:?}");
        assert!(cleared.is_opaque || !statement.is_odd, "read as it was not: {statement:?}");
    }

    fn run(&mut self, sql: &str, leaf: Option<u64>) -> Ran {
        if self.block == Block::Failed && !matches!(sql, "commit" | "rollback") {
            return Err(());
        }
        match sql {
            "select 1" => Ok("SELECT 1\0"),
            READ => Ok("SELECT 3\0"),
            "delete from orders" | "delete from orders where id = $1" => {
                self.open.extend(leaf);
                Ok("DELETE 1\0")
            }
            "copy orders from stdin" => Ok(""),
            "prepare a as delete from orders" => {
                let statement =
                    Statement { sql: "delete from orders".to_owned(), is_odd: self.is_odd.0 };
                let before = self.statements.insert(b"a".to_vec(), statement);
                match before {
                    None => Ok("PREPARE\0"),
                    Some(before) => {
                        self.statements.insert(b"a".to_vec(), before);
                        Err(())
                    }
                }
            }
            "execute a" => match self.statements.get(&b"a"[..]) {
                Some(body) if body.sql != sql => {
                    let body = body.sql.clone();
                    self.run(&body, leaf)
                }
                _ => Err(()),
            },
            "deallocate a" => self.statements.remove(&b"a"[..]).map(|_| "DEALLOCATE\0").ok_or(()),
            "deallocate all" => {
                self.statements.retain(|name, _| name.is_empty());
                Ok("DEALLOCATE ALL\0")
            }
            "fetch 1 from a" => {
                let portal = self.portals.get_mut(&b"a"[..]).ok_or(())?;
                let sql = &*portal.statement.sql;
                let is_read = sql.starts_with("select ");
                // A portal is not run by itself.
                let is_free = is_read || LOCAL.contains(&sql);
                assert!(is_free || portal.stage != Stage::Bound, "run by FETCH: {portal:?}");
                if !is_read {
                    return Err(());
                }
                portal.rows = portal.rows.saturating_sub(1);
                Ok("FETCH 1\0")
            }
            "set standard_conforming_strings to off" => {
                self.is_odd.0 = true;
                Ok("SET\0")
            }
            "begin" => {
                self.block = Block::Open;
                Ok("BEGIN\0")
            }
            "commit" if self.block != Block::Failed => {
                self.commit();
                self.block = Block::Idle;
                Ok("COMMIT\0")
            }
            "commit" | "rollback" => {
                self.roll_back();
                self.block = Block::Idle;
                Ok("ROLLBACK\0")
            }
            _ => Err(()),
        }
    }

    fn parse(&mut self, parse: &Parse<'_>) -> Result<(), ()> {
        let sql = String::from_utf8(parse.sql.to_vec()).expect("UTF-8");
        let key = name(parse.name);
        if key.is_empty() {
            self.statements.remove(&key);
        }
        let is_end = matches!(&*sql, "commit" | "rollback");
        let is_wrong = sql.starts_with("selec ") || sql.contains("tyer_refused");
        if is_wrong || self.block == Block::Failed && !is_end {
            return Err(());
        }
        if self.statements.contains_key(&key) {
            self.taken = true;
            return Err(());
        }
        self.statements.insert(key, Statement { sql, is_odd: self.is_odd.0 });
        self.answer(b'P', b'1', b"");
        Ok(())
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Result<(), ()> {
        let key = name(bind.portal);
        if key.is_empty() {
            self.portals.remove(&key);
        }
        let statement = self.statements.get(&name(bind.statement)).cloned().ok_or(())?;
        let is_end = matches!(&*statement.sql, "commit" | "rollback");
        let values: Vec<_> =
            bind.values.iter().map(|value| value.unwrap_or_default().to_vec()).collect();
        if self.block == Block::Failed && !is_end {
            return Err(());
        }
        if !LOCAL.contains(&&*statement.sql) || statement.is_odd {
            let cleared = self.cleared.as_ref();
            let cleared =
                cleared.unwrap_or_else(|| panic!("planned unasked: {statement:?} {values:?}"));
            self.compare(cleared, &statement, &values);
        }
        if self.portals.contains_key(&key) || values.len() != usize::from(statement.sql.contains("$1"))
        {
            return Err(());
        }
        let rows = if statement.sql == READ { ROWS } else { 0 };
        self.portals.insert(key, Portal { statement, values, rows, stage: Stage::Bound });
        self.answer(b'B', b'2', b"");
        Ok(())
    }

    fn execute(&mut self, frame: &Frame<'_>) -> Result<(), ()> {
        let (portal, rows_max) = decode::execute(frame.body()).expect("fields");
        let key = name(portal);
        let mut portal = self.portals.get(&key).cloned().ok_or(())?;
        let is_read = portal.statement.sql == READ;
        // A query that has run to its end is not run again by this ("Extended Query"): there are no more rows of it.
        let is_over = is_read && portal.stage == Stage::Finished;
        let goes_on = is_over || portal.stage == Stage::Suspended;
        if !goes_on || self.cleared.is_some() {
            let leaf = self.may(&portal.statement, &portal.values);
            if portal.stage == Stage::Finished && !portal.statement.sql.starts_with("select ") {
                return Err(());
            }
            // While it runs, and once it has, nothing else runs it.
            if let Some(known) = self.portals.get_mut(&key).filter(|_| !is_read) {
                known.stage = Stage::Finished;
            }
            let tag = self.run(&portal.statement.sql, leaf)?;
            if tag.is_empty() {
                self.copying = leaf.map(Copying::Extended);
                self.answer(b'E', b'G', &[0; 3]);
                return Ok(());
            }
            if !is_read {
                self.answer(b'E', b'C', tag.as_bytes());
            }
        } else if self.block == Block::Failed {
            return Err(());
        }
        let suspends = is_read && rows_max > 0 && rows_max <= portal.rows;
        if is_read {
            let rows = if suspends { rows_max } else { portal.rows };
            portal.rows -= rows;
            match suspends {
                true => self.answer(b'E', b's', b""),
                false => self.answer(b'E', b'C', format!("SELECT {rows}\0").as_bytes()),
            }
        }
        portal.stage = if suspends { Stage::Suspended } else { Stage::Finished };
        // The end of a transaction has taken it away.
        if let Some(known) = self.portals.get_mut(&key) {
            *known = portal;
        }
        Ok(())
    }

    fn describe(&mut self, frame: &Frame<'_>) -> Result<(), ()> {
        let (target, asked) = decode::target(frame.body()).expect("fields");
        match target {
            Target::Statement if self.statements.contains_key(&name(asked)) => {
                self.answer(b'D', b't', &[0; 2]);
            }
            Target::Portal if self.portals.contains_key(&name(asked)) => {}
            _ => return Err(()),
        }
        self.answer(b'D', b'n', b"");
        Ok(())
    }

    fn close(&mut self, frame: &Frame<'_>) -> Result<(), ()> {
        let (target, asked) = decode::target(frame.body()).expect("fields");
        match target {
            Target::Statement => drop(self.statements.remove(&name(asked))),
            Target::Portal => drop(self.portals.remove(&name(asked))),
        }
        self.answer(b'C', b'3', b"");
        Ok(())
    }

    /// Whether it takes `COPY` data.
    pub(crate) fn wants_data(&self) -> bool {
        self.copying.is_some()
    }
}
