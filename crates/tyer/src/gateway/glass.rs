//! Breaking the glass: one operator lets a held request through alone, everybody is told, and two others review it.
//!
//! Only where the configuration says so, by hardware key, for exactly the request on the card; policies, freezes,
//! rejections and ceilings bind as ever. Somebody whose last ones nobody has reviewed breaks no more.

use tyer_core::assurance::Assurance;
use tyer_core::glass::{Finding, NotReviewed, Review};
use tyer_core::hold::{Approval, Event, Hold, Next, StepError};
use tyer_core::intent::{Digest, HoldId, PersonId};
use tyer_core::record::{Record, What};
use tyer_core::roles::Role;
use tyer_core::statement::{Decision, Subject};
use tyer_core::verdict::{Approvals, Verdict};

use super::holds::AnswerError;
use super::statements::Word;
use super::world::{Person, REVIEWS, World};
use super::{Gateway, News};
use crate::clock;
use crate::config::glass::GLASS;
use crate::store::{Change, StoreError, Table};

/// Why glass is not broken, or a review not signed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum GlassError {
    #[error(
        "nobody lets requests through alone here: there is no [break_glass] that two people have confirmed"
    )]
    Off,
    #[error("breaking the glass needs a reason, for those who review it")]
    NoReason,
    #[error("{0} has let {1} through alone that others have not reviewed yet; that comes first")]
    Unreviewed(PersonId, String),
    #[error("the policies refuse it even so: {0}")]
    Refused(String),
    #[error("{0} waits for no review, or was let through anew since; look again")]
    NothingToReview(HoldId),
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error(transparent)]
    NotReviewed(#[from] NotReviewed),
}

impl From<StepError> for GlassError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::NoReason => Self::NoReason,
            other => Self::Answer(other.into()),
        }
    }
}

impl From<StoreError> for GlassError {
    fn from(error: StoreError) -> Self {
        Self::Answer(error.into())
    }
}

impl Gateway {
    /// What somebody signs to let a hold through alone.
    pub(super) fn breaking(
        &self,
        world: &World,
        hold: &HoldId,
        reason: String,
    ) -> Result<Decision, GlassError> {
        self.open_reviews(world).ok_or(GlassError::Off)?;
        if reason.trim().is_empty() {
            return Err(GlassError::NoReason);
        }
        Ok(Decision::BreakGlass { subject: Self::subject(world, hold)?, reason })
    }

    /// What somebody signs to sign a review off.
    pub(super) fn reviewing(
        world: &World,
        hold: &HoldId,
        finding: String,
    ) -> Result<Decision, GlassError> {
        if finding.trim().is_empty() {
            return Err(NotReviewed::NoFinding.into());
        }
        let review = world.reviews.get(hold);
        Ok(review.ok_or_else(|| GlassError::NothingToReview(hold.clone()))?.decision(finding))
    }

    /// Lets a held request through on one person's word.
    pub(super) async fn break_glass(
        &self,
        world: &mut World,
        word: Word,
        (subject, reason): (&Subject, String),
    ) -> Result<(), GlassError> {
        let Word { signed, by: person, now, .. } = word;
        let hold = self.answerable(world, &subject.hold, &person)?;
        self.may_break(world, &person)?;
        let key = self.key_of(world, &person, &signed.credential);
        let key = key.ok_or_else(|| AnswerError::DoesNotCount(person.clone()))?;
        let intent = hold.card().intent.clone();
        let given = hold.counted_among(&world.among(), now);
        // What is missing is people and the time that its card gives, and nothing else.
        let given = Approvals { glass: true, waited: u32::MAX, ..given };
        match self.decide(world, &intent, (&hold.card().facts, given), now).verdict {
            Verdict::Allow(_) => {}
            Verdict::Deny(refusal) => return Err(GlassError::Refused(refusal.message)),
            Verdict::Hold(needs) => {
                return Err(GlassError::Refused(format!("it needs {}", needs.in_words())));
            }
        }
        let review = Review {
            hold: hold.id().clone(),
            by: person.clone(),
            at: now,
            reason,
            principal: intent.principal.clone(),
            broken: signed.statement.challenge(),
            findings: Vec::new(),
        };
        let (standing, assurance) = (self.standing(&person, &intent), self.assurance(&key));
        let comment = String::new();
        let approval = Approval { person, standing, at: now, comment, signed, assurance };
        let hold = match hold.step(Event::BreakGlass(Box::new(approval)), now) {
            Next::Refuses(_, error) => return Err(error.into()),
            Next::Stays(hold, _) | Next::Releases(hold, _) => hold,
        };
        let Some(broken) = hold.broken_by().filter(|_| hold.state_word() == "approved") else {
            self.end_hold(world, hold, now).await?;
            return Err(StepError::Closed("expired").into());
        };
        let approval = self.approval_record(world, broken);
        let approval = approval.ok_or_else(|| AnswerError::DoesNotCount(review.by.clone()))?;
        let (id, by, reason) = (review.hold.clone(), review.by.clone(), review.reason.clone());
        let mut reviews = world.reviews.clone();
        reviews.insert(id.clone(), review);
        let what = What::GlassBroken { hold: id.clone(), approval };
        let change = Change::default().leaf(&Record::new(now, what));
        self.keep(world, hold, change.put(Table::Setting, REVIEWS, &reviews)).await?;
        world.reviews = reviews;
        tracing::error!(hold = %id, %by, reason, "glass was broken: one person let this through alone");
        self.tell(News::Rules);
        Ok(())
    }

