//! What requests come to together: asked before a request is decided, told what was cleared and what came of it.
//!
//! A note is made under the world's lock, in the same breath as the decision, so that of two requests at the same
//! time one sees the other; it is kept with its leaf, so that a restart forgets nothing.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tyer_core::facts::Facts;
use tyer_core::intent::{Intent, SessionId, Timestamp};
use tyer_core::sequence::{Before, History, Mark, Note, Refused};
use tyer_core::verdict::{LeafIndex, Outcome, Reason, Refusal};

use super::Gateway;
use super::world::World;
use crate::clock;
use crate::store::{Change, StoreError, Table};

/// How often what can complete nothing any more is looked for.
const SWEEP_MS: i64 = 60_000;

/// What was cleared, and when it was last swept.
#[derive(Debug)]
pub(super) struct Sequences {
    history: Mutex<History>,
    swept: Mutex<Timestamp>,
}

/// What is remembered of a request that is about to be cleared.
#[derive(Debug)]
pub(super) struct Noted(Option<(Mark, Note)>);

impl Sequences {
    pub(super) fn of(history: History) -> Self {
        Self { history: Mutex::new(history), swept: Mutex::new(clock::now()) }
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a request right after it was permitted.
    pub(super) fn note(&self, intent: &Intent, transactional: bool, now: Timestamp) -> Noted {
        Noted(self.history().note(intent, !transactional, now))
    }

    /// What was noted is, or is not, cleared by a durable leaf.
    pub(super) fn recorded(&self, noted: &Noted, leaf: Result<LeafIndex, &StoreError>) {
        let Some((mark, _)) = &noted.0 else { return };
        match leaf {
            Ok(leaf) => self.history().recorded(*mark, leaf),
            Err(_) => self.history().withdrawn(*mark),
        }
    }

    /// Takes an outcome, and what that changes of what is kept.
    pub(super) fn settled(&self, leaf: LeafIndex, outcome: &Outcome, change: Change) -> Change {
        match outcome {
            Outcome::Failed { .. } | Outcome::Misread { .. } if self.history().failed(leaf) => {
                change.remove(Table::Sequence, &leaf.0.to_string())
            }
            Outcome::Failed { .. } | Outcome::Misread { .. } => change,
            Outcome::Done { .. } | Outcome::Unknown { .. } => {
                self.history().done(leaf);
                change
            }
        }
    }
}

impl Noted {
    /// Keeps it with the last leaf of the change.
    pub(super) fn keep(&self, change: Change) -> Change {
        self.0.iter().fold(change, |change, (_, note)| change.put_at_leaf(Table::Sequence, note))
    }
}

impl Gateway {
    /// What a request comes to, and the refusal of one that would leave neither a resource nor its last known backup.
    pub(super) fn comes_to(&self, intent: &Intent, now: Timestamp) -> (Facts, Option<Refusal>) {
        let found = self.sequences.history().look(intent, now);
        let sequences = found.sequences.into_iter().collect();
        let refusal = found.refused.map(|refused| last_backup(&refused, intent));
        (Facts { sequences, ..Facts::default() }, refusal)
    }

    /// Forgets what can complete nothing any more; called now and then.
    pub(crate) async fn forget_sequences(&self, now: Timestamp) {
        {
            let mut swept = self.sequences.swept.lock().unwrap_or_else(PoisonError::into_inner);
            if now < swept.plus(SWEEP_MS) {
                return;
            }
            *swept = now;
        }
        let change = {
            let world = self.world.lock().await;
            let mut history = self.sequences.history();
            let over: Vec<SessionId> =
                history.sessions().filter(|session| !runs(&world, session)).cloned().collect();
            over.iter().for_each(|session| history.session_ended(session));
            let remove =
                |change: Change, leaf: LeafIndex| change.remove(Table::Sequence, &leaf.0.to_string());
            history.forget(now).into_iter().fold(Change::default(), remove)
        };
        if !change.is_empty()
            && let Err(error) = self.sequencer.commit_soon(change).await
        {
            // They are found and forgotten again after the next start.
            tracing::warn!(%error, "old notes are still in the store");
        }
    }
}

fn runs(world: &World, session: &SessionId) -> bool {
    world.sessions.get(session).is_some_and(|session| session.ended.is_none())
}

fn last_backup(Refused { sequence, takes_backup }: &Refused, intent: &Intent) -> Refusal {
    let (resource, controller) = (&sequence.resource, &intent.principal.controller);
    let message = match &sequence.before {
        Some(Before { at, why }) if *takes_backup => format!(
            "{resource} was destroyed by a session of {controller} at {} ({why}), so for seven days no session of \
             {controller} removes the last known backup of it",
            clock::civil(*at)
        ),
        Some(Before { at, why }) => format!(
            "the last known backup of {resource} was removed by a session of {controller} at {} ({why}), so for \
             seven days no session of {controller} destroys it",
            clock::civil(*at)
        ),
        None => format!("this would destroy {resource} and leave no backup of it that is known"),
    };
    let next = format!(
        "make another copy of all of it first, or let somebody other than {controller} ask; nothing was executed"
    );
    Refusal::new(Reason::LastBackup, message, next)
}
