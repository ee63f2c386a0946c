//! Answers to holds: made durable, and told to the people on whose behalf was asked.

use tyer_core::hold::Hold;
use tyer_core::intent::{HoldId, PersonId, Timestamp};

use super::holds::AnswerError;
use super::statements::DecisionError;
use super::world::World;
use super::world::answers::{Told, fate};
use super::world::holds::put;
use super::{Gateway, News};
use crate::archive::Archive;
use crate::clock;
use crate::store::{Change, StoreError};

impl Gateway {
    /// Makes a hold's new state durable with its leaf, and only then visible; an answer is told with it.
    pub(super) async fn keep(
        &self,
        world: &mut World,
        hold: Hold,
        change: Change,
    ) -> Result<(), StoreError> {
        let id = hold.id().clone();
        let was = world.holds.get(&id).map(Hold::state_word);
        let told = match was {
            // Who approves as well, or leaves a note, has not decided anything anew.
            Some(was) if was == hold.state_word() => Told::default(),
            _ => world.answers.of(&hold, clock::now()),
        };
        self.sequencer.commit(told.put(put(change, &hold, None))).await?;
        world.holds.insert(hold);
        let is_answer = !told.is_empty();
        world.answers.take_in(told);
        self.tell(News::Hold(id.clone()));
        if is_answer {
            self.tell(News::Answered(id));
        }
        Ok(())
    }

    /// A person has seen what became of these holds.
    pub(crate) async fn saw(&self, person: &PersonId, holds: &[HoldId]) -> Result<(), StoreError> {
        let mut world = self.world().await;
        let told = world.answers.seen(person, holds);
        self.forget_answers(&mut world, told).await
    }

    /// Forgets what nobody has looked at for long; called now and then.
    pub(super) async fn tick_answers(&self, world: &mut World, now: Timestamp) {
        let past = world.answers.past(now);
        if let Err(error) = self.forget_answers(world, past).await {
            tracing::error!(%error, "old answers are kept for now");
        }
    }

    async fn forget_answers(&self, world: &mut World, told: Told) -> Result<(), StoreError> {
        if told.is_empty() {
            return Ok(());
        }
        self.sequencer.commit(told.put(Change::default())).await?;
        world.answers.take_in(told);
        Ok(())
    }

    /// The error with what became of the hold, where its end is in the way.
    pub(crate) async fn saying(&self, error: DecisionError) -> DecisionError {
        let DecisionError::Answer(AnswerError::Ended(id)) = &error else { return error };
        let ended = Archive::new(&self.config.data).ended(id).await.ok().flatten();
        let fate = ended.and_then(|ended| fate(&ended.hold, ended.at, clock::now()));
        fate.map_or(error.clone(), |fate| AnswerError::Over(id.clone(), fate).into())
    }
}
