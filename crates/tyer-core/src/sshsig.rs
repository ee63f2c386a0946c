//! SSH keys, and what they sign: the canonical JSON of a statement, as a file, in the format of
//! `ssh-keygen -Y sign` under the namespace `tyer`. Whoever has statement, signature and key verifies it by
//! `ssh-keygen -Y verify -n tyer`.
//!
//! Follows OpenSSH's `PROTOCOL.sshsig` for the format and `PROTOCOL.u2f` for keys in security keys. Stricter
//! where it can be: reserved bytes stay empty, a security key's user must have been present and its
//! application must be one of SSH's, and an SSH key approves, rejects and looks, nothing else. A key whose maker attests
//! to it has to have verified its user for every signature, as a passkey has.

#[cfg(test)]
pub(crate) mod signer;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use ssh_key::public::{EcdsaPublicKey, KeyData, RsaPublicKey};
use ssh_key::{Algorithm, EcdsaCurve, HashAlg, Signature, SshSig};

use crate::assurance::Assurance;
use crate::intent::Digest;
use crate::limits::{SSH_KEY_CHARS_MAX, SSH_SIGNATURE_BYTES_MAX};
use crate::record::PublicKey;
use crate::statement::{Decision, Signed, Statement};

/// What the signatures are for; others, such as `git`, are not accepted.
pub const NAMESPACE: &str = "tyer";

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";
/// Letters of one line between them, as `ssh-keygen` writes it.
const LINE: usize = 70;

/// Bits of a security key's flags: somebody touched it, and it knew who.
const PRESENT: u8 = 1;
const VERIFIED: u8 = 4;
/// Flags and counter, at the end of a security key's signature.
const TRAILER: usize = 5;

/// Bits of an RSA modulus.
const RSA_BITS: std::ops::RangeInclusive<usize> = 3072..=8192;

/// Why an SSH key or its signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// Cannot be read.
    #[error("the {0} cannot be read")]
    Malformed(&'static str),
    /// A kind of key or signature that is not accepted.
    #[error(
        "only keys of these kinds are accepted: ssh-ed25519, ecdsa-sha2-nistp256, RSA of 3072 bits or more with \
         SHA-2, and the sk- kinds of the first two"
    )]
    UnsupportedKey,
    /// The decision takes a passkey.
    #[error("an SSH key approves and rejects, and decides nothing else")]
    OtherDecision,
    /// The proof is for another key than the one that is added.
    #[error("the statement is not about adding this SSH key")]
    OtherProof,
    /// Made for something else.
    #[error("the SSH signature was made in another namespace than `{NAMESPACE}`")]
    OtherNamespace,
    /// By another key than it is checked against.
    #[error("the signature is by another SSH key")]
    OtherKey,
    /// Nobody touched the security key.
    #[error("nobody was present at the security key")]
    NotPresent,
    /// An attested security key did not check who touched it.
    #[error("the security key did not verify its user; make the key with `-O verify-required`")]
    NotVerified,
    /// The signature does not verify.
    #[error("the SSH signature does not verify")]
    BadSignature,
}

const KEY: SshError = SshError::Malformed("SSH key");
const SIGNATURE: SshError = SshError::Malformed("SSH signature");

/// Reads a public key as OpenSSH writes it in a `.pub` file, with or without a comment.
///
/// # Errors
/// When it cannot be read or is of an unsupported kind.
pub fn read_key(text: &str) -> Result<PublicKey, SshError> {
    let text = text.trim();
    if text.len() > SSH_KEY_CHARS_MAX || text.chars().any(char::is_control) {
        return Err(KEY);
    }
    let key = ssh_key::PublicKey::from_openssh(text).map_err(|_| KEY)?;
    check_kind(key.key_data())?;
    let bare = ssh_key::PublicKey::new(key.key_data().clone(), "");
    Ok(PublicKey {
        credential: fingerprint(key.key_data()),
        cose: String::new(),
        ssh: bare.to_openssh().map_err(|_| KEY)?.trim_end().to_owned(),
        attested: None,
    })
}

