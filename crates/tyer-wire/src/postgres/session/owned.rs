//! A request under ceilings, in a transaction that Tyer owns.
//!
//! Before it, the names in it are resolved and locked on the agent's own backend and compared with what people
//! agreed to, and the transaction's counters of rows are read. Behind it they are read again, deferred triggers
//! included; then it is committed, or taken back because it did more than its ceilings. Inside a transaction of
//! the agent's a savepoint takes the place of the transaction. To the rest of the session all this looks as if
//! the server had run the request alone: it sees the frames of the request, and at the end either its command
//! tag or an error, as where a deferred constraint fails.
//!
//! INVARIANT: what is sent from here is of Tyer's own and fixed, with names quoted by us; the agent's text
//! leaves by [`Session::cleared`] like any other. Nothing is committed that was not compared.

mod exchange;

use std::sync::Arc;

use tyer_core::ceilings::{Ceilings, Measured};
use tyer_core::intent::Digest;

use self::exchange::{Answered, Counts, Exchange, Own, above, counts, own};
use super::expect::Awaits;
use super::{Chore, Fatal, Pass, REFUSED_NAME, REFUSED_SQL, Ran, Relay, Session, Status};
use crate::postgres::decode::{Complaint, Decoder, Frame, Piece, Side, ready_status};
use crate::postgres::encode;
use crate::postgres::refuse::Answer;

/// The code of what was taken back because it did more than was agreed to.
const EXCEEDED: &str = "55000";
const SAVEPOINT: &str = "tyer_ceiling";

/// What an agent's request under ceilings comes to, for whoever asked about it.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Turn {
    /// Nothing new.
    #[default]
    None,
    /// All is prepared: the request is to be cleared now.
    Ready,
    /// It could not be prepared, and nothing of it was sent: it is to be refused by this.
    Refused(Answer),
    /// It did more than was agreed to and was taken back: [`Session::exceeded`] wants the agent's answer.
    Exceeded(Excess),
}

/// What a request did more than it was allowed, before it was taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excess {
    /// In words, with both numbers.
    pub differences: Vec<String>,
    /// All that it did to rows.
    pub measured: Vec<Measured>,
}

/// How a request under ceilings begins.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum Owning {
    /// This goes to the upstream, if anything; [`Relay::turn`] says when to go on.
    Starts(Chore),
    /// It cannot be owned here: it is to be refused by this.
    Refused(Answer),
}

#[derive(Debug)]
pub(super) struct Owned {
    ceilings: Arc<Ceilings>,
    /// The relations of the request, as written.
    names: Vec<String>,
    block: Block,
    /// Whether it is an `Execute`, behind which the agent sends `Sync` by itself.
    extended: bool,
    stage: Stage,
    exchange: Exchange,
    before: Counts,
    /// The last command tag of the request, until it lasts.
    tag: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Transaction,
    Savepoint,
}

#[derive(Debug)]
enum Stage {
    /// For the answers to what was sent before.
    Waiting,
    /// The names are being resolved.
    Naming,
    /// They are being locked and resolved again.
    Locking,
    /// For the request.
    Ready,
    Running,
    /// It failed, and the server skips up to our `Sync`.
    Failed,
    Measuring,
    Committing,
    Undoing(Why),
    /// For the answer to what was too much; with the status to report then.
    Exceeded(u8),
}

#[derive(Debug)]
enum Why {
    Refused(Answer),
    Failed,
    Exceeded(Excess),
}

impl Session {
    /// The open question was answered by yes, under these ceilings.
    ///
    /// # Errors
    /// That request was not asked about.
    pub fn own(&mut self, digest: Digest, ceilings: &Arc<Ceilings>) -> Result<Owning, Fatal> {
        let asked =
            self.asked.as_ref().filter(|asked| asked.digest == digest).ok_or(Fatal::OutOfTurn)?;
        let extended = matches!(asked.what, Awaits::Execute(_));
        if !asked.understanding.fits_block || matches!(asked.what, Awaits::Bind { .. }) {
            let answer =
                Answer::new("0A000", "this cannot run in a transaction that Tyer could take back");
            return Ok(Owning::Refused(answer.hint("Send it as one message of its own.")));
        }
        if self.ran == Ran::Something && self.status == Status::Idle {
            let answer =
                Answer::new("0A000", "an approved request cannot share its pipeline with others");
            return Ok(Owning::Refused(answer.hint("Send Sync before it.")));
        }
        let mut owned = Owned {
            ceilings: Arc::clone(ceilings),
            names: asked.understanding.relations.clone(),
            block: Block::Transaction,
            extended,
            stage: Stage::Waiting,
            exchange: Exchange::default(),
            before: Counts::new(),
            tag: Vec::new(),
        };
        let mut first = Vec::new();
        if self.expects.is_empty() {
            first = owned.begin(self.status);
        }
        self.owned = Some(owned);
        Ok(Owning::Starts(Chore(first)))
    }

