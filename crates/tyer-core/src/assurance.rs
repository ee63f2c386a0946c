//! By what kind of key somebody signed, and that they did: one place for all kinds of keys.
//!
//! What a key's type says of itself proves nothing: an `sk-` key can be made in software as any other. Only an
//! attestation to a root that the operator trusts makes a passkey, or the key in a security key that SSH uses, a hardware
//! key (see [`crate::assertion::attestation`]).

use serde::{Deserialize, Serialize};

use crate::assertion::{self, AssertionError, RelyingParty};
use crate::record::PublicKey;
use crate::sshsig::{self, SshError};
use crate::statement::Signed;

/// How much a key of that kind proves, the least first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// An SSH key in a file or an agent: whoever can read it, or use the agent, signs.
    Software,
    /// An SSH key that says of itself that it lives in a security key, and nobody else does.
    Unattested,
    /// A passkey: its user was present and verified at an authenticator.
    #[default]
    Passkey,
    /// A key that a trusted maker attests to live in hardware.
    Hardware,
}

/// Why a signature or a key is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// As a passkey's.
    #[error(transparent)]
    Passkey(#[from] AssertionError),
    /// As an SSH key's.
    #[error(transparent)]
    Ssh(#[from] SshError),
}

impl Assurance {
    /// The word used in records and by the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Unattested => "unattested",
            Self::Passkey => "passkey",
            Self::Hardware => "hardware",
        }
    }

    /// What somebody signed by: `a software SSH key`.
    #[must_use]
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Software => "a software SSH key",
            Self::Unattested => "an SSH security key without attestation",
            Self::Passkey => "a passkey",
            Self::Hardware => "an attested hardware key",
        }
    }

    /// What every approval was before there were other keys; left out of what is stored.
    #[must_use]
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over references")]
    pub(crate) fn is_passkey(&self) -> bool {
        *self == Self::Passkey
    }
}

/// How much a key proves. A key that is none of the known kinds proves the least.
#[must_use]
pub fn of_key(key: &PublicKey) -> Assurance {
    match (key.ssh.is_empty(), key.attested) {
        (true, Some(_)) => Assurance::Hardware,
        (true, None) => Assurance::Passkey,
        (false, _) => sshsig::assurance(key),
    }
}

/// Checks that a statement was signed with that key, at that console. Says nothing about when.
///
/// # Errors
/// When it was not, or the signature was made under other conditions than are asked for.
pub fn verify(rp: &RelyingParty, signed: &Signed, key: &PublicKey) -> Result<(), SignatureError> {
    if key.ssh.is_empty() {
        return Ok(assertion::verify(rp, signed, key)?);
    }
    if signed.statement.origin != rp.origin() {
        return Err(AssertionError::OtherOrigin.into());
    }
    sshsig::verify(signed, key)?;
    Ok(())
}

/// Whether two keys are of one secret, in whatever form. A key that cannot be read is compared as text.
#[must_use]
pub fn are_same(one: &PublicKey, other: &PublicKey) -> bool {
    let of_key = |key: &PublicKey| match key.ssh.is_empty() {
        true => assertion::material(key).ok(),
        false => sshsig::material(key).ok(),
    };
    let same_text = one.credential == other.credential
        || (!one.cose.is_empty() && one.cose == other.cose)
        || (!one.ssh.is_empty() && one.ssh == other.ssh);
    same_text || of_key(one).is_some_and(|one| of_key(other) == Some(one))
}
