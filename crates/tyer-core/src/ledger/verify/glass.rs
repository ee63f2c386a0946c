//! What was let through on one person's word: that it was signed by an attested hardware key of somebody who counted,
//! over exactly that card and with a reason, and who has signed it off since.

use std::collections::BTreeMap;

use super::meaning::{Claim, Meaning, Place, in_time};
use crate::glass::{Finding, PART, Review, absent};
use crate::intent::{HoldId, PersonId};
use crate::record::{ApprovalRecord, PublicKey};
use crate::statement::{Decision, Signed};

/// The reviews that were ever begun.
#[derive(Debug, Default)]
pub(super) struct Reviews(BTreeMap<HoldId, Review>);

impl Reviews {
    /// Those that not enough others have signed.
    pub(super) fn open(&self) -> Vec<HoldId> {
        self.0.values().filter(|review| !review.is_closed()).map(|review| review.hold.clone()).collect()
    }
}

impl Meaning {
    /// Somebody let a held request through.
    pub(super) fn broke(
        &mut self,
        place: &Place<'_>,
        hold: &HoldId,
        broken: &ApprovalRecord,
    ) -> Result<(), String> {
        let ApprovalRecord { person, signed, key, at: by, .. } = broken;
        if self.part(PART).is_none_or(|digest| digest == absent()) {
            return Err(format!(
                "{person} let it through alone, which nothing that was confirmed allows"
            ));
        }
        let parked = self.holds.live(hold)?;
        parked.admits_alone(broken)?;
        let reason = match &signed.statement.what {
            Decision::BreakGlass { reason, .. } if !reason.trim().is_empty() => reason.clone(),
            _ => return Err(format!("{person} let it through without saying why")),
        };
        let subject = parked.subject(hold);
        let review = Review {
            hold: hold.clone(),
            by: person.clone(),
            at: *by,
            reason: reason.clone(),
            principal: parked.principal().clone(),
            broken: signed.statement.challenge(),
            findings: Vec::new(),
        };
        self.same_key(person, signed, key)?;
        in_time(*by, place.at, || format!("the word of {person} is dated after its leaf"))?;
        let decision = Decision::BreakGlass { subject, reason };
        self.counted(place, &Claim { person, signed, decision, by: *by })?;
        self.holds.get(hold)?.glass = Some(broken.clone());
        self.reviews.0.insert(hold.clone(), review);
        Ok(())
    }

    /// Somebody else signed that off.
    pub(super) fn reviewed(
        &mut self,
        place: &Place<'_>,
        hold: &HoldId,
        (by, signed, key): (&PersonId, &Signed, &PublicKey),
    ) -> Result<(), String> {
        let unbroken = || format!("{hold} was never let through on one person's word");
        let review = self.reviews.0.get(hold).ok_or_else(unbroken)?.clone();
        let text = match &signed.statement.what {
            Decision::Review { finding, .. } => finding.clone(),
            _ => return Err(format!("{by} signed another decision")),
        };
        let decision = review.decision(text.clone());
        let finding = Finding { by: by.clone(), at: place.at, text };
        let review = review.with(finding, &self.people.among()).map_err(|why| why.to_string())?;
        self.same_key(by, signed, key)?;
        self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
        self.reviews.0.insert(hold.clone(), review);
        Ok(())
    }
}
