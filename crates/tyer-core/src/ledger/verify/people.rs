//! Who is a person of this Tyer, and which of their keys count, as the leaves so far say.
//!
//! The first two people found it and count at once. Everybody else is invited by one person that counts and
//! confirmed by another. A further passkey is asked for by whoever has one, a passkey in place of lost ones by somebody
//! else; it is confirmed by yet another. An SSH key is added by whoever has it, and confirmed by another.

use std::collections::{BTreeMap, BTreeSet};

use crate::assurance;
use crate::intent::{Digest, PersonId};
use crate::people::{self, Known};
use crate::record::PublicKey;

mod passkeys;

/// People who may enrol without an invitation.
const FOUNDERS: usize = 2;

#[derive(Debug, Default)]
pub(super) struct People {
    passkeys: BTreeMap<PersonId, Vec<Passkey>>,
    /// The first two.
    founders: BTreeSet<PersonId>,
    /// Who was invited, and by whom.
    invited: BTreeMap<PersonId, PersonId>,
    /// Who may enrol one more passkey, and who asked for it.
    asked: BTreeMap<PersonId, PersonId>,
    /// Who enrolled new passkeys in place of lost ones.
    recovered: BTreeSet<PersonId>,
    /// By whom everybody was confirmed.
    confirmed: BTreeMap<PersonId, BTreeSet<PersonId>>,
    /// Names that are one human.
    linked: Vec<(PersonId, PersonId)>,
    /// Who was confirmed as an auditor, and decides nothing.
    auditors: BTreeSet<PersonId>,
    /// SSH keys, also of those who do not count.
    keys: Vec<SshKey>,
}

#[derive(Debug)]
struct SshKey {
    person: PersonId,
    key: PublicKey,
    counts: bool,
    removed: bool,
}

#[derive(Debug)]
struct Passkey {
    key: PublicKey,
    inviter: Option<PersonId>,
    /// Whether it is one more than the first, which the inviter asked for.
    asked: bool,
    counts: bool,
    removed: bool,
}

impl Passkey {
    fn waits(&self) -> bool {
        !self.counts && !self.removed
    }
}

impl SshKey {
    fn is(&self, person: &PersonId, key: Digest) -> bool {
        self.person == *person && self.key.digest() == key
    }
}

impl People {
    pub(super) fn invite(&mut self, person: &PersonId, by: &PersonId) {
        self.invited.insert(person.clone(), by.clone());
    }

    /// Adds a passkey. It counts only if a founder's; what is wrong with it is returned.
    pub(super) fn enrol(
        &mut self,
        person: &PersonId,
        key: &PublicKey,
        invited_by: Option<&PersonId>,
        counts: bool,
    ) -> Result<(), String> {
        let known = |passkey: &Passkey| {
            passkey.key.credential == key.credential || passkey.key.cose == key.cose
        };
        let is_ssh_key = |ssh: &SshKey| assurance::are_same(&ssh.key, key);
        if self.passkeys.values().flatten().any(known) || self.keys.iter().any(is_ssh_key) {
            return Err(format!("the passkey of {person} was enrolled before"));
        }
        let asked = self.asked.remove(person).filter(|by| invited_by == Some(by)).is_some();
        let valid = if asked { Ok(()) } else { self.may_enrol(person, invited_by) };
        let valid = valid.and_then(|()| match (invited_by, counts) {
            (None, false) => Err(format!("{person} is a founder and counts at once")),
            (Some(_), true) => {
                Err(format!("{person} was invited and cannot count before somebody confirmed them"))
            }
            _ => Ok(()),
        });
        // A passkey that should not be there is kept, so that what it signs is seen not to count.
        let inviter = invited_by.cloned();
        let counts = valid.is_ok() && inviter.is_none();
        if counts {
            self.founders.insert(person.clone());
        }
        let passkey = Passkey { key: key.clone(), inviter, asked, counts, removed: false };
        self.passkeys.entry(person.clone()).or_default().push(passkey);
        self.invited.remove(person);
        valid
    }

