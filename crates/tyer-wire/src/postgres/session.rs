//! The relay between one agent and its upstream, as a state machine over frames.
//!
//! What would run is asked about first: a whole `Query`, or an `Execute` with the text and parameters
//! of its portal, each time anew. The messages of a pipeline are held back until its first `Execute`
//! is answered, because the server plans at `Bind`, and planning can run functions; a read that is
//! bound and not executed is asked about too. What is refused is replaced by a text that must fail, and
//! the server's error by Tyer's: the server itself then skips to `Sync`, aborts the transaction and
//! reports the right status ("Message Flow" in the PostgreSQL documentation).
//!
//! INVARIANT: text of SQL that runs leaves only as a [`Run`], which only [`Session::cleared`] makes; a
//! [`Chore`] carries protocol messages, statements that are merely parsed, and refused texts.

mod agent;
mod bound;
mod enforced;
mod exchange;
mod expect;
mod fatal;
mod kept;
mod looking;
mod names;
mod owned;
mod pipeline;
mod prepared;
mod question;
#[cfg(test)]
mod tests;
mod transaction;
mod understood;
mod upstream;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tyer_core::ceilings::Measured;
use tyer_core::intent::Digest;
use tyer_core::verdict::LeafIndex;

use self::enforced::Ground;
use self::expect::{Awaits, CopyData, Expect, Known};
pub use self::fatal::Fatal;
use self::kept::Kept;
use self::looking::Looking;
use self::names::Names;
use self::owned::Owned;
pub use self::owned::{Excess, Owning, Turn};
pub use self::question::Question;
use self::question::{Portal, Prepared};
use self::transaction::Savepoints;
pub use self::understood::Understood;
pub use self::upstream::{Pass, Relay};
use super::decode::{self, Frame};
use super::encode;
use super::identity::Scope;
use super::refuse::Answer;
use super::understand::Understanding;

/// Names no column, so analysing it fails whatever the database holds.
const REFUSED_SQL: &[u8] = b"SELECT \"tyer_refused\"";
/// Never comes into being; a name only spares the unnamed statement.
const REFUSED_NAME: &[u8] = b"tyer_refused";
/// Messages of one connection that may wait for the server's answers.
const IN_FLIGHT_MAX: usize = 65_536;
/// Settings, as the server reports them, that decide what a text means.
const MEANING: [&str; 6] = [
    "client_encoding",
    "standard_conforming_strings",
    "search_path",
    "DateStyle",
    "IntervalStyle",
    "TimeZone",
];

/// Bytes for the upstream that run nothing of the agent's.
#[derive(Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Chore(Vec<u8>);

impl Chore {
    /// The bytes; none if there is nothing to send.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Bytes for the upstream that run exactly what was asked about.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Run {
    digest: Digest,
    leaf: LeafIndex,
    bytes: Vec<u8>,
    is_bounded: bool,
}

impl Run {
    /// The identity of the request that they run.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The leaf under which they may leave.
    #[must_use]
    pub fn leaf(&self) -> LeafIndex {
        self.leaf
    }

    /// Whether what they run is counted, and taken back where it is more than it may be.
    #[must_use]
    pub fn is_bounded(&self) -> bool {
        self.is_bounded || self.bytes.is_empty()
    }

    /// The bytes; none if an earlier error makes the server skip the request anyway.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What follows from a message of the agent.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// Nothing yet.
    Nothing,
    /// Not taken: hand in the same frame again after the upstream's next message.
    Later,
    /// Not taken either: this goes to the upstream, and then the same.
    First(Chore),
    /// This goes to the upstream.
    Send(Chore),
    /// This is to be decided, and answered by [`Session::cleared`] or [`Session::refused`].
    Ask(Box<Question>),
    /// The agent says goodbye; this goes to the upstream and the connection ends.
    Finish(Chore),
}

/// The transaction status that the server last reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No transaction.
    Idle,
    /// In a transaction.
    Open,
    /// In a transaction that has failed.
    Failed,
}

impl Status {
    /// As the server writes it.
    fn of(byte: u8) -> Result<Self, Fatal> {
        match byte {
            b'I' => Ok(Self::Idle),
            b'T' => Ok(Self::Open),
            b'E' => Ok(Self::Failed),
            _ => Err(Fatal::Upstream(b'Z')),
        }
    }
}

/// Why the agent's messages are dropped up to the next `Sync`, as the server drops them.
#[derive(Debug)]
enum Skipping {
    /// Something was refused.
    Refused,
    /// The server reported an error with this code.
    Errored(String),
}

/// A message that waits for the decision on its pipeline.
#[derive(Debug)]
struct Held {
    bytes: Vec<u8>,
    expect: Expect,
}

