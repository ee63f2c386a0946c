//! What people left beside holds: of holds that they could still answer, by and for people that there are.

use super::{Meaning, Place};
use crate::intent::PersonId;
use crate::record::What;

/// Who left something by the local command line.
const OPERATOR: &str = "operator";

impl Meaning {
    pub(super) fn beside(&mut self, place: &Place<'_>, what: &What) -> Result<(), String> {
        let (hold, by, to) = match what {
            What::Noted { hold, by, to, .. } => (hold, by, to.as_slice()),
            What::PutOff { hold, by, .. } => (hold, by, &[][..]),
            _ => return Ok(()),
        };
        let ends = self.holds.live(hold)?.ends_at_most();
        let author = PersonId::new(by.as_str());
        for person in to.iter().chain((by != OPERATOR).then_some(&author)) {
            if !self.people.counts(person) {
                return Err(format!("{person} did not count when {hold} was written beside"));
            }
        }
        match what {
            What::PutOff { until: Some(until), .. } if *until <= place.at || *until >= ends => {
                Err(format!("{hold} was put off to a time that it does not have"))
            }
            _ => Ok(()),
        }
    }
}
