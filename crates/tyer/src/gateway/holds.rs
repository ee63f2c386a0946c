//! Opening, answering and ending holds.

use tyer_core::facts::{Card, Facts};
use tyer_core::hold::{Approval, Changed, Event, Hold, Next, StepError};
use tyer_core::intent::{HoldId, Intent, PersonId, SessionId, Timestamp};
use tyer_core::limits::{OPEN_HOLDS_PER_CONTROLLER, OPEN_HOLDS_PER_SESSION};
use tyer_core::people::Barred;
use tyer_core::record::{ApprovalRecord, CardRecord, Record, What};
use tyer_core::statement::{Decision, Subject};
use tyer_core::verdict::{Approvals, Basis, Reason, Refusal, Verdict};

use crate::clock;
use crate::gateway::allowances::{is_of_agent, may_be_allowed};
use crate::gateway::bounds::bounded;
use crate::gateway::statements::Word;
use crate::gateway::world::holds::{Rejected, put};
use crate::gateway::world::{NEXT_HOLD, World};
use crate::gateway::{Attempt, Gateway, News, Request, unrecorded};
use crate::store::{Change, StoreError, Table};

/// What the ids of holds begin with.
const PREFIX: &str = "H-";

/// Why an answer to a hold is not accepted; each text is for the person who gave it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    /// No such hold.
    #[error("there is no hold {0}")]
    Unknown(HoldId),
    /// It has ended.
    #[error("{0} has ended and can no longer be answered")]
    Ended(HoldId),
    /// It has ended, and how.
    #[error("{0} can no longer be answered: {1}")]
    Over(HoldId, String),
    /// The hold does not take it.
    #[error("{0}")]
    Step(#[from] StepError),
    /// They cannot be another person for what is asked.
    #[error("{0}; their approval is not another person's")]
    Barred(#[from] Barred),
    /// One human is one approval.
    #[error("{0} and {1} are one human, who has approved this hold")]
    OneHuman(PersonId, PersonId),
    /// The person's word does not count.
    #[error("{0} does not count as an approver yet")]
    DoesNotCount(PersonId),
    /// A console on loopback beside the agent must not answer for production.
    #[error(
        "this console is on the agent's own machine; production cannot be approved here \
         (see `console.allow_loopback_approvals`)"
    )]
    Loopback,
    /// One of several that were to be approved together is not, so none is.
    #[error("{0} stands in the way: {1}; nothing of the list was approved")]
    OfList(HoldId, Box<Self>),
    /// The requester is owed a reason.
    #[error("a rejection needs a reason, which the agent gets to read")]
    NoReason,
    /// It could not be recorded.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Gateway {
    /// Parks a request: takes the facts, decides with them, makes the card and records it.
    pub(super) async fn open_hold(
        &self,
        request: &Request,
        intent: Intent,
    ) -> Result<Attempt, Refusal> {
        let gathered = self.upstreams.facts(&intent.upstream, &request.about, None).await;
        let (is_whole, mut facts) = (!gathered.is_partial, bounded(gathered.facts, request));
        let _gate = self.gate.read().await;
        let mut world = self.world.lock().await;
        let now = clock::now();
        // Taking the facts took time: the session may have ended, people may have answered, or a freeze
        // may be over where the policies are only observed.
        let intent = self.intent(&world, request, now)?;
        let is_rejected = self.rejected(&world, &intent, now).is_some();
        if is_rejected || self.observes_now(&world, &intent, now) {
            return Ok(Attempt::Again);
        }
        // What is refused now is refused where it is decided from the start.
        let (comes_to, None) = self.comes_to(&intent, now) else { return Ok(Attempt::Again) };
        facts.sequences = comes_to.sequences;
        let asked = world.holds.of_request(&request.session, request.digest);
        let asked = asked.map(|hold| (hold.id().clone(), hold.card().needs.clone()));
        if let Some((id, needs)) = &asked
            && !may_be_allowed(&world, (id, &intent), now)
        {
            return Ok(Attempt::Waits(id.clone(), needs.clone()));
        }
        let decision = self.decide(&world, &intent, (&facts, Approvals::default()), now);
        match decision.verdict {
            Verdict::Allow(grant) => {
                let noted = self.sequences.note(&intent, request.transactional, now);
                drop(world);
                self.clear_unheld(request, &intent, grant, (facts, noted)).await
            }
            Verdict::Deny(refusal) => {
                drop(world);
                Err(self.refuse((&intent, facts), &decision.basis, refusal, now).await)
            }
            Verdict::Hold(needs) => {
                if is_whole
                    && let Some(attempt) =
                        Box::pin(self.allowed(&mut world, (&intent, request), &facts, now)).await?
                {
                    return Ok(attempt);
                }
                if let Some((id, needs)) = asked {
                    return Ok(Attempt::Waits(id, needs));
                }
                if world.holds.may_allow(&intent, now) {
                    // It was not counted before, since an allowance might have covered it.
                    Box::pin(self.paced(&mut world, &intent, now)).await?;
                }
                within_bounds(&world, &intent)?;
                let card = self.card(&world, (intent, facts), (needs, decision.basis), now);
                self.park(&mut world, card, now).await
            }
        }
    }

    /// Ends a hold whose consequences have changed, and opens one with those of now.
    pub(super) async fn hold_anew(
        &self,
        world: &mut World,
        intent: &Intent,
        hold: Hold,
        facts: Facts,
    ) -> Result<Attempt, Refusal> {
        let now = clock::now();
        if let Next::Stays(hold, Changed::Yes) = hold.step(Event::Abandon, now) {
            self.end_hold(world, hold, now).await.map_err(|error| unrecorded(&error))?;
        }
        self.ask_anew(world, intent, facts, now).await
    }

    /// Asks people about a request whose hold has just ended, with other facts.
    pub(super) async fn ask_anew(
        &self,
        world: &mut World,
        intent: &Intent,
        facts: Facts,
        now: Timestamp,
    ) -> Result<Attempt, Refusal> {
        let decision = self.decide(world, intent, (&facts, Approvals::default()), now);
        match decision.verdict {
            Verdict::Hold(needs) => {
                within_bounds(world, intent)?;
                let card = self.card(world, (intent.clone(), facts), (needs, decision.basis), now);
                self.park(world, card, now).await
            }
            // Then it is decided from the start.
            Verdict::Allow(_) => Ok(Attempt::Again),
            Verdict::Deny(refusal) => {
                Err(self.refuse((intent, facts), &decision.basis, refusal, now).await)
            }
        }
    }

    pub(super) async fn park(
        &self,
        world: &mut World,
        card: Card,
        now: Timestamp,
    ) -> Result<Attempt, Refusal> {
        let basis = Basis {
            policies: card.policies.clone(),
            policy_set: card.policy_set,
            hold: Some(card.hold.clone()),
            observed: None,
            used: None,
        };
        let (request, private) = self.request_record(&card.intent, card.facts.clone(), &basis)?;
        let (id, needs) = (card.hold.clone(), card.needs.clone());
        let record = CardRecord::of(&card, request);
        let electorate = self.electorate(world, &card.intent);
        let hold = Hold::open(card, self.config.holds.lifetimes, now).among(electorate);
        let next = world.next_hold + 1;
        let what = What::Held { card: Box::new(record), expires: hold.ends() };
        let change = Change::default()
            .leaf(&Record::new(now, what))
            .put_at_leaf(Table::Private, &private)
            .put(Table::Setting, NEXT_HOLD, &next);
        self.sequencer.commit(put(change, &hold, None)).await.map_err(|error| unrecorded(&error))?;
        world.next_hold = next;
        world.holds.insert(hold);
        self.tell(News::Hold(id.clone()));
        Ok(Attempt::Waits(id, needs))
    }

    /// Adds a person's verified approval.
    pub(super) async fn approve(
        &self,
        world: &mut World,
        word: Word,
        subject: &Subject,
    ) -> Result<(), AnswerError> {
        let now = word.now;
        let (hold, approval) = self.agreeing(world, word, &subject.hold)?;
        let Some(approval) = approval else {
            self.end_hold(world, hold, now).await?;
            return Err(AnswerError::Ended(subject.hold.clone()));
        };
        let what = What::Approved { hold: subject.hold.clone(), approval };
        let allows = hold.allows().is_some();
        self.keep(world, hold, Change::default().leaf(&Record::new(now, what))).await?;
        if allows {
            // Whoever waits for people may not have to any more.
            self.tell(News::Rules);
        }
        Ok(())
    }

    /// The hold as it is with a person's verified approval, and that as leaves carry it; without one, it has expired.
    pub(super) fn agreeing(
        &self,
        world: &World,
        word: Word,
        id: &HoldId,
    ) -> Result<(Hold, Option<ApprovalRecord>), AnswerError> {
        let Word { signed, by: person, comment, now, .. } = word;
        let hold = self.answerable(world, id, &person)?;
        let standing = self.standing_for(world, &hold, &person)?;
        let key = self.key_of(world, &person, &signed.credential);
        let assurance = key.map(|key| self.assurance(&key));
        let assurance = assurance.ok_or_else(|| AnswerError::DoesNotCount(person.clone()))?;
        let approval =
            Approval { person: person.clone(), standing, at: now, comment, signed, assurance };
        match hold.step(Event::Approve(Box::new(approval)), now) {
            Next::Stays(hold, _) if hold.state_word() == "expired" => Ok((hold, None)),
            Next::Stays(hold, _) | Next::Releases(hold, _) => {
                let approval = hold.approvals().iter().find(|approval| approval.person == person);
                let approval = approval.and_then(|approval| self.approval_record(world, approval));
                let approval = approval.ok_or(AnswerError::DoesNotCount(person))?;
                Ok((hold, Some(approval)))
            }
            Next::Refuses(_, error) => Err(error.into()),
        }
    }

    /// Adds a person's verified rejection.
    pub(super) async fn reject(
        &self,
        world: &mut World,
        word: Word,
        subject: &Subject,
    ) -> Result<(), AnswerError> {
        let Word { signed, by: person, comment: reason, now, .. } = word;
        if reason.trim().is_empty() {
            return Err(AnswerError::NoReason);
        }
        let hold = self.answerable(world, &subject.hold, &person)?;
        let key = self.key_of(world, &person, &signed.credential);
        let key = key.ok_or_else(|| AnswerError::DoesNotCount(person.clone()))?;
        match hold.step(Event::Reject { by: person.clone(), reason: reason.clone() }, now) {
            Next::Stays(hold, _) | Next::Releases(hold, _) if hold.state_word() == "rejected" => {
                let session = hold.session().clone();
                let what = What::Rejected { hold: subject.hold.clone(), person, reason, signed, key };
                self.keep(world, hold, Change::default().leaf(&Record::new(now, what))).await?;
                world.paces.rejected(&session, now);
                Ok(())
            }
            Next::Stays(hold, _) | Next::Releases(hold, _) => {
                self.end_hold(world, hold, now).await?;
                Err(AnswerError::Ended(subject.hold.clone()))
            }
            Next::Refuses(_, error) => Err(error.into()),
        }
    }

    pub(super) fn answerable(
        &self,
        world: &World,
        id: &HoldId,
        person: &PersonId,
    ) -> Result<Hold, AnswerError> {
        let hold = going(world, id)?.clone();
        if !world.people.get(person).is_some_and(crate::gateway::world::Person::counts) {
            return Err(AnswerError::DoesNotCount(person.clone()));
        }
        let console = &self.config.console;
        let production = tyer_core::policy::counts_as_production(&hold.card().intent.environment);
        if production && console.is_loopback() && !console.allow_loopback_approvals {
            return Err(AnswerError::Loopback);
        }
        Ok(hold)
    }

    /// The statement that a person signs to answer a hold.
    pub(super) fn subject(world: &World, id: &HoldId) -> Result<Subject, AnswerError> {
        Ok(going(world, id)?.subject())
    }

    /// An approval as leaves carry it, with the key that verifies it.
    pub(super) fn approval_record(&self, world: &World, approval: &Approval) -> Option<ApprovalRecord> {
        let key = self.key_of(world, &approval.person, &approval.signed.credential)?;
        Some(ApprovalRecord {
            person: approval.person.clone(),
            standing: approval.standing,
            at: approval.at,
            comment: approval.comment.clone(),
            signed: approval.signed.clone(),
            key,
        })
    }

    /// Ends what ran out by `now`; called now and then.
    pub(crate) async fn tick_holds(&self, now: Timestamp) {
        let mut world = self.world.lock().await;
        let live: Vec<Hold> =
            world.holds.iter().filter(|hold| hold.is_live() && hold.ends() <= now).cloned().collect();
        for hold in live {
            if let Next::Stays(hold, Changed::Yes) = hold.step(Event::Tick, now)
                && let Err(error) = self.end_hold(&mut world, hold, now).await
            {
                tracing::error!(%error, "the end of a hold was not recorded");
            }
        }
        world.paces.forget(now);
        self.tick_answers(&mut world, now).await;
        let lapsed = world.holds.lapsed(now);
        if lapsed.is_empty() {
            return;
        }
        let remove = |change: Change, id: &HoldId| change.remove(Table::Rejected, id.as_str());
        match self.sequencer.commit(lapsed.iter().fold(Change::default(), remove)).await {
            Ok(_) => world.holds.forget_lapsed(now),
            Err(error) => tracing::error!(%error, "rejections that lapsed are kept for now"),
        }
    }

    /// Takes back the holds of a session that ended.
    pub(super) async fn abandon_holds(
        &self,
        world: &mut World,
        session: &SessionId,
        now: Timestamp,
    ) -> Result<Vec<HoldId>, StoreError> {
        self.abandon(world, |hold| hold.session() == session && !is_of_agent(hold), now).await
    }

    /// Takes back those holds, and says which they were.
    pub(super) async fn abandon(
        &self,
        world: &mut World,
        which: impl Fn(&Hold) -> bool,
        now: Timestamp,
    ) -> Result<Vec<HoldId>, StoreError> {
        let live = world.holds.iter().filter(|hold| hold.is_live() && which(hold));
        let mut taken_back = Vec::new();
        for hold in live.cloned().collect::<Vec<_>>() {
            if let Next::Stays(hold, Changed::Yes) = hold.step(Event::Abandon, now) {
                let id = hold.id().clone();
                self.end_hold(world, hold, now).await?;
                taken_back.push(id);
            }
        }
        Ok(taken_back)
    }

    /// Records the end of a hold that nothing left.
    pub(super) async fn end_hold(
        &self,
        world: &mut World,
        hold: Hold,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let what = What::HoldEnded { hold: hold.id().clone(), how: hold.state_word().to_owned() };
        self.keep(world, hold, Change::default().leaf(&Record::new(now, what))).await
    }

    /// The refusal of a request that somebody rejected, for as long as that lasts. It binds every
    /// session of the same controller on the same upstream, so asking elsewhere does not help.
    pub(super) fn rejected(
        &self,
        world: &World,
        intent: &Intent,
        now: Timestamp,
    ) -> Option<(Refusal, Basis)> {
        let Rejected { hold, by, reason, .. } = world.holds.rejected(intent, now)?;
        let message = format!("{by} rejected this request ({hold}): {reason}");
        let next = "do something else; the same request is refused until tomorrow".to_owned();
        let basis = Basis {
            policies: Vec::new(),
            policy_set: self.config.policies.hash(),
            hold: Some(hold.clone()),
            observed: None,
            used: None,
        };
        Some((Refusal::new(Reason::Rejected, message, next), basis))
    }

    /// What a person signs about a hold.
    pub(super) fn hold_decision(
        world: &World,
        id: &HoldId,
        approve: bool,
    ) -> Result<Decision, AnswerError> {
        let subject = Self::subject(world, id)?;
        Ok(if approve { Decision::Approve(subject) } else { Decision::Reject(subject) })
    }
}