/// Checks that a key from elsewhere, such as a leaf, is one that signatures can be verified with, written in
/// the one way in which [`read_key`] writes it. A maker can have attested to none but a security key's.
///
/// # Errors
/// When it is not.
pub fn check_key(key: &PublicKey) -> Result<(), SshError> {
    let read = PublicKey { attested: key.attested, ..read_key(&key.ssh)? };
    let is_attestable = key.attested.is_none() || application(key).is_some();
    if read == *key && is_attestable { Ok(()) } else { Err(KEY) }
}

/// How much a key of that kind proves, with the attestation that was found good for it.
#[must_use]
pub fn assurance(key: &PublicKey) -> Assurance {
    match (application(key), key.attested) {
        (Some(_), Some(_)) => Assurance::Hardware,
        (Some(_), None) => Assurance::Unattested,
        (None, _) => Assurance::Software,
    }
}

/// The application for which a security key made the key; none if it says of itself that it is in none.
#[must_use]
pub fn application(key: &PublicKey) -> Option<String> {
    match parse(key).ok()? {
        KeyData::SkEd25519(key) => Some(key.application().to_owned()),
        KeyData::SkEcdsaSha2NistP256(key) => Some(key.application().to_owned()),
        _ => None,
    }
}

/// The secret's public side alone, whatever kind and application the key is written with.
///
/// # Errors
/// When the key cannot be read.
pub fn material(key: &PublicKey) -> Result<Vec<u8>, SshError> {
    let bytes = match parse(key)? {
        KeyData::Ed25519(key) => key.0.to_vec(),
        KeyData::SkEd25519(key) => key.public_key().0.to_vec(),
        KeyData::Ecdsa(point) => point.as_sec1_bytes().to_vec(),
        KeyData::SkEcdsaSha2NistP256(key) => key.ec_point().as_bytes().to_vec(),
        KeyData::Rsa(key) => key.n.as_positive_bytes().ok_or(KEY)?.to_vec(),
        _ => return Err(SshError::UnsupportedKey),
    };
    Ok(bytes)
}

/// Checks that a statement was signed with that key. Says nothing about when.
///
/// # Errors
/// When it was not, or the signature was made under other conditions than are asked for.
pub fn verify(signed: &Signed, key: &PublicKey) -> Result<(), SshError> {
    if !matches!(
        signed.statement.what,
        Decision::Approve(_)
            | Decision::ApproveAll { .. }
            | Decision::Reject(_)
            | Decision::Look { .. }
    ) {
        return Err(SshError::OtherDecision);
    }
    check_key(key)?;
    if !signed.authenticator_data.is_empty() || !signed.client_data.is_empty() {
        return Err(SIGNATURE);
    }
    let made = read(&signed.signature)?;
    if signed.credential != key.credential {
        return Err(SshError::OtherKey);
    }
    made_by(&signed.statement, &made, key)
}

/// Checks that whoever adds a key has its secret: that it signed the statement by which it is added. `proof` is a kept
/// signature.
///
/// # Errors
/// When it did not, or the statement is about another key.
pub fn verify_proof(statement: &Statement, proof: &str, key: &PublicKey) -> Result<(), SshError> {
    check_key(key)?;
    if statement.what != (Decision::AddKey { key: key.ssh.clone() }) {
        return Err(SshError::OtherProof);
    }
    made_by(statement, &read(proof)?, key)
}

/// Whether a security key made the signature and said that it had verified its user, by PIN or finger. Unless a maker
/// attests to the key it is only noted: it may not tell the truth.
#[must_use]
pub fn says_verified(signed: &Signed) -> bool {
    read(&signed.signature).is_ok_and(|made| is_verified(&made))
}

/// A signature as `ssh-keygen -Y sign` prints it, in the form that is kept: base64url; with the fingerprint of
/// the key that it names.
///
/// # Errors
/// When it cannot be read.
pub fn take_armored(text: &str) -> Result<(String, String), SshError> {
    let inner = text.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let letters: String = inner.ok_or(SIGNATURE)?.split_ascii_whitespace().collect();
    if letters.len() > SSH_SIGNATURE_BYTES_MAX.div_ceil(3) * 4 {
        return Err(SIGNATURE);
    }
    let kept = URL_SAFE_NO_PAD.encode(STANDARD.decode(letters).map_err(|_| SIGNATURE)?);
    let made = read(&kept)?;
    Ok((kept, fingerprint(made.public_key())))
}