    /// What an agent is told whose request did more than was agreed to.
    ///
    /// # Errors
    /// Nothing did.
    pub fn exceeded(&mut self, answer: &Answer) -> Result<Relay, Fatal> {
        let owned = self.owned.take().ok_or(Fatal::OutOfTurn)?;
        let Stage::Exceeded(status) = owned.stage else { return Err(Fatal::OutOfTurn) };
        let mut relay = Relay::nothing();
        self.feed(&answer.error(), &mut relay)?;
        self.finish(&owned, status, &mut relay)?;
        Ok(relay)
    }

    /// A message of the upstream while a request is owned.
    pub(super) fn owned(&mut self, mut owned: Owned, frame: &Frame<'_>) -> Result<Relay, Fatal> {
        let is_aside = matches!(frame.tag(), b'N' | b'A' | b'S');
        let is_fatal = frame.tag() == b'E' && Complaint::decode(frame.body())?.is_fatal();
        if is_aside || is_fatal {
            self.owned = Some(owned);
            return self.alone(frame);
        }
        match owned.stage {
            Stage::Waiting => {
                let mut relay = self.alone(frame)?;
                if self.skipping.is_some() {
                    // The server skips it, and so it is cleared to no effect.
                    relay.turn = Turn::Ready;
                    return Ok(relay);
                }
                if self.expects.is_empty() {
                    relay.send = Chore(owned.begin(self.status));
                }
                self.owned = Some(owned);
                Ok(relay)
            }
            Stage::Ready | Stage::Exceeded(_) => Err(Fatal::Upstream(frame.tag())),
            Stage::Running => self.running(owned, frame),
            _ => match owned.exchange.take(frame)? {
                Some(answered) => self.answered(owned, &answered),
                None => {
                    self.owned = Some(owned);
                    Ok(Relay::nothing())
                }
            },
        }
    }

    /// The request itself is being answered.
    fn running(&mut self, mut owned: Owned, frame: &Frame<'_>) -> Result<Relay, Fatal> {
        let mut relay = Relay::nothing();
        if frame.piece() != Piece::Later && !owned.tag.is_empty() && frame.tag() != b'Z' {
            self.feed(&std::mem::take(&mut owned.tag), &mut relay)?;
        }
        match frame.tag() {
            b'C' | b'I' | b's' => {
                owned.tag = frame.bytes().to_vec();
                if owned.extended {
                    relay.send = Chore(owned.measure());
                }
            }
            b'Z' if ready_status(frame.body())? == b'T' => relay.send = Chore(owned.measure()),
            b'Z' if ready_status(frame.body())? == b'E' => return self.broken(owned, b'E', relay),
            // Nothing in it could end the transaction.
            b'Z' => return Err(Fatal::Upstream(b'Z')),
            b'E' => {
                self.feed(frame.bytes(), &mut relay)?;
                if owned.extended {
                    owned.stage = Stage::Failed;
                    relay.send = Chore(encode::sync());
                }
            }
            _ => {
                let passed = self.alone(frame)?;
                relay.join(passed, frame);
            }
        }
        self.owned = Some(owned);
        Ok(relay)
    }

    /// The request has failed, and the agent was told.
    fn broken(&mut self, mut owned: Owned, status: u8, mut relay: Relay) -> Result<Relay, Fatal> {
        match owned.block {
            Block::Transaction => {
                relay.send = Chore(owned.undo(Why::Failed));
                self.owned = Some(owned);
            }
            // The agent's own transaction has failed with it.
            Block::Savepoint => self.finish(&owned, status, &mut relay)?,
        }
        Ok(relay)
    }

