//! Allowances: asked for as holds of their own, and used by requests that would be held without them.
//!
//! A use is decided again with the approvals that still count, taken and recorded in one change before anything
//! runs; so a crash can lose uses and never gains any.

use tyer_core::allowance::{AskError, Terms, Whose, Wish, concerns, is_of};
use tyer_core::facts::{Card, Facts};
use tyer_core::hold::{Event, Hold, Next, State, Use};
use tyer_core::intent::{HoldId, Intent, PersonId, Principal, Timestamp};
use tyer_core::limits::{ALLOWANCES_PER_CONTROLLER, ALLOWANCES_PER_SESSION};
use tyer_core::verdict::{Grant, Refusal};

use super::holds::{AnswerError, going, name, within_bounds};
use super::outcomes::Taken;
use super::world::holds::{Holds, put};
use super::world::{Session, World};
use super::{Attempt, Gateway, News, Request, unrecorded};
use crate::clock;
use crate::store::{Change, StoreError};

/// Why an allowance is not asked for. Texts are for the person who asks.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum AllowanceError {
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("there is no allowance for it: {0}")]
    Ask(#[from] AskError),
    /// Only who controls the agent asks for it to be asked less.
    #[error("{0} does not control this session")]
    NotController(PersonId),
    #[error("its session has ended")]
    SessionEnded,
    #[error("the policies have changed since it was held")]
    Policies,
    #[error(
        "there are {ALLOWANCES_PER_SESSION} allowances of this session, or {ALLOWANCES_PER_CONTROLLER} of its controller, already; revoke one"
    )]
    TooMany,
    #[error("{0}")]
    Refused(String),
}

impl Gateway {
    /// Asks for an allowance like that held request; people answer it as the hold that is returned. `by` is nobody for
    /// the operator.
    pub(crate) async fn ask_allowance(
        &self,
        id: &HoldId,
        by: Option<&PersonId>,
        wish: Wish,
    ) -> Result<HoldId, AllowanceError> {
        let _gate = self.gate.read().await;
        let mut world = self.world().await;
        let now = clock::now();
        let like = going(&world, id)?;
        let (card, principal) = (like.card(), &like.card().intent.principal);
        if let Some(by) = by.filter(|by| !principal.is_controlled_by(by)) {
            return Err(AllowanceError::NotController(by.clone()));
        }
        if !like.is_live() || now >= like.ends() {
            return Err(AnswerError::Ended(id.clone()).into());
        }
        let runs = |session: &Session| session.ended.is_none() && now < session.until;
        if !world.sessions.get(&principal.session).is_some_and(runs) {
            return Err(AllowanceError::SessionEnded);
        }
        if card.policy_set != self.config.policies.hash() {
            return Err(AllowanceError::Policies);
        }
        let asked = Terms::asked(card, name(world.next_hold), wish)?;
        // Who is in which team, and works when, is as it is now.
        let roster = self.roster(&world, &asked.needs);
        let asked = Card { roster, ..asked };
        if let Some(same) = world.holds.iter().find(|hold| hold.is_live() && is_same(hold, &asked)) {
            return Ok(same.id().clone());
        }
        let is_one = |hold: &Hold| hold.is_live() && hold.card().allowance.is_some();
        let (of_session, of_controller) = world.holds.count(&asked.intent.principal, is_one);
        if of_session >= ALLOWANCES_PER_SESSION || of_controller >= ALLOWANCES_PER_CONTROLLER {
            return Err(AllowanceError::TooMany);
        }
        let refused = |refusal: Refusal| AllowanceError::Refused(refusal.message);
        within_bounds(&world, &asked.intent).map_err(refused)?;
        let id = asked.hold.clone();
        self.park(&mut world, asked, now).await.map_err(refused)?;
        Ok(id)
    }

    /// Lets a request through that an allowance covers. Nothing says that none does, and it is asked by itself.
    pub(super) async fn allowed(
        &self,
        world: &mut World,
        (intent, request): (&Intent, &Request),
        facts: &Facts,
        now: Timestamp,
    ) -> Result<Option<Attempt>, Refusal> {
        for hold in world.holds.allowing(intent, now) {
            let among = world.among();
            let is_void = self.has_lost_a_key(world, &hold)
                || hold.has_lapsed_among(&among, now)
                || !self.frozen_since(world, intent, &hold, now).is_empty();
            if is_void {
                let id = hold.id().clone();
                let ended = self.abandon(world, |other| *other.id() == id, now).await;
                ended.map_err(|error| unrecorded(&error))?;
                continue;
            }
            let counted = hold.counted_for(&among, &intent.principal);
            let verdict = self.decide(world, intent, (facts, counted), now).verdict;
            let it = Use { intent: intent.clone(), facts: facts.clone(), verdict };
            match hold.step(Event::Use(Box::new(it)), now) {
                Next::Releases(hold, grant) => {
                    return self
                        .used(world, (intent, request), facts.clone(), (hold, grant))
                        .await
                        .map(Some);
                }
                Next::Refuses(hold, error) => {
                    tracing::debug!(hold = %hold.id(), %error, "an allowance does not cover it");
                }
                Next::Stays(hold, _) => {
                    self.end_hold(world, hold, now).await.map_err(|error| unrecorded(&error))?;
                }
            }
        }
        Ok(None)
    }

