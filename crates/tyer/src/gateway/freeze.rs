//! The freeze: anyone may start one, only a passkey ends it.

use tyer_core::intent::{PersonId, Timestamp};
use tyer_core::record::{Record, What};
use tyer_core::statement::Decision;

use crate::clock;
use crate::gateway::statements::Word;
use crate::gateway::world::{FREEZE, Freeze, Person, World};
use crate::gateway::{Gateway, News};
use crate::store::{Change, StoreError, Table};

/// Why a freeze is not ended.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ThawError {
    #[error("nothing is frozen")]
    NotFrozen,
    #[error("another freeze has begun since; look again")]
    Another,
    #[error("{0} does not count and cannot end a freeze")]
    DoesNotCount(PersonId),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Gateway {
    /// Freezes all changes. Freezing what is frozen keeps the first freeze.
    pub(crate) async fn freeze(&self, by: &str, reason: &str) -> Result<Freeze, StoreError> {
        let _gate = self.gate.write().await;
        let now = clock::now();
        let mut world = self.world().await;
        if let Some(freeze) = &world.freeze {
            return Ok(freeze.clone());
        }
        let freeze = Freeze { since: now, by: by.to_owned(), reason: reason.to_owned() };
        let what = What::Frozen { by: by.to_owned(), reason: reason.to_owned() };
        let change =
            Change::default().leaf(&Record::new(now, what)).put(Table::Setting, FREEZE, &Some(&freeze));
        self.sequencer.commit(change).await?;
        world.freeze = Some(freeze.clone());
        self.tell(News::Rules);
        Ok(freeze)
    }

    /// What a person signs to end the freeze.
    pub(super) fn thawing(world: &World) -> Result<Decision, ThawError> {
        let freeze = world.freeze.as_ref().ok_or(ThawError::NotFrozen)?;
        Ok(Decision::Thaw { frozen: freeze.since })
    }

    /// Ends the freeze that the person saw.
    pub(super) async fn thaw(
        &self,
        world: &mut World,
        word: Word,
        frozen: Timestamp,
    ) -> Result<(), ThawError> {
        let Word { signed, by, now, .. } = word;
        if !world.people.get(&by).is_some_and(Person::counts) {
            return Err(ThawError::DoesNotCount(by));
        }
        let freeze = world.freeze.as_ref().ok_or(ThawError::NotFrozen)?;
        if freeze.since != frozen {
            return Err(ThawError::Another);
        }
        let what = What::Thawed { by, signed };
        let change = Change::default().leaf(&Record::new(now, what)).put(
            Table::Setting,
            FREEZE,
            &None::<Freeze>,
        );
        self.sequencer.commit(change).await?;
        world.freeze = None;
        self.tell(News::Rules);
        Ok(())
    }
}
