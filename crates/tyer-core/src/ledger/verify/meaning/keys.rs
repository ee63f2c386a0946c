//! Leaves about people and their keys: who may count, and by which key.

use super::{Claim, Meaning, Place, in_time};
use crate::assertion::{
    self,
    attestation::{self, sk},
};
use crate::intent::{Digest, PersonId};
use crate::record::What;
use crate::sshsig;
use crate::statement::{Decision, Signed, Statement};

/// Whether those who added SSH keys have shown that they have their secrets.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// Some did. Whoever came later had to.
    seen: bool,
    /// Leaves before that which show nothing.
    missing: Vec<u64>,
}

impl Meaning {
    /// Leaves that added an SSH key before a proof was asked for that its secret is there.
    pub(in super::super) fn unproven(&self) -> &[u64] {
        &self.proofs.missing
    }

    pub(super) fn person(&mut self, place: &Place<'_>, what: &What) -> Result<(), String> {
        match what {
            What::Attested { person, key, .. } => {
                let root = self.attested(place, what)?;
                let what = || format!("the passkey of {person} was attested to before");
                self.attested.insert(*key, root).map_or(Ok(()), |_| Err(what()))
            }
            What::Enrolled { person, key, invited_by, signed, counts } => {
                if let Err(why) = assertion::check_key(key) {
                    return Err(format!("the passkey of {person}: {why}"));
                }
                // Checked against the key in the leaf itself, before that key can count. An unproven
                // passkey is not taken, so nothing that it signs later counts.
                if let Some(signed) = signed {
                    let decision = Decision::Enrol { person: person.clone() };
                    self.verify(place, &Claim { person, signed, decision, by: place.at }, key)?;
                }
                if key.attested.is_some() && self.attested.get(&key.digest()).copied() != key.attested {
                    return Err(format!("no leaf shows who attests to the passkey of {person}"));
                }
                self.people.enrol(person, key, invited_by.as_ref(), *counts)
            }
            What::Invited { person, by, signed } => {
                let decision = Decision::Invite { person: person.clone() };
                self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
                self.people.invite(person, by);
                Ok(())
            }
            What::Confirmed { person, by, signed } => self.confirmed(place, person, by, signed),
            What::Linked { person, other, by, signed } => {
                let decision = Decision::Link { person: person.clone(), other: other.clone() };
                self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
                if person == other || !self.people.knows(person) || !self.people.knows(other) {
                    return Err(format!("{person} and {other} are not two people"));
                }
                self.people.link(person, other);
                Ok(())
            }
            What::KeyAttested { person, key, .. } => {
                let root = self.key_attested(place, what)?;
                let what = || format!("the SSH key of {person} was attested to before");
                self.attested.insert(key.digest(), root).map_or(Ok(()), |_| Err(what()))
            }
            What::KeyAdded { .. } | What::KeyConfirmed { .. } | What::KeyRemoved { .. } => {
                self.ssh_key(place, what)
            }
            What::PasskeyAsked { .. } | What::PasskeyConfirmed { .. } | What::PasskeyRemoved { .. } => {
                self.passkey(place, what)
            }
            _ => Ok(()),
        }
    }

    /// The root that an attestation names, once it was checked.
    fn attested(&mut self, place: &Place<'_>, what: &What) -> Result<Digest, String> {
        let What::Attested { person, key, root, statement, registration } = what else {
            return Err("it attests to nothing".to_owned());
        };
        let wrong = |why: &dyn std::fmt::Display| format!("the attestation of {person}: {why}");
        let party = self.party(&statement.origin)?;
        let made = assertion::register(&party, statement, registration).map_err(|why| wrong(&why))?;
        if statement.what != (Decision::Enrol { person: person.clone() }) || made.digest() != *key {
            return Err(wrong(&"it is for another passkey"));
        }
        timely(place, statement).map_err(|why| wrong(&why))?;
        let Some(roots) = &self.roots else {
            self.unchecked.push(place.index);
            return Ok(*root);
        };
        let led = attestation::attest(&party, (statement, registration), roots, place.at);
        match led {
            Ok(led) if led == *root => Ok(led),
            Ok(_) => Err(wrong(&"it leads to another root than it names")),
            Err(why) => Err(wrong(&why)),
        }
    }

    /// The same of an SSH key's.
    fn key_attested(&mut self, place: &Place<'_>, what: &What) -> Result<Digest, String> {
        let What::KeyAttested { person, key, root, statement, attestation } = what else {
            return Err("it attests to nothing".to_owned());
        };
        let wrong = |why: &dyn std::fmt::Display| format!("the attestation of {person}: {why}");
        self.party(&statement.origin)?;
        if statement.person != person.as_str() {
            return Err(wrong(&"it was made for somebody else"));
        }
        timely(place, statement).map_err(|why| wrong(&why))?;
        let made = sk::Made { statement, attestation, key };
        let Some(roots) = &self.roots else {
            made.check().map_err(|why| wrong(&why))?;
            self.unchecked.push(place.index);
            return Ok(*root);
        };
        match made.attest(roots, place.at) {
            Ok(led) if led == *root => Ok(led),
            Ok(_) => Err(wrong(&"it leads to another root than it names")),
            Err(why) => Err(wrong(&why)),
        }
    }