    /// The end of an exchange of our own.
    fn answered(&mut self, mut owned: Owned, answered: &Answered) -> Result<Relay, Fatal> {
        let mut relay = Relay::nothing();
        let status = answered.status;
        match std::mem::replace(&mut owned.stage, Stage::Ready) {
            Stage::Naming => relay.send = Chore(owned.lock(answered)),
            Stage::Locking => match owned.is_as_agreed(answered) {
                Ok(()) => relay.turn = Turn::Ready,
                Err(answer) => relay.send = Chore(owned.undo(Why::Refused(answer))),
            },
            Stage::Failed => return self.broken(owned, status, relay),
            Stage::Measuring => match &answered.error {
                Some(error) => {
                    self.feed(error, &mut relay)?;
                    return self.broken(owned, status, relay);
                }
                None => relay.send = Chore(owned.compare(answered)),
            },
            Stage::Committing => {
                let error = answered.error.clone().or_else(|| answered.unless_committed());
                let lasts = error.is_none();
                self.feed(&error.unwrap_or(std::mem::take(&mut owned.tag)), &mut relay)?;
                if lasts && owned.block == Block::Transaction {
                    self.stands();
                }
                self.finish(&owned, status, &mut relay)?;
                return Ok(relay);
            }
            Stage::Undoing(Why::Failed) => {
                self.finish(&owned, status, &mut relay)?;
                return Ok(relay);
            }
            Stage::Undoing(Why::Refused(answer)) => {
                relay.turn = Turn::Refused(answer);
                return Ok(relay);
            }
            Stage::Undoing(Why::Exceeded(excess)) => {
                relay.turn = Turn::Exceeded(excess);
                owned.stage = Stage::Exceeded(status);
            }
            Stage::Waiting | Stage::Ready | Stage::Running | Stage::Exceeded(_) => {
                return Err(Fatal::Upstream(b'Z'));
            }
        }
        self.owned = Some(owned);
        Ok(relay)
    }

    /// The end of what was owned: a `Query` ends with its status, and an `Execute` with the agent's `Sync`.
    fn finish(&mut self, owned: &Owned, status: u8, relay: &mut Relay) -> Result<(), Fatal> {
        if owned.extended && owned.block == Block::Transaction {
            self.ran = Ran::Apart;
        }
        if owned.extended {
            Ok(())
        } else {
            self.feed(&encode::message(b'Z', |out| out.push(status)), relay)
        }
    }

    /// Takes a whole message as if the server had just said it.
    fn feed(&mut self, bytes: &[u8], relay: &mut Relay) -> Result<(), Fatal> {
        let mut decoder = Decoder::new(Side::Upstream);
        decoder.push(bytes);
        if let Some(frame) = decoder.frame()? {
            let passed = self.alone(&frame)?;
            relay.join(passed, &frame);
        }
        Ok(())
    }

    /// Whether what is owned has not been told to last.
    pub(super) fn is_undone(&self) -> bool {
        self.owned
            .as_ref()
            .is_some_and(|owned| !matches!(owned.stage, Stage::Waiting | Stage::Committing))
    }
}

impl Relay {
    /// Adds what another message led to.
    fn join(&mut self, other: Self, frame: &Frame<'_>) {
        let Pass::Instead(bytes) = &mut self.pass else { return };
        match other.pass {
            Pass::Same => bytes.extend_from_slice(frame.bytes()),
            Pass::Instead(more) => bytes.extend(more),
        }
        self.settled.extend(other.settled);
    }
}

impl Owned {
    /// Opens the transaction and asks what the names mean in it.
    fn begin(&mut self, status: Status) -> Vec<u8> {
        self.stage = Stage::Naming;
        let open = match status {
            Status::Idle => "BEGIN".to_owned(),
            // In a failed one this fails, and with it the request.
            Status::Open | Status::Failed => {
                self.block = Block::Savepoint;
                format!("SAVEPOINT {SAVEPOINT}")
            }
        };
        let names = self.names.iter().map(|name| Own::of(exchange::RESOLVE, name));
        own([Own::plain(&open)].into_iter().chain(names))
    }

    /// Locks what the names mean, and asks again.
    fn lock(&mut self, answered: &Answered) -> Vec<u8> {
        if let Some(answer) = answered.in_its_words() {
            return self.undo(Why::Refused(answer));
        }
        self.stage = Stage::Locking;
        let locks = answered.rows().filter_map(|row| exchange::lock(row)).map(|sql| Own::plain(&sql));
        let names = self.names.iter().map(|name| Own::of(exchange::RESOLVE, name));
        let counts = [exchange::COUNTING, exchange::COUNTS].map(Own::plain);
        own(locks.chain(names).chain(counts))
    }