    /// How many reviews of one human's may be open, if glass may be broken at all: what was written by hand counts once
    /// it is confirmed.
    fn open_reviews(&self, world: &World) -> Option<u32> {
        let is_confirmed = world.parts.get(GLASS).is_some_and(|part| part.pending.is_none());
        self.config.open_reviews.filter(|_| is_confirmed)
    }

    /// Whether a hold was let through by somebody who could not do so now, but for the reviews that are open.
    pub(super) fn glass_is_void(&self, world: &World, hold: &Hold) -> bool {
        let Some(broken) = hold.broken_by() else { return false };
        let person = world.people.get(&broken.person);
        self.open_reviews(world).is_none() || person.is_none_or(|person| person.role < Role::Operator)
    }

    /// Whether they may let something through alone, as things are with what they let through before.
    fn may_break(&self, world: &World, person: &PersonId) -> Result<(), GlassError> {
        let most = self.open_reviews(world).ok_or(GlassError::Off)?;
        let among = world.among();
        let theirs = world.reviews.values().filter(|review| among.are_one(&review.by, person));
        let open: Vec<String> = theirs.map(|review| review.hold.to_string()).collect();
        if open.len() < usize::try_from(most).unwrap_or(usize::MAX) {
            return Ok(());
        }
        Err(GlassError::Unreviewed(person.clone(), open.join(", ")))
    }

    /// Signs a review off, as the first or the second.
    pub(super) async fn review(
        &self,
        world: &mut World,
        word: Word,
        (hold, broken, finding): (HoldId, Digest, String),
    ) -> Result<(), GlassError> {
        let Word { signed, by, now, .. } = word;
        let key = self.key_of(world, &by, &signed.credential);
        let key = key.ok_or_else(|| AnswerError::DoesNotCount(by.clone()))?;
        let review = world.reviews.get(&hold).filter(|review| review.broken == broken).cloned();
        let review = review.ok_or_else(|| GlassError::NothingToReview(hold.clone()))?;
        let finding = Finding { by: by.clone(), at: now, text: finding };
        let review = review.with(finding, &world.among())?;
        let mut reviews = world.reviews.clone();
        match review.is_closed() {
            true => reviews.remove(&hold),
            false => reviews.insert(hold.clone(), review),
        };
        let leaf = Record::new(now, What::Reviewed { hold, by, signed, key });
        let change = Change::default().leaf(&leaf).put(Table::Setting, REVIEWS, &reviews);
        self.sequencer.commit(change).await?;
        world.reviews = reviews;
        self.tell(News::Rules);
        Ok(())
    }

    /// Whether that person could let this hold through alone: where they can, they see how.
    pub(crate) async fn can_break(&self, id: &HoldId, person: &PersonId) -> bool {
        let world = self.world().await;
        let is_open = |hold: &Hold| {
            hold.state_word() == "open" && clock::now() < hold.ends() && hold.was_there(person)
        };
        let has_hardware = |person: &Person| {
            person.counts() && person.passkeys().any(|key| self.assurance(key) == Assurance::Hardware)
        };
        world.holds.get(id).is_some_and(is_open)
            && world.people.get(person).is_some_and(has_hardware)
            && self.may_break(&world, person).is_ok()
    }

    /// Whether that person could sign the hold's review off.
    pub(crate) async fn can_review(&self, id: &HoldId, person: &PersonId) -> bool {
        let world = self.world().await;
        let Some(review) = world.reviews.get(id).cloned() else { return false };
        let finding = Finding { by: person.clone(), at: review.at, text: "-".to_owned() };
        review.with(finding, &world.among()).is_ok()
    }

    /// What waits for reviews, the oldest first.
    pub(crate) fn reviews(world: &World) -> impl Iterator<Item = Review> {
        let mut all: Vec<Review> = world.reviews.values().cloned().collect();
        all.sort_by_key(|review| review.at);
        all.into_iter()
    }
}
