//! An allowance: people's agreement to requests of one exact shape, so many times, for so long, at such a pace.
//!
//! It is asked for as a hold of its own. Its card is that of a held request, which stands for all of its shape, with
//! [`Terms`] on it; whoever agrees signs that card, and while the agreement lasts the hold gives one grant a request
//! instead of one in all. Names count with every digit, since the shape has them; values may differ as far as the
//! card's ceilings let them. INVARIANT: none is for a dangerous effect in production, whatever policies and people say,
//! nor for what nothing bounds: [`Terms::asked`] refuses to make such a card, and [`covers`] each use of one.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::facts::{Card, Facts};
use crate::figures::grouped;
use crate::intent::{Act, Digest, Effect, Environment, HoldId, Intent, Principal, Timestamp};
use crate::limits::{ALLOWANCE_MS_MAX, ALLOWANCE_USES_MAX};
use crate::policy::counts_as_production;
use crate::verdict::{Needs, lasting};

/// What an allowance covers beyond the one request on its card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The held request that stands for all of its shape.
    pub like: HoldId,
    /// The shape, which each covered request has: its text without literals, and all that it does to which names.
    pub shape: Digest,
    /// Whose requests.
    pub whose: Whose,
    /// How many at most.
    pub count: u32,
    /// For how many milliseconds after the last approval that it needs.
    pub lasts_ms: i64,
    /// How fast at most, if that is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pace: Option<Pace>,
    /// Who asked for it: one of the controllers, or `operator`.
    pub by: String,
}

/// Whose requests an allowance covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whose {
    /// Those of the session on the card.
    Session,
    /// Those of every session of its agent for the same controller at the same upstream.
    Agent,
}

/// At most so many within any such time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// How many.
    pub uses: u32,
    /// Within how many milliseconds.
    pub within_ms: i64,
}

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Whose requests.
    pub whose: Whose,
    /// How many at most.
    pub count: u32,
    /// For how long, in milliseconds.
    pub lasts_ms: i64,
    /// How fast at most.
    pub pace: Option<Pace>,
    /// Who asks.
    pub by: String,
}

/// Why there is no allowance for what a hold holds. Texts are for the person who asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Never, whoever agrees.
    #[error("it would {0} in production, and that is asked each time")]
    Dangerous(Effect),
    /// One use could do anything.
    #[error("nothing bounds what one such request does, so each is asked by itself")]
    Unbounded,
    /// An allowance for more of an allowance.
    #[error("{0} is such an allowance itself")]
    Allowance(HoldId),
    /// What several requests come to is not for all of a shape.
    #[error("it is part of something that several requests come to, and that is asked each time")]
    Sequence,
    /// People are to have time to stop each.
    #[error("people are to have time to stop each such request, so each is asked by itself")]
    Waits,
    /// Too many, or none.
    #[error("an allowance is for 1 to {ALLOWANCE_USES_MAX} requests")]
    Count,
    /// Too long, or no time at all.
    #[error("an allowance lasts between a second and {} hours", ALLOWANCE_MS_MAX / 3_600_000)]
    Lasts,
    /// A pace that is none.
    #[error("a pace is at least one request in between a second and {} hours", ALLOWANCE_MS_MAX / 3_600_000)]
    Pace,
}

/// Why a request is not covered by an allowance, and so is asked by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Uncovered {
    /// Nothing of the kind is, ever.
    #[error("what is dangerous in production, or not bounded, is asked each time")]
    Never,
    /// Somebody else's.
    #[error("it is of another session, agent, controller or upstream")]
    Elsewhere,
    /// Another text, other effects or other names.
    #[error("it is of another shape")]
    Shape,
    /// It would do more than the card says.
    #[error("it is not what the card says: {}", .0.join("; "))]
    Facts(Vec<String>),
    /// All were used.
    #[error("all of its uses are taken")]
    UsedUp,
    /// Too fast.
    #[error("it comes faster than was agreed to")]
    Pace,
    /// It was signed under other policies.
    #[error("the policies are not those that it was signed under")]
    Policies,
}