/// The hold of that id, if it has not ended. Ids are given in order, so one that was given is known to have ended.
pub(super) fn going<'a>(world: &'a World, id: &HoldId) -> Result<&'a Hold, AnswerError> {
    world.holds.get(id).ok_or_else(|| match number(id) {
        Some(given) if given < world.next_hold => AnswerError::Ended(id.clone()),
        _ => AnswerError::Unknown(id.clone()),
    })
}

/// The number in a hold's id.
pub(crate) fn number(id: &HoldId) -> Option<u64> {
    id.as_str().strip_prefix(PREFIX)?.parse().ok().filter(|given| name(*given) == *id)
}

/// The id of the hold of that number.
pub(crate) fn name(number: u64) -> HoldId {
    HoldId::new(format!("{PREFIX}{number}"))
}

/// Whether one more may be opened; counted before the facts are taken, and again when they have been.
pub(super) fn within_bounds(world: &World, intent: &Intent) -> Result<(), Refusal> {
    // Nobody waits for an allowance that people have agreed to; these have a bound of their own.
    let waits = |hold: &Hold| hold.is_live() && hold.allows().is_none();
    let (of_session, of_controller) = world.holds.count(&intent.principal, waits);
    if of_session < OPEN_HOLDS_PER_SESSION && of_controller < OPEN_HOLDS_PER_CONTROLLER {
        return Ok(());
    }
    Err(Refusal::new(
        Reason::TooMany,
        "too many requests of yours wait for people already",
        "wait until some are answered, or ask your controller to reject what is no longer needed",
    ))
}