/// The open question.
#[derive(Debug)]
struct Asked {
    digest: Digest,
    bytes: Vec<u8>,
    what: Awaits,
    understanding: Arc<Understanding>,
}

/// How sure it is that texts are read as the server will read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Sure: the settings are as the server reported them.
    Settled,
    /// Sure until the open transaction ends, which may take back what was set in it.
    Bound,
    /// Settings may have changed that the server has not reported yet.
    Unsettled,
}

impl Reading {
    /// The server has reported every change there was.
    fn reported(self, status: Status) -> Self {
        match (self, status) {
            (Self::Settled, _) | (_, Status::Idle) => Self::Settled,
            (Self::Bound | Self::Unsettled, Status::Open | Status::Failed) => Self::Bound,
        }
    }
}

/// What was executed of a pipeline that is not synced yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ran {
    Nothing,
    Something,
    /// Something in a transaction of its own, so that nothing later can take it back.
    Apart,
}

/// What the session does by itself about what it cannot vouch for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stance {
    /// It refuses.
    Enforces,
    /// It asks about it as opaque.
    Observes,
}

/// One connection's relay, after authentication.
#[derive(Debug)]
pub struct Session {
    scope: Scope,
    /// Its digest.
    place: Digest,
    status: Status,
    sent: u64,
    statements: Names<Arc<Prepared>>,
    portals: Names<Portal>,
    kept: Kept,
    expects: VecDeque<Expect>,
    held: Vec<Held>,
    held_bytes: usize,
    skipping: Option<Skipping>,
    asked: Option<Asked>,
    known: Vec<Known>,
    /// The marks of the open transaction.
    savepoints: Savepoints,
    /// What becomes of the `CopyData` that is coming in pieces.
    copy_data: CopyData,
    /// Whether something of the pipeline was sent and no `Sync` yet.
    unsynced: bool,
    ran: Ran,
    /// The request under ceilings that is in hand.
    owned: Option<Owned>,
    /// What the request under ceilings did to rows, from when it lasts to when that is noted.
    did: Vec<Measured>,
    /// The question about names that is being answered.
    looking: Option<Looking>,
    /// Whether an error now would take back the whole pipeline.
    implicit: bool,
    reading: Reading,
    /// There may be cursors over code that was not seen through.
    hides_cursors: bool,
    /// By what the server itself refuses to write.
    ground: Ground,
    understood: Understood,
    /// Whether nothing is refused here: what enforcing would refuse is asked about as opaque.
    stance: Stance,
}