    /// Whether the person has shown that the key which they add is theirs.
    fn proven(&mut self, place: &Place<'_>, what: &What) -> Result<(), String> {
        let What::KeyAdded { person, key, signed, proof } = what else { return Ok(()) };
        match proof {
            Some(proof) => {
                sshsig::verify_proof(&signed.statement, proof, key)
                    .map_err(|why| format!("the proof of the SSH key of {person}: {why}"))?;
                self.proofs.seen = true;
            }
            None if self.proofs.seen => {
                return Err(format!("{person} has not shown that the SSH key is theirs"));
            }
            None => self.proofs.missing.push(place.index),
        }
        Ok(())
    }

    fn ssh_key(&mut self, place: &Place<'_>, what: &What) -> Result<(), String> {
        match what {
            What::KeyAdded { person, key, signed, .. } => {
                sshsig::check_key(key).map_err(|why| format!("the SSH key of {person}: {why}"))?;
                let decision = Decision::AddKey { key: key.ssh.clone() };
                self.counted(place, &Claim { person, signed, decision, by: place.at })?;
                self.proven(place, what)?;
                if key.attested.is_some() && self.attested.get(&key.digest()).copied() != key.attested {
                    return Err(format!("no leaf shows who attests to the SSH key of {person}"));
                }
                self.people.add_key(person, key)
            }
            What::KeyConfirmed { person, by, signed } => {
                let Decision::ConfirmKey { key, .. } = signed.statement.what else {
                    return Err(format!("{by} signed another decision"));
                };
                if self.people.among().are_one(by, person) {
                    return Err(format!("{by} confirmed a key of their own"));
                }
                if !self.people.key_waits(person, key) {
                    return Err(format!("{person} has no such SSH key that waits for confirmation"));
                }
                let decision = Decision::ConfirmKey { person: person.clone(), key };
                self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
                self.people.confirm_key(person, key);
                Ok(())
            }
            What::KeyRemoved { person, by, signed } => {
                let Decision::RemoveKey { key, .. } = signed.statement.what else {
                    return Err(format!("{by} signed another decision"));
                };
                let decision = Decision::RemoveKey { person: person.clone(), key };
                self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
                let removed = self.people.remove_key(person, key);
                removed.then_some(()).ok_or_else(|| format!("{person} has no such SSH key"))
            }
            _ => Ok(()),
        }
    }

    fn passkey(&mut self, place: &Place<'_>, what: &What) -> Result<(), String> {
        match what {
            What::PasskeyAsked { person, by, signed } => {
                let decision = if person == by {
                    Decision::AddPasskey
                } else {
                    Decision::Recover { person: person.clone() }
                };
                self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
                self.people.ask(person, by)
            }
            What::PasskeyConfirmed { person, by, signed } => {
                let decision = signed.statement.what.clone();
                let Decision::ConfirmPasskey { person: named, key, replaces } = &decision else {
                    return Err(format!("{by} signed another decision"));
                };
                if named != person {
                    return Err(format!("{by} confirmed a passkey of {named}, not of {person}"));
                }
                self.people.may_confirm((person, *key), by, replaces)?;
                self.may_still_ask(person, *key)?;
                let key = *key;
                self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
                self.people.confirm_passkey(person, key, by);
                Ok(())
            }
            What::PasskeyRemoved { person, by, signed } => {
                let Decision::RemovePasskey { key, .. } = signed.statement.what else {
                    return Err(format!("{by} signed another decision"));
                };
                let decision = Decision::RemovePasskey { person: person.clone(), key };
                self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
                self.people.remove_passkey(person, key)
            }
            _ => Ok(()),
        }
    }

    /// Whether the role of whoever asked for that passkey lets them do so now.
    fn may_still_ask(&self, person: &PersonId, key: Digest) -> Result<(), String> {
        let Some(asker) = self.people.asker(person, key) else { return Ok(()) };
        let asked = if asker == person {
            Decision::AddPasskey
        } else {
            Decision::Recover { person: person.clone() }
        };
        self.may_decide(asker, &asked).map_err(|_| {
            format!("{asker} asked for the passkey of {person} and may not do so any more")
        })
    }

    fn confirmed(
        &mut self,
        place: &Place<'_>,
        person: &PersonId,
        by: &PersonId,
        signed: &Signed,
    ) -> Result<(), String> {
        let Decision::Confirm { credential, .. } = signed.statement.what else {
            return Err(format!("{by} signed another decision"));
        };
        let among = self.people.among();
        if among.are_one(by, person) {
            return Err(format!("{by} confirmed themself"));
        }
        match self.people.inviter(person, credential) {
            Some(inviter) if among.are_one(by, inviter) => {
                return Err(format!("{by} invited {person} and cannot also confirm them"));
            }
            Some(_) => {}
            // Whoever counts already may have others stand behind them, too.
            None if !self.people.is_confirmed(person, credential) => {
                return Err(format!("{person} has no such passkey that waits for confirmation"));
            }
            None if self.people.has_confirmed(by, person) => {
                return Err(format!("{by} confirmed {person} before"));
            }
            None => {}
        }
        let decision = Decision::Confirm { person: person.clone(), credential };
        self.counted(place, &Claim { person: by, signed, decision, by: place.at })?;
        self.people.confirm(person, by, credential);
        Ok(())
    }
}

/// Whether what was made over a statement was made in time, and on top of this ledger.
fn timely(place: &Place<'_>, statement: &Statement) -> Result<(), String> {
    in_time(place.at, statement.expires, || "it was made after its statement had expired".to_owned())?;
    if statement.size > place.index || place.tree.root(statement.size) != Some(statement.root) {
        return Err("it was made on top of another ledger than this one".to_owned());
    }
    Ok(())
}
