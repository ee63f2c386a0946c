//! A hold: a parked intent, and the people who answer it.
//!
//! [`Hold::step`] consumes the hold and returns the next one, so an old state cannot be used again. Time
//! is an argument. INVARIANTS: one human is one approval; the controller is never a peer or an owner
//! approval; at most one grant of a hold is out at any time, none leaves after it expired, was rejected or
//! lapsed, and none after one of them was used.

mod allowed;
mod beside;
mod counting;
mod errors;
mod glass;
mod ran;
mod still;
mod together;

pub use beside::{Beside, BesideError, Note};
pub use errors::StepError;

use std::collections::BTreeMap;

pub use allowed::Use;
use serde::{Deserialize, Serialize};
use still::Voice;
pub use still::{Able, Still};
pub use together::{Apart, together};

use crate::allowance::Uses;
use crate::assurance::Assurance;
use crate::facts::Card;
use crate::intent::{Digest, HoldId, PersonId, SessionId, Timestamp};
use crate::limits::{GRANT_MS_MAX, HOLD_MS_MAX, REJECTED_MS};
use crate::statement::Signed;
use crate::verdict::{Approvals, Grant, Needs, Verdict};

/// How long a hold and its approvals live; both within the limits of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetimes {
    open_ms: i64,
    grant_ms: i64,
}

impl Lifetimes {
    /// The configured lifetimes, never longer than the system's limits.
    #[must_use]
    pub fn new(open_ms: i64, grant_ms: i64) -> Self {
        Self { open_ms: open_ms.clamp(1, HOLD_MS_MAX), grant_ms: grant_ms.clamp(1, GRANT_MS_MAX) }
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self::new(HOLD_MS_MAX, GRANT_MS_MAX)
    }
}

/// Where a hold stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum State {
    /// Waiting for people.
    Open,
    /// Enough people agreed; the request may be presented until `lapses`.
    Approved {
        /// When the approvals lapse.
        lapses: Timestamp,
    },
    /// Somebody said no.
    Rejected {
        /// Who.
        by: PersonId,
        /// Their reason, for the agent to read.
        reason: String,
        /// Until when the same request is refused unasked.
        until: Timestamp,
    },
    /// Nobody answered in time, or nobody used the answer in time.
    Expired,
    /// The requester or the end of its session took it back.
    Abandoned,
    /// The one grant has left, and what came of it has not been seen yet.
    Taken {
        /// When the approvals lapse, should the grant come back.
        lapses: Timestamp,
    },
    /// Enough people agreed to it as an allowance: it gives grants as long as that lasts.
    Active(Uses),
    /// The grant was used, or all of an allowance.
    Spent,
}

/// One person's agreement, with the signature that proves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub person: PersonId,
    /// In which standing they count for this hold.
    pub standing: Standing,
    /// When.
    pub at: Timestamp,
    /// What they wrote beside it.
    pub comment: String,
    /// The signed statement.
    pub signed: Signed,
    /// By what kind of key it was signed.
    #[serde(default, skip_serializing_if = "Assurance::is_passkey")]
    pub assurance: Assurance,
}

/// What a person is to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The human on whose behalf the session acts.
    Controller,
    /// Another human who counts.
    Peer,
    /// A peer who owns the upstream.
    Owner,
}

/// A parked intent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    card: Card,
    opened: Timestamp,
    expires: Timestamp,
    lifetimes: Lifetimes,
    approvals: Vec<Approval>,
    state: State,
    /// Who could count when it was opened, and as what; unknown of holds of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    electorate: Option<BTreeMap<PersonId, Standing>>,
    /// Who let it through on their own word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    glass: Option<Box<Approval>>,
    /// What people left beside it.
    #[serde(default, skip_serializing_if = "Beside::is_empty")]
    beside: Beside,
}

/// What happens to a hold.
#[derive(Debug)]
pub enum Event {
    /// A person agreed; their signature has been verified.
    Approve(Box<Approval>),
    /// An operator lets it through on their own word; their signature has been verified.
    BreakGlass(Box<Approval>),
    /// A person disagreed; their signature has been verified.
    Reject {
        /// Who.
        by: PersonId,
        /// Why, for the agent to read.
        reason: String,
    },
    /// The same request was presented again and decided again, with the approvals of this hold.
    Present {
        /// The identity of what was presented.
        digest: Digest,
        /// The decision made just now.
        verdict: Verdict,
    },
    /// A request came that it may cover as an allowance.
    Use(Box<Use>),
    /// What came of a use of that number was seen; whether nothing of it is left.
    Settled(u64, bool),
    /// What ran with its grant was observed to be rolled back, all of it: the grant comes back.
    Undone,
    /// What ran with its grant, or with all that are out, stands, or may.
    Used,
    /// The requester or the end of its session takes it back.
    Abandon,
    /// Time has passed.
    Tick,
}

