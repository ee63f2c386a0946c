//! What is said to the server before and behind a request under ceilings, and what its answers mean.

use tyer_core::ceilings::{Beyond, Deed, Measured};
use tyer_core::names::{Meant, differences};

use super::beyond::{self, Before};
use super::{Block, Excess, Owned, Stage, Standing, Unnamed, Why};
use crate::postgres::decode::Complaint;
use crate::postgres::encode;
use crate::postgres::probe::names;
use crate::postgres::refuse::Answer;
use crate::postgres::session::exchange::{self, Answered, Exchange, Own, above, counts, own};
use crate::postgres::session::{REFUSED_NAME, REFUSED_SQL};

/// The code of work that a server that was told to keep it took back without an error.
const NOT_KEPT: &str = "55000";
const SAVEPOINT: &str = "tyer_ceiling";
/// What is asked before the request, and behind it.
const BEFORE: [&str; 5] =
    [exchange::HEIRS, beyond::LASTING, beyond::HELD, exchange::COUNTS, exchange::COUNTING];
const BEHIND: [&str; 3] = [exchange::COUNTS, exchange::HEIRS, beyond::HELD];
/// Up to which deferred triggers are tried.
const CHECK: &str = "tyer_check";

impl Owned {
    /// Opens the transaction and asks what the names mean in it.
    pub(super) fn begin(&mut self, block: Block) -> Vec<u8> {
        self.block = block;
        let open = match block {
            Block::Transaction => "BEGIN".to_owned(),
            Block::Savepoint => format!("SAVEPOINT {SAVEPOINT}"),
        };
        self.says(Stage::Naming, vec![Own::plain(&open), self.resolving()])
    }

    /// What each name means.
    fn resolving(&self) -> Own {
        Own::of(names::MEANINGS, &names::array(&self.names))
    }

    /// Sends statements of our own, and remembers how many answers there have to be.
    fn says(&mut self, stage: Stage, statements: Vec<Own>) -> Vec<u8> {
        self.stage = stage;
        self.exchange = Exchange::of(&statements);
        own(statements)
    }

    /// Locks what the names mean, and asks again.
    pub(super) fn lock(&mut self, answered: &Answered) -> Vec<u8> {
        if let Some(answer) = answered.in_its_words() {
            return self.undo(Why::Refused(answer));
        }
        let rows = answered.results.last().map(Vec::as_slice).unwrap_or_default();
        // What does more than to rows takes a lock of its own; one before it would be in its way.
        let targets = rows.iter().take(self.written).filter(|_| self.is_plain);
        let locks = targets.filter_map(|row| exchange::lock(row));
        let mut statements: Vec<Own> = locks.map(|sql| Own::plain(&sql)).collect();
        statements.push(self.resolving());
        statements.extend(BEFORE.map(Own::plain));
        self.says(Stage::Locking, statements)
    }

    /// Whether the names mean here what people agreed to, and rows can be counted.
    pub(super) fn is_as_agreed(&mut self, answered: &Answered) -> Result<(), Why> {
        if let Some(answer) = answered.in_its_words() {
            return Err(Why::Refused(answer));
        }
        let mut results = answered.results.iter().rev();
        let mut result = || results.next().map(Vec::as_slice).unwrap_or_default();
        let counting = result();
        self.before = counts(result());
        let (held, lasting, heirs) = (result(), result(), result());
        self.standing = Standing { beyond: Before::of(lasting, held), above: above(heirs) };
        if counting.first().and_then(|row| row.first()?.as_deref()) != Some("on") {
            let answer =
                Answer::new("55000", "rows are not counted on this server, so ceilings cannot be kept");
            let hint = "The operator of the database has to set track_counts to on.";
            return Err(Why::Refused(answer.hint(hint)));
        }
        let Some(meant) = names::meant(&self.names, result()) else {
            let answer = Answer::new("55000", "the server did not say what its names mean");
            return Err(Why::Refused(answer.hint("Nothing was executed. Present it again.")));
        };
        let differences = differences(&self.ceilings.names, &meant.names);
        if differences.is_empty() {
            self.meant = meant;
            return Ok(());
        }
        let excess = Excess { differences, meant, ..Excess::default() };
        Err(Why::Otherwise(Box::new(excess)))
    }

    /// The request leaves now, if all is prepared for it.
    pub(in crate::postgres::session) fn runs(&mut self) -> bool {
        let is_ready = matches!(self.stage, Stage::Ready);
        if is_ready {
            self.stage = Stage::Running;
        }
        is_ready
    }

    /// Counts, deferred triggers included. Inside the agent's transaction they are only tried: they run again at
    /// its end, and what the agent deferred before stays deferred.
    pub(super) fn measure(&mut self) -> Vec<u8> {
        let mark = || Own::plain(&format!("SAVEPOINT {CHECK}"));
        let back =
            || [format!("ROLLBACK TO {CHECK}"), format!("RELEASE {CHECK}")].map(|it| Own::plain(&it));
        let mut asks: Vec<Own> = Vec::new();
        match self.block {
            Block::Transaction => {
                asks.push(Own::plain(exchange::CONSTRAINTS));
                asks.extend(self.behind());
            }
            Block::Savepoint if self.is_unchecked => {
                asks.extend(back());
                asks.push(mark());
                asks.extend(self.behind());
                asks.extend(back());
            }
            Block::Savepoint => {
                asks.extend([mark(), Own::plain(exchange::CONSTRAINTS)]);
                asks.extend(self.behind());
                asks.extend(back());
            }
        }
        self.says(Stage::Measuring, asks)
    }