impl Terms {
    /// The card of an allowance for all requests of the shape of that card's, under another hold's id.
    ///
    /// # Errors
    /// When there cannot be one, or not such a one.
    pub fn asked(like: &Card, hold: HoldId, wish: Wish) -> Result<Card, AskError> {
        if like.allowance.is_some() {
            return Err(AskError::Allowance(like.hold.clone()));
        }
        if is_barred(&like.intent) {
            return Err(AskError::Dangerous(like.intent.acts.worst()));
        }
        if !is_bounded(&like.intent, &like.facts) {
            return Err(AskError::Unbounded);
        }
        if !like.facts.sequences.is_empty() {
            return Err(AskError::Sequence);
        }
        if like.needs.waited > 0 {
            return Err(AskError::Waits);
        }
        if !(1..=ALLOWANCE_USES_MAX).contains(&wish.count) {
            return Err(AskError::Count);
        }
        let is_time = |ms: i64| (1_000..=ALLOWANCE_MS_MAX).contains(&ms);
        if !is_time(wish.lasts_ms) {
            return Err(AskError::Lasts);
        }
        if wish.pace.is_some_and(|pace| pace.uses == 0 || !is_time(pace.within_ms)) {
            return Err(AskError::Pace);
        }
        let Wish { whose, count, lasts_ms, pace, by } = wish;
        let (shape, of) = (like.intent.shape, like.hold.clone());
        let terms = Self { like: of, shape, whose, count, lasts_ms, pace, by };
        Ok(Card {
            hold,
            needs: at_least_a_peer(like.needs.clone()),
            allowance: Some(terms),
            ..like.clone()
        })
    }

    /// Until when it lasts if the last approval that it needs is given now.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> Timestamp {
        now.plus(self.lasts_ms.clamp(0, ALLOWANCE_MS_MAX))
    }

    /// How many requests at most, whatever was stored.
    #[must_use]
    pub fn uses(&self) -> u32 {
        self.count.min(ALLOWANCE_USES_MAX)
    }

    /// What it covers, in words, one line each.
    #[must_use]
    pub fn in_words(&self, card: &Card) -> Vec<String> {
        let Principal { session, agent, controller, .. } = &card.intent.principal;
        let whose = match self.whose {
            Whose::Session => format!("session {session} of {agent} for {controller}"),
            Whose::Agent => format!("every session of {agent} for {controller}"),
        };
        let seconds = |ms: i64| lasting(u32::try_from(ms / 1000).unwrap_or(u32::MAX));
        let requests = if self.count == 1 { "request" } else { "requests" };
        let mut words = vec![
            format!(
                "up to {} {requests} of this shape at {}, by {whose}",
                grouped(self.count.into()),
                card.intent.upstream
            ),
            format!("for {} after the last approval", seconds(self.lasts_ms)),
        ];
        words.extend(self.pace.map(|pace| {
            format!("at most {} within any {}", grouped(pace.uses.into()), seconds(pace.within_ms))
        }));
        words.push(
            "names and effects are exactly these; values may differ within what one use may do"
                .to_owned(),
        );
        words.extend(self.altogether(&card.facts));
        words
    }

    /// What all uses may do together, at most.
    fn altogether(&self, facts: &Facts) -> Vec<String> {
        let Some(ceilings) = &facts.ceilings else {
            return vec!["how many rows one use adds or reads is not bounded".to_owned()];
        };
        let each = ceilings.relations.iter().filter_map(|ceiling| {
            let rows = ceiling.rows?;
            let all = rows.saturating_mul(self.count.into());
            let (rows, all, name) = (grouped(rows), grouped(all), &ceiling.name);
            Some(format!("{name}: at most {rows} rows a use, {all} altogether"))
        });
        each.collect()
    }
}

/// What has become of an allowance since people agreed to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// When it ends.
    pub until: Timestamp,
    /// How many are taken and did not come back.
    pub taken: u32,
    /// The number that the last of them had.
    pub last: u64,
    /// When the latest ones were taken, oldest first; as many as the pace looks at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recent: Vec<Timestamp>,
    /// Those that are out: nobody has seen yet what came of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub out: BTreeSet<u64>,
}

/// One use of an allowance, as the leaf of the request that it let through names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// Which one, from 1 on.
    pub number: u64,
    /// When it was taken.
    pub at: Timestamp,
    /// The shape of the request.
    pub shape: Digest,
}

impl Uses {
    /// None yet.
    #[must_use]
    pub fn none(until: Timestamp) -> Self {
        Self { until, taken: 0, last: 0, recent: Vec::new(), out: BTreeSet::new() }
    }

    /// How many are left.
    #[must_use]
    pub fn left(&self, terms: &Terms) -> u32 {
        terms.uses().saturating_sub(self.taken)
    }

    /// Whether one more may be taken now.
    ///
    /// # Errors
    /// When all are taken, or it would be too fast.
    pub fn may_take(&self, terms: &Terms, now: Timestamp) -> Result<(), Uncovered> {
        if self.left(terms) == 0 {
            return Err(Uncovered::UsedUp);
        }
        let is_in_pace = terms.pace.is_none_or(|pace| {
            // Times of other clocks in the future count as well.
            let within = self.recent.iter().filter(|at| now < at.plus(pace.within_ms)).count();
            within < usize::try_from(pace.uses).unwrap_or(usize::MAX)
        });
        if is_in_pace { Ok(()) } else { Err(Uncovered::Pace) }
    }

