//! Passkeys beyond a person's first: adding one's own, enrolling anew in place of lost ones, removing any.
//!
//! Both begin with a signed statement that makes an enrolment link: by a passkey of the person, or by another person
//! if theirs are lost. What is enrolled by the link counts once yet another person has confirmed it, and then takes the
//! place of what was lost. Anybody who counts can remove a passkey: that takes power away and gives none. Two people
//! always go on counting, since nobody could let anybody else in again.

use tyer_core::hold::Hold;
use tyer_core::intent::{Digest, PersonId, Timestamp};
use tyer_core::limits::{COUNTING_MIN, PASSKEYS_MAX};
use tyer_core::record::{Record, What};
use tyer_core::statement::Decision;

use crate::gateway::Gateway;
use crate::gateway::people::{PeopleError, counting, link};
use crate::gateway::roles::can_go;
use crate::gateway::statements::Word;
use crate::gateway::world::{FREEZES, PARTS, Passkey, Person, World};
use crate::store::{Change, Table};

/// Why something about a passkey is not done. Texts are for the person at the console.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum PasskeyError {
    /// There is nobody who could need one more.
    #[error("{0} has not enrolled yet; invite them")]
    NotEnrolled(PersonId),
    /// Only others recover.
    #[error("{0} is you; two other people have to let you enrol anew")]
    Oneself(PersonId),
    /// The person has enough of them.
    #[error("a person has at most {PASSKEYS_MAX} passkeys; remove one first")]
    TooMany,
    /// There is nothing to confirm.
    #[error("no passkey {0} waits to be confirmed")]
    NotWaiting(Digest),
    /// There is nothing to remove.
    #[error("there is no passkey {0}")]
    Unknown(Digest),
    /// Its owner cannot confirm it.
    #[error("somebody other than {0} has to confirm it")]
    Own(PersonId),
    /// Whoever asked for it cannot confirm it.
    #[error("{0} asked for it, so somebody else has to confirm it")]
    Asker(PersonId),
    /// Whoever asked for it lost their word since, or may decide less.
    #[error("{0} asked for it and may not do so any more; remove it, and ask anew")]
    AskerGone(PersonId),
    /// The person's passkeys are not those that were signed for.
    #[error("the passkeys of {0} have changed meanwhile")]
    Changed(PersonId),
    /// Nobody could let anybody in again.
    #[error(
        "{0} is one of the last two people who count, or of the last two operators; they cannot be removed"
    )]
    LastTwo(PersonId),
    #[error(transparent)]
    People(#[from] PeopleError),
}

impl Gateway {
    /// Makes the link by which a person enrols one more passkey: beside theirs if they ask, in place of theirs if
    /// somebody else does.
    pub(super) async fn ask_passkey(
        &self,
        world: &mut World,
        word: Word,
        owner: PersonId,
    ) -> Result<String, PasskeyError> {
        let Word { signed, by, now, .. } = word;
        counting(world, &by)?;
        let enrolled = world.people.get(&owner).filter(|person| !person.keys.is_empty());
        let mut person = enrolled.cloned().ok_or_else(|| PasskeyError::NotEnrolled(owner.clone()))?;
        let recovers = signed.statement.what != Decision::AddPasskey;
        if recovers && world.among().are_one(&by, &owner) {
            return Err(PasskeyError::Oneself(owner));
        }
        if person.keys.iter().filter(|passkey| passkey.removed_by.is_none()).count() >= PASSKEYS_MAX {
            return Err(PasskeyError::TooMany);
        }
        let (token, mut made) = link(now).map_err(PeopleError::from)?;
        made.asked_by = Some(by.clone());
        person.link = Some(made);
        let what = What::PasskeyAsked { person: owner, by, signed };
        let change = Change::default().leaf(&Record::new(now, what));
        self.keep_person(world, &person, change).await?;
        Ok(token)
    }

    /// What a person signs to confirm the passkey of that digest.
    pub(super) fn confirming_passkey(world: &World, key: Digest) -> Result<Decision, PasskeyError> {
        let person = whose(world, key, Passkey::waits).ok_or(PasskeyError::NotWaiting(key))?;
        Ok(Decision::ConfirmPasskey { person: person.id.clone(), key, replaces: replaced(person, key) })
    }

    /// Confirms a passkey, which counts from now on; those that it replaces do not.
    pub(super) async fn confirm_passkey(
        &self,
        world: &mut World,
        word: Word,
        (owner, key): (&PersonId, Digest),
        replaces: &[Digest],
    ) -> Result<(), PasskeyError> {
        let Word { signed, by, now, .. } = word;
        counting(world, &by)?;
        let (mut person, asker) = asked(world, owner, key)?;
        let (among, recovers) = (world.among(), asker != *owner);
        if among.are_one(&by, owner) {
            return Err(PasskeyError::Own(by));
        } else if among.are_one(&by, &asker) {
            return Err(PasskeyError::Asker(by));
        } else if recovers && among.are_one(&asker, owner) {
            return Err(PasskeyError::Oneself(asker));
        } else if !may_still_ask(world, &asker, owner) {
            return Err(PasskeyError::AskerGone(asker));
        } else if replaced(&person, key) != replaces {
            return Err(PasskeyError::Changed(owner.clone()));
        }
        for passkey in &mut person.keys {
            if passkey.key.digest() == key {
                passkey.confirmed_by = Some(by.clone());
            } else if recovers && passkey.removed_by.is_none() {
                passkey.removed_by = Some(by.clone());
            }
        }
        if recovers {
            (person.recovered, person.link) = (true, None);
            (person.confirmed_by, person.confirmed_also) = (Some(by.clone()), Vec::new());
        }
        let change = self.take_back(world, &person, now).await?;
        let what = What::PasskeyConfirmed { person: owner.clone(), by, signed };
        Ok(self.keep_person(world, &person, change.leaf(&Record::new(now, what))).await?)
    }

