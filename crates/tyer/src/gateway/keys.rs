//! SSH keys of people: adding one's own, confirming somebody else's, removing any.
//!
//! A person adds a key by a statement that their passkey signs, and the key itself, so that nobody adds another's. It
//! counts once another person has confirmed it with their passkey, and belongs to that one person for ever. Anybody who
//! counts can remove it: that takes power away and gives none.

use tyer_core::assertion::attestation::AttestationError;
use tyer_core::assurance;
use tyer_core::hold::Hold;
use tyer_core::intent::{Digest, PersonId};
use tyer_core::limits::SSH_KEYS_MAX;
use tyer_core::record::{PublicKey, Record, What};
use tyer_core::sshsig::{self, SshError};
use tyer_core::statement::Decision;

use crate::gateway::Gateway;
use crate::gateway::people::{PeopleError, counting};
use crate::gateway::statements::Word;
use crate::gateway::world::{Person, SshKey, World};
use crate::store::Change;

/// Why something about an SSH key is not done. Texts are for the person at the console.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// It is none that can be used.
    #[error("{0}")]
    Unusable(#[from] SshError),
    /// Nothing shows that the person has it.
    #[error("adding a key takes its own signature over the statement, too; it shows that you have it")]
    NoProof,
    /// What it was made over is used or too old, or another's.
    #[error(
        "the statement that the key was made over is not valid any more, or not yours; make the key anew"
    )]
    MadeBefore,
    /// Nobody is trusted to attest to keys.
    #[error("the operator trusts no makers of security keys here; add the key without an attestation")]
    NoMakers,
    /// Nobody who is trusted attests to it.
    #[error("the key's attestation does not hold: {0}")]
    Attestation(#[from] AttestationError),
    /// It is somebody's already.
    #[error("this key is somebody's already; a key belongs to one person for ever")]
    Taken,
    /// The person has enough of them.
    #[error("a person has at most {SSH_KEYS_MAX} SSH keys")]
    TooMany,
    /// There is nothing to confirm.
    #[error("no SSH key {0} waits to be confirmed")]
    NotWaiting(String),
    /// There is nothing to remove.
    #[error("there is no SSH key {0}")]
    Unknown(String),
    /// Its owner cannot confirm it.
    #[error("somebody other than {0} has to confirm it")]
    Own(PersonId),
    #[error(transparent)]
    People(#[from] PeopleError),
}

impl Gateway {
    /// What a person signs to add a key of theirs.
    pub(super) fn adding(
        world: &World,
        person: Option<&PersonId>,
        text: &str,
    ) -> Result<Decision, KeyError> {
        let key = sshsig::read_key(text)?;
        addable(world, &key)?;
        let known = person.and_then(|person| world.people.get(person));
        if known.is_some_and(|person| person.ssh.len() >= SSH_KEYS_MAX) {
            return Err(KeyError::TooMany);
        }
        Ok(Decision::AddKey { key: key.ssh })
    }

    /// Adds a key, which does not count yet.
    pub(super) async fn add_key(
        &self,
        world: &mut World,
        word: Word,
        text: &str,
    ) -> Result<(), KeyError> {
        let Word { signed, by, now, key: shown, .. } = word;
        Self::adding(world, Some(&by), text)?;
        let mut person = counting(world, &by)?;
        let shown = shown.ok_or(KeyError::NoProof)?;
        let mut key = sshsig::read_key(text)?;
        let attested = self.key_attested(world, (&by, &key), shown.attestation, now)?;
        let mut change = Change::default();
        if let Some((root, what)) = attested {
            key.attested = Some(root);
            change = change.leaf(&Record::new(now, what));
        }
        let (proof, _) = sshsig::take_armored(&shown.signature)?;
        sshsig::verify_proof(&signed.statement, &proof, &key)?;
        person.ssh.push(SshKey { key: key.clone(), confirmed_by: None, removed_by: None });
        let what = What::KeyAdded { person: by, key, signed, proof: Some(proof) };
        Ok(self.keep_person(world, &person, change.leaf(&Record::new(now, what))).await?)
    }

    /// What a person signs to confirm the key of that fingerprint.
    pub(super) fn confirming(world: &World, fingerprint: &str) -> Result<Decision, KeyError> {
        let found = named(world, fingerprint, waits);
        let (person, key) = found.ok_or_else(|| KeyError::NotWaiting(fingerprint.to_owned()))?;
        Ok(Decision::ConfirmKey { person, key })
    }

    /// Confirms a key, which counts from now on.
    pub(super) async fn confirm_key(
        &self,
        world: &mut World,
        word: Word,
        owner: &PersonId,
        digest: Digest,
    ) -> Result<(), KeyError> {
        let Word { signed, by, now, .. } = word;
        counting(world, &by)?;
        if world.among().are_one(&by, owner) {
            return Err(KeyError::Own(by));
        }
        let mut person = counting(world, owner)?;
        let waiting = of_digest(&mut person, digest, waits);
        let ssh = waiting.ok_or_else(|| KeyError::NotWaiting(format!("of {owner}")))?;
        ssh.confirmed_by = Some(by.clone());
        let what = What::KeyConfirmed { person: owner.clone(), by, signed };
        let change = Change::default().leaf(&Record::new(now, what));
        Ok(self.keep_person(world, &person, change).await?)
    }

    /// What a person signs to remove the key of that fingerprint.
    pub(super) fn removing(world: &World, fingerprint: &str) -> Result<Decision, KeyError> {
        let found = named(world, fingerprint, stands);
        let (person, key) = found.ok_or_else(|| KeyError::Unknown(fingerprint.to_owned()))?;
        Ok(Decision::RemoveKey { person, key })
    }

    /// Makes a key count no more. What it has approved and did not run is taken back first, so that no approval
    /// outlives its key.
    pub(super) async fn remove_key(
        &self,
        world: &mut World,
        word: Word,
        owner: &PersonId,
        digest: Digest,
    ) -> Result<(), KeyError> {
        let Word { signed, by, now, .. } = word;
        counting(world, &by)?;
        let unknown = || KeyError::Unknown(format!("of {owner}"));
        let mut person = world.people.get(owner).cloned().ok_or_else(unknown)?;
        let ssh = of_digest(&mut person, digest, stands).ok_or_else(unknown)?;
        ssh.removed_by = Some(by.clone());
        let credential = ssh.key.credential.clone();
        let by_key =
            |hold: &Hold| hold.approvals().iter().any(|given| given.signed.credential == credential);
        self.abandon(world, by_key, now).await.map_err(PeopleError::from)?;
        let what = What::KeyRemoved { person: owner.clone(), by, signed };
        let change = Change::default().leaf(&Record::new(now, what));
        Ok(self.keep_person(world, &person, change).await?)
    }

    /// Whether an approval's key or signer counts no more: it was removed while the hold's grant was out, which then came back.
    pub(super) fn has_lost_a_key(&self, world: &World, hold: &Hold) -> bool {
        let mut approvals = hold.approvals().iter().chain(hold.broken_by());
        approvals.any(|approval| self.approval_record(world, approval).is_none())
            || self.glass_is_void(world, hold)
    }
}

/// Whether nobody has confirmed or removed the key.
fn waits(ssh: &SshKey) -> bool {
    ssh.confirmed_by.is_none() && ssh.removed_by.is_none()
}

/// Whether nobody has removed the key.
fn stands(ssh: &SshKey) -> bool {
    ssh.removed_by.is_none()
}

/// Whose key has that fingerprint, and its digest, if it is such a one.
fn named(world: &World, fingerprint: &str, such: fn(&SshKey) -> bool) -> Option<(PersonId, Digest)> {
    world.people.values().find_map(|person| {
        let found = person.ssh.iter().find(|ssh| such(ssh) && ssh.key.credential == fingerprint)?;
        Some((person.id.clone(), found.key.digest()))
    })
}

/// A person's key of that digest, if it is such a one.
fn of_digest(person: &mut Person, digest: Digest, such: fn(&SshKey) -> bool) -> Option<&mut SshKey> {
    person.ssh.iter_mut().find(|ssh| such(ssh) && ssh.key.digest() == digest)
}

/// Whether nobody has that key, in whatever form.
fn addable(world: &World, key: &PublicKey) -> Result<(), KeyError> {
    let mut keys = world.people.values().flat_map(Person::all_keys);
    if keys.any(|known| assurance::are_same(known, key)) { Err(KeyError::Taken) } else { Ok(()) }
}
