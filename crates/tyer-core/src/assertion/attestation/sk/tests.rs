//! What `ssh-keygen` writes for a software authenticator with a maker, one thing of which is forged a time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, CustomExtension, IsCa, Issuer, KeyPair, SigningKey as _};

use super::super::tests::{MODEL_BYTES, NOW, authority, in_words, leaf};
use super::*;
use crate::assertion::authenticator::{ATTESTED, Authenticator, PRESENT, VERIFIED, header, to_cbor};
use crate::sshsig::signer::Signer;

/// What the secret of the key is made of.
pub(crate) const SECRET: &str = "bob's security key";

/// The parts of an attestation, each of which a test can change.
pub(crate) struct Forge {
    pub(crate) statement: Statement,
    /// What the challenge file had in it.
    pub(crate) challenge: Vec<u8>,
    pub(crate) application: &'static str,
    flags: u8,
    /// The credential's public key, as the authenticator says it.
    cose: Vec<u8>,
    pub(crate) key: PublicKey,
    leaf: CertificateParams,
    model: [u8; 16],
    /// Signed by another key than the leaf's.
    other_key: bool,
    /// Another root of the same name is trusted instead.
    pub(crate) other_root: bool,
    /// The root that a leaf of a ledger names, if not that of the chain.
    pub(crate) root: Option<Digest>,
    /// What is done to the file before it is handed in.
    change: fn(&mut Vec<u8>),
    /// What is done to the authenticator data after they were signed.
    exchange: fn(&mut Vec<u8>),
}

impl Forge {
    fn new() -> Self {
        Self::over(Statement {
            origin: "https://tyer.example.com".into(),
            what: Decision::MakeKey,
            person: "bob".into(),
            root: Digest([1; 32]),
            size: 7,
            nonce: "bm9uY2U".into(),
            expires: NOW,
        })
    }

    /// A key that was made over that statement as it has to be.
    pub(crate) fn over(statement: Statement) -> Self {
        Self {
            challenge: statement.canonical(),
            statement,
            application: "ssh:",
            flags: PRESENT | VERIFIED | ATTESTED,
            cose: to_cbor(&Authenticator::eddsa(SECRET).cose()),
            key: Signer::ed25519(SECRET).sk("ssh:").public(),
            leaf: leaf(),
            model: MODEL_BYTES,
            other_key: false,
            other_root: false,
            root: None,
            change: |_| {},
            exchange: |_| {},
        }
    }

    /// The file, base64url, and whom to trust.
    pub(crate) fn made(&mut self) -> (String, Roots) {
        let model = [&[4, 16], MODEL_BYTES.as_slice()].concat();
        let model = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4], model);
        self.leaf.custom_extensions.push(model);
        let [root_key, leaf_key, other] = [0; 3].map(|_| KeyPair::generate().unwrap());
        let params = authority("Maker's root");
        let root = params.self_signed(&root_key).unwrap();
        let trusted = if self.other_root { params.self_signed(&other).unwrap() } else { root };
        let roots = Roots::of_pem(trusted.pem().as_bytes()).unwrap();
        let leaf = self.leaf.signed_by(&leaf_key, &Issuer::new(params, root_key)).unwrap();
        let mut data = header(self.application, self.flags);
        data.extend_from_slice(&self.model);
        data.extend_from_slice(&[0, 3]);
        data.extend_from_slice(b"bob");
        data.extend_from_slice(&self.cose);
        let hash = Digest::of(&self.challenge).0;
        let signer = if self.other_key { &other } else { &leaf_key };
        let signature = signer.sign(&[data.as_slice(), &hash].concat()).unwrap();
        (self.exchange)(&mut data);
        let mut file = Vec::new();
        let data = to_cbor(&Value::Bytes(data));
        for part in [FORMAT, leaf.der(), &signature, &data] {
            file.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
            file.extend_from_slice(part);
        }
        file.extend(RESERVED);
        (self.change)(&mut file);
        (URL_SAFE_NO_PAD.encode(file), roots)
    }

    fn attest(mut self) -> Result<bool, AttestationError> {
        let (attestation, roots) = self.made();
        let made = Made { statement: &self.statement, attestation: &attestation, key: &self.key };
        let (checked, led) = (made.check(), made.attest(&roots, NOW));
        // Without roots as much is found as can be.
        assert!(checked.is_ok() || checked == led.clone().map(drop));
        Ok(roots.has(led?))
    }
}

/// `trusted`, or why not, after one thing was changed.
fn check(change: impl Fn(&mut Forge), expect: &str) {
    let mut forge = Forge::new();
    change(&mut forge);
    assert_eq!(in_words(forge.attest()), expect);
}