    /// Whether somebody may enrol who was not asked for one more passkey.
    fn may_enrol(&self, person: &PersonId, invited_by: Option<&PersonId>) -> Result<(), String> {
        let by_themselves = |keys: &&Vec<Passkey>| keys.iter().any(|passkey| passkey.inviter.is_none());
        let founders = self.passkeys.values().filter(by_themselves).count();
        let founder = founders < FOUNDERS && !self.passkeys.contains_key(person);
        match invited_by {
            None if !founder => Err(format!(
                "{person} enrolled without an invitation, which only the first two people can"
            )),
            None => Ok(()),
            Some(by) if self.invited.get(person) != Some(by) => {
                Err(format!("{person} was not invited by {by}"))
            }
            Some(_) if self.passkeys.contains_key(person) => {
                Err(format!("{person} was invited, but had enrolled before"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Who invited the person to enrol the passkey with that digest, which does not count yet.
    pub(super) fn inviter(&self, person: &PersonId, credential: Digest) -> Option<&PersonId> {
        let waiting = |passkey: &&Passkey| {
            passkey.waits() && !passkey.asked && passkey.key.digest() == credential
        };
        self.passkeys.get(person)?.iter().find(waiting)?.inviter.as_ref()
    }

    /// Whether the passkey with that digest counts already.
    pub(super) fn is_confirmed(&self, person: &PersonId, credential: Digest) -> bool {
        let is = |passkey: &Passkey| passkey.counts && passkey.key.digest() == credential;
        self.passkeys.get(person).into_iter().flatten().any(is)
    }

    /// Whether that one has confirmed them before.
    pub(super) fn has_confirmed(&self, by: &PersonId, person: &PersonId) -> bool {
        self.confirmed.get(person).is_some_and(|confirmed| confirmed.contains(by))
    }

    pub(super) fn confirm(&mut self, person: &PersonId, by: &PersonId, credential: Digest) {
        self.confirmed.entry(person.clone()).or_default().insert(by.clone());
        for passkey in self.passkeys.get_mut(person).into_iter().flatten() {
            passkey.counts |= passkey.waits() && !passkey.asked && passkey.key.digest() == credential;
        }
    }

    /// Adds an SSH key, which does not count yet. A key belongs to one person for ever.
    pub(super) fn add_key(&mut self, person: &PersonId, key: &PublicKey) -> Result<(), String> {
        let passkeys = self.passkeys.values().flatten().map(|passkey| &passkey.key);
        let known = |known: &PublicKey| assurance::are_same(known, key);
        if self.keys.iter().map(|ssh| &ssh.key).chain(passkeys).any(known) {
            return Err(format!("the SSH key of {person} was added before"));
        }
        let (person, key) = (person.clone(), key.clone());
        self.keys.push(SshKey { person, key, counts: false, removed: false });
        Ok(())
    }

    /// Makes that SSH key of the person's count no more; whether there was such a key.
    pub(super) fn remove_key(&mut self, person: &PersonId, key: Digest) -> bool {
        let found = self.keys.iter_mut().find(|ssh| ssh.is(person, key) && !ssh.removed);
        let Some(ssh) = found else { return false };
        (ssh.counts, ssh.removed) = (false, true);
        true
    }

    /// Whether that SSH key is the person's and does not count yet.
    pub(super) fn key_waits(&self, person: &PersonId, key: Digest) -> bool {
        self.keys.iter().any(|ssh| ssh.is(person, key) && !ssh.counts && !ssh.removed)
    }

    pub(super) fn confirm_key(&mut self, person: &PersonId, key: Digest) {
        for ssh in self.keys.iter_mut().filter(|ssh| ssh.is(person, key)) {
            ssh.counts = !ssh.removed;
        }
    }

    /// The key with that id, if it is the person's and it counts.
    pub(super) fn counting(&self, person: &PersonId, credential: &str) -> Result<&PublicKey, String> {
        let of_person = |ssh: &&SshKey| ssh.person == *person && ssh.key.credential == credential;
        match self.keys.iter().find(of_person) {
            Some(ssh) if ssh.counts && self.counts(person) => return Ok(&ssh.key),
            Some(ssh) if ssh.counts => {
                return Err(format!("{person} signed, but has no passkey that counts"));
            }
            Some(ssh) if ssh.removed => {
                return Err(format!("{person} signed with an SSH key that was removed"));
            }
            Some(_) => return Err(format!("{person} signed with an SSH key that nobody confirmed")),
            None => {}
        }
        let Some(passkeys) = self.passkeys.get(person) else {
            return Err(format!("{person} signed before enrolling"));
        };
        match passkeys.iter().find(|passkey| passkey.key.credential == credential) {
            None => Err(format!("{person} signed with a passkey that they did not enrol")),
            Some(passkey) if passkey.removed => {
                Err(format!("{person} signed with a passkey that was removed"))
            }
            Some(passkey) if !passkey.counts && passkey.asked => {
                Err(format!("{person} signed with a passkey that nobody confirmed"))
            }
            Some(passkey) if !passkey.counts => {
                Err(format!("{person} signed before being confirmed, so it does not count"))
            }
            Some(passkey) => Ok(&passkey.key),
        }
    }

    pub(super) fn link(&mut self, person: &PersonId, other: &PersonId) {
        self.linked.push((person.clone(), other.clone()));
    }

    /// Whether anybody enrolled under that name.
    pub(super) fn knows(&self, person: &PersonId) -> bool {
        self.passkeys.contains_key(person)
    }

    /// Whether a person decides nothing from now on.
    pub(super) fn audits(&mut self, person: PersonId, audits: bool) {
        if audits {
            self.auditors.insert(person);
        } else {
            self.auditors.remove(&person);
        }
    }

    /// Whether the person counts.
    pub(super) fn counts(&self, person: &PersonId) -> bool {
        !self.auditors.contains(person) && self.has_passkey(person)
    }

    fn has_passkey(&self, person: &PersonId) -> bool {
        self.passkeys.get(person).into_iter().flatten().any(|passkey| passkey.counts)
    }

    /// How many people there are whom others have confirmed, auditors among them.
    pub(super) fn count(&self) -> usize {
        self.passkeys.keys().filter(|name| self.has_passkey(name)).count()
    }

    /// Who counts.
    pub(super) fn counting_names(&self) -> impl Iterator<Item = &PersonId> {
        self.passkeys.keys().filter(|name| self.counts(name))
    }

    /// Who they are to one another.
    pub(super) fn among(&self) -> people::People {
        let known = |name: &PersonId| {
            let known = Known {
                counts: self.counts(name),
                founder: self.founders.contains(name),
                recovered: self.recovered.contains(name),
                confirmed_by: self.confirmed.get(name).cloned().unwrap_or_default(),
                one_with: self
                    .linked
                    .iter()
                    .filter(|(one, _)| one == name)
                    .map(|(_, it)| it.clone())
                    .collect(),
            };
            (name.clone(), known)
        };
        self.passkeys.keys().map(known).collect()
    }
}