    /// One more is taken.
    #[must_use]
    pub fn take(mut self, terms: &Terms, now: Timestamp) -> (Self, Used) {
        self.taken = self.taken.saturating_add(1);
        self.last = self.last.saturating_add(1);
        self.out.insert(self.last);
        if let Some(pace) = terms.pace {
            self.recent.push(now);
            let kept = usize::try_from(pace.uses).unwrap_or(usize::MAX);
            self.recent.drain(..self.recent.len().saturating_sub(kept));
        }
        let used = Used { number: self.last, at: now, shape: terms.shape };
        (self, used)
    }

    /// What came of one was seen: nothing of it is left, so that it comes back, or it stands. Once for each.
    #[must_use]
    pub fn settled(mut self, number: u64, is_undone: bool) -> Self {
        if self.out.remove(&number) && is_undone {
            self.taken = self.taken.saturating_sub(1);
        }
        self
    }

    /// Whether nothing can come of it any more, though its time is not over.
    #[must_use]
    pub fn are_spent(&self, terms: &Terms) -> bool {
        self.left(terms) == 0 && self.out.is_empty()
    }
}

/// Whether a request, with what it would do now, is one of those that the card of an allowance is for.
///
/// # Errors
/// In what it is not.
pub fn covers(card: &Card, terms: &Terms, intent: &Intent, facts: &Facts) -> Result<(), Uncovered> {
    let is_possible = |intent: &Intent, facts: &Facts| !is_barred(intent) && is_bounded(intent, facts);
    if !is_possible(&card.intent, &card.facts) || is_barred(intent) {
        return Err(Uncovered::Never);
    }
    concerns(card, terms, intent)?;
    let mut differences = facts.drift(&card.facts);
    if facts.ceilings.is_some() != card.facts.ceilings.is_some() {
        differences.push("it cannot be counted and taken back in the same way".to_owned());
    }
    if differences.is_empty() { Ok(()) } else { Err(Uncovered::Facts(differences)) }
}

/// The same as far as it shows before anything is looked up.
///
/// # Errors
/// In what it is not one of those.
pub fn concerns(card: &Card, terms: &Terms, intent: &Intent) -> Result<(), Uncovered> {
    let like = &card.intent;
    let is_there = like.upstream == intent.upstream && like.environment == intent.environment;
    if !is_there || !is_of(terms.whose, &like.principal, &intent.principal) {
        return Err(Uncovered::Elsewhere);
    }
    let is_same =
        terms.shape == intent.shape && like.acts.iter().map(done).eq(intent.acts.iter().map(done));
    if is_same { Ok(()) } else { Err(Uncovered::Shape) }
}

/// Whether requests of that principal are covered by an allowance for the first.
#[must_use]
pub fn is_of(whose: Whose, like: &Principal, principal: &Principal) -> bool {
    let is_agents = (&like.agent, like.human, &like.controller)
        == (&principal.agent, principal.human, &principal.controller);
    match whose {
        Whose::Session => like == principal,
        Whose::Agent => is_agents,
    }
}

/// What an act does, without the words for people.
#[must_use]
pub fn done(act: &Act) -> Act {
    Act { why: String::new(), ..act.clone() }
}

/// Whether there is never an allowance for it: something dangerous in production, which is all that is not declared to
/// be something else.
#[must_use]
pub fn is_barred(intent: &Intent) -> bool {
    are_barred(intent.acts.iter(), &intent.environment)
}

/// The same of acts and where they are done.
pub(crate) fn are_barred<'a>(
    acts: impl IntoIterator<Item = &'a Act>,
    environment: &Environment,
) -> bool {
    let is_dangerous = acts.into_iter().any(|act| act.effect.is_dangerous());
    is_dangerous && counts_as_production(environment)
}

/// Whether one use cannot do more than the card says: what only adds or reads does nothing to what there is.
fn is_bounded(intent: &Intent, facts: &Facts) -> bool {
    match &facts.ceilings {
        Some(ceilings) => ceilings.is_bounded(),
        None => intent.acts.worst() <= Effect::Create,
    }
}

/// The same people, and somebody other than the controller among them.
pub(crate) fn at_least_a_peer(needs: Needs) -> Needs {
    let peers = needs.peers.max(1);
    Needs { peers, signers: if needs.signers > peers { needs.signers } else { 0 }, ..needs }
}

#[cfg(test)]
pub(crate) mod tests;
