//! Kills: what was seen of them, and whose word they were.

use super::{Claim, Meaning, Place};
use crate::intent::PersonId;
use crate::ledger::verify::observed::killed;
use crate::record::What;
use crate::statement::Decision;

impl Meaning {
    pub(super) fn killed(&mut self, place: &Place<'_>, kill: &What) -> Result<(), String> {
        let What::Killed { what, by, open, closed, unseen, signed, .. } = kill else { return Ok(()) };
        if let Some(signed) = signed {
            let person = &PersonId::new(by.as_str());
            let decision = Decision::Kill { what: what.clone() };
            // A kill takes its time; its statement does not live longer for it.
            let by = place.at.min(signed.statement.expires);
            self.counted(place, &Claim { person, signed, decision, by })?;
        }
        killed(place.index, (*open, *closed), unseen)
    }
}