/// A kept signature in the form of `ssh-keygen`'s `.sig` files.
///
/// # Errors
/// When it is not base64url, or longer than any signature.
pub fn armored(kept: &str) -> Result<String, SshError> {
    if kept.len() > SSH_SIGNATURE_BYTES_MAX.div_ceil(3) * 4 {
        return Err(SIGNATURE);
    }
    let letters = STANDARD.encode(URL_SAFE_NO_PAD.decode(kept).map_err(|_| SIGNATURE)?);
    let mut text = format!("{BEGIN}\n");
    for (at, letter) in letters.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str(&format!("\n{END}\n"));
    Ok(text)
}

/// The line that lets `ssh-keygen -Y verify` accept that person's key for what Tyer has signed.
#[must_use]
pub fn allowed_signer(person: &str, key: &PublicKey) -> String {
    format!("{person} namespaces=\"{NAMESPACE}\" {}\n", key.ssh)
}

/// Checks that the key made this signature over the statement, under the conditions that are asked of it.
fn made_by(statement: &Statement, made: &SshSig, key: &PublicKey) -> Result<(), SshError> {
    let key_data = parse(key)?;
    if *made.public_key() != key_data {
        return Err(SshError::OtherKey);
    }
    if made.namespace() != NAMESPACE {
        return Err(SshError::OtherNamespace);
    }
    let covered = SshSig::signed_data(NAMESPACE, made.hash_alg(), &statement.canonical())
        .map_err(|_| SIGNATURE)?;
    check(&key_data, made.signature(), &covered)?;
    if key.attested.is_some() && !is_verified(made) {
        return Err(SshError::NotVerified);
    }
    Ok(())
}

fn is_verified(made: &SshSig) -> bool {
    let is_sk = matches!(made.algorithm(), Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256);
    is_sk && trailer(made.signature()).is_ok_and(|(_, [flags, ..])| flags & VERIFIED != 0)
}

/// Reads a kept signature that is written in the one way that there is: what reads it takes lengths loosely.
fn read(kept: &str) -> Result<SshSig, SshError> {
    let made = SshSig::from_pem(armored(kept)?).map_err(|_| SIGNATURE)?;
    let written = URL_SAFE_NO_PAD.encode(written(&made).ok_or(SIGNATURE)?);
    if made.version() == SshSig::VERSION && written == kept { Ok(made) } else { Err(SIGNATURE) }
}

/// The bytes of a signature of our version, nothing reserved.
fn written(made: &SshSig) -> Option<Vec<u8>> {
    let key = ssh_key::PublicKey::new(made.public_key().clone(), "").to_bytes().ok()?;
    let (signature, algorithm) = (made.signature(), made.algorithm());
    let (bytes, trailer) = match algorithm {
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => {
            let (bytes, trailer) = trailer(signature).ok()?;
            (bytes, trailer.as_slice())
        }
        _ => (signature.as_bytes(), [].as_slice()),
    };
    let mut inner = string(algorithm.as_str().as_bytes())?;
    inner.extend(string(bytes)?);
    inner.extend(trailer);
    let mut written = b"SSHSIG".to_vec();
    written.extend(SshSig::VERSION.to_be_bytes());
    let hash = made.hash_alg();
    for part in [&key, made.namespace().as_bytes(), b"", hash.as_str().as_bytes(), &inner] {
        written.extend(string(part)?);
    }
    Some(written)
}

/// Bytes behind their length.
fn string(bytes: &[u8]) -> Option<Vec<u8>> {
    Some([&u32::try_from(bytes.len()).ok()?.to_be_bytes(), bytes].concat())
}

fn parse(key: &PublicKey) -> Result<KeyData, SshError> {
    let parsed = ssh_key::PublicKey::from_openssh(&key.ssh).map_err(|_| KEY)?;
    Ok(parsed.key_data().clone())
}

fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn check_kind(key: &KeyData) -> Result<(), SshError> {
    let is_ssh = |application: &str| application.starts_with("ssh:");
    let accepted = match key {
        KeyData::Ed25519(_) | KeyData::Ecdsa(EcdsaPublicKey::NistP256(_)) => true,
        KeyData::SkEd25519(key) => is_ssh(key.application()),
        KeyData::SkEcdsaSha2NistP256(key) => is_ssh(key.application()),
        KeyData::Rsa(key) => is_strong(key),
        _ => false,
    };
    if accepted { Ok(()) } else { Err(SshError::UnsupportedKey) }
}

