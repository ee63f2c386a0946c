//! What comes with an SSH key that is added: its own signature, and what its maker says of it.
//!
//! An attestation that somebody hands in has to hold: a key whose maker is not trusted is added without one, and then
//! counts as any other SSH key does.

use tyer_core::assertion::attestation::sk::Made;
use tyer_core::intent::{Digest, PersonId, Timestamp};
use tyer_core::record::{PublicKey, What};
use tyer_core::statement::Decision;

use crate::config::attestation::ATTESTATION;
use crate::gateway::Gateway;
use crate::gateway::keys::KeyError;
use crate::gateway::statements::take;
use crate::gateway::world::World;

/// Shows that whoever adds an SSH key has its secret.
#[derive(Clone, Debug)]
pub(crate) struct KeyProof {
    /// What `ssh-keygen -Y sign` made of the statement by which it is added.
    pub(crate) signature: String,
    /// For a key in a security key.
    pub(crate) attestation: Option<Attestation>,
}

/// What a maker says of a security key.
#[derive(Clone, Debug)]
pub(crate) struct Attestation {
    /// Names the statement that the key was made over.
    pub(crate) nonce: String,
    /// What `ssh-keygen -O write-attestation` wrote, base64url.
    pub(crate) file: String,
}

impl Gateway {
    /// The root of the trusted maker who attests to a person's new key, and the leaf that says so.
    pub(super) fn key_attested(
        &self,
        world: &mut World,
        (by, key): (&PersonId, &PublicKey),
        said: Option<Attestation>,
        now: Timestamp,
    ) -> Result<Option<(Digest, What)>, KeyError> {
        let Some(Attestation { nonce, file: attestation }) = said else { return Ok(None) };
        let statement = take(world, &nonce, now).map_err(|_| KeyError::MadeBefore)?;
        if statement.what != Decision::MakeKey || statement.person != by.as_str() {
            return Err(KeyError::MadeBefore);
        }
        let pending = world.parts.get(ATTESTATION).is_some_and(|part| part.pending.is_some());
        if pending || self.config.roots.is_empty() {
            return Err(KeyError::NoMakers);
        }
        let made = Made { statement: &statement, attestation: &attestation, key };
        let root = made.attest(&self.config.roots, now)?;
        let (person, key) = (by.clone(), key.clone());
        Ok(Some((root, What::KeyAttested { person, key, root, statement, attestation })))
    }
}