#[test]
fn a_trusted_maker_attests_to_the_key_that_ssh_uses() {
    check(|_| {}, "trusted");
    let other_application = |forge: &mut Forge| {
        forge.application = "ssh:tyer";
        forge.key = Signer::ed25519(SECRET).sk("ssh:tyer").public();
    };
    check(other_application, "trusted");
    // An ECDSA key, as its maker would attest to it.
    let (signer, cose) = Signer::p256_with_cose();
    let key = signer.sk("ssh:").public();
    let ecdsa = |forge: &mut Forge| (forge.key, forge.cose) = (key.clone(), cose.clone());
    check(ecdsa, "trusted");
}

#[test]
fn an_attestation_is_for_its_key_and_application() {
    let other = "the attestation is for another key";
    check(|forge| forge.key = Signer::ed25519("carol").sk("ssh:").public(), other);
    check(|forge| forge.key = Signer::p256().sk("ssh:").public(), other);
    check(|forge| forge.cose = to_cbor(&Authenticator::eddsa("carol").cose()), other);
    // The same secret in a file proves nothing.
    check(|forge| forge.key = Signer::ed25519(SECRET).public(), other);
    let application = "the attested key was made for another application";
    check(|forge| forge.application = "ssh:other", application);
    check(|forge| forge.application = "tyer.example.com", application);
    check(|forge| forge.key = Signer::ed25519(SECRET).sk("ssh:other").public(), application);
}

#[test]
fn an_attestation_is_over_its_statement_alone() {
    let not_over = "the attestation is not over this key";
    check(|forge| forge.challenge.push(b'\n'), not_over);
    check(|forge| forge.challenge = b"another challenge".to_vec(), not_over);
    check(|forge| forge.challenge.clear(), not_over);
    // Replayed for somebody else, or for another day.
    check(|forge| forge.statement.person = "carol".into(), not_over);
    check(|forge| forge.statement.nonce = "b3RoZXI".into(), not_over);
    check(|forge| forge.other_key = true, not_over);
    check(|forge| forge.exchange = |data| data[36] = 9, not_over);
    check(|forge| forge.exchange = |data| data[0] ^= 1, not_over);
    check(|forge| forge.exchange = |data| data[53 - 1] ^= 1, not_over);
    let about = |what: Decision| {
        move |forge: &mut Forge| {
            forge.statement.what = what.clone();
            forge.challenge = forge.statement.canonical();
        }
    };
    let otherwise = "the attestation is over a statement that is not about making an SSH key";
    check(about(Decision::SignIn), otherwise);
    check(about(Decision::AddPasskey), otherwise);
}

#[test]
fn its_maker_is_trusted_and_its_user_was_there() {
    let untrusted = "the attestation does not lead to a root that is trusted here";
    check(|forge| forge.other_root = true, untrusted);
    let flags = |flags: u8| move |forge: &mut Forge| forge.flags = flags;
    check(flags(VERIFIED | ATTESTED), "nobody was present at the authenticator");
    check(flags(PRESENT | ATTESTED), "the authenticator did not verify its user");
    check(flags(PRESENT | VERIFIED), "the authenticator data cannot be read");
    let model = "the attestation is for another model of authenticator";
    check(|forge| forge.model[2] ^= 1, model);
    let authority = "the attestation's certificate: it does not say that it is no authority";
    check(|forge| forge.leaf.is_ca = IsCa::NoCa, authority);
    let expired = "a certificate of the attestation has expired or is not valid yet";
    check(|forge| forge.leaf.not_after = rcgen::date_time_ymd(2025, 6, 1), expired);
}

#[test]
fn files_that_cannot_be_read() {
    let malformed = "the attestation cannot be read";
    check(|forge| forge.change = Vec::clear, malformed);
    check(|forge| forge.change = |file| file.truncate(file.len() - 1), malformed);
    check(|forge| forge.change = |file| file.truncate(200), malformed);
    check(|forge| forge.change = |file| file.push(0), malformed);
    check(|forge| forge.change = |file| file[20] = b'2', malformed);
    check(|forge| forge.change = |file| file[0] = 0xff, malformed);
    // Reserved flags.
    check(|forge| forge.change = |file| *file.iter_mut().nth_back(4).unwrap() = 1, malformed);
    // As it was before there were authenticator data in it.
    check(|forge| forge.change = |file| file[20] = b'0', malformed);
    check(|forge| forge.change = |file| file.extend(vec![0; 64 * 1024]), malformed);
}