    /// Makes a use durable with the leaf of its request, and only then lets it go.
    async fn used(
        &self,
        world: &mut World,
        (intent, request): (&Intent, &Request),
        facts: Facts,
        (hold, grant): (Hold, Grant),
    ) -> Result<Attempt, Refusal> {
        let approvals = hold.counting_for(&world.among(), &intent.principal).into_iter();
        let approvals = approvals.filter_map(|it| self.approval_record(world, it)).collect();
        // What bounds it is what people agreed to.
        let facts = Facts { ceilings: hold.card().facts.ceilings.clone(), ..facts };
        let noted = self.sequences.note(intent, request.transactional, clock::now());
        let number = grant.basis().used.map(|used| used.number);
        let change = put(Change::default(), &hold, None);
        let attempt = self.clear(change, intent, grant, (facts, approvals, noted)).await?;
        let id = hold.id().clone();
        let taken = Taken { hold: id.clone(), number, returns: request.transactional };
        world.holds.insert(hold);
        let leaf = match &attempt {
            Attempt::Cleared(clearance) => Some(clearance.leaf()),
            Attempt::Lapsed(leaf) => Some(*leaf),
            Attempt::Again | Attempt::Look(..) | Attempt::Waits(..) => None,
        };
        if let Some(leaf) = leaf {
            self.unsettled().insert(leaf, Some(taken));
        }
        self.tell(News::Hold(id));
        // Nobody has to answer for it by itself any more.
        let asked = world.holds.of_request(&request.session, request.digest).map(|it| it.id().clone());
        if let Some(asked) = asked
            && let Err(error) = self.abandon(world, |hold| *hold.id() == asked, clock::now()).await
        {
            tracing::warn!(%error, hold = %asked, "a hold that was overtaken stays open");
        }
        Ok(attempt)
    }

    /// Ends allowances that were signed under other policies than those of now.
    pub(super) async fn void_allowances(&self) -> Result<(), StoreError> {
        let policy_set = self.config.policies.hash();
        let is_void =
            |hold: &Hold| hold.card().allowance.is_some() && hold.card().policy_set != policy_set;
        let mut world = self.world.lock().await;
        self.abandon(&mut world, is_void, clock::now()).await.map(drop)
    }
}

impl Holds {
    /// Allowances that a request may be covered by, as far as that shows before its facts are taken.
    fn allowing(&self, intent: &Intent, now: Timestamp) -> Vec<Hold> {
        self.iter().filter(|hold| may_allow(hold, intent, now)).cloned().collect()
    }

    /// Whether there is any.
    pub(super) fn may_allow(&self, intent: &Intent, now: Timestamp) -> bool {
        self.iter().any(|hold| may_allow(hold, intent, now))
    }
}

fn may_allow(hold: &Hold, intent: &Intent, now: Timestamp) -> bool {
    hold.allows().is_some_and(|(terms, uses)| {
        now < uses.until
            && concerns(hold.card(), terms, intent).is_ok()
            && uses.may_take(terms, now).is_ok()
    })
}

/// Whether a request that people are asked about need not wait for them, since an allowance may cover it.
pub(super) fn may_be_allowed(
    world: &World,
    (asked, intent): (&HoldId, &Intent),
    now: Timestamp,
) -> bool {
    let is_open = world.holds.get(asked).is_some_and(|hold| matches!(hold.state(), State::Open));
    is_open && world.holds.may_allow(intent, now)
}

/// Whether it is an allowance for whatever sessions its agent has, this principal's among them.
pub(super) fn outlives(hold: &Hold, principal: &Principal) -> bool {
    is_of_agent(hold) && is_of(Whose::Agent, &hold.card().intent.principal, principal)
}

/// Whether it does not end with its session.
pub(super) fn is_of_agent(hold: &Hold) -> bool {
    hold.card().allowance.as_ref().is_some_and(|terms| terms.whose == Whose::Agent)
}

/// Whether it asks for the same as that card, or allows it.
fn is_same(hold: &Hold, card: &Card) -> bool {
    let (one, other) = (hold.card(), card);
    let is_like = |one: &Terms, other: &Terms| {
        let of = |terms: &Terms| (terms.shape, terms.whose, terms.count, terms.lasts_ms, terms.pace);
        of(one) == of(other)
    };
    let has_some_left = hold.allows().is_none_or(|(terms, uses)| uses.taken < terms.count);
    has_some_left
        && one.intent.principal == other.intent.principal
        && one
            .allowance
            .as_ref()
            .zip(other.allowance.as_ref())
            .is_some_and(|(one, other)| is_like(one, other))
}