/// What follows from an event. The hold is always returned; it is the caller's to store before acting.
#[derive(Debug)]
#[must_use]
pub enum Next {
    /// Nothing leaves the hold. `changed` tells whether there is anything to store.
    Stays(Hold, Changed),
    /// The one grant leaves it.
    Releases(Hold, Grant),
    /// The event does not apply.
    Refuses(Hold, StepError),
}

/// Whether a step changed the hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It did.
    Yes,
    /// It did not.
    No,
}

impl Hold {
    /// Parks an intent with its card.
    #[must_use]
    pub fn open(card: Card, lifetimes: Lifetimes, now: Timestamp) -> Self {
        let expires = now.plus(lifetimes.open_ms);
        // Where nothing but time is asked for, it passes from now on.
        let is_agreed = card.needs.waited > 0
            && card.allowance.is_none()
            && card.needs.agreed_by(&Approvals::default());
        let lapses = now.plus(waited_ms(&card.needs)).plus(lifetimes.grant_ms);
        let state = if is_agreed { State::Approved { lapses } } else { State::Open };
        Self {
            card,
            opened: now,
            expires,
            lifetimes,
            approvals: Vec::new(),
            state,
            electorate: None,
            glass: None,
            beside: Beside::default(),
        }
    }

    /// The same hold, which only these people can answer by agreeing, and none as more than this.
    #[must_use]
    pub fn among(self, electorate: BTreeMap<PersonId, Standing>) -> Self {
        Self { electorate: Some(electorate), ..self }
    }

    /// Applies one event. Expiry is looked at first, so it beats everything that comes too late.
    pub fn step(self, event: Event, now: Timestamp) -> Next {
        let (hold, expired) = self.aged(now);
        if expired == Changed::Yes {
            return Next::Stays(hold, Changed::Yes);
        }
        match event {
            Event::Tick => Next::Stays(hold, Changed::No),
            Event::Approve(approval) => hold.approve(*approval, now),
            Event::BreakGlass(approval) => hold.break_glass(*approval, now),
            Event::Reject { by, reason } => hold.reject(by, reason, now),
            Event::Present { digest, verdict } => hold.present(digest, verdict, now),
            Event::Use(it) => hold.lets(*it, now),
            Event::Settled(number, is_undone) => hold.settled(number, is_undone),
            Event::Undone => hold.came_back(now),
            Event::Used => hold.used(),
            Event::Abandon => hold.abandon(),
        }
    }

    fn aged(mut self, now: Timestamp) -> (Self, Changed) {
        let over = match &self.state {
            State::Open => now >= self.expires,
            State::Approved { lapses } => now >= *lapses,
            State::Active(uses) => now >= uses.until,
            State::Rejected { .. }
            | State::Expired
            | State::Abandoned
            | State::Taken { .. }
            | State::Spent => false,
        };
        if over {
            self.state = State::Expired;
        }
        (self, if over { Changed::Yes } else { Changed::No })
    }

    fn approve(mut self, approval: Approval, now: Timestamp) -> Next {
        let error = if !matches!(self.state, State::Open | State::Approved { .. }) {
            Some(StepError::Closed(self.state_word()))
        } else if self.has_approved(&Voice::from(&approval)) {
            Some(StepError::Twice(approval.person.clone()))
        } else if now >= self.expires {
            // What people agreed to in time may run later; nobody agrees later.
            Some(StepError::Closed("past its time for approvals"))
        } else if self.is_controller(&approval.person)
            && (approval.standing != Standing::Controller || !self.card.needs.controller)
        {
            Some(StepError::Controller(approval.person.clone()))
        } else if approval.standing == Standing::Controller
            && approval.person != self.card.intent.principal.controller
        {
            Some(StepError::NotController(approval.person.clone()))
        } else if !self.is_signed_for(&approval) {
            Some(StepError::OtherCard)
        } else if let Err(apart) = self.may_be_signed_so(&approval) {
            Some(apart.into())
        } else if self.standing_then(&approval.person).is_none() {
            Some(StepError::CameLater(approval.person.clone()))
        } else if approval.assurance < Assurance::Passkey
            && !self.card.needs.helped_by(approval.standing, approval.assurance)
        {
            let needs = self.card.needs.in_words();
            Some(StepError::CountsForNothing(approval.assurance.in_words(), needs))
        } else {
            None
        };
        if let Some(error) = error {
            return Next::Refuses(self, error);
        }
        // A better key, or being at work, takes the place of the same person's other one: one human is one approval.
        self.approvals.retain(|given| given.person != approval.person);
        // Who has become an owner since counts as what they were.
        let standing = self.standing_then(&approval.person).unwrap_or(approval.standing);
        self.approvals.push(Approval { standing: approval.standing.min(standing), ..approval });
        if self.card.needs.agreed_by(&self.counted()) {
            self.state = self.agreed(now);
        }
        Next::Stays(self, Changed::Yes)
    }