    /// Whether the names mean here what people agreed to, and rows can be counted.
    fn is_as_agreed(&mut self, answered: &Answered) -> Result<(), Answer> {
        if let Some(answer) = answered.in_its_words() {
            return Err(answer);
        }
        let mut results = answered.results.iter().rev();
        self.before = results.next().map(counts).unwrap_or_default();
        if results.next().and_then(|rows| rows.first()?.first()?.as_deref()) != Some("on") {
            let answer =
                Answer::new("55000", "rows are not counted on this server, so ceilings cannot be kept");
            return Err(answer.hint("The operator of the database has to set track_counts to on."));
        }
        let is_known = |identity| self.ceilings.relations.iter().any(|it| it.identity == identity);
        let here: Vec<_> = results
            .take(self.names.len())
            .flatten()
            .filter_map(|row| exchange::relation(row))
            .collect();
        let strange: Vec<_> = here.iter().filter(|relation| !is_known(relation.identity)).collect();
        let undescribed = self.names.len().saturating_sub(self.ceilings.relations.len());
        if strange.len() <= undescribed {
            return Ok(());
        }
        let names: Vec<_> = strange.iter().map(|relation| relation.qualified()).collect();
        let message = format!("what was approved is not what is meant here: {}", names.join(", "));
        let hint = "Nothing was executed. Write names with their schema, and drop temporary ones in front of them.";
        Err(Answer::new("55000", &message).hint(hint))
    }

    /// The request leaves now, if all is prepared for it.
    pub(super) fn runs(&mut self) -> bool {
        let is_ready = matches!(self.stage, Stage::Ready);
        if is_ready {
            self.stage = Stage::Running;
        }
        is_ready
    }

    fn measure(&mut self) -> Vec<u8> {
        self.stage = Stage::Measuring;
        let asks = [exchange::CONSTRAINTS, exchange::COUNTS, exchange::HEIRS];
        own(asks.into_iter().map(Own::plain))
    }

    /// Lets the request last, or takes it back.
    fn compare(&mut self, answered: &Answered) -> Vec<u8> {
        let mut results = answered.results.iter().rev();
        let above = results.next().map(above).unwrap_or_default();
        let after = results.next().map(counts).unwrap_or_default();
        let measured: Vec<Measured> = after.into_values().filter_map(|now| self.since(now)).collect();
        let differences = self.ceilings.exceeded(&measured, &above);
        if !differences.is_empty() {
            return self.undo(Why::Exceeded(Excess { differences, measured }));
        }
        self.stage = Stage::Committing;
        own([Own::plain(&match self.block {
            Block::Transaction => "COMMIT".to_owned(),
            Block::Savepoint => format!("RELEASE {SAVEPOINT}"),
        })])
    }

    /// What was done to a relation since the request began, if anything.
    fn since(&self, now: Measured) -> Option<Measured> {
        let then = self.before.get(&now.identity);
        let less = |now: u64, then: Option<u64>| now.saturating_sub(then.unwrap_or(0));
        let done = Measured {
            created: less(now.created, then.map(|it| it.created)),
            changed: less(now.changed, then.map(|it| it.changed)),
            destroyed: less(now.destroyed, then.map(|it| it.destroyed)),
            ..now
        };
        (done.rows() > 0).then_some(done)
    }

    fn undo(&mut self, why: Why) -> Vec<u8> {
        let back = format!("ROLLBACK TO {SAVEPOINT}");
        let bytes = match (self.block, &why) {
            (Block::Transaction, _) => own([Own::plain("ROLLBACK")]),
            // The agent is told of an error, and so its transaction has failed.
            (Block::Savepoint, Why::Exceeded(_)) => {
                own([Own::plain(&back), Own::failing(encode::parse(REFUSED_NAME, REFUSED_SQL, &[]))])
            }
            (Block::Savepoint, _) => {
                own([Own::plain(&back), Own::plain(&format!("RELEASE {SAVEPOINT}"))])
            }
        };
        self.stage = Stage::Undoing(why);
        bytes
    }
}

impl Answered {
    fn rows(&self) -> impl Iterator<Item = &Vec<Option<String>>> {
        self.results.iter().flatten()
    }

    /// The server's error, as the agent is told of it.
    fn in_its_words(&self) -> Option<Answer> {
        let error = self.error.as_deref()?;
        let complaint = Complaint::decode(error.get(5..).unwrap_or_default()).unwrap_or_default();
        let message = format!("this could not be prepared: {}", complaint.message);
        Some(Answer::new("55000", &message).hint("Nothing was executed. Present it again."))
    }

    /// An error where the server says anything but that the work lasts.
    fn unless_committed(&self) -> Option<Vec<u8>> {
        let lasts = matches!(self.tags.as_slice(), [tag] if tag == "COMMIT" || tag == "RELEASE");
        (!lasts).then(|| Answer::new(EXCEEDED, "the transaction was rolled back").error())
    }
}
