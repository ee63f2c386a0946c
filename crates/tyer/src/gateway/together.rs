//! Holds of one shape, approved together by one signature: all of them in one change, or none.

use tyer_core::hold::{Hold, StepError, together};
use tyer_core::intent::{HoldId, PersonId, Timestamp};
use tyer_core::limits::TOGETHER_MAX;
use tyer_core::record::{Record, What};
use tyer_core::statement::{Decision, Subject};

use super::holds::{AnswerError, going};
use super::statements::Word;
use super::world::World;
use super::world::answers::Told;
use super::world::holds::put;
use super::{Gateway, News};
use crate::store::{Change, StoreError};

impl Gateway {
    /// What a person signs to approve all of these.
    pub(super) fn approving_all(world: &World, ids: &[HoldId]) -> Result<Decision, AnswerError> {
        Ok(Decision::ApproveAll { subjects: subjects(world, ids)? })
    }

    /// Adds a person's verified approval to each of these, unless one of them does not take it.
    pub(super) async fn approve_all(
        &self,
        world: &mut World,
        word: Word,
        listed: &[Subject],
    ) -> Result<(), AnswerError> {
        let now = word.now;
        let mut agreed: Vec<(Hold, Record)> = Vec::new();
        for Subject { hold: id, .. } in listed {
            let in_the_way = |why| AnswerError::OfList(id.clone(), Box::new(why));
            let (hold, approval) = self.agreeing(world, word.clone(), id).map_err(in_the_way)?;
            let approval = approval.ok_or_else(|| in_the_way(AnswerError::Ended(id.clone())))?;
            let what = What::Approved { hold: id.clone(), approval };
            agreed.push((hold, Record::new(now, what)));
        }
        let ids: Vec<HoldId> = listed.iter().map(|subject| subject.hold.clone()).collect();
        // Some may have been answered since; those that are left are another list.
        if subjects(world, &ids)? != listed {
            return Err(StepError::OtherCard.into());
        }
        Ok(self.keep_all(world, agreed, now).await?)
    }

    /// As `keep`, of several with a leaf each.
    async fn keep_all(
        &self,
        world: &mut World,
        agreed: Vec<(Hold, Record)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (mut change, mut told) = (Change::default(), Told::default());
        let mut news: Vec<News> = Vec::new();
        for (hold, record) in &agreed {
            let was = world.holds.get(hold.id()).map(Hold::state_word);
            news.push(News::Hold(hold.id().clone()));
            if was != Some(hold.state_word()) {
                let answer = world.answers.of(hold, now);
                if !answer.is_empty() {
                    news.push(News::Answered(hold.id().clone()));
                }
                told = told.and(answer);
            }
            change = put(change.leaf(record), hold, None);
        }
        self.sequencer.commit(told.put(change)).await?;
        for (hold, _) in agreed {
            world.holds.insert(hold);
        }
        world.answers.take_in(told);
        for one in news {
            self.tell(one);
        }
        Ok(())
    }
}

/// The open holds that a person could approve together with that one, and it, in the order in which they are signed;
/// none where there is no other.
pub(crate) fn alike<'a>(world: &'a World, id: &HoldId, person: &PersonId) -> Vec<&'a Hold> {
    let Some(hold) = world.holds.get(id) else { return Vec::new() };
    let is_new = |hold: &Hold| hold.approvals().iter().all(|given| given.person != *person);
    let others = world.holds.iter().filter(|other| is_new(other) && together(&[hold, other]).is_ok());
    let mut all: Vec<&Hold> = others.take(TOGETHER_MAX - 1).collect();
    if all.is_empty() || !is_new(hold) {
        return Vec::new();
    }
    all.push(hold);
    all.sort_by_cached_key(|hold| (hold.id().as_str().len(), hold.id().clone()));
    all
}

fn subjects(world: &World, ids: &[HoldId]) -> Result<Vec<Subject>, AnswerError> {
    let holds: Vec<&Hold> = ids.iter().map(|id| going(world, id)).collect::<Result<_, _>>()?;
    Ok(together(&holds).map_err(StepError::from)?)
}
