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

mod asking;
mod beyond;

use std::sync::Arc;

use tyer_core::ceilings::{Beyond, Ceilings, Deed, Measured};
use tyer_core::intent::Digest;
use tyer_core::names::Meant;

use super::exchange::{Above, Answered, Counts, Exchange};
use super::expect::Awaits;
use super::{Chore, Fatal, Pass, Ran, Relay, Session, Status};
use crate::postgres::decode::{Complaint, Decoder, Frame, Piece, Side, ready_status};
use crate::postgres::encode;
use crate::postgres::refuse::Answer;

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
    /// Its names mean something else than was agreed to, and nothing of it was sent: it is to be refused.
    Otherwise(Excess),
    /// It did more than was agreed to and was taken back: [`Session::exceeded`] wants the agent's answer.
    Exceeded(Excess),
    /// What the names of the open question mean here, if that was found out.
    Meant(Option<Meant>),
}

/// In what a request is or does something else than was agreed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excess {
    /// In words, with both numbers.
    pub differences: Vec<String>,
    /// All that it did to rows before it was taken back.
    pub measured: Vec<Measured>,
    /// What it did beyond rows.
    pub beyond: Vec<Beyond>,
    /// What its names meant.
    pub meant: Meant,
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
    /// The relations of the request, as written: those that lose or change rows, and behind them what it only reads.
    names: Vec<String>,
    /// How many lose or change rows.
    written: usize,
    /// What they mean.
    meant: Meant,
    /// Whether it does nothing but to rows, so that a lock for that is the one that it takes itself.
    is_plain: bool,
    /// Whether what is deferred could not be tried.
    is_unchecked: bool,
    block: Block,
    /// Whether it is an `Execute`, behind which the agent sends `Sync` by itself.
    extended: bool,
    stage: Stage,
    exchange: Exchange,
    before: Counts,
    standing: Standing,
    /// What it did to rows.
    did: Vec<Measured>,
    /// The last command tag of the request, until it lasts.
    tag: Vec<u8>,
}

/// What there is before the request runs.
#[derive(Debug, Default)]
struct Standing {
    beyond: beyond::Before,
    above: Above,
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
    Otherwise(Box<Excess>),
    Failed,
    Exceeded(Box<Unnamed>),
}

/// What was too much, with what was done beyond rows and what of that nobody had agreed to, until it has names again.
#[derive(Debug, Default)]
struct Unnamed {
    excess: Excess,
    done: Vec<(u64, Deed)>,
    strange: Vec<(u64, Deed)>,
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
        let mut owned = Owned {
            ceilings: Arc::clone(ceilings),
            is_plain: asked.understanding.explainable,
            names: asked.understanding.names(),
            written: asked.understanding.relations.len(),
            meant: Meant::default(),
            block: Block::Transaction,
            extended,
            stage: Stage::Waiting,
            exchange: Exchange::default(),
            before: Counts::new(),
            standing: Standing::default(),
            did: Vec::new(),
            tag: Vec::new(),
            is_unchecked: false,
        };
        let first = if self.expects.is_empty() {
            match self.opening() {
                Ok(block) => owned.begin(block),
                Err(answer) => return Ok(Owning::Refused(answer)),
            }
        } else {
            // What is waited for may still be in the server's buffer.
            encode::flush()
        };
        self.owned = Some(owned);
        Ok(Owning::Starts(Chore(first)))
    }

    /// What the request can be owned by, once nothing is in flight.
    fn opening(&self) -> Result<Block, Answer> {
        if self.status == Status::Failed {
            let message =
                "current transaction is aborted, commands ignored until end of transaction block";
            return Err(Answer::new("25P02", message));
        }
        if !self.implicit {
            return Ok(Block::Savepoint);
        }
        if self.ran == Ran::Something {
            let answer =
                Answer::new("0A000", "an approved request cannot share its pipeline with others");
            return Err(answer.hint("Send Sync before it."));
        }
        Ok(Block::Transaction)
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
                    match self.opening() {
                        Ok(block) => relay.send = Chore(owned.begin(block)),
                        Err(answer) => {
                            relay.turn = Turn::Refused(answer);
                            return Ok(relay);
                        }
                    }
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

    /// The agent was told how it ended; what may be left of our transaction goes.
    fn broken(&mut self, mut owned: Owned, status: u8, mut relay: Relay) -> Result<Relay, Fatal> {
        match owned.block {
            Block::Transaction if status != b'I' => {
                relay.send = Chore(owned.undo(Why::Failed));
                self.owned = Some(owned);
            }
            // The agent's own transaction has failed with it.
            Block::Transaction | Block::Savepoint => self.finish(&owned, status, &mut relay)?,
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
                Err(why) => relay.send = Chore(owned.undo(why)),
            },
            Stage::Failed => return self.broken(owned, status, relay),
            Stage::Measuring => match &answered.error {
                // What the agent's transaction deferred before may fail, and is not this request's.
                Some(_) if owned.block == Block::Savepoint && !owned.is_unchecked => {
                    owned.is_unchecked = true;
                    relay.send = Chore(owned.measure());
                }
                Some(error) => {
                    self.feed(error, &mut relay)?;
                    return self.broken(owned, status, relay);
                }
                None => relay.send = Chore(owned.compare(answered)),
            },
            Stage::Committing => {
                let error = answered.error.clone().or_else(|| answered.unless_committed());
                let lasts = error.is_none();
                if lasts {
                    self.did = Measured::recorded(std::mem::take(&mut owned.did));
                }
                self.feed(&error.unwrap_or(std::mem::take(&mut owned.tag)), &mut relay)?;
                if lasts && owned.block == Block::Transaction {
                    self.stands();
                }
                return self.broken(owned, status, relay);
            }
            // A late cancel can hit our own words.
            Stage::Undoing(why) if owned.block == Block::Transaction && status != b'I' => {
                relay.send = Chore(owned.undo(why));
            }
            Stage::Undoing(Why::Failed) => {
                self.finish(&owned, status, &mut relay)?;
                return Ok(relay);
            }
            Stage::Undoing(Why::Refused(answer)) => {
                relay.turn = Turn::Refused(answer);
                return Ok(relay);
            }
            Stage::Undoing(Why::Otherwise(excess)) => {
                relay.turn = Turn::Otherwise(*excess);
                return Ok(relay);
            }
            Stage::Undoing(Why::Exceeded(unnamed)) => {
                relay.turn = Turn::Exceeded(unnamed.named(answered));
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