fn is_strong(key: &RsaPublicKey) -> bool {
    let (Some(n), Some(e)) = (key.n.as_positive_bytes(), key.e.as_positive_bytes()) else {
        return false;
    };
    let bits = n.first().map_or(0, |top| n.len() * 8 - top.leading_zeros() as usize);
    let is_exponent = e.len() <= 4 && e.last().is_some_and(|low| low % 2 == 1) && e != [1];
    RSA_BITS.contains(&bits) && is_exponent
}

/// Verifies what was signed over the covered bytes, as that kind of key signs them.
fn check(key: &KeyData, made: &Signature, covered: &[u8]) -> Result<(), SshError> {
    let bytes = made.as_bytes();
    match (key, made.algorithm()) {
        (KeyData::Ed25519(key), Algorithm::Ed25519) => ed25519(&key.0, covered, bytes),
        (KeyData::Ecdsa(point), Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }) => {
            p256(point.as_sec1_bytes(), covered, bytes)
        }
        (KeyData::Rsa(key), Algorithm::Rsa { hash: Some(hash) }) => rsa(key, hash, covered, bytes),
        (KeyData::SkEd25519(key), Algorithm::SkEd25519) => {
            let (bytes, covered) = touched(made, key.application(), covered)?;
            ed25519(&key.public_key().0, &covered, bytes)
        }
        (KeyData::SkEcdsaSha2NistP256(key), Algorithm::SkEcdsaSha2NistP256) => {
            let (bytes, covered) = touched(made, key.application(), covered)?;
            p256(key.ec_point().as_bytes(), &covered, bytes)
        }
        _ => Err(SshError::UnsupportedKey),
    }
}

fn ed25519(key: &[u8], covered: &[u8], bytes: &[u8]) -> Result<(), SshError> {
    let key = UnparsedPublicKey::new(&signature::ED25519, key);
    key.verify(covered, bytes).map_err(|_| SshError::BadSignature)
}

fn p256(point: &[u8], covered: &[u8], bytes: &[u8]) -> Result<(), SshError> {
    let (r, rest) = scalar(bytes).ok_or(SIGNATURE)?;
    let (s, rest) = scalar(rest).ok_or(SIGNATURE)?;
    if !rest.is_empty() {
        return Err(SIGNATURE);
    }
    let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
    key.verify(covered, &[r, s].concat()).map_err(|_| SshError::BadSignature)
}

fn rsa(key: &RsaPublicKey, hash: HashAlg, covered: &[u8], bytes: &[u8]) -> Result<(), SshError> {
    let (Some(n), Some(e)) = (key.n.as_positive_bytes(), key.e.as_positive_bytes()) else {
        return Err(KEY);
    };
    let scheme = match hash {
        HashAlg::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        HashAlg::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => return Err(SshError::UnsupportedKey),
    };
    let key = RsaPublicKeyComponents { n, e };
    key.verify(scheme, covered, bytes).map_err(|_| SshError::BadSignature)
}

/// What a security key's signature is without its trailer, and what it covers: the application, the trailer and
/// the message, by their digests.
fn touched<'a>(
    made: &'a Signature,
    application: &str,
    covered: &[u8],
) -> Result<(&'a [u8], Vec<u8>), SshError> {
    let (bytes, trailer) = trailer(made)?;
    let [flags, ..] = trailer;
    if flags & PRESENT == 0 {
        return Err(SshError::NotPresent);
    }
    let (application, message) = (Digest::of(application.as_bytes()), Digest::of(covered));
    Ok((bytes, [application.0.as_slice(), trailer, &message.0].concat()))
}

fn trailer(made: &Signature) -> Result<(&[u8], &[u8; TRAILER]), SshError> {
    made.as_bytes().split_last_chunk::<TRAILER>().ok_or(SIGNATURE)
}

/// The first number of a signature, which is positive and fits the curve: its bytes, and what follows.
fn scalar(bytes: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (number, rest) = rest.split_at_checked(length)?;
    let number = number.strip_prefix(&[0]).unwrap_or(number);
    let mut scalar = [0; 32];
    scalar.get_mut(32_usize.checked_sub(number.len())?..)?.copy_from_slice(number);
    Some((scalar, rest))
}
