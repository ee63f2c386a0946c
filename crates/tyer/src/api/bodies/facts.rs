//! The facts of a card, as the API and the pages show them.

use serde::Serialize;
use tyer_core::ceilings::Ceilings;
use tyer_core::facts::{Card, Cascade, Counted, How, RelationFacts, Replica, Safety, Thing};
use tyer_core::locks::Lock;
use tyer_core::names::Named;
use tyer_core::sequence::Risk;

use super::Moment;

#[derive(Clone, Debug, Serialize)]
pub(crate) struct FactsBody {
    pub(crate) relations: Vec<RelationBody>,
    /// What the names of relations in it mean, in words: those that do not say so themselves.
    pub(crate) names: Vec<String>,
    /// What could not be found out, in words.
    pub(crate) unknown: Vec<String>,
    /// In what they differ from the facts that people had agreed to before, in words.
    pub(crate) differences: Vec<String>,
    /// What the request may do to rows at most before it is taken back, in words; empty where nothing bounds it.
    pub(crate) ceilings: Vec<String>,
    /// What the request comes to, with others or by its own steps, in words.
    pub(crate) sequences: Vec<String>,
    /// What it may become part of if something follows it, in words; nothing of it was seen.
    pub(crate) risk: Option<String>,
    /// Code of the database's own that it may run: functions, triggers, rules, policies and views.
    pub(crate) code: Vec<String>,
    /// What a loss could be made good from, if the upstream was asked.
    pub(crate) safety: Option<SafetyBody>,
    /// What it keeps others from doing meanwhile.
    pub(crate) locks: Vec<LockBody>,
    /// What the upstream says of what is touched, where that is no table.
    pub(crate) things: Vec<ThingBody>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ThingBody {
    pub(crate) name: String,
    /// What is so, in words.
    pub(crate) is: Vec<String>,
    /// What is so just now and changes by itself, in words.
    pub(crate) now: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct RelationBody {
    pub(crate) name: String,
    pub(crate) rows: Option<u64>,
    pub(crate) touched: Option<u64>,
    pub(crate) bytes: Option<u64>,
    pub(crate) dependents: Vec<String>,
    /// Rows the request would touch, counted with its own condition.
    pub(crate) counted: Option<CountedBody>,
    /// How many in a hundred of its rows would be touched.
    pub(crate) share_percent: Option<u64>,
    /// Partitions and tables that inherit from it.
    pub(crate) parts: Vec<String>,
    /// Tables that lose or change rows together with it.
    pub(crate) cascades: Vec<CascadeBody>,
    /// Sessions that use it now.
    pub(crate) in_use: Option<InUseBody>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct CountedBody {
    pub(crate) rows: u64,
    /// Else there are at least so many.
    pub(crate) exact: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct CascadeBody {
    pub(crate) name: String,
    /// `deleted`, `changed`, `emptied` or `dropped`.
    pub(crate) how: &'static str,
    pub(crate) rows: Option<u64>,
    pub(crate) counted: Option<CountedBody>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct InUseBody {
    pub(crate) sessions: u64,
    /// What they call themselves.
    pub(crate) applications: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SafetyBody {
    /// When the upstream's log was last archived.
    pub(crate) archived: Option<Moment>,
    /// When the last backup was made.
    pub(crate) backup: Option<Moment>,
    /// None if that is not known.
    pub(crate) replicas: Option<Vec<ReplicaBody>>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct ReplicaBody {
    pub(crate) name: String,
    pub(crate) state: String,
    pub(crate) lag_ms: Option<u64>,
    pub(crate) lag_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct LockBody {
    pub(crate) name: String,
    /// The upstream's own word, such as `ACCESS EXCLUSIVE`.
    pub(crate) mode: String,
    /// `definitions`, `writes` or `reads_and_writes`.
    pub(crate) blocks: &'static str,
    /// `instant`, `read`, `build`, `rewrite` or `untold`.
    pub(crate) work: &'static str,
    /// Why it is locked, where the request does not name it.
    pub(crate) through: Option<String>,
    /// How many parts of it are locked too.
    pub(crate) parts: u64,
    /// How many bytes the work goes through.
    pub(crate) bytes: Option<u64>,
    /// How long that takes at the assumed pace.
    pub(crate) seconds: Option<u64>,
    /// Who is in front; none if that is not known.
    pub(crate) ahead: Option<AheadBody>,
    /// The same in words.
    pub(crate) words: String,
    /// Who is in front in words; none if nobody is known to be.
    pub(crate) waits: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct AheadBody {
    pub(crate) sessions: u64,
    /// For how long the oldest of their transactions had run.
    pub(crate) oldest_ms: Option<u64>,
}

impl FactsBody {
    pub(super) fn of(card: &Card) -> Self {
        let facts = &card.facts;
        Self {
            relations: facts.relations.iter().map(RelationBody::of).collect(),
            names: names(&facts.names),
            unknown: facts.unknown.clone(),
            differences: facts.differences.clone(),
            ceilings: facts.ceilings.as_ref().map(Ceilings::in_words).unwrap_or_default(),
            sequences: facts
                .sequences
                .iter()
                .map(|sequence| sequence.in_words(crate::clock::civil))
                .collect(),
            risk: Risk::of(&card.intent.acts, &facts.sequences).map(|risk| risk.in_words()),
            code: facts.code.iter().map(|code| code.name.clone()).collect(),
            safety: facts.safety.as_ref().map(SafetyBody::of),
            locks: facts.locks.iter().map(LockBody::of).collect(),
            things: facts.things.iter().map(ThingBody::of).collect(),
        }
    }
}

impl ThingBody {
    fn of(thing: &Thing) -> Self {
        let Thing { name, is, now } = thing.clone();
        Self { name, is, now }
    }
}

/// Names that a page lists.
const NAMES_MAX: usize = 40;

fn names(all: &[Named]) -> Vec<String> {
    let unclear = || all.iter().filter(|named| !named.is_plain());
    let more = unclear().count().saturating_sub(NAMES_MAX);
    let more = (more > 0).then(|| format!("and {more} more, each compared before it runs"));
    unclear().take(NAMES_MAX).map(Named::in_words).chain(more).collect()
}

impl RelationBody {
    fn of(relation: &RelationFacts) -> Self {
        Self {
            name: relation.name.clone(),
            rows: relation.rows,
            touched: relation.touched,
            bytes: relation.bytes,
            dependents: relation.dependents.clone(),
            counted: relation.counted.map(CountedBody::of),
            share_percent: relation.share_percent(),
            parts: relation.parts.iter().map(|part| part.name.clone()).collect(),
            cascades: relation.cascades.iter().map(CascadeBody::of).collect(),
            in_use: relation.in_use.as_ref().map(|in_use| InUseBody {
                sessions: in_use.sessions,
                applications: in_use.applications.clone(),
            }),
        }
    }
}

impl LockBody {
    fn of(lock: &Lock) -> Self {
        Self {
            name: lock.name.clone(),
            mode: lock.mode.clone(),
            blocks: lock.blocks.as_str(),
            work: lock.work.as_str(),
            through: lock.through.clone(),
            parts: lock.parts,
            bytes: lock.bytes,
            seconds: lock.seconds(),
            ahead: lock
                .ahead
                .as_ref()
                .map(|ahead| AheadBody { sessions: ahead.sessions, oldest_ms: ahead.oldest_ms }),
            words: lock.in_words(),
            waits: lock.ahead_in_words(),
        }
    }
}

impl CountedBody {
    fn of(counted: Counted) -> Self {
        match counted {
            Counted::Exactly(rows) => Self { rows, exact: true },
            Counted::AtLeast(rows) => Self { rows, exact: false },
        }
    }
}

impl CascadeBody {
    fn of(cascade: &Cascade) -> Self {
        Self {
            name: cascade.name.clone(),
            how: match cascade.how {
                How::Deleted => "deleted",
                How::Changed => "changed",
                How::Emptied => "emptied",
                How::Dropped => "dropped",
            },
            rows: cascade.rows,
            counted: cascade.counted.map(CountedBody::of),
        }
    }
}

impl SafetyBody {
    fn of(safety: &Safety) -> Self {
        let replica = |replica: &Replica| ReplicaBody {
            name: replica.name.clone(),
            state: replica.state.clone(),
            lag_ms: replica.lag_ms,
            lag_bytes: replica.lag_bytes,
        };
        Self {
            archived: safety.archived.map(Moment),
            backup: safety.backup.map(Moment),
            replicas: safety.replicas.as_ref().map(|all| all.iter().map(replica).collect()),
        }
    }
}
