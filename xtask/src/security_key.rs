//! An SSH key in a security key, in software, for the tests: no hardware is there, and none is needed to be refused.
//!
//! Follows OpenSSH's `PROTOCOL.u2f` for the key, its signatures and the file of `-O write-attestation`, and
//! `PROTOCOL.sshsig` for what `ssh-keygen -Y sign` makes of a file.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ciborium::Value;
use ring::digest::{SHA256, SHA512, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use crate::authenticator::{AuthenticatorError, Maker};

/// Somebody touched it.
pub const PRESENT: u8 = 0x01;
/// It knew who.
pub const VERIFIED: u8 = 0x04;
const CREDENTIAL_ATTACHED: u8 = 0x40;

const KIND: &[u8] = b"sk-ssh-ed25519@openssh.com";
const NAMESPACE: &[u8] = b"tyer";

/// An Ed25519 key for one application, such as `ssh:`.
pub struct SecurityKey {
    key: Ed25519KeyPair,
    pkcs8: Vec<u8>,
    application: String,
}

impl SecurityKey {
    /// A new key with a random secret.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new(application: &str) -> Result<Self, AuthenticatorError> {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_| AuthenticatorError::Key)?;
        Self::of(pkcs8.as_ref().to_vec(), application)
    }

    /// The same secret as if it had been made for another application.
    ///
    /// # Errors
    /// Never, once there is one.
    pub fn made_for(&self, application: &str) -> Result<Self, AuthenticatorError> {
        Self::of(self.pkcs8.clone(), application)
    }

    fn of(pkcs8: Vec<u8>, application: &str) -> Result<Self, AuthenticatorError> {
        let key = Ed25519KeyPair::from_pkcs8(&pkcs8).map_err(|_| AuthenticatorError::Key)?;
        Ok(Self { key, pkcs8, application: application.to_owned() })
    }

    /// The line of its `.pub` file.
    #[must_use]
    pub fn line(&self) -> String {
        format!("{} {} me@home", String::from_utf8_lossy(KIND), STANDARD.encode(self.public()))
    }

    /// The public key as SSH writes it.
    #[must_use]
    pub fn public(&self) -> Vec<u8> {
        let key = self.key.public_key();
        [string(KIND), string(key.as_ref()), string(self.application.as_bytes())].concat()
    }

    /// What `ssh-keygen -O challenge=... -O write-attestation=...` writes, by that maker. `challenge` is the content of
    /// the file that it names.
    ///
    /// # Errors
    /// When the authenticator data cannot be written.
    pub fn attestation(
        &self,
        challenge: &[u8],
        maker: &Maker<'_>,
    ) -> Result<Vec<u8>, AuthenticatorError> {
        let mut made = digest(&SHA256, self.application.as_bytes()).as_ref().to_vec();
        made.push(PRESENT | VERIFIED | CREDENTIAL_ATTACHED);
        made.extend_from_slice(&[0; 4]); // the counter
        made.extend_from_slice(&[0; 16]); // the AAGUID of no model
        made.extend_from_slice(&[0, 2, b'i', b'd']);
        made.extend(cbor(&Value::Map(vec![
            (Value::from(1), Value::from(1)),
            (Value::from(3), Value::from(-8)),
            (Value::from(-1), Value::from(6)),
            (Value::from(-2), Value::Bytes(self.key.public_key().as_ref().to_vec())),
        ]))?);
        let hash = digest(&SHA256, challenge);
        let (chain, signature) = maker(&[&made, hash.as_ref()].concat());
        let leaf = chain.into_iter().next().unwrap_or_default();
        let format: &[u8] = b"ssh-sk-attest-v01";
        let mut file = [string(format), string(&leaf), string(&signature)].concat();
        file.extend(string(&cbor(&Value::Bytes(made))?));
        file.extend_from_slice(&[0; 8]); // reserved
        Ok(file)
    }

    /// What `ssh-keygen -Y sign -n tyer` makes of a message; `flags` are what the security key says of its user.
    #[must_use]
    pub fn sign(&self, message: &[u8], flags: u8) -> String {
        let hash = digest(&SHA512, message);
        let (namespace, named) = (string(NAMESPACE), string(b"sha512"));
        let head = [namespace.as_slice(), &string(b""), &named].concat();
        let covered = [b"SSHSIG".as_slice(), &head, &string(hash.as_ref())].concat();
        let trailer = [flags, 0, 0, 0, 7];
        let (application, covered) =
            (digest(&SHA256, self.application.as_bytes()), digest(&SHA256, &covered));
        let signed = [application.as_ref(), &trailer, covered.as_ref()].concat();
        let raw = string(self.key.sign(&signed).as_ref());
        let made = [string(KIND).as_slice(), &raw, &trailer].concat();
        let version: &[u8] = &[0, 0, 0, 1];
        let whole = [b"SSHSIG", version, &string(&self.public()), &head, &string(&made)].concat();
        armored(&STANDARD.encode(whole))
    }
}

impl std::fmt::Debug for SecurityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecurityKey").field("key", &self.key).finish_non_exhaustive()
    }
}

fn armored(letters: &str) -> String {
    let mut text = "-----BEGIN SSH SIGNATURE-----\n".to_owned();
    for (at, letter) in letters.chars().enumerate() {
        if at > 0 && at % 70 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str("\n-----END SSH SIGNATURE-----\n");
    text
}

/// Bytes behind their length.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn cbor(value: &Value) -> Result<Vec<u8>, AuthenticatorError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|_| AuthenticatorError::Encoding)?;
    Ok(bytes)
}
