//! Who made the security key that an SSH key is in: the file that `ssh-keygen -O write-attestation` writes.
//!
//! Follows OpenSSH's `ssh-sk-attest-v01` (`PROTOCOL.u2f`): the leaf certificate, its key's signature, the authenticator
//! data as CBOR, and reserved fields. What was signed is the authenticator data with the SHA-256 of the challenge, the
//! file that `-O challenge` names: here the canonical form of a statement that names the person. Everything else is
//! as with passkeys, the leaf and its chain too, which has no certificate between the leaf and a trusted root.

use ciborium::Value;
use x509_parser::public_key::PublicKey as SubjectKey;

use super::{AttestationError, Roots, check_leaf, lead_to_root, leaf_key, read};
use crate::assertion::AssertionError;
use crate::assertion::cose::Key;
use crate::assertion::documents::{AuthenticatorData, base64url, read_cbor};
use crate::intent::{Digest, Timestamp};
use crate::record::PublicKey;
use crate::sshsig;
use crate::statement::{Decision, Statement};

/// What the file calls itself.
const FORMAT: &[u8] = b"ssh-sk-attest-v01";
/// Flags and a string, both reserved and empty.
const RESERVED: [u8; 8] = [0; 8];

/// An SSH key, the statement that it was made over, and what its maker says of it.
#[derive(Clone, Copy, Debug)]
pub struct Made<'a> {
    /// A [`Decision::MakeKey`].
    pub statement: &'a Statement,
    /// The file, base64url.
    pub attestation: &'a str,
    /// The key.
    pub key: &'a PublicKey,
}

/// The file's fields.
struct Written<'a> {
    certificate: &'a [u8],
    signature: &'a [u8],
    authenticator: Vec<u8>,
}

impl Made<'_> {
    /// Checks all but who issued the leaf certificate, and when.
    ///
    /// # Errors
    /// When it does not attest to this key, or not over this statement.
    pub fn check(&self) -> Result<(), AttestationError> {
        let file = self.file()?;
        self.check_written(&written(&file).ok_or(AttestationError::Malformed)?)
    }

    /// Checks that a trusted maker attests to the key; the digest of the root certificate (SHA-256, DER). `now` is when
    /// it has to hold.
    ///
    /// # Errors
    /// When nobody who is trusted does.
    pub fn attest(&self, roots: &Roots, now: Timestamp) -> Result<Digest, AttestationError> {
        let file = self.file()?;
        let written = written(&file).ok_or(AttestationError::Malformed)?;
        self.check_written(&written)?;
        lead_to_root(&[read(written.certificate)?], roots, now)
    }

    fn file(&self) -> Result<Vec<u8>, AttestationError> {
        Ok(base64url(self.attestation, "attestation")?)
    }

    fn check_written(&self, written: &Written<'_>) -> Result<(), AttestationError> {
        if self.statement.what != Decision::MakeKey {
            return Err(AttestationError::OtherStatement);
        }
        let leaf = read(written.certificate)?;
        let algorithm = match leaf.public_key().parsed() {
            Ok(SubjectKey::EC(_)) => -7,
            Ok(SubjectKey::RSA(_)) => -257,
            _ => return Err(AttestationError::Leaf("its key is of no kind that is accepted")),
        };
        let signed = [written.authenticator.as_slice(), &self.statement.challenge().0].concat();
        let verified = leaf_key(&leaf, algorithm)?.verify(&signed, written.signature);
        verified.map_err(|_| AttestationError::BadSignature)?;
        let data = AuthenticatorData::read(&written.authenticator)?;
        let attested = data.attested.as_ref().ok_or(AttestationError::Malformed)?;
        check_leaf(&leaf, attested.model)?;
        self.check_key(&data, Key::read(attested.cose)?)
    }

    /// Whether that is the credential that SSH uses, made for its application by somebody who was there.
    fn check_key(&self, data: &AuthenticatorData<'_>, made: Key) -> Result<(), AttestationError> {
        let application = sshsig::application(self.key).ok_or(AttestationError::OtherKey)?;
        // Points and Ed25519 keys differ in length.
        if sshsig::material(self.key).ok() != Some(made.into_material()) {
            Err(AttestationError::OtherKey)
        } else if *data.rp_id_hash != Digest::of(application.as_bytes()).0 {
            Err(AttestationError::OtherApplication)
        } else if !data.user_present {
            Err(AssertionError::NotPresent.into())
        } else if !data.user_verified {
            Err(AssertionError::NotVerified.into())
        } else {
            Ok(())
        }
    }
}

fn written(file: &[u8]) -> Option<Written<'_>> {
    let (format, rest) = string(file)?;
    let (certificate, rest) = string(rest)?;
    let (signature, rest) = string(rest)?;
    let (authenticator, rest) = string(rest)?;
    match read_cbor(authenticator)? {
        (Value::Bytes(authenticator), []) if format == FORMAT && *rest == RESERVED => {
            Some(Written { certificate, signature, authenticator })
        }
        _ => None,
    }
}

/// Bytes behind their length, and what follows them.
fn string(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

#[cfg(test)]
pub(crate) mod tests;