    /// What a person signs to remove the passkey of that digest.
    pub(super) fn removing_passkey(world: &World, key: Digest) -> Result<Decision, PasskeyError> {
        let person = whose(world, key, stands).ok_or(PasskeyError::Unknown(key))?;
        removable(world, person, key)?;
        Ok(Decision::RemovePasskey { person: person.id.clone(), key })
    }

    /// Makes a passkey count no more. With a person's last one, they do not either.
    pub(super) async fn remove_passkey(
        &self,
        world: &mut World,
        word: Word,
        owner: &PersonId,
        key: Digest,
    ) -> Result<(), PasskeyError> {
        let Word { signed, by, now, .. } = word;
        counting(world, &by)?;
        let person = world.people.get(owner).ok_or(PasskeyError::Unknown(key))?;
        let mut person = removable(world, person, key)?;
        let is_it = |passkey: &&mut Passkey| stands(passkey) && passkey.key.digest() == key;
        let passkey = person.keys.iter_mut().find(is_it).ok_or(PasskeyError::Unknown(key))?;
        passkey.removed_by = Some(by.clone());
        // What a lost passkey asked for is not enrolled any more.
        person.link = person.link.take().filter(|link| link.asked_by.as_ref() != Some(owner));
        let change = self.take_back(world, &person, now).await?;
        let what = What::PasskeyRemoved { person: owner.clone(), by, signed };
        Ok(self.keep_person(world, &person, change.leaf(&Record::new(now, what))).await?)
    }

    /// Takes back what a person has agreed to by keys that count no more for them as they are now: holds at once,
    /// so that no approval outlives its key; what confirms the configuration or ends a freeze with the change that is
    /// returned.
    async fn take_back(
        &self,
        world: &mut World,
        person: &Person,
        now: Timestamp,
    ) -> Result<Change, PasskeyError> {
        let lost = |who: &str, credential: &str| {
            who == person.id.as_str() && (!person.counts() || person.key(credential).is_none())
        };
        let by_lost = |hold: &Hold| {
            let mut words = hold.approvals().iter().chain(hold.broken_by());
            words.any(|it| lost(it.person.as_str(), &it.signed.credential))
        };
        self.abandon(world, by_lost, now).await.map_err(PeopleError::from)?;
        let mut parts = world.parts.clone();
        for part in parts.values_mut() {
            part.signed.retain(|signed| !lost(&signed.statement.person, &signed.credential));
        }
        let mut freezes = world.freezes.clone();
        freezes.forget(|signed| lost(&signed.statement.person, &signed.credential));
        let mut change = Change::default();
        // Seen before it is durable: fewer confirmations let nothing through.
        if parts != world.parts {
            change = change.put(Table::Setting, PARTS, &parts);
            world.parts = parts;
        }
        if freezes != world.freezes {
            change = change.put(Table::Setting, FREEZES, &freezes);
            world.freezes = freezes;
        }
        Ok(change)
    }
}

/// Whether nobody has removed the passkey.
fn stands(passkey: &Passkey) -> bool {
    passkey.removed_by.is_none()
}

/// Whose passkey has that digest, if it is such a one.
fn whose(world: &World, key: Digest, such: fn(&Passkey) -> bool) -> Option<&Person> {
    let is_it = |passkey: &Passkey| such(passkey) && passkey.key.digest() == key;
    world.people.values().find(|person| person.keys.iter().any(is_it))
}

/// The person whose passkey waits to be confirmed, and who asked for it.
fn asked(world: &World, owner: &PersonId, key: Digest) -> Result<(Person, PersonId), PasskeyError> {
    let person = world.people.get(owner).ok_or(PasskeyError::NotWaiting(key))?;
    let is_it = |passkey: &&Passkey| passkey.waits() && passkey.key.digest() == key;
    let asker = person.keys.iter().find(is_it).and_then(|passkey| passkey.asked_by.clone());
    Ok((person.clone(), asker.ok_or(PasskeyError::NotWaiting(key))?))
}

/// Whether the asker could ask for it now as well, for themself or for somebody who has lost theirs.
fn may_still_ask(world: &World, asker: &PersonId, owner: &PersonId) -> bool {
    let asked =
        if asker == owner { Decision::AddPasskey } else { Decision::Recover { person: owner.clone() } };
    counting(world, asker).is_ok_and(|asker| asker.role.may(&asked))
}

/// The passkeys that are lost where that one is confirmed: none if the person asked for it themself.
fn replaced(person: &Person, key: Digest) -> Vec<Digest> {
    let is_own = |passkey: &Passkey| {
        passkey.key.digest() == key && passkey.asked_by.as_ref() == Some(&person.id)
    };
    if person.keys.iter().any(is_own) {
        return Vec::new();
    }
    let others = person.keys.iter().filter(|passkey| passkey.removed_by.is_none());
    others.map(|passkey| passkey.key.digest()).filter(|digest| *digest != key).collect()
}

/// The person, unless that passkey is what makes them one of the last two who count.
fn removable(world: &World, person: &Person, key: Digest) -> Result<Person, PasskeyError> {
    let is_last = person.counts() && person.passkeys().all(|passkey| passkey.digest() == key);
    let too_few = world.among().humans_without(&person.id) < COUNTING_MIN || !can_go(world, person);
    if is_last && too_few {
        return Err(PasskeyError::LastTwo(person.id.clone()));
    }
    Ok(person.clone())
}