    fn reject(mut self, by: PersonId, reason: String, now: Timestamp) -> Next {
        if !self.is_live() {
            let error = StepError::Closed(self.state_word());
            return Next::Refuses(self, error);
        }
        self.state = State::Rejected { by, reason, until: now.plus(REJECTED_MS) };
        Next::Stays(self, Changed::Yes)
    }

    fn present(mut self, digest: Digest, verdict: Verdict, now: Timestamp) -> Next {
        let State::Approved { lapses } = self.state else {
            let error = match self.state {
                State::Open => StepError::NotApproved,
                _ => StepError::Closed(self.state_word()),
            };
            return Next::Refuses(self, error);
        };
        if digest != self.card.intent.digest {
            return Next::Refuses(self, StepError::OtherRequest);
        }
        if now < self.not_before() {
            let error = StepError::NotYet(self.not_before());
            return Next::Refuses(self, error);
        }
        match verdict {
            Verdict::Deny(refusal) => Next::Refuses(self, StepError::RefusedNow(refusal)),
            Verdict::Hold(needs) => Next::Refuses(self, StepError::NeedsMore(needs)),
            Verdict::Allow(grant)
                if grant.digest() != digest
                    || grant.session() != self.session()
                    || !grant.is_live(now) =>
            {
                Next::Refuses(self, StepError::OtherRequest)
            }
            Verdict::Allow(grant) => {
                self.state = State::Taken { lapses };
                let grant = grant.released(self.card.hold.clone(), self.ceilings(), lapses);
                Next::Releases(self, grant)
            }
        }
    }

    fn abandon(mut self) -> Next {
        if !self.is_live() {
            return Next::Stays(self, Changed::No);
        }
        self.state = State::Abandoned;
        Next::Stays(self, Changed::Yes)
    }

    fn is_controller(&self, person: &PersonId) -> bool {
        self.card.intent.principal.is_controlled_by(person)
    }

    /// As what a person could have counted at most when it was opened.
    fn standing_then(&self, person: &PersonId) -> Option<Standing> {
        let Some(electorate) = &self.electorate else { return Some(Standing::Owner) };
        electorate.get(person).copied()
    }

    /// Whether the person has approved already as well: by a better key, or by such a key and, where that is asked for,
    /// at work.
    fn has_approved(&self, voice: &Voice<'_>) -> bool {
        let is_at_work = |at: Timestamp| self.card.roster.is_at_work(voice.person, at);
        let rank = |assurance: Assurance, at: Timestamp| (assurance, is_at_work(at));
        let stands =
            |given: &Approval| rank(given.assurance, given.at) >= rank(voice.assurance, voice.at);
        self.approvals.iter().any(|given| given.person == *voice.person && stands(given))
    }

    /// The hold's id.
    #[must_use]
    pub fn id(&self) -> &HoldId {
        &self.card.hold
    }

    /// The session whose intent is parked.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.card.intent.principal.session
    }

    /// What approvers see and sign.
    #[must_use]
    pub fn card(&self) -> &Card {
        &self.card
    }

    /// Where it stands, as of the last step.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Where it stands, in one word.
    #[must_use]
    pub fn state_word(&self) -> &'static str {
        match self.state {
            State::Open => "open",
            State::Approved { .. } => "approved",
            State::Rejected { .. } => "rejected",
            State::Expired => "expired",
            State::Abandoned => "abandoned",
            State::Taken { .. } => "taken",
            State::Active(_) => "active",
            State::Spent => "spent",
        }
    }

    /// Whether a person counted when it was opened, and so can agree to it.
    #[must_use]
    pub fn was_there(&self, person: &PersonId) -> bool {
        self.standing_then(person).is_some()
    }

    /// Whether people can still change its fate.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, State::Open | State::Approved { .. } | State::Active(_))
    }

    /// Whether nothing can come of it any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match self.state {
            State::Open | State::Approved { .. } | State::Taken { .. } | State::Active(_) => false,
            State::Rejected { .. } | State::Expired | State::Abandoned | State::Spent => true,
        }
    }

    /// The approvals given, oldest first.
    #[must_use]
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// When it may run at the earliest, whoever agrees.
    #[must_use]
    pub fn not_before(&self) -> Timestamp {
        self.opened.plus(waited_ms(&self.card.needs))
    }

    /// When it was opened.
    #[must_use]
    pub fn opened(&self) -> Timestamp {
        self.opened
    }

    /// When it ends by itself: its expiry while open, its approvals' lapse once approved.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        match &self.state {
            State::Approved { lapses } | State::Taken { lapses } => *lapses,
            State::Active(uses) => uses.until,
            _ => self.expires,
        }
    }
}

fn waited_ms(needs: &Needs) -> i64 {
    i64::from(needs.waited).saturating_mul(1000)
}

#[cfg(test)]
mod tests;
