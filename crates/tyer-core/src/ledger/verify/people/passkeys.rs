//! Passkeys beyond a person's first: asked for, confirmed, removed.

use super::{Passkey, People};
use crate::intent::{Digest, PersonId};
use crate::limits::COUNTING_MIN;

impl People {
    /// Lets a person enrol one more passkey.
    pub(in super::super) fn ask(&mut self, person: &PersonId, by: &PersonId) -> Result<(), String> {
        if !self.knows(person) {
            return Err(format!("{person} has not enrolled yet"));
        }
        if person != by && self.among().are_one(person, by) {
            return Err(format!("{by} is {person}, whom another has to recover"));
        }
        self.asked.insert(person.clone(), by.clone());
        Ok(())
    }

    /// Whether that person may confirm that passkey, which takes the place of those others.
    pub(in super::super) fn may_confirm(
        &self,
        (person, key): (&PersonId, Digest),
        by: &PersonId,
        replaces: &[Digest],
    ) -> Result<(), String> {
        let asker = self.asker(person, key);
        let asker = asker
            .ok_or_else(|| format!("{person} has no further passkey that waits for confirmation"))?;
        let among = self.among();
        if among.are_one(by, person) {
            return Err(format!("{by} confirmed a passkey of their own"));
        }
        if among.are_one(by, asker) {
            return Err(format!("{by} asked for the passkey of {person} and cannot also confirm it"));
        }
        if asker != person && among.are_one(asker, person) {
            return Err(format!("{asker} is {person}, whom another has to recover"));
        }
        if !self.counts(asker) {
            return Err(format!(
                "{asker} asked for the passkey of {person} and does not count any more"
            ));
        }
        if self.replaced(person, key) != replaces {
            return Err(format!("the passkeys that {by} replaced are not those that {person} had"));
        }
        Ok(())
    }

    /// Who asked for the passkey with that digest, which does not count yet.
    pub(in super::super) fn asker(&self, person: &PersonId, key: Digest) -> Option<&PersonId> {
        let waiting = |it: &&Passkey| it.waits() && it.asked && it.key.digest() == key;
        self.passkeys.get(person)?.iter().find(waiting)?.inviter.as_ref()
    }

    /// The passkeys that are lost where that one is confirmed: none if the person asked for it.
    fn replaced(&self, person: &PersonId, key: Digest) -> Vec<Digest> {
        if self.asker(person, key) == Some(person) {
            return Vec::new();
        }
        let mut others: Vec<Digest> = self
            .passkeys
            .get(person)
            .into_iter()
            .flatten()
            .filter(|it| !it.removed)
            .map(|it| it.key.digest())
            .collect();
        others.retain(|other| *other != key);
        others
    }

    /// Makes that passkey count, in place of those that it replaces.
    pub(in super::super) fn confirm_passkey(&mut self, person: &PersonId, key: Digest, by: &PersonId) {
        let recovers = self.asker(person, key) != Some(person);
        for passkey in self.passkeys.get_mut(person).into_iter().flatten() {
            let is_it = passkey.key.digest() == key;
            passkey.removed |= recovers && !is_it;
            passkey.counts = (passkey.counts || is_it) && !passkey.removed;
        }
        if recovers {
            self.recovered.insert(person.clone());
            self.confirmed.insert(person.clone(), [by.clone()].into());
            self.asked.remove(person);
        }
    }

    /// Makes that passkey of the person's count no more.
    pub(in super::super) fn remove_passkey(
        &mut self,
        person: &PersonId,
        key: Digest,
    ) -> Result<(), String> {
        let passkeys = self.passkeys.get(person).map(Vec::as_slice).unwrap_or_default();
        let (same, others): (Vec<&Passkey>, Vec<&Passkey>) =
            passkeys.iter().filter(|it| !it.removed).partition(|it| it.key.digest() == key);
        if same.is_empty() {
            return Err(format!("{person} has no such passkey"));
        }
        let is_last = same.iter().any(|it| it.counts) && !others.iter().any(|it| it.counts);
        if is_last && self.among().humans_without(person) < COUNTING_MIN {
            return Err(format!("{person} is one of the last two who count, and was removed"));
        }
        for passkey in self.passkeys.get_mut(person).into_iter().flatten() {
            passkey.removed |= passkey.key.digest() == key;
            passkey.counts &= !passkey.removed;
        }
        // What a lost passkey asked for is not enrolled any more.
        if self.asked.get(person) == Some(person) {
            self.asked.remove(person);
        }
        Ok(())
    }
}
