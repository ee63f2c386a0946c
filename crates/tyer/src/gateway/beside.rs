//! What people leave beside holds: notes, to whom they hand them over, and when they look again.
//!
//! It needs no signature, since it decides nothing: it neither changes who counts nor when the hold ends.

use tyer_core::freeze::{BadLocalTime, BadZone, Zone};
use tyer_core::hold::{BesideError, Hold, Note};
use tyer_core::intent::{HoldId, PersonId, Timestamp};
use tyer_core::record::{Record, What};

use super::Gateway;
use super::holds::{AnswerError, going};
use super::world::World;
use crate::clock;
use crate::store::{Change, StoreError};

/// When the person who puts a hold off at this time looks again.
const NOW: &str = "now";

/// A note as somebody writes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewNote {
    pub(crate) text: String,
    pub(crate) to: Vec<PersonId>,
}

/// "Ask me again at nine."
#[derive(Clone, Debug)]
pub(crate) struct Later {
    /// `09:00`, `2026-12-20T18:00` or `now`.
    pub(crate) at: String,
    /// The zone of those clocks.
    pub(crate) zone: String,
    /// Words beside it, or none.
    pub(crate) note: String,
}

/// Why nothing was left; for whoever wanted to.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum LeaveError {
    #[error(transparent)]
    Answer(#[from] AnswerError),
    #[error("{0}")]
    Beside(BesideError),
    #[error("{0} ends at {1}, before that: the agent will have to ask again")]
    EndsBefore(HoldId, String),
    #[error("there is no person `{0}` who counts, to hand it over to")]
    Nobody(PersonId),
    #[error("{0}; nor a time such as `09:00`, which is the next one")]
    Time(#[from] BadLocalTime),
    #[error(transparent)]
    Zone(#[from] BadZone),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Gateway {
    /// Leaves a note beside a hold.
    pub(crate) async fn leave_note(
        &self,
        id: &HoldId,
        by: &str,
        note: NewNote,
    ) -> Result<(), LeaveError> {
        let mut world = self.world().await;
        let (now, hold) = (clock::now(), going(&world, id)?.clone());
        let (hold, change) = noted(&world, hold, (by, note), now)?;
        Ok(self.keep(&mut world, hold, change).await?)
    }

    /// Puts a hold off for `by` alone, and says until when; without a time it is back at once.
    pub(crate) async fn put_off(
        &self,
        id: &HoldId,
        by: &str,
        later: Later,
    ) -> Result<Option<Timestamp>, LeaveError> {
        let mut world = self.world().await;
        let (now, hold) = (clock::now(), going(&world, id)?.clone());
        let until = match later.at.as_str() {
            NOW => None,
            at => Some(Zone::parse(&later.zone)?.moment(at, now)?),
        };
        let hold = hold.put_off(by, until, now).map_err(|error| refused(id, error))?;
        let what = What::PutOff { hold: id.clone(), by: by.to_owned(), until };
        let mut left = (hold, Change::default().leaf(&Record::new(now, what)));
        if !later.note.trim().is_empty() {
            let note = NewNote { text: later.note, to: Vec::new() };
            let (hold, words) = noted(&world, left.0, (by, note), now)?;
            left = (hold, left.1.and(words));
        }
        self.keep(&mut world, left.0, left.1).await?;
        Ok(until)
    }
}

fn noted(
    world: &World,
    hold: Hold,
    (by, note): (&str, NewNote),
    now: Timestamp,
) -> Result<(Hold, Change), LeaveError> {
    let NewNote { text, to } = note;
    let counts = |person: &PersonId| world.people.get(person).is_some_and(|known| known.counts());
    if let Some(nobody) = to.iter().find(|person| !counts(person)) {
        return Err(LeaveError::Nobody(nobody.clone()));
    }
    let id = hold.id().clone();
    let by = by.to_owned();
    let note = Note { by: by.clone(), at: now, text: text.trim().to_owned(), to };
    let what = What::Noted { hold: id.clone(), by, text: note.text.clone(), to: note.to.clone() };
    let hold = hold.noted(note, now).map_err(|error| refused(&id, error))?;
    Ok((hold, Change::default().leaf(&Record::new(now, what))))
}

fn refused(id: &HoldId, error: BesideError) -> LeaveError {
    match error {
        BesideError::Ended => AnswerError::Ended(id.clone()).into(),
        BesideError::EndsBefore(ends) => LeaveError::EndsBefore(id.clone(), clock::civil(ends)),
        other => LeaveError::Beside(other),
    }
}
