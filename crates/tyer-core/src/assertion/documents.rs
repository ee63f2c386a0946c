//! The documents of a passkey ceremony, read strictly: client data (JSON), attestation object (CBOR)
//! and authenticator data (WebAuthn section 6.1). Nothing may follow what is understood.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ciborium::Value;
use serde::Deserialize;

use super::AssertionError;
use super::cose::Key;
use crate::limits::{CREDENTIAL_ID_BYTES_MAX, PASSKEY_BYTES_MAX};

/// What a passkey is used for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ceremony {
    Create,
    Get,
}

impl Ceremony {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// What the browser says of the ceremony. Browsers may add fields, so unknown ones are ignored; a field
/// that is known and occurs twice is an error.
#[derive(Debug, Deserialize)]
pub(super) struct ClientData {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) challenge: String,
    pub(super) origin: String,
    #[serde(rename = "crossOrigin")]
    pub(super) cross_origin: Option<bool>,
    #[serde(rename = "topOrigin")]
    pub(super) top_origin: Option<String>,
}

pub(super) fn read_client_data(bytes: &[u8]) -> Result<ClientData, AssertionError> {
    serde_json::from_slice(bytes).map_err(|_| AssertionError::Malformed("client data"))
}

/// The authenticator's part of a ceremony.
#[derive(Debug)]
pub(super) struct AuthenticatorData<'a> {
    pub(super) rp_id_hash: &'a [u8; 32],
    pub(super) user_present: bool,
    pub(super) user_verified: bool,
    pub(super) attested: Option<Attested<'a>>,
}

/// The new credential in the authenticator data of a registration.
#[derive(Debug)]
pub(super) struct Attested<'a> {
    /// The model of the authenticator (AAGUID), as it says itself.
    pub(super) model: &'a [u8; 16],
    pub(super) credential: &'a [u8],
    pub(super) cose: &'a [u8],
}

const MALFORMED: AssertionError = AssertionError::Malformed("authenticator data");

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const BACKUP_ELIGIBLE: u8 = 0x08;
const BACKED_UP: u8 = 0x10;
const ATTESTED: u8 = 0x40;
const EXTENSIONS: u8 = 0x80;

impl<'a> AuthenticatorData<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, AssertionError> {
        let (rp_id_hash, rest) = bytes.split_first_chunk::<32>().ok_or(MALFORMED)?;
        let (flags, rest) = rest.split_first().ok_or(MALFORMED)?;
        let (_counter, rest) = rest.split_first_chunk::<4>().ok_or(MALFORMED)?;
        let is = |flag: u8| flags & flag != 0;
        if is(BACKED_UP) && !is(BACKUP_ELIGIBLE) {
            return Err(MALFORMED);
        }
        let (attested, rest) = if is(ATTESTED) {
            let (attested, rest) = Attested::read(rest)?;
            (Some(attested), rest)
        } else {
            (None, rest)
        };
        let rest = if is(EXTENSIONS) { skip_map(rest)? } else { rest };
        if !rest.is_empty() {
            return Err(MALFORMED);
        }
        let (user_present, user_verified) = (is(USER_PRESENT), is(USER_VERIFIED));
        Ok(Self { rp_id_hash, user_present, user_verified, attested })
    }
}

impl<'a> Attested<'a> {
    fn read(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), AssertionError> {
        let (model, rest) = bytes.split_first_chunk::<16>().ok_or(MALFORMED)?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or(MALFORMED)?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length == 0 || length > CREDENTIAL_ID_BYTES_MAX {
            return Err(AssertionError::Malformed("credential id"));
        }
        let (credential, key) = rest.split_at_checked(length).ok_or(MALFORMED)?;
        let after = Key::skip(key)?;
        let cose = key.get(..key.len() - after.len()).ok_or(MALFORMED)?;
        Ok((Self { model, credential, cose }, after))
    }
}

/// The authenticator data inside an attestation object. Format and statement are not looked at.
pub(super) fn attested(object: &[u8]) -> Result<Vec<u8>, AssertionError> {
    let malformed = AssertionError::Malformed("attestation object");
    let (value, rest) = read_cbor(object).ok_or(malformed)?;
    let Value::Map(entries) = value else { return Err(malformed) };
    if !rest.is_empty() {
        return Err(malformed);
    }
    match lookup(&entries, &Value::from("authData")) {
        Some(Value::Bytes(bytes)) => Ok(bytes.clone()),
        _ => Err(malformed),
    }
}

/// One CBOR item and what follows it.
pub(super) fn read_cbor(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let mut rest = bytes;
    let value = ciborium::from_reader(&mut rest).ok()?;
    Some((value, rest))
}

/// The value under a key that occurs exactly once.
pub(super) fn lookup<'a>(entries: &'a [(Value, Value)], key: &Value) -> Option<&'a Value> {
    let mut found = entries.iter().filter(|(at, _)| at == key).map(|(_, value)| value);
    let value = found.next();
    if found.next().is_some() { None } else { value }
}

fn skip_map(bytes: &[u8]) -> Result<&[u8], AssertionError> {
    match read_cbor(bytes) {
        Some((Value::Map(_), rest)) => Ok(rest),
        _ => Err(MALFORMED),
    }
}

/// Decodes base64url without padding, bounded. `what` names the text in errors.
pub(super) fn base64url(text: &str, what: &'static str) -> Result<Vec<u8>, AssertionError> {
    if text.is_empty() || text.len() > PASSKEY_BYTES_MAX / 3 * 4 {
        return Err(AssertionError::Malformed(what));
    }
    URL_SAFE_NO_PAD.decode(text).map_err(|_| AssertionError::Malformed(what))
}

/// Encodes as base64url without padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
