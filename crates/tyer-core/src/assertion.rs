//! Passkeys: that a statement was signed by a person's authenticator, who was present and verified.
//!
//! Follows WebAuthn Level 2, sections 7.1 (registration) and 7.2 (assertion), for one relying party.
//! Stricter where it can be: user verification is always required, other origins and frames never
//! allowed. Signature counters are not looked at, because synchronised passkeys always say zero.

pub mod attestation;
mod cose;
mod documents;

#[cfg(test)]
pub(crate) mod authenticator;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::intent::{Digest, Timestamp};
use crate::record::PublicKey;
use crate::statement::{Decision, Signed, Statement};
use cose::Key;
use documents::{AuthenticatorData, Ceremony, attested, base64url, encode, read_client_data};

/// For whom signatures are made: the console's origin, and its host as the relying party's id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelyingParty {
    origin: String,
    id: String,
}

/// What a browser returns when a passkey was made. Byte strings are base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// The client data, as the browser serialised it.
    pub client_data: String,
    /// The attestation object.
    pub attestation_object: String,
}

/// Why a registration or a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Not an origin that passkeys work on.
    #[error("a console's origin is https://host[:port], or http for localhost")]
    NotAnOrigin,
    /// Cannot be read.
    #[error("the {0} cannot be read")]
    Malformed(&'static str),
    /// Made for something else.
    #[error("the passkey was used for another ceremony")]
    OtherCeremony,
    /// The statement is not about enrolling.
    #[error("the statement is not about becoming a person")]
    NotEnrolling,
    /// Not over this statement.
    #[error("the signature is over another statement")]
    OtherStatement,
    /// Made on another web page.
    #[error("the signature was made for another origin")]
    OtherOrigin,
    /// Made inside another site's page.
    #[error("the signature was made inside another site's page")]
    CrossOrigin,
    /// Nobody touched the authenticator.
    #[error("nobody was present at the authenticator")]
    NotPresent,
    /// The authenticator did not check who touched it.
    #[error("the authenticator did not verify its user")]
    NotVerified,
    /// Another passkey than the one it is checked against.
    #[error("the signature is by another passkey")]
    OtherCredential,
    /// A kind of key that is not accepted.
    #[error("keys of that kind are not supported")]
    UnsupportedKey,
    /// The signature does not verify.
    #[error("the signature does not verify")]
    BadSignature,
    /// Too late.
    #[error("the statement expired before it was signed")]
    Expired,
}

impl RelyingParty {
    /// The relying party of a console: `https://host[:port]`, or `http://localhost[:port]`.
    ///
    /// # Errors
    /// When browsers would not allow passkeys there, or it is not written as browsers write it.
    pub fn of_origin(origin: &str) -> Result<Self, AssertionError> {
        let not = AssertionError::NotAnOrigin;
        let (scheme, rest) = origin.split_once("://").ok_or(not)?;
        let (host, port) = rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port)));
        let local = host == "localhost" || host.ends_with(".localhost");
        let port = port.is_none_or(|text| {
            text.parse::<u16>().is_ok_and(|port| {
                let default = if scheme == "https" { 443 } else { 80 };
                port.to_string() == text && port != default
            })
        });
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        let host_is_plain = !host.is_empty() && host.bytes().all(plain);
        if (scheme == "https" || (scheme == "http" && local)) && port && host_is_plain {
            Ok(Self { origin: origin.to_owned(), id: host.to_owned() })
        } else {
            Err(not)
        }
    }

    /// The console's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The relying party's id: the origin's host.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Checks a new passkey and takes its public key. The challenge is that of an `Enrol` statement.
