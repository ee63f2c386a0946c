//! A passkey in software, for the demo's approvers and the tests. The shipped program has none.
//!
//! It follows Web Authentication Level 3 (client data, authenticator data, attestation format `none`)
//! and RFC 9052 for the COSE form of its ES256 key. It claims presence and verification of a user who
//! does not exist, so nothing that it signs says anything about a human: that is why it lives here, and
//! why `tidy` keeps ECDSA key pairs out of the program.

use std::sync::atomic::{AtomicU32, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use ciborium::Value;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const CREDENTIAL_ATTACHED: u8 = 0x40;
const CREDENTIAL_ID_BYTES: usize = 32;

/// What a maker says of a registration: its certificates, the leaf first, and the leaf's ES256 signature over the bytes.
pub type Maker<'a> = dyn Fn(&[u8]) -> (Vec<Vec<u8>>, Vec<u8>) + 'a;

/// One credential: an ES256 key, its id and its signature counter.
#[derive(Debug)]
pub struct Authenticator {
    key: EcdsaKeyPair,
    id: [u8; CREDENTIAL_ID_BYTES],
    uses: AtomicU32,
}

/// What a browser returns from `navigator.credentials.create`; every field is base64url, unpadded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The credential's id.
    pub id: String,
    /// The client data, JSON.
    pub client_data_json: String,
    /// The attestation object, CBOR.
    pub attestation_object: String,
}

/// What a browser returns from `navigator.credentials.get`; every field is base64url, unpadded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// The credential's id.
    pub id: String,
    /// The authenticator data.
    pub authenticator_data: String,
    /// The client data, JSON.
    pub client_data_json: String,
    /// The ES256 signature in its ASN.1 form.
    pub signature: String,
}

/// Why no credential could be made or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticatorError {
    /// No randomness, or a key that could not be made from it.
    #[error("no key could be made")]
    Key,
    /// The signature could not be made.
    #[error("the signature could not be made")]
    Signature,
    /// The attestation object could not be written.
    #[error("the attestation object could not be written")]
    Encoding,
}

impl Authenticator {
    /// A new credential with a random key.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn new() -> Result<Self, AuthenticatorError> {
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|_| AuthenticatorError::Key)?;
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random)
            .map_err(|_| AuthenticatorError::Key)?;
        let mut id = [0; CREDENTIAL_ID_BYTES];
        random.fill(&mut id).map_err(|_| AuthenticatorError::Key)?;
        Ok(Self { key, id, uses: AtomicU32::new(0) })
    }

    /// The credential's id, base64url.
    #[must_use]
    pub fn id(&self) -> String {
        BASE64URL.encode(self.id)
    }

    /// Answers a registration. `challenge` is the raw challenge, not its base64url form.
    ///
    /// # Errors
    /// When the attestation object cannot be written.
    pub fn register(
        &self,
        rp_id: &str,
        origin: &str,
        challenge: &[u8],
    ) -> Result<Registration, AuthenticatorError> {
        self.register_by((rp_id, origin), challenge, None)
    }

    /// As [`Authenticator::register`]; its maker, if any, attests to it.
    ///
    /// # Errors
    /// When the attestation object cannot be written.
    pub fn register_by(
        &self,
        (rp_id, origin): (&str, &str),
        challenge: &[u8],
        maker: Option<&Maker<'_>>,
    ) -> Result<Registration, AuthenticatorError> {
        let mut authenticator = self.authenticator_bytes(rp_id, CREDENTIAL_ATTACHED);
        authenticator.extend_from_slice(&[0; 16]); // the AAGUID of no model
        authenticator.extend_from_slice(&[0, 32]); // the length of the id, big endian
        authenticator.extend_from_slice(&self.id);
        authenticator.extend(cbor(&self.cose_key())?);
        let client = client_json("webauthn.create", origin, challenge);
        let (format, said) = match maker {
            None => ("none", Vec::new()),
            Some(maker) => {
                let hash = digest(&SHA256, client.as_bytes());
                let (chain, signature) = maker(&[&authenticator, hash.as_ref()].concat());
                let chain = chain.into_iter().map(Value::Bytes).collect();
                let said = vec![
                    (Value::from("alg"), Value::from(-7)),
                    (Value::from("sig"), Value::Bytes(signature)),
                    (Value::from("x5c"), Value::Array(chain)),
                ];
                ("packed", said)
            }
        };
        let object = Value::Map(vec![
            (Value::from("fmt"), Value::from(format)),
            (Value::from("attStmt"), Value::Map(said)),
            (Value::from("authData"), Value::Bytes(authenticator)),
        ]);
        Ok(Registration {
            id: self.id(),
            client_data_json: BASE64URL.encode(client),
            attestation_object: BASE64URL.encode(cbor(&object)?),
        })
    }

    /// Answers a challenge with a signature. `challenge` is the raw challenge, not its base64url form.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn assert(
        &self,
        rp_id: &str,
        origin: &str,
        challenge: &[u8],
    ) -> Result<Assertion, AuthenticatorError> {
        let authenticator = self.authenticator_bytes(rp_id, 0);
        let client = client_json("webauthn.get", origin, challenge);
        let mut signed = authenticator.clone();
        signed.extend_from_slice(digest(&SHA256, client.as_bytes()).as_ref());
        let signature =
            self.key.sign(&SystemRandom::new(), &signed).map_err(|_| AuthenticatorError::Signature)?;
        Ok(Assertion {
            id: self.id(),
            authenticator_data: BASE64URL.encode(authenticator),
            client_data_json: BASE64URL.encode(client),
            signature: BASE64URL.encode(signature),
        })
    }

    /// Relying party, flags and counter; each call counts one use.
    fn authenticator_bytes(&self, rp_id: &str, flags: u8) -> Vec<u8> {
        let uses = self.uses.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let mut bytes = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        bytes.push(USER_PRESENT | USER_VERIFIED | flags);
        bytes.extend_from_slice(&uses.to_be_bytes());
        bytes
    }

    /// kty EC2, alg ES256, crv P-256, then the coordinates of the uncompressed point.
    fn cose_key(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let coordinates = point.get(1..).unwrap_or_default();
        let (x, y) = coordinates.split_at_checked(32).unwrap_or_default();
        Value::Map(vec![
            (Value::from(1), Value::from(2)),
            (Value::from(3), Value::from(-7)),
            (Value::from(-1), Value::from(1)),
            (Value::from(-2), Value::Bytes(x.to_vec())),
            (Value::from(-3), Value::Bytes(y.to_vec())),
        ])
    }
}

