//! What a requester is told while its request waits.

use tyer_core::hold::State;
use tyer_core::intent::{HoldId, Timestamp};
use tyer_core::verdict::{Needs, Reason, Refusal};

use super::Gateway;
use crate::clock;
use crate::store::StoreError;

impl Gateway {
    /// What a requester reads when its request waits for people.
    pub(super) fn held(&self, id: &HoldId, needs: &Needs) -> Refusal {
        let message = format!("held as {id}: this needs {}", needs.in_words());
        let next = format!(
            "nothing was executed. People decide at {}/holds/{id}; present the same request again after approval",
            self.config.console.origin
        );
        Refusal { hold: Some(id.clone()), ..Refusal::new(Reason::Held, message, next) }
    }

    /// Until when people can still stop what they have agreed to.
    pub(super) async fn thinks_until(&self, id: &HoldId) -> Option<Timestamp> {
        let world = self.world().await;
        let hold = world.holds.get(id)?;
        let is_agreed = matches!(hold.state(), State::Approved { .. });
        (is_agreed && clock::now() < hold.not_before()).then(|| hold.not_before())
    }

    /// What a requester reads when its request only waits for time to pass.
    pub(super) fn held_until(&self, id: &HoldId, until: Timestamp) -> Refusal {
        let message = format!(
            "{id} may run from {}; until then people can stop it, and nothing was executed",
            clock::civil(until)
        );
        let next = "present the same request again then".to_owned();
        Refusal { hold: Some(id.clone()), ..Refusal::new(Reason::Held, message, next) }
    }
}

/// What a requester reads when nothing can be recorded.
pub(super) fn not_recorded() -> Refusal {
    Refusal::new(
        Reason::NotRecorded,
        "this cannot be recorded, so it cannot run; nothing was executed",
        "try again later; the operator has been told",
    )
}

/// The same, and why for the operator.
pub(super) fn unrecorded(error: &StoreError) -> Refusal {
    tracing::error!(%error, "refused: no durable record, no execution");
    not_recorded()
}
