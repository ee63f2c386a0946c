//! What is said to the server before and behind a request under ceilings, and what its answers mean.

use tyer_core::ceilings::Measured;

use super::exchange::{self, Answered, Exchange, Own, above, counts, own};
use super::{Block, Excess, Owned, Stage, Why};
use crate::postgres::decode::Complaint;
use crate::postgres::encode;
use crate::postgres::probe::quoted;
use crate::postgres::refuse::Answer;
use crate::postgres::session::{REFUSED_NAME, REFUSED_SQL};

/// The code of work that a server that was told to keep it took back without an error.
const NOT_KEPT: &str = "55000";
const SAVEPOINT: &str = "tyer_ceiling";
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
        let statements = [Own::plain(&open)].into_iter().chain(self.resolving()).collect();
        self.says(Stage::Naming, statements)
    }

    /// What each name means, those that are only read first.
    fn resolving(&self) -> impl Iterator<Item = Own> {
        let names = self.read.iter().chain(&self.names);
        names.map(|name| Own::of(exchange::RESOLVE, &quoted(name)))
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
        // What does more than to rows takes a lock of its own; one before it would be in its way.
        let targets = answered.results.iter().skip(1 + self.read.len()).flatten();
        let locks = targets.filter(|_| self.is_plain).filter_map(|row| exchange::lock(row));
        let mut statements: Vec<Own> = locks.map(|sql| Own::plain(&sql)).collect();
        statements.extend(self.resolving());
        statements.extend([exchange::COUNTING, exchange::COUNTS].map(Own::plain));
        self.says(Stage::Locking, statements)
    }

    /// Whether the names mean here what people agreed to, and rows can be counted.
    pub(super) fn is_as_agreed(&mut self, answered: &Answered) -> Result<(), Answer> {
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
        let mut named = results.take(self.names.len() + self.read.len());
        let targets: Vec<&exchange::Rows> = named.by_ref().take(self.names.len()).collect();
        let shadows = named.zip(self.read.iter().rev()).filter_map(|(rows, name)| {
            let relation = exchange::relation(rows.first()?)?;
            (relation.is_temporary() && !name.starts_with("pg_temp")).then(|| relation.qualified())
        });
        let shadows: Vec<String> = shadows.collect();
        if !shadows.is_empty() {
            return Err(not_meant(&shadows));
        }
        let here: Vec<_> =
            targets.into_iter().flatten().filter_map(|row| exchange::relation(row)).collect();
        let strange: Vec<_> = here.iter().filter(|relation| !is_known(relation.identity)).collect();
        let undescribed = self.names.len().saturating_sub(self.ceilings.relations.len());
        if strange.len() <= undescribed {
            return Ok(());
        }
        let names: Vec<_> = strange.iter().map(|relation| relation.qualified()).collect();
        Err(not_meant(&names))
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
        let counting = [exchange::COUNTS, exchange::HEIRS];
        let (mark, back) = (format!("SAVEPOINT {CHECK}"), format!("ROLLBACK TO {CHECK}"));
        let gone = format!("RELEASE {CHECK}");
        let mut asks: Vec<&str> = Vec::new();
        match self.block {
            Block::Transaction => {
                asks.push(exchange::CONSTRAINTS);
                asks.extend(counting);
            }
            Block::Savepoint if self.is_unchecked => {
                asks.extend([back.as_str(), gone.as_str()]);
                asks.extend(counting);
            }
            Block::Savepoint => {
                asks.extend([mark.as_str(), exchange::CONSTRAINTS]);
                asks.extend(counting);
                asks.extend([back.as_str(), gone.as_str()]);
            }
        }
        let statements = asks.into_iter().map(Own::plain).collect();
        self.says(Stage::Measuring, statements)
    }

    /// Lets the request last, or takes it back.
    pub(super) fn compare(&mut self, answered: &Answered) -> Vec<u8> {
        let mut counted = answered.selected();
        let after = counted.next().map(counts).unwrap_or_default();
        let above = counted.next().map(above).unwrap_or_default();
        let measured: Vec<Measured> = after.into_values().filter_map(|now| self.since(now)).collect();
        let differences = self.ceilings.exceeded(&measured, &above);
        if !differences.is_empty() {
            return self.undo(Why::Exceeded(Excess { differences, measured }));
        }
        let last = match self.block {
            Block::Transaction => "COMMIT".to_owned(),
            Block::Savepoint => format!("RELEASE {SAVEPOINT}"),
        };
        self.says(Stage::Committing, vec![Own::plain(&last)])
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
        let statements = match (self.block, &why) {
            (Block::Transaction, _) => vec![Own::plain("ROLLBACK")],
            // The agent is told of an error, and so its transaction has failed.
            (Block::Savepoint, Why::Exceeded(_)) => {
                vec![Own::plain(&back), Own::failing(encode::parse(REFUSED_NAME, REFUSED_SQL, &[]))]
            }
            (Block::Savepoint, _) => {
                vec![Own::plain(&back), Own::plain(&format!("RELEASE {SAVEPOINT}"))]
            }
        };
        self.says(Stage::Undoing(why), statements)
    }
}

fn not_meant(names: &[String]) -> Answer {
    let message = format!("what was approved is not what is meant here: {}", names.join(", "));
    let hint = "Nothing was executed. Write names with their schema, and drop temporary ones in front of them.";
    Answer::new("55000", &message).hint(hint)
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