///
/// The attestation statement is ignored, whatever its format: it would say which model of authenticator
/// made the key, and Tyer trusts people who vouch for people, not models. The key is taken from the
/// authenticator data, and the `Enrol` assertion made with it afterwards proves that it can sign.
///
/// # Errors
/// When anything is not as the statement asks, or the key is of an unsupported kind.
pub fn register(
    rp: &RelyingParty,
    statement: &Statement,
    registration: &Registration,
) -> Result<PublicKey, AssertionError> {
    if !matches!(statement.what, Decision::Enrol { .. }) {
        return Err(AssertionError::NotEnrolling);
    }
    let client_data = base64url(&registration.client_data, "client data")?;
    check_client_data(rp, statement, &client_data, Ceremony::Create)?;
    let object = base64url(&registration.attestation_object, "attestation object")?;
    let bytes = attested(&object)?;
    let data = AuthenticatorData::read(&bytes)?;
    check_presence(rp, &data)?;
    let attested = data.attested.ok_or(AssertionError::Malformed("authenticator data"))?;
    Ok(PublicKey::passkey(encode(attested.credential), encode(attested.cose)))
}

/// Checks that a statement was signed with that key. Says nothing about when; see [`verify_at`].
///
/// # Errors
/// When it was not, or the signature was made under other conditions than are asked for.
pub fn verify(rp: &RelyingParty, signed: &Signed, key: &PublicKey) -> Result<(), AssertionError> {
    if signed.credential != key.credential {
        return Err(AssertionError::OtherCredential);
    }
    base64url(&key.credential, "credential id")?;
    let client_data = base64url(&signed.client_data, "client data")?;
    check_client_data(rp, &signed.statement, &client_data, Ceremony::Get)?;
    let bytes = base64url(&signed.authenticator_data, "authenticator data")?;
    let data = AuthenticatorData::read(&bytes)?;
    check_presence(rp, &data)?;
    if data.attested.is_some() {
        return Err(AssertionError::Malformed("authenticator data"));
    }
    let mut message = bytes.clone();
    message.extend_from_slice(&Digest::of(&client_data).0);
    let signature = base64url(&signed.signature, "signature")?;
    Key::read(&base64url(&key.cose, "public key")?)?.verify(&message, &signature)
}

/// Like [`verify`], and the statement has not expired at `now`.
///
/// # Errors
/// As [`verify`], and when the statement has expired.
pub fn verify_at(
    rp: &RelyingParty,
    signed: &Signed,
    key: &PublicKey,
    now: Timestamp,
) -> Result<(), AssertionError> {
    if now >= signed.statement.expires {
        return Err(AssertionError::Expired);
    }
    verify(rp, signed, key)
}

/// Checks that a key from elsewhere, such as a leaf, is one that signatures can be verified with.
///
/// # Errors
/// When it cannot be read or is of an unsupported kind.
pub fn check_key(key: &PublicKey) -> Result<(), AssertionError> {
    base64url(&key.credential, "credential id")?;
    Key::read(&base64url(&key.cose, "public key")?).map(|_| ())
}

/// The secret's public side alone, as an SSH key of the same secret has it, too.
///
/// # Errors
/// When the key cannot be read.
pub fn material(key: &PublicKey) -> Result<Vec<u8>, AssertionError> {
    Ok(Key::read(&base64url(&key.cose, "public key")?)?.into_material())
}

fn check_client_data(
    rp: &RelyingParty,
    statement: &Statement,
    bytes: &[u8],
    ceremony: Ceremony,
) -> Result<(), AssertionError> {
    if statement.origin != rp.origin {
        return Err(AssertionError::OtherOrigin);
    }
    let data = read_client_data(bytes)?;
    if data.kind != ceremony.as_str() {
        return Err(AssertionError::OtherCeremony);
    }
    // Compared as text, so that no second spelling of the same bytes is accepted.
    if data.challenge != encode(&statement.challenge().0) {
        return Err(AssertionError::OtherStatement);
    }
    if data.origin != rp.origin {
        return Err(AssertionError::OtherOrigin);
    }
    if data.cross_origin == Some(true) || data.top_origin.is_some() {
        return Err(AssertionError::CrossOrigin);
    }
    Ok(())
}

fn check_presence(rp: &RelyingParty, data: &AuthenticatorData<'_>) -> Result<(), AssertionError> {
    if *data.rp_id_hash != Digest::of(rp.id.as_bytes()).0 {
        Err(AssertionError::OtherOrigin)
    } else if !data.user_present {
        Err(AssertionError::NotPresent)
    } else if !data.user_verified {
        Err(AssertionError::NotVerified)
    } else {
        Ok(())
    }
}