impl Session {
    /// A session at rest, in that scope. Its settings come by [`Session::setting`].
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self {
            place: scope.digest(),
            scope,
            status: Status::Idle,
            sent: 0,
            statements: Names::new(),
            portals: Names::new(),
            kept: Kept::default(),
            expects: VecDeque::new(),
            held: Vec::new(),
            held_bytes: 0,
            skipping: None,
            asked: None,
            known: Vec::new(),
            savepoints: Savepoints::default(),
            copy_data: CopyData::Dropped,
            unsynced: false,
            ran: Ran::Nothing,
            owned: None,
            did: Vec::new(),
            looking: None,
            implicit: true,
            reading: Reading::Settled,
            hides_cursors: false,
            ground: Ground::default(),
            understood: Understood::default(),
            stance: Stance::Enforces,
        }
    }

    /// The same session before an upstream that is only observed: it refuses nothing by itself. A `Bind`
    /// passes without its `Execute`; function calls, other encodings and what the parser does not know
    /// are asked about as opaque, and run if they are cleared. Bounds still hold.
    #[must_use]
    pub fn observing(self) -> Self {
        Self { stance: Stance::Observes, ..self }
    }

    fn observes(&self) -> bool {
        self.stance == Stance::Observes
    }

    /// A setting as the server reported it, at its start or later.
    pub fn setting(&mut self, name: &str, value: &str) {
        if MEANING.contains(&name) {
            self.scope.settings.insert(name.to_owned(), value.to_owned());
            self.place = self.scope.digest();
        }
        self.ground.reported(name, value);
    }

    /// The settings that decide what a text means, as the server reported them.
    #[must_use]
    pub fn settings(&self) -> &BTreeMap<String, String> {
        &self.scope.settings
    }

    /// The transaction status that the server last reported.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether nothing is in flight, held back or asked, and no transaction open: a good moment to
    /// end the connection.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        self.may_wait() && self.held.is_empty() && self.asked.is_none() && !self.ground.is_moving()
    }

    /// Takes a message of the agent.
    ///
    /// # Errors
    /// The connection can't go on.
    pub fn agent(&mut self, frame: &Frame<'_>) -> Result<Step, Fatal> {
        if self.asked.is_some() || self.looking.is_some() {
            let waits = self.owned.is_some() || self.asked.is_none();
            return match (waits, frame.tag()) {
                (false, _) => Err(Fatal::OutOfTurn),
                // They come in pieces, which cannot be put back.
                (true, b'd' | b'c' | b'f') => {
                    self.copy_data = CopyData::Dropped;
                    Ok(Step::Nothing)
                }
                (true, _) => Ok(Step::Later),
            };
        }
        if self.expects.len() > IN_FLIGHT_MAX {
            return Err(Fatal::TooMany);
        }
        if let Some(step) = self.in_turn(frame.tag())? {
            return Ok(step);
        }
        match frame.tag() {
            b'd' | b'c' | b'f' => Ok(self.copy(frame)),
            b'S' => Ok(self.sync(frame)),
            b'X' => Ok(Step::Finish(Chore(encode::terminate()))),
            b'Q' | b'P' | b'B' | b'D' | b'E' | b'C' | b'H' | b'F' if self.skipping.is_some() => {
                Ok(Step::Nothing)
            }
            b'Q' => self.query(frame),
            b'P' => self.parse(frame),
            b'B' => self.bind(frame),
            b'D' => decode::target(frame.body())
                .map(|_| self.keep(frame, Awaits::Describe))
                .map_err(Fatal::from),
            b'C' => self.close(frame),
            b'E' => self.execute(frame),
            b'H' => Ok(self.flush(frame)),
            b'F' if self.observes() => Ok(self.call(frame)),
            b'F' => Ok(self.refuse_query(
                Answer::new("0A000", "function calls outside of SQL are not supported")
                    .hint("Call the function by SELECT."),
            )),
            tag => Err(Fatal::Agent(tag)),
        }
    }

    /// The same session where the operator takes these functions for reads: `schema.name`.
    #[must_use]
    pub fn vouching(mut self, functions: Arc<BTreeSet<String>>) -> Self {
        self.understood = self.understood.vouching(functions);
        self
    }

    /// The open question is answered by yes, under that leaf: the bytes that may leave with it.
    ///
    /// # Errors
    /// That request was not asked about.
    pub fn cleared(&mut self, digest: Digest, leaf: LeafIndex) -> Result<Run, Fatal> {
        let asked = self.asked.take().filter(|asked| asked.digest == digest).ok_or(Fatal::OutOfTurn)?;
        if matches!(asked.what, Awaits::Bind { .. }) {
            return Ok(self.bind_cleared(&asked, leaf));
        }
        if let Some(Skipping::Errored(code)) = &self.skipping {
            let known = Known::failed(self.sent, leaf, code);
            self.known.push(known);
            return Ok(Run { digest, leaf, bytes: Vec::new(), is_bounded: false });
        }
        let mut bytes = Vec::new();
        self.release_all(&mut bytes);
        self.ground.cleared(&asked.understanding, asked.what.enforced());
        match asked.what {
            Awaits::Execute(_) => (self.unsynced, self.ran) = (true, Ran::Something),
            // It ends what was begun before it, as `Sync` does.
            _ => self.ends_pipeline(),
        }
        if bytes.is_empty() {
            bytes = asked.bytes;
        } else {
            bytes.extend(asked.bytes);
        }
        let is_bounded = self.owned.as_mut().is_some_and(Owned::runs);
        let is_waited_for = |running: &expect::Running| running.may_copy || is_bounded;
        if matches!(&asked.what, Awaits::Execute(running) if is_waited_for(running)) {
            // Nothing follows before it is known what it is, or did, so that is asked for.
            bytes.extend(encode::flush());
        }
        let unsettles = asked.understanding.acts.iter().any(question::unsettles);
        if unsettles || self.reading == Reading::Bound && asked.what.ends_transaction() {
            self.reading = Reading::Unsettled;
        }
        let expect = Expect { leaf: Some(leaf), ..self.expect(asked.what) };
        self.plan(&expect);
        self.expects.push_back(expect);
        Ok(Run { digest, leaf, bytes, is_bounded })
    }

    /// The open question is answered by no: the bytes that make the server fail in its place.
    ///
    /// # Errors
    /// Nothing was asked.
    pub fn refused(&mut self, answer: Answer) -> Result<Chore, Fatal> {
        let asked = self.asked.take().ok_or(Fatal::OutOfTurn)?;
        let mut out = Vec::new();
        match asked.what {
            Awaits::Bind { .. } => self.bind_refused(&asked, answer, &mut out),
            // The server skips it by itself.
            _ if self.skipping.is_some() => {}
            Awaits::Execute(running) => {
                let at = self.bind_of(&running.portal).unwrap_or(self.held.len());
                self.refuse_from(at, answer, &mut out);
            }
            _ => self.send_refused_query(answer, &mut out),
        }
        Ok(Chore(out))
    }
}
