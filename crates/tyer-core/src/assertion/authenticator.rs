//! A software authenticator for tests: it makes passkeys and signs statements, honestly or not.

use ciborium::Value;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair, RsaPublicKeyComponents,
};

use super::documents::encode;
use super::{Registration, RelyingParty};
use crate::intent::Digest;
use crate::record::PublicKey;
use crate::statement::{Signed, Statement};

pub(crate) const PRESENT: u8 = 0x01;
pub(crate) const VERIFIED: u8 = 0x04;
pub(crate) const ATTESTED: u8 = 0x40;

#[derive(Debug)]
enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(Box<RsaKeyPair>),
}

/// One passkey.
#[derive(Debug)]
pub(crate) struct Authenticator {
    pub(crate) credential: Vec<u8>,
    pair: Pair,
}

/// What the browser and the authenticator put into a ceremony; tests change it before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) client_data: String,
    pub(crate) authenticator_data: Vec<u8>,
}

impl Authenticator {
    pub(crate) fn es256(credential: &str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap();
        Self { credential: credential.into(), pair: Pair::Es256(pair) }
    }

    pub(crate) fn eddsa(credential: &str) -> Self {
        let seed = Digest::of(credential.as_bytes());
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed.0).unwrap();
        Self { credential: credential.into(), pair: Pair::EdDsa(pair) }
    }

    pub(crate) fn rs256(credential: &str) -> Self {
        // Made for this test with `openssl genpkey`; it protects nothing.
        let pair = RsaKeyPair::from_pkcs8(include_bytes!("rsa-2048.pkcs8.der")).unwrap();
        Self { credential: credential.into(), pair: Pair::Rs256(Box::new(pair)) }
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::passkey(encode(&self.credential), encode(&to_cbor(&self.cose())))
    }

    pub(crate) fn cose(&self) -> Value {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.to_vec());
        let entries: Vec<(i64, Value)> = match &self.pair {
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref();
                vec![
                    (1, 2.into()),
                    (3, (-7).into()),
                    (-1, 1.into()),
                    (-2, bytes(&point[1..33])),
                    (-3, bytes(&point[33..])),
                ]
            }
            Pair::EdDsa(pair) => vec![
                (1, 1.into()),
                (3, (-8).into()),
                (-1, 6.into()),
                (-2, bytes(pair.public_key().as_ref())),
            ],
            Pair::Rs256(pair) => {
                let key = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                let (n, e) = (&key.n, &key.e);
                vec![(1, 3.into()), (3, (-257).into()), (-1, bytes(n)), (-2, bytes(e))]
            }
        };
        Value::Map(entries.into_iter().map(|(label, value)| (label.into(), value)).collect())
    }

    fn sign_bytes(&self, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Es256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Pair::EdDsa(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Signs as an honest browser and authenticator would.
    pub(crate) fn sign(&self, statement: &Statement) -> Signed {
        self.sign_parts(statement, &Parts::get(statement))
    }

    pub(crate) fn sign_parts(&self, statement: &Statement, parts: &Parts) -> Signed {
        let mut message = parts.authenticator_data.clone();
        message.extend_from_slice(&Digest::of(parts.client_data.as_bytes()).0);
        Signed {
            statement: statement.clone(),
            credential: encode(&self.credential),
            authenticator_data: encode(&parts.authenticator_data),
            client_data: encode(parts.client_data.as_bytes()),
            signature: encode(&self.sign_bytes(&message)),
        }
    }

    /// What an honest ceremony of registration is made of.
    pub(crate) fn creation(&self, statement: &Statement) -> Parts {
        self.creation_with(statement, &to_cbor(&self.cose()))
    }

    pub(crate) fn creation_with(&self, statement: &Statement, cose: &[u8]) -> Parts {
        let rp = RelyingParty::of_origin(&statement.origin).unwrap();
        let mut data = header(rp.id(), PRESENT | VERIFIED | ATTESTED);
        data.extend_from_slice(&[0; 16]);
        data.extend_from_slice(&u16::try_from(self.credential.len()).unwrap().to_be_bytes());
        data.extend_from_slice(&self.credential);
        data.extend_from_slice(cose);
        Parts { client_data: client_data("webauthn.create", statement), authenticator_data: data }
    }
}

impl Parts {
    pub(crate) fn get(statement: &Statement) -> Self {
        let rp = RelyingParty::of_origin(&statement.origin).unwrap();
        Self {
            client_data: client_data("webauthn.get", statement),
            authenticator_data: header(rp.id(), PRESENT | VERIFIED),
        }
    }

    pub(crate) fn registration(&self) -> Registration {
        let object = Value::Map(vec![
            ("fmt".into(), "none".into()),
            ("attStmt".into(), Value::Map(Vec::new())),
            ("authData".into(), Value::Bytes(self.authenticator_data.clone())),
        ]);
        self.registration_with(&to_cbor(&object))
    }

    pub(crate) fn registration_with(&self, object: &[u8]) -> Registration {
        Registration {
            client_data: encode(self.client_data.as_bytes()),
            attestation_object: encode(object),
        }
    }
}

fn client_data(kind: &str, statement: &Statement) -> String {
    let challenge = encode(&statement.challenge().0);
    let origin = &statement.origin;
    format!(
        r#"{{"type":"{kind}","challenge":"{challenge}","origin":"{origin}","crossOrigin":false,"more":[1]}}"#
    )
}

pub(crate) fn header(rp_id: &str, flags: u8) -> Vec<u8> {
    let mut data = Digest::of(rp_id.as_bytes()).0.to_vec();
    data.push(flags);
    data.extend_from_slice(&[0, 0, 0, 0]);
    data
}

pub(crate) fn to_cbor(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    ciborium::into_writer(value, &mut out).unwrap();
    out
}
