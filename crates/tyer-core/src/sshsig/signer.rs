//! SSH keys in software for tests: they sign statements, honestly or not, and write every byte themselves.

use ring::digest::{SHA256, SHA512, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA512, RsaKeyPair, RsaPublicKeyComponents,
};

use super::*;

#[derive(Debug)]
enum Pair {
    Ed25519(Ed25519KeyPair),
    P256(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

/// One key; a security key's if it has an application.
#[derive(Debug)]
pub(crate) struct Signer {
    pair: Pair,
    pub(crate) application: Option<&'static str>,
}

/// What a signature is made of; tests change it before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) version: u32,
    pub(crate) namespace: &'static str,
    pub(crate) reserved: &'static [u8],
    /// The hash's name in the signature, and the one that is really taken.
    pub(crate) hash: [&'static str; 2],
    pub(crate) message: Vec<u8>,
    /// The name of the signature's algorithm, if it is not the key's.
    pub(crate) algorithm: Option<&'static str>,
    pub(crate) flags: u8,
    pub(crate) tail: &'static [u8],
}

impl Parts {
    pub(crate) fn of(statement: &Statement) -> Self {
        Self {
            version: 1,
            namespace: NAMESPACE,
            reserved: b"",
            hash: ["sha512", "sha512"],
            message: statement.canonical(),
            algorithm: None,
            flags: PRESENT | VERIFIED,
            tail: b"",
        }
    }
}

impl Signer {
    pub(crate) fn ed25519(name: &str) -> Self {
        let seed = Digest::of(name.as_bytes());
        let pair = Pair::Ed25519(Ed25519KeyPair::from_seed_unchecked(&seed.0).unwrap());
        Self { pair, application: None }
    }

    pub(crate) fn p256() -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        Self { pair: Pair::P256(pair), application: None }
    }

    /// With its public key as an authenticator says it.
    pub(crate) fn p256_with_cose() -> (Self, Vec<u8>) {
        let signer = Self::p256();
        let Pair::P256(pair) = &signer.pair else { panic!("not on that curve") };
        let point = pair.public_key().as_ref();
        let coordinate = |at: std::ops::Range<usize>| ciborium::Value::Bytes(point[at].to_vec());
        let entries: Vec<(i64, ciborium::Value)> = vec![
            (1, 2.into()),
            (3, (-7).into()),
            (-1, 1.into()),
            (-2, coordinate(1..33)),
            (-3, coordinate(33..65)),
        ];
        let map = entries.into_iter().map(|(label, value)| (label.into(), value)).collect();
        (signer, crate::assertion::authenticator::to_cbor(&ciborium::Value::Map(map)))
    }

    pub(crate) fn rsa() -> Self {
        // Made for this test with `openssl genpkey`; it protects nothing.
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("rsa-3072.pkcs8.der")).unwrap();
        Self { pair: Pair::Rsa(Box::new(pair)), application: None }
    }

    /// The same secret, as a security key with that application would say of itself.
    pub(crate) fn sk(self, application: &'static str) -> Self {
        Self { application: Some(application), ..self }
    }

    pub(crate) fn public(&self) -> PublicKey {
        read_key(&self.line()).unwrap()
    }

    /// The line of a `.pub` file.
    pub(crate) fn line(&self) -> String {
        format!("{} {} me@home", self.kind(), STANDARD.encode(self.blob()))
    }

    fn kind(&self) -> &'static str {
        match (&self.pair, self.application) {
            (Pair::Ed25519(_), None) => "ssh-ed25519",
            (Pair::Ed25519(_), Some(_)) => "sk-ssh-ed25519@openssh.com",
            (Pair::P256(_), None) => "ecdsa-sha2-nistp256",
            (Pair::P256(_), Some(_)) => "sk-ecdsa-sha2-nistp256@openssh.com",
            (Pair::Rsa(_), _) => "ssh-rsa",
        }
    }

    fn blob(&self) -> Vec<u8> {
        let mut blob = string(self.kind().as_bytes());
        blob.extend(match &self.pair {
            Pair::Ed25519(pair) => string(pair.public_key().as_ref()),
            Pair::P256(pair) => [string(b"nistp256"), string(pair.public_key().as_ref())].concat(),
            Pair::Rsa(pair) => {
                let key = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                [number(&key.e), number(&key.n)].concat()
            }
        });
        blob.extend(
            self.application.map(|application| string(application.as_bytes())).unwrap_or_default(),
        );
        blob
    }

    /// Signs as `ssh-keygen -Y sign -n tyer` would.
    pub(crate) fn sign(&self, statement: &Statement) -> Signed {
        self.sign_parts(statement, &Parts::of(statement))
    }

    pub(crate) fn sign_parts(&self, statement: &Statement, parts: &Parts) -> Signed {
        Signed {
            statement: statement.clone(),
            credential: self.public().credential,
            authenticator_data: String::new(),
            client_data: String::new(),
            signature: URL_SAFE_NO_PAD.encode(self.sshsig(parts)),
        }
    }

    fn sshsig(&self, parts: &Parts) -> Vec<u8> {
        let [named, taken] = parts.hash;
        let hash = digest(if taken == "sha256" { &SHA256 } else { &SHA512 }, &parts.message);
        let (namespace, reserved) = (string(parts.namespace.as_bytes()), string(parts.reserved));
        let (named, hash) = (string(named.as_bytes()), string(hash.as_ref()));
        let covered = [b"SSHSIG".as_slice(), &namespace, &reserved, &named, &hash].concat();
        let mut made = b"SSHSIG".to_vec();
        made.extend(parts.version.to_be_bytes());
        for part in
            [string(&self.blob()), namespace, reserved, named, string(&self.made(&covered, parts))]
        {
            made.extend(part);
        }
        made.extend(parts.tail);
        made
    }

    fn made(&self, covered: &[u8], parts: &Parts) -> Vec<u8> {
        let trailer = [&[parts.flags][..], &7_u32.to_be_bytes()].concat();
        let Some(application) = self.application else {
            let own = if matches!(self.pair, Pair::Rsa(_)) { "rsa-sha2-512" } else { self.kind() };
            let name = parts.algorithm.unwrap_or(own);
            return [string(name.as_bytes()), string(&self.raw(covered, name))].concat();
        };
        let (application, message) = (Digest::of(application.as_bytes()), Digest::of(covered));
        let raw = self.raw(&[&application.0[..], &trailer, &message.0].concat(), self.kind());
        let name = parts.algorithm.unwrap_or(self.kind());
        [string(name.as_bytes()), string(&raw), trailer].concat()
    }

    fn raw(&self, message: &[u8], name: &str) -> Vec<u8> {
        match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::P256(pair) => {
                let fixed = pair.sign(&SystemRandom::new(), message).unwrap();
                let (r, s) = fixed.as_ref().split_at(32);
                [number(r), number(s)].concat()
            }
            Pair::Rsa(pair) => {
                let mut made = vec![0; pair.public().modulus_len()];
                let padding =
                    if name == "rsa-sha2-256" { &RSA_PKCS1_SHA256 } else { &RSA_PKCS1_SHA512 };
                pair.sign(padding, &SystemRandom::new(), message, &mut made).unwrap();
                made
            }
        }
    }
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// A positive number as SSH writes it.
fn number(bytes: &[u8]) -> Vec<u8> {
    let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let short = &bytes[start..];
    let sign = if short.first().is_some_and(|top| *top >= 0x80) { &[0][..] } else { &[] };
    string(&[sign, short].concat())
}