    /// What is asked behind the request. What it read has been locked only since it ran, and so names are looked up once
    /// more, by the search path of before.
    fn behind(&self) -> impl Iterator<Item = Own> {
        let path = self.meant.path.as_deref().map(|path| Own::of(exchange::PATH, path));
        let names = path.filter(|_| self.is_plain).map(|path| [path, self.resolving()]);
        BEHIND.map(Own::plain).into_iter().chain(names.into_iter().flatten())
    }

    /// Lets the request last, or takes it back.
    pub(super) fn compare(&mut self, answered: &Answered) -> Vec<u8> {
        let mut counted = answered.selected();
        let mut result = || counted.next().map(Vec::as_slice).unwrap_or_default();
        let after = counts(result());
        let mut above = above(result());
        above.extend(self.standing.above.clone());
        let mut done = self.standing.beyond.since(result());
        // What does more than to rows locks what it does not change, as the other end of a foreign key.
        done.retain(|(_, what)| self.is_plain || *what != Deed::Altered);
        let looked_up = self.is_plain && self.meant.path.is_some();
        let meant = looked_up.then(|| {
            result();
            names::meant(&self.names, result()).unwrap_or_default()
        });
        let measured: Vec<Measured> = after.into_values().filter_map(|now| self.since(now)).collect();
        let mut differences = self.ceilings.exceeded(&measured, &above);
        differences.extend(meant.iter().flat_map(|meant| self.meant_otherwise(meant)));
        let strange = self.ceilings.beyond(&done, &above);
        if !differences.is_empty() || !strange.is_empty() {
            let meant = meant.unwrap_or_else(|| self.meant.clone());
            let excess = Excess { differences, measured, beyond: Vec::new(), meant };
            let unnamed = Unnamed { excess, done, strange };
            return self.undo(Why::Exceeded(Box::new(unnamed)));
        }
        self.did = measured;
        let last = match self.block {
            Block::Transaction => "COMMIT".to_owned(),
            Block::Savepoint => format!("RELEASE {SAVEPOINT}"),
        };
        self.says(Stage::Committing, vec![Own::plain(&last)])
    }

    /// In what its names mean something else behind it than before.
    fn meant_otherwise(&self, now: &Meant) -> Vec<String> {
        let is_whole = now.names.len() == self.names.len();
        let unknown =
            (!is_whole).then(|| "something whose names the server no longer explains".to_owned());
        let others = differences(&self.meant.names, &now.names).into_iter();
        others.map(|other| format!("something else: {other}")).chain(unknown).collect()
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

    pub(super) fn undo(&mut self, why: Why) -> Vec<u8> {
        let back = format!("ROLLBACK TO {SAVEPOINT}");
        // What was removed has its name again.
        let names = match &why {
            Why::Exceeded(unnamed) if !unnamed.done.is_empty() => {
                Some(Own::of(beyond::NAMES, &beyond::array(&unnamed.done)))
            }
            _ => None,
        };
        let mut statements = match self.block {
            Block::Transaction => vec![Own::plain("ROLLBACK")],
            Block::Savepoint => vec![Own::plain(&back)],
        };
        statements.extend(names);
        match (self.block, &why) {
            (Block::Transaction, _) => {}
            // The agent is told of an error, and so its transaction has failed.
            (Block::Savepoint, Why::Exceeded(_)) => {
                let failing = encode::parse(REFUSED_NAME, REFUSED_SQL, &[]);
                statements.push(Own::failing(failing));
            }
            (Block::Savepoint, _) => statements.push(Own::plain(&format!("RELEASE {SAVEPOINT}"))),
        }
        self.says(Stage::Undoing(why), statements)
    }
}

impl Unnamed {
    /// With the names of what was done beyond rows.
    pub(super) fn named(self, answered: &Answered) -> Excess {
        let names = answered.selected().next();
        let strange = beyond::named(&self.strange, names);
        let mut excess = self.excess;
        excess.differences.extend(strange.iter().map(Beyond::in_words));
        Excess { beyond: beyond::named(&self.done, names), ..excess }
    }
}

impl Answered {
    /// The rows of each SELECT.
    fn selected(&self) -> impl Iterator<Item = &exchange::Rows> {
        let all = self.tags.iter().zip(&self.results);
        all.filter(|(tag, _)| tag.starts_with("SELECT")).map(|(_, rows)| rows)
    }

    /// The server's error, as the agent is told of it.
    pub(super) fn in_its_words(&self) -> Option<Answer> {
        let error = self.error.as_deref()?;
        let complaint = Complaint::decode(error.get(5..).unwrap_or_default()).unwrap_or_default();
        let message = format!("this could not be prepared: {}", complaint.message);
        Some(Answer::new("55000", &message).hint("Nothing was executed. Present it again."))
    }

    /// An error where the server says anything but that the work lasts.
    pub(super) fn unless_committed(&self) -> Option<Vec<u8>> {
        let lasts = matches!(self.tags.as_slice(), [tag] if tag == "COMMIT" || tag == "RELEASE");
        (!lasts).then(|| Answer::new(NOT_KEPT, "the transaction was rolled back").error())
    }
}
