//! Public keys as authenticators write them: COSE keys (RFC 9052, RFC 9053, RFC 8230) of the three
//! kinds that passkeys use in practice. Everything else is unsupported.

use ciborium::Value;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};

use super::AssertionError;
use super::documents::{lookup, read_cbor};

/// A public key that signatures can be verified with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// ECDSA over P-256 with SHA-256: the uncompressed point. That the point is on the curve is found
    /// out at the first verification, which fails otherwise.
    Es256(Vec<u8>),
    /// Ed25519.
    EdDsa(Vec<u8>),
    /// RSA PKCS #1 v1.5 with SHA-256: modulus and exponent, big-endian.
    Rs256(Vec<u8>, Vec<u8>),
}

const MALFORMED: AssertionError = AssertionError::Malformed("public key");

/// Labels that every COSE key has; the negative ones mean different things per kind of key.
const KIND: i64 = 1;
const ALGORITHM: i64 = 3;

impl Key {
    /// Reads a key and nothing after it.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, AssertionError> {
        let (key, rest) = Self::read_first(bytes)?;
        if rest.is_empty() { Ok(key) } else { Err(MALFORMED) }
    }

    /// Reads a key and returns what follows it.
    pub(super) fn skip(bytes: &[u8]) -> Result<&[u8], AssertionError> {
        Self::read_first(bytes).map(|(_, rest)| rest)
    }

    /// The secret's public side alone: point, key or modulus.
    pub(super) fn into_material(self) -> Vec<u8> {
        match self {
            Self::Es256(bytes) | Self::EdDsa(bytes) | Self::Rs256(bytes, _) => bytes,
        }
    }

    /// Verifies a signature as WebAuthn encodes it for that kind of key.
    pub(super) fn verify(&self, message: &[u8], signed: &[u8]) -> Result<(), AssertionError> {
        let verified = match self {
            Self::Es256(point) => UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, point)
                .verify(message, signed),
            Self::EdDsa(key) => {
                UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signed)
            }
            Self::Rs256(n, e) => RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_2048_8192_SHA256,
                message,
                signed,
            ),
        };
        verified.map_err(|_| AssertionError::BadSignature)
    }

    fn read_first(bytes: &[u8]) -> Result<(Self, &[u8]), AssertionError> {
        let (value, rest) = read_cbor(bytes).ok_or(MALFORMED)?;
        let Value::Map(entries) = value else { return Err(MALFORMED) };
        let labels = Labels(entries);
        // Kind and algorithm must agree: 2 is EC2, 1 is OKP, 3 is RSA.
        let key = match (labels.number(KIND)?, labels.number(ALGORITHM)?) {
            (2, -7) => labels.es256()?,
            (1, -8) => labels.eddsa()?,
            (3, -257) => labels.rs256()?,
            _ => return Err(AssertionError::UnsupportedKey),
        };
        Ok((key, rest))
    }
}

/// The entries of a COSE key.
struct Labels(Vec<(Value, Value)>);

impl Labels {
    fn es256(&self) -> Result<Key, AssertionError> {
        self.curve(1)?;
        let mut point = vec![0x04];
        point.extend_from_slice(self.sized(-2, 32)?);
        point.extend_from_slice(self.sized(-3, 32)?);
        Ok(Key::Es256(point))
    }

    fn eddsa(&self) -> Result<Key, AssertionError> {
        self.curve(6)?;
        Ok(Key::EdDsa(self.sized(-2, 32)?.to_vec()))
    }

    fn rs256(&self) -> Result<Key, AssertionError> {
        let (n, e) = (self.bytes(-1)?, self.bytes(-2)?);
        let whole = |number: &[u8]| number.first().is_some_and(|first| *first != 0);
        // Below 2048 bits is too weak, beyond 8192 too slow; the verification has the same bounds.
        let modulus_fits = (256..=1024).contains(&n.len())
            && n.first().is_some_and(|top| *top >= 0x80 || n.len() > 256);
        let exponent_fits =
            e.len() <= 4 && whole(e) && e.last().is_some_and(|low| low % 2 == 1) && e != [1];
        if modulus_fits && whole(n) && exponent_fits {
            Ok(Key::Rs256(n.to_vec(), e.to_vec()))
        } else {
            Err(AssertionError::UnsupportedKey)
        }
    }

    fn curve(&self, curve: i64) -> Result<(), AssertionError> {
        if self.number(-1)? == curve { Ok(()) } else { Err(AssertionError::UnsupportedKey) }
    }

    fn number(&self, label: i64) -> Result<i64, AssertionError> {
        match lookup(&self.0, &Value::from(label)) {
            Some(Value::Integer(number)) => i64::try_from(*number).map_err(|_| MALFORMED),
            _ => Err(MALFORMED),
        }
    }

    fn bytes(&self, label: i64) -> Result<&[u8], AssertionError> {
        match lookup(&self.0, &Value::from(label)) {
            Some(Value::Bytes(bytes)) => Ok(bytes),
            _ => Err(MALFORMED),
        }
    }

    fn sized(&self, label: i64, size: usize) -> Result<&[u8], AssertionError> {
        let bytes = self.bytes(label)?;
        if bytes.len() == size { Ok(bytes) } else { Err(MALFORMED) }
    }
}
