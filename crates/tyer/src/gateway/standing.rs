//! In which standing people would count for a request, and who counts for none of it.

use std::collections::{BTreeMap, BTreeSet};

use tyer_core::assurance::{self, Assurance};
use tyer_core::hold::{Able, Hold, Standing, StepError, Still};
use tyer_core::intent::{HoldId, Intent, PersonId, TeamId, Timestamp};
use tyer_core::record::PublicKey;
use tyer_core::roster::teams_of;
use tyer_core::verdict::Approvals;

use super::Gateway;
use super::holds::AnswerError;
use super::world::{Person, World};

impl Gateway {
    /// In which standing a person would count for an intent.
    pub(super) fn standing(&self, person: &PersonId, intent: &Intent) -> Standing {
        if *person == intent.principal.controller {
            return Standing::Controller;
        }
        let owns =
            self.config.upstreams.get(&intent.upstream).is_some_and(|up| up.owners.contains(person));
        if owns { Standing::Owner } else { Standing::Peer }
    }

    /// In which standing a person's approval of a hold counts, unless it is not another person's.
    pub(super) fn standing_for(
        &self,
        world: &World,
        hold: &Hold,
        person: &PersonId,
    ) -> Result<Standing, AnswerError> {
        let (intent, among) = (&hold.card().intent, world.among());
        if !intent.principal.is_controlled_by(person)
            && let Some(barred) = among.barred(person, &intent.principal)
        {
            return Err(barred.into());
        }
        let mut names = hold.approvals().iter().map(|approval| &approval.person);
        if let Some(other) = names.find(|name| *name != person && among.are_one(name, person)) {
            return Err(AnswerError::OneHuman(person.clone(), other.clone()));
        }
        Ok(self.standing(person, intent))
    }

    /// Why a person's approval of a hold would not be another person's, in words; nothing of whoever controls it.
    pub(crate) async fn no_peer(&self, id: &HoldId, person: &PersonId) -> Option<String> {
        let world = self.world().await;
        let hold = world.holds.get(id)?;
        if hold.card().intent.principal.is_controlled_by(person) {
            None
        } else if hold.was_there(person) {
            self.standing_for(&world, hold, person).err().map(|error| error.to_string())
        } else {
            Some(StepError::CameLater(person.clone()).to_string())
        }
    }

    /// Who could count for an intent as things are, and as what at most.
    pub(super) fn electorate(&self, world: &World, intent: &Intent) -> BTreeMap<PersonId, Standing> {
        world.counting().map(|person| (person.id.clone(), self.standing(&person.id, intent))).collect()
    }

    /// The most agreement that could still be had: every person who counts, in their best standing.
    pub(super) fn possible(&self, world: &World, intent: &Intent) -> Approvals {
        let among = world.among();
        let mut humans: Vec<(&PersonId, Standing)> = Vec::new();
        for person in world.counting().map(|person| &person.id) {
            let standing = self.standing(person, intent);
            if standing != Standing::Controller && among.barred(person, &intent.principal).is_some() {
                continue;
            }
            match humans.iter_mut().find(|(other, _)| among.are_one(other, person)) {
                Some((_, best)) => *best = standing.max(*best),
                None => humans.push((person, standing)),
            }
        }
        // Whoever counts has a passkey; any of the human's names may have the best one.
        let best = |person: &PersonId| {
            let names = among.human(person);
            let counting = world.counting().filter(|known| names.contains(&known.id));
            counting.flat_map(Person::counting_keys).map(|key| self.assurance(key)).max()
        };
        let with = |possible: Approvals, (person, standing): (&PersonId, Standing)| {
            possible.with(standing, best(person).unwrap_or_default())
        };
        let others = humans.iter().filter(|(_, standing)| *standing != Standing::Controller);
        let works = |person: &PersonId| {
            among.human(person).iter().any(|name| self.config.roster.hours.contains_key(name))
        };
        let on_hours = others.filter(|(person, _)| works(person)).count();
        let on_hours = u32::try_from(on_hours).unwrap_or(u32::MAX);
        Approvals { on_hours, ..humans.into_iter().fold(Approvals::default(), with) }
    }

    /// The teams of each human who could still agree as another person, under whichever of their names.
    pub(super) fn speakers(&self, world: &World, intent: &Intent) -> Vec<BTreeSet<TeamId>> {
        let (among, teams) = (world.among(), &self.config.roster.teams);
        let mut humans: Vec<(&PersonId, BTreeSet<TeamId>)> = Vec::new();
        for person in world.counting().map(|person| &person.id) {
            if teams.is_empty() || among.barred(person, &intent.principal).is_some() {
                continue;
            }
            let speaks = teams_of(teams, person);
            match humans.iter_mut().find(|(other, _)| among.are_one(other, person)) {
                Some((_, all)) => all.extend(speaks),
                None => humans.push((person, speaks)),
            }
        }
        humans.into_iter().map(|(_, teams)| teams).collect()
    }

    /// Who could still give what a hold waits for.
    pub(crate) fn still(&self, world: &World, hold: &Hold, now: Timestamp) -> Option<Still> {
        let able = |person: &Person| Able {
            person: person.id.clone(),
            standing: self.standing(&person.id, &hold.card().intent),
            assurance: person.counting_keys().map(|key| self.assurance(key)).max().unwrap_or_default(),
        };
        hold.still(&world.among(), &world.counting().map(able).collect::<Vec<_>>(), now)
    }

    /// How much a key proves here: an attestation is worth what its root is today.
    pub(super) fn assurance(&self, key: &PublicKey) -> Assurance {
        match (assurance::of_key(key), key.attested) {
            (Assurance::Hardware, Some(root)) if self.config.roots.has(root) => Assurance::Hardware,
            (Assurance::Hardware, _) if key.ssh.is_empty() => Assurance::Passkey,
            (Assurance::Hardware, _) => Assurance::Unattested,
            (less, _) => less,
        }
    }
}