/// The client data in the order of the specification's serialisation, which `serde_json` would sort.
fn client_json(kind: &str, origin: &str, challenge: &[u8]) -> String {
    let origin = serde_json::Value::from(origin);
    let challenge = BASE64URL.encode(challenge);
    format!(r#"{{"type":"{kind}","challenge":"{challenge}","origin":{origin},"crossOrigin":false}}"#)
}

fn cbor(value: &Value) -> Result<Vec<u8>, AuthenticatorError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).map_err(|_| AuthenticatorError::Encoding)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    const RP: &str = "localhost";
    const ORIGIN: &str = "https://localhost:7443";

    fn decoded(text: &str) -> Vec<u8> {
        BASE64URL.decode(text).unwrap()
    }

    fn entry(map: &Value, key: &Value) -> Value {
        let entries = map.as_map().unwrap();
        entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap()
    }

    /// Reads the public key back out of a registration, as a relying party would.
    fn public_key(registration: &Registration) -> Vec<u8> {
        let object: Value = ciborium::from_reader(&*decoded(&registration.attestation_object)).unwrap();
        assert_eq!(entry(&object, &Value::from("fmt")), Value::from("none"));
        assert_eq!(entry(&object, &Value::from("attStmt")), Value::Map(Vec::new()));
        let bytes = entry(&object, &Value::from("authData")).into_bytes().unwrap();
        assert_eq!(bytes[..32], *digest(&SHA256, RP.as_bytes()).as_ref());
        assert_eq!(bytes[32], 0x45, "present, verified, credential attached");
        assert_eq!(bytes[53..55], [0, 32]);
        assert_eq!(bytes[55..87], decoded(&registration.id));
        let key: Value = ciborium::from_reader(&bytes[87..]).unwrap();
        for (label, value) in [(1, 2), (3, -7), (-1, 1)] {
            assert_eq!(entry(&key, &Value::from(label)), Value::from(value), "label {label}");
        }
        let mut point = vec![4];
        point.extend(entry(&key, &Value::from(-2)).into_bytes().unwrap());
        point.extend(entry(&key, &Value::from(-3)).into_bytes().unwrap());
        point
    }

    fn verifies(key: &[u8], assertion: &Assertion) -> bool {
        let mut signed = decoded(&assertion.authenticator_data);
        let client = decoded(&assertion.client_data_json);
        signed.extend_from_slice(digest(&SHA256, &client).as_ref());
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
        key.verify(&signed, &decoded(&assertion.signature)).is_ok()
    }

    #[test]
    fn the_registered_key_verifies_its_assertions_and_no_others() {
        let (mine, other) = (Authenticator::new().unwrap(), Authenticator::new().unwrap());
        let key = public_key(&mine.register(RP, ORIGIN, b"enrol").unwrap());
        let assertion = mine.assert(RP, ORIGIN, b"approve").unwrap();
        assert!(verifies(&key, &assertion));
        assert!(!verifies(&key, &other.assert(RP, ORIGIN, b"approve").unwrap()));
        let moved = Assertion {
            client_data_json: mine.assert(RP, ORIGIN, b"reject").unwrap().client_data_json,
            ..assertion
        };
        assert!(!verifies(&key, &moved), "the challenge is signed");
    }

    #[test]
    fn client_json_names_type_challenge_and_origin() {
        let authenticator = Authenticator::new().unwrap();
        let registration = authenticator.register(RP, r#"https://a"b"#, &[0xfb, 0xff]).unwrap();
        assert_eq!(
            String::from_utf8(decoded(&registration.client_data_json)).unwrap(),
            r#"{"type":"webauthn.create","challenge":"-_8","origin":"https://a\"b","crossOrigin":false}"#
        );
        let client = decoded(&authenticator.assert(RP, ORIGIN, &[]).unwrap().client_data_json);
        let client: serde_json::Value = serde_json::from_slice(&client).unwrap();
        assert_eq!(client["type"], "webauthn.get");
        assert_eq!(client["origin"], ORIGIN);
    }

    #[test]
    fn flags_say_present_and_verified_and_the_counter_rises() {
        let authenticator = Authenticator::new().unwrap();
        let [first, second] = [1, 2]
            .map(|_| decoded(&authenticator.assert(RP, ORIGIN, b"x").unwrap().authenticator_data));
        assert_eq!(first.len(), 37);
        assert_eq!(first[32], 0x05);
        assert_eq!(first[33..], [0, 0, 0, 1]);
        assert_eq!(second[33..], [0, 0, 0, 2]);
    }
}
