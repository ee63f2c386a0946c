//! Requests as doors hand them in, and as leaves keep them: literals redacted, everything bounded, the full text only committed to.

use std::sync::Arc;
use std::time::Duration;

use super::{Gateway, not_recorded};
use crate::secret;
use crate::upstream::Statement;
use crate::upstream::aws::Looked;
use tokio::sync::{mpsc, oneshot, watch};
use tyer_core::facts::Facts;
use tyer_core::intent::{Act, Acts, Digest, Environment, Intent, Kind, Resource, SessionId, Tie};
use tyer_core::names::{self, Meant};
use tyer_core::record::{RequestRecord, commit};
use tyer_core::verdict::{Basis, Refusal};

/// Characters of redacted text that a leaf keeps.
const REDACTED_CHARS_MAX: usize = 3_000;
/// Acts that a leaf lists.
const ACTS_MAX: usize = 40;
/// Characters of one name or explanation that a leaf keeps.
const WORDS_CHARS_MAX: usize = 120;

/// One request as a door understood it.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) session: SessionId,
    pub(crate) acts: Acts,
    /// Where what it is about stands, if that isn't the same for all of the upstream.
    pub(crate) environment: Option<Environment>,
    /// The identity of the exact request.
    pub(crate) digest: Digest,
    /// The identity without literals.
    pub(crate) shape: Digest,
    /// What people are shown.
    pub(crate) text: String,
    /// What leaves keep.
    pub(crate) redacted: String,
    /// Whether a rollback takes all of it back.
    pub(crate) transactional: bool,
    /// Whether it can run in a transaction that is taken back if it does more than was agreed to.
    pub(crate) fits_block: bool,
    /// What to find out about its consequences.
    pub(crate) about: About,
}

/// What a card should say about a request's consequences.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    /// Relations that would lose or change rows.
    pub(crate) relations: Vec<String>,
    /// Those, and behind them what is only read.
    pub(crate) names: Vec<String>,
    /// Who says what they mean.
    pub(crate) here: Here,
    /// The request as the upstream knows it, for asking more than names.
    pub(crate) statement: Option<Statement>,
    /// The whole request, with what it executes by name, if code may run for it.
    pub(crate) text: String,
    /// Whether it may do more than to rows, so that whoever watches definitions runs too.
    pub(crate) defines: bool,
    /// The request as AWS can be asked about it.
    pub(crate) cloud: Option<Arc<Looked>>,
}

impl About {
    /// Whether there is anything that the upstream could say.
    pub(crate) fn asks(&self) -> bool {
        !self.relations.is_empty()
            || !self.text.is_empty()
            || self.cloud.is_some()
            || self.statement.as_ref().is_some_and(Statement::locks_something)
    }
}

/// Where it is found out what the names of a request mean.
#[derive(Clone, Debug, Default)]
pub(crate) enum Here {
    /// On another connection than the request's own.
    #[default]
    Elsewhere,
    /// On its own, by whoever relays it; the answer may be that something else is under way there.
    Asks(mpsc::Sender<oneshot::Sender<Meant>>),
    /// On its own, just now.
    Knows(Arc<Meant>),
}

impl Here {
    /// What the names mean on the request's own connection, if that can be told now.
    pub(crate) async fn meant(&self) -> Option<Arc<Meant>> {
        match self {
            Self::Elsewhere => None,
            Self::Knows(meant) => Some(Arc::clone(meant)),
            Self::Asks(ask) => {
                let (reply, answer) = oneshot::channel();
                ask.send(reply).await.ok()?;
                answer.await.ok().map(Arc::new)
            }
        }
    }
}

/// How long the requester waits for people, and how to tell that it has gone.
#[derive(Debug)]
pub(crate) struct Patience {
    pub(crate) wait: Duration,
    /// Turns true when the requester is gone or cancels.
    pub(crate) gone: watch::Receiver<bool>,
}

/// What opens a leaf's commitment; kept beside the ledger, never in it.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Private {
    pub(crate) salt: Digest,
    pub(crate) text: String,
}

impl Gateway {
    /// The request as leaves keep it, and what opens its commitment.
    pub(super) fn request_record(
        &self,
        intent: &Intent,
        mut facts: Facts,
        basis: &Basis,
    ) -> Result<(RequestRecord, Private), Refusal> {
        facts.names = names::recorded(facts.names);
        let salt = secret::random::<32>().map_err(|_| not_recorded())?;
        let record = RequestRecord {
            principal: intent.principal.clone(),
            upstream: intent.upstream.clone(),
            environment: intent.environment.clone(),
            digest: intent.digest,
            redacted: shortened(&intent.redacted),
            commitment: commit(&salt, &intent.text),
            acts: gravest(&intent.acts),
            facts,
            basis: basis.clone(),
        };
        Ok((record, Private { salt: Digest(salt), text: intent.text.clone() }))
    }
}

/// The redacted text as far as a leaf has room for it; the commitment covers all of it.
fn shortened(redacted: &str) -> String {
    let kept: String = redacted.chars().take(REDACTED_CHARS_MAX).collect();
    if kept.len() == redacted.len() {
        kept
    } else {
        format!("{kept} ... ({} bytes in all)", redacted.len())
    }
}

/// The acts as far as a leaf has room for them: all, or the gravest and how many more there are.
fn gravest(acts: &Acts) -> Vec<Act> {
    let mut all: Vec<Act> = acts.iter().map(recorded).collect();
    if all.len() <= ACTS_MAX {
        return all;
    }
    all.sort_by_key(|act| std::cmp::Reverse(act.effect));
    let rest = all.split_off(ACTS_MAX);
    all.extend(rest.first().cloned().map(|next| Act {
        resource: Resource::upstream(),
        why: format!("and {} more acts, none graver than this", rest.len()),
        ..next
    }));
    all
}

/// An act as leaves keep it. Names of files and programs are literals of the request, which leaves
/// redact; the card shows them.
fn recorded(act: &Act) -> Act {
    let short = |text: &str| text.chars().take(WORDS_CHARS_MAX).collect::<String>();
    let is_literal = matches!(act.resource.kind, Kind::File | Kind::Program);
    let (name, why) = if is_literal {
        ("?".to_owned(), format!("reaches a {} on the database's host", act.resource.kind.as_str()))
    } else {
        (short(&act.resource.name), short(&act.why))
    };
    let tie = act.tie.clone().map(|tie| {
        let named = |of: Resource| Resource { name: short(&of.name), ..of };
        match tie {
            Tie::CopyOf(of) => Tie::CopyOf(named(of)),
            Tie::Becomes(name) => Tie::Becomes(named(name)),
            Tie::Part => Tie::Part,
            Tie::Unnamed => Tie::Unnamed,
            Tie::CopiesOf(of) => Tie::CopiesOf(named(of)),
        }
    });
    Act { resource: Resource { name, ..act.resource.clone() }, why, tie, ..act.clone() }
}
