//! Whether the teams and working hours that a card names are those that the configuration was confirmed with.

use super::meaning::Meaning;
use crate::hours::{Hours, person_part};
use crate::record::CardRecord;
use crate::roster::{team_digest, team_part};

impl Meaning {
    /// What is wrong with who is what on a card.
    pub(super) fn rostered(&self, card: &CardRecord) -> Result<(), String> {
        if let Some(team) = card.needs.teams.iter().find(|team| !card.roster.teams.contains_key(team)) {
            return Err(format!("it does not say who is in the team {team}, which it asks for"));
        }
        let is_other =
            |(team, members): &(&_, &_)| self.part(&team_part(team)) != Some(team_digest(members));
        let is_otherwise =
            |(person, hours): &(&_, &Hours)| self.part(&person_part(person)) != Some(hours.digest());
        if let Some((person, _)) = card.roster.hours.iter().find(is_otherwise) {
            return Err(format!(
                "it says of {person} that they work at other hours than was confirmed"
            ));
        }
        match card.roster.teams.iter().find(is_other) {
            Some((team, _)) => {
                Err(format!("it says of the team {team} that others are in it than was confirmed"))
            }
            None => Ok(()),
        }
    }
}
