//! Sessions that keep asking people are slowed down and named; see the core's `pace`.

use tyer_core::intent::{Intent, Timestamp};
use tyer_core::pace::Paced;
use tyer_core::record::{Record, What};
use tyer_core::verdict::{Reason, Refusal};

use super::world::World;
use super::world::paces::named;
use super::{Gateway, News, unrecorded};
use crate::clock;
use crate::store::Change;

impl Gateway {
    /// Whether people are asked one more of this session's questions, else when to come again. That it is slowed from
    /// now on is recorded once.
    pub(super) async fn paced(
        &self,
        world: &mut World,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let principal = &intent.principal;
        let Paced::Later { until, begins } = world.paces.asks(&principal.session, now) else {
            return Ok(());
        };
        let counted = world.paces.counted(&principal.session, now);
        let words = named(principal, counted);
        if begins {
            tracing::warn!(session = %principal.session, words, "slowed down from now on");
            let what = What::Slowed {
                principal: principal.clone(),
                asked: counted.asked,
                rejected: counted.rejected,
            };
            let change = Change::default().leaf(&Record::new(now, what));
            self.sequencer.commit(change).await.map_err(|error| unrecorded(&error))?;
            self.tell(News::Session(principal.session.clone()));
        }
        let seconds = until.0.saturating_sub(now.0).saturating_add(999) / 1000;
        let message = format!("{words}: people are not asked again before {}", clock::civil(until));
        let next = format!(
            "nothing was executed and nobody was asked; come again in {seconds} s. What needs nobody, and what people have agreed to, goes on"
        );
        Err(Refusal::new(Reason::TooMany, message, next))
    }
}
