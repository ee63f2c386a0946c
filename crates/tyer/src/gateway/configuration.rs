//! The security parts of the configuration: what they said when two people last agreed, and what they
//! say now. A part that was changed by hand closes the doors it touches until two people have confirmed
//! it; before there are two people, what the file says is taken as it is and recorded.

use std::collections::{BTreeMap, BTreeSet};

use tyer_core::glass::absent;
use tyer_core::hours::PERSON_PART;
use tyer_core::intent::{Digest, PersonId, Upstream};
use tyer_core::record::{Record, What};
use tyer_core::roles::{ROLE_PART, Role};
use tyer_core::roster::{TEAM_PART, team_digest};
use tyer_core::statement::{Decision, Signed};

use crate::clock;
use crate::config::attestation::ATTESTATION;
use crate::config::glass::GLASS;
use crate::config::{FREEZES_PART, no_freezes};
use crate::gateway::statements::Word;
use crate::gateway::world::{PARTS, Part, Person, World};
use crate::gateway::{Gateway, News};
use crate::store::{Change, StoreError, Table};
use crate::upstream::in_words;

/// What the parts begin with that say who owns an agent.
const AGENT_PART: &str = "agent ";

/// People who have to confirm a change.
const CONFIRMATIONS: usize = 2;

/// Why a confirmation is not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum ConfirmError {
    #[error("`{0}` has no change to confirm")]
    NothingPending(String),
    #[error("{0} has confirmed this change already; it needs a second person")]
    Twice(PersonId),
    #[error("nobody confirms their own role, and {0} is the same human")]
    OwnRole(PersonId),
    #[error("{0} does not count and cannot confirm a change")]
    DoesNotCount(PersonId),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Gateway {
    /// Compares the file with what was confirmed, at start.
    pub(super) async fn compare_configuration(&self) -> Result<(), StoreError> {
        let now = clock::now();
        let mut world = self.world().await;
        let unattended = world.counting().count() < CONFIRMATIONS;
        let mut parts = world.parts.clone();
        let mut change = Change::default();
        let mut says = self.config.parts.clone();
        // What nobody has confirmed and the file does not say any more was never so.
        parts.retain(|name, part| part.confirmed.is_some() || says.contains_key(name));
        for name in [GLASS, ATTESTATION].into_iter().filter(|name| parts.contains_key(*name)) {
            says.entry(name.to_owned()).or_insert_with(absent);
        }
        if parts.contains_key(FREEZES_PART) {
            // Taking all freezes out of the calendar is a change like any other.
            says.entry(FREEZES_PART.to_owned()).or_insert_with(no_freezes);
        }
        // So is taking out who owns an agent, a team, or when somebody works.
        for name in parts.keys().filter(|name| name.starts_with(AGENT_PART)) {
            says.entry(name.clone()).or_insert_with(|| Digest::of(b"tyer/no-owners/v1"));
        }
        for name in parts.keys().filter(|name| name.starts_with(TEAM_PART)) {
            says.entry(name.clone()).or_insert_with(|| team_digest(&BTreeSet::new()));
        }
        for name in parts.keys().filter(|name| name.starts_with(PERSON_PART)) {
            says.entry(name.clone()).or_insert_with(|| Digest::of(b"tyer/no-hours/v1"));
        }
        // Whoever has no role any more is an operator.
        for name in parts.keys().filter(|name| name.starts_with(ROLE_PART)) {
            says.entry(name.clone()).or_insert_with(|| Role::Operator.digest());
        }
        for (name, digest) in &says {
            let part = parts.entry(name.clone()).or_default();
            if name.starts_with(ROLE_PART) && *digest == Role::Operator.digest() {
                // Whoever never had another role is one.
                part.confirmed.get_or_insert(*digest);
            }
            if part.confirmed == Some(*digest) {
                *part = Part { confirmed: part.confirmed, ..Part::default() };
            } else if unattended {
                *part = Part { confirmed: Some(*digest), ..Part::default() };
                let what = What::Configured { part: name.clone(), digest: *digest, signed: Vec::new() };
                change = change.leaf(&Record::new(now, what));
            } else if part.pending != Some(*digest) {
                *part = Part { pending: Some(*digest), signed: Vec::new(), ..*part };
            }
        }
        if parts != world.parts {
            self.sequencer.commit(change.put(Table::Setting, PARTS, &parts)).await?;
            world.parts = parts;
        }
        Ok(())
    }

    /// What a person signs to confirm a change.
    pub(super) fn configuring(world: &World, part: &str) -> Result<Decision, ConfirmError> {
        let pending = world.parts.get(part).and_then(|part| part.pending);
        let digest = pending.ok_or_else(|| ConfirmError::NothingPending(part.to_owned()))?;
        Ok(Decision::Configure { part: part.to_owned(), digest })
    }

    /// Adds a confirmation; with the second one the change takes effect.
    pub(super) async fn confirm_part(
        &self,
        world: &mut World,
        word: Word,
        name: String,
        digest: Digest,
    ) -> Result<(), ConfirmError> {
        let Word { signed, by, now, .. } = word;
        if !world.people.get(&by).is_some_and(Person::counts) {
            return Err(ConfirmError::DoesNotCount(by));
        }
        let mut parts = world.parts.clone();
        let part = parts.get_mut(&name).filter(|part| part.pending == Some(digest));
        let part = part.ok_or_else(|| ConfirmError::NothingPending(name.clone()))?;
        let among = world.among();
        let named = name.strip_prefix(ROLE_PART).map(PersonId::new);
        if let Some(named) = named.filter(|named| among.are_one(named, &by)) {
            return Err(ConfirmError::OwnRole(named));
        }
        // Whoever may not confirm any more does not count here either.
        part.signed.retain(|signed| self.may_still(world, signed));
        let earlier = |signed: &Signed| PersonId::new(signed.statement.person.clone());
        if part.signed.iter().any(|signed| among.are_one(&earlier(signed), &by)) {
            return Err(ConfirmError::Twice(by));
        }
        part.signed.push(signed);
        let mut change = Change::default();
        if part.signed.len() >= CONFIRMATIONS {
            let signed = std::mem::take(&mut part.signed);
            *part = Part { confirmed: Some(digest), ..Part::default() };
            change = change.leaf(&Record::new(now, What::Configured { part: name, digest, signed }));
        }
        self.sequencer.commit(change.put(Table::Setting, PARTS, &parts)).await?;
        world.parts = parts;
        self.assign_roles(world);
        self.tell(News::Rules);
        Ok(())
    }

    /// Whether what somebody signed would be taken from them today.
    fn may_still(&self, world: &World, signed: &Signed) -> bool {
        let id = PersonId::new(signed.statement.person.clone());
        let may = world.people.get(&id).is_some_and(|person| person.role.may(&signed.statement.what));
        may && self.key_of(world, &id, &signed.credential).is_some()
    }

    /// Words for what Tyer's own role at an upstream could do beyond an ordinary role, as last seen there.
    pub(crate) fn role_powers(&self) -> Vec<String> {
        let mut words = Vec::new();
        for name in self.config.upstreams.keys() {
            let (beyond, allowed) = self.upstreams.powers_seen(name);
            for (word, powers) in [("role_too_powerful", beyond), ("role_powers_allowed", allowed)] {
                if !powers.is_empty() {
                    words.push(format!("{word} {name} {}", in_words(&powers)));
                }
            }
        }
        words
    }

    /// Whether who owns an agent is being changed, and two people have not agreed to it yet.
    pub(super) fn is_owner_pending(parts: &BTreeMap<String, Part>, agent: &str) -> bool {
        parts.get(&format!("{AGENT_PART}{agent}")).is_some_and(|part| part.pending.is_some())
    }

    /// What an agent is told before a door that these keep closed, and what to do.
    pub(crate) fn closed_in_words(&self, closed: &[String]) -> (String, String) {
        (
            format!("this door is closed: a change of {} waits for two people", closed.join(" and ")),
            format!("people confirm it at {}/configuration", self.config.console.origin),
        )
    }

    /// The parts whose change keeps this upstream's door closed.
    pub(crate) fn closed_by(parts: &BTreeMap<String, Part>, upstream: &Upstream) -> Vec<String> {
        let own = format!("upstream {upstream}");
        let touches = |name: &str| {
            name == own
                || ["console", "policy", FREEZES_PART, ATTESTATION, GLASS].contains(&name)
                || [AGENT_PART, TEAM_PART, PERSON_PART, ROLE_PART]
                    .iter()
                    .any(|kind| name.starts_with(kind))
        };
        let pending = parts.iter().filter(|(name, part)| touches(name) && part.pending.is_some());
        pending.map(|(name, _)| name.clone()).collect()
    }
}
