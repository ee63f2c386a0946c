//! Who made the authenticator that a passkey is in: attestation statements of the format `packed` with certificates.
//!
//! Follows WebAuthn Level 2, sections 8.2 and 8.2.1, and RFC 5280, section 6, for chains of few certificates. Stricter
//! where it can be: the leaf has to name its model (AAGUID), every issuer has to be an authority, and what it marks as
//! critical has to be understood. Other formats, self-attestation and `none` say nothing of a maker.

pub mod sk;

use ciborium::Value;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::oid_registry::{Oid, asn1_rs::oid};
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey as SubjectKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{SubjectPublicKeyInfo, X509Name, X509Version};

use super::cose::Key;
use super::documents::{AuthenticatorData, attested, base64url, lookup, read_cbor};
use super::{AssertionError, Registration, RelyingParty, register};
use crate::intent::{Digest, Timestamp};
use crate::limits::{ATTESTATION_CHAIN_MAX, ATTESTATION_ROOTS_MAX};
use crate::statement::Statement;

/// The model's AAGUID in an attestation certificate (id-fido-gen-ce-aaguid).
const MODEL: Oid<'static> = oid!(1.3.6.1.4.1.45724.1.1.4);
/// The curve P-256 (secp256r1).
const P256: Oid<'static> = oid!(1.2.840.10045.3.1.7);

/// Makers of authenticators whom the operator trusts, by their root certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots(Vec<Vec<u8>>);

/// Why nobody trusted attests to a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// The registration does not hold, whoever made the authenticator.
    #[error(transparent)]
    Registration(#[from] AssertionError),
    /// It carries no certificates in a format that is understood.
    #[error("the passkey carries no attestation by certificates")]
    None,
    /// Cannot be read.
    #[error("the attestation cannot be read")]
    Malformed,
    /// The statement is not about making a key.
    #[error("the attestation is over a statement that is not about making an SSH key")]
    OtherStatement,
    /// It attests to another key.
    #[error("the attestation is for another key")]
    OtherKey,
    /// The key was made for something else than SSH, or than it says.
    #[error("the attested key was made for another application")]
    OtherApplication,
    /// The leaf's key did not sign this registration.
    #[error("the attestation is not over this key")]
    BadSignature,
    /// The leaf is not an attestation certificate.
    #[error("the attestation's certificate: {0}")]
    Leaf(&'static str),
    /// It was made for another model.
    #[error("the attestation is for another model of authenticator")]
    OtherModel,
    /// An issuer is not one.
    #[error("an issuer of the attestation: {0}")]
    Issuer(&'static str),
    /// A certificate does not hold now.
    #[error("a certificate of the attestation has expired or is not valid yet")]
    Expired,
    /// A certificate asks for more than is checked.
    #[error("a certificate of the attestation has a critical extension that is not understood")]
    Critical,
    /// It does not lead to a trusted root.
    #[error("the attestation does not lead to a root that is trusted here")]
    Untrusted,
    /// Not certificates.
    #[error("these are not between 1 and {ATTESTATION_ROOTS_MAX} certificates in PEM")]
    NotRoots,
}

impl Roots {
    /// Reads root certificates, PEM.
    ///
    /// # Errors
    /// When there is none, too many, or something else.
    pub fn of_pem(text: &[u8]) -> Result<Self, AttestationError> {
        let mut roots = Vec::new();
        for pem in Pem::iter_from_buffer(text) {
            let pem = pem.map_err(|_| AttestationError::NotRoots)?;
            let whole = read(&pem.contents).is_ok() && pem.label == "CERTIFICATE";
            if !whole || roots.len() >= ATTESTATION_ROOTS_MAX {
                return Err(AttestationError::NotRoots);
            }
            roots.push(pem.contents);
        }
        if roots.is_empty() { Err(AttestationError::NotRoots) } else { Ok(Self(roots)) }
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Whether nobody is trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The digest of the only one.
    #[cfg(test)]
    pub(crate) fn only(&self) -> Digest {
        Digest::of(&self.0[0])
    }

    /// Whether a root with that digest is among them.
    #[must_use]
    pub fn has(&self, root: Digest) -> bool {
        self.0.iter().any(|der| Digest::of(der) == root)
    }
}

/// Checks that the maker of a passkey's authenticator attests to it; the digest of the root it leads to (SHA-256 of the
/// certificate, DER). `now` is when it has to hold.
///
/// # Errors
/// When nobody who is trusted does.
pub fn attest(
    rp: &RelyingParty,
    (statement, registration): (&Statement, &Registration),
    roots: &Roots,
    now: Timestamp,
) -> Result<Digest, AttestationError> {
    register(rp, statement, registration)?;
    let object = base64url(&registration.attestation_object, "attestation object")?;
    let bytes = attested(&object)?;
    let packed = Packed::read(&object)?;
    let chain = packed.chain.iter().map(|der| read(der)).collect::<Result<Vec<_>, _>>()?;
    let leaf = chain.first().ok_or(AttestationError::None)?;
    let mut signed = bytes.clone();
    let client_data = base64url(&registration.client_data, "client data")?;
    signed.extend_from_slice(&Digest::of(&client_data).0);
    let verified = leaf_key(leaf, packed.algorithm)?.verify(&signed, &packed.signature);
    verified.map_err(|_| AttestationError::BadSignature)?;
    let data = AuthenticatorData::read(&bytes)?;
    let model = data.attested.ok_or(AttestationError::Malformed)?.model;
    check_leaf(leaf, model)?;
    lead_to_root(&chain, roots, now)
}

/// An attestation statement of the format `packed` with certificates.
struct Packed {
    algorithm: i64,
    signature: Vec<u8>,
    /// The leaf first, each issued by the next.
    chain: Vec<Vec<u8>>,
}

impl Packed {
    fn read(object: &[u8]) -> Result<Self, AttestationError> {
        let malformed = AttestationError::Malformed;
        let Some((Value::Map(entries), _)) = read_cbor(object) else { return Err(malformed) };
        if lookup(&entries, &Value::from("fmt")) != Some(&Value::from("packed")) {
            return Err(AttestationError::None);
        }
        let Some(Value::Map(said)) = lookup(&entries, &Value::from("attStmt")) else {
            return Err(malformed);
        };
        // Without certificates the passkey attests to itself.
        let Some(Value::Array(chain)) = lookup(said, &Value::from("x5c")) else {
            return Err(AttestationError::None);
        };
        let chain: Option<Vec<Vec<u8>>> = chain.iter().map(|it| it.as_bytes().cloned()).collect();
        let chain =
            chain.filter(|chain| chain.len() <= ATTESTATION_CHAIN_MAX).ok_or(malformed.clone())?;
        let algorithm = lookup(said, &Value::from("alg")).and_then(Value::as_integer);
        let algorithm = algorithm.and_then(|it| i64::try_from(it).ok()).ok_or(malformed.clone())?;
        let signature = lookup(said, &Value::from("sig")).and_then(Value::as_bytes);
        Ok(Self { algorithm, signature: signature.ok_or(malformed)?.clone(), chain })
    }
}

/// A certificate and nothing after it.
fn read(der: &[u8]) -> Result<X509Certificate<'_>, AttestationError> {
    match X509Certificate::from_der(der) {
        Ok((&[], certificate))
            if certificate.signature_algorithm == certificate.tbs_certificate.signature =>
        {
            Ok(certificate)
        }
        _ => Err(AttestationError::Malformed),
    }
}

/// The leaf's key for that COSE algorithm, which has to be one that its kind of key can have.
fn leaf_key(leaf: &X509Certificate<'_>, algorithm: i64) -> Result<Key, AttestationError> {
    let spki: &SubjectPublicKeyInfo<'_> = leaf.public_key();
    let curve = spki.algorithm.parameters.as_ref().and_then(|it| it.as_oid().ok());
    match (algorithm, spki.parsed()) {
        (-7, Ok(SubjectKey::EC(point))) if curve == Some(P256) => Ok(Key::Es256(point.data().to_vec())),
        (-257, Ok(SubjectKey::RSA(key))) => {
            let plain = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect();
            Ok(Key::Rs256(plain(key.modulus), plain(key.exponent)))
        }
        _ => Err(AttestationError::Leaf("its key is not of the kind that the attestation names")),
    }
}

/// What section 8.2.1 asks of the leaf.
fn check_leaf(leaf: &X509Certificate<'_>, model: &[u8; 16]) -> Result<(), AttestationError> {
    let wrong = |what| Err(AttestationError::Leaf(what));
    if leaf.version() != X509Version::V3 {
        return wrong("it is not of version 3");
    }
    let subject = leaf.subject();
    let has = |text: Option<&str>| text.is_some_and(|text| !text.is_empty());
    let first =
        |mut names: Vec<&str>| if names.len() == 1 { names.pop().map(str::to_owned) } else { None };
    let texts = |names: Vec<Option<&str>>| first(names.into_iter().flatten().collect());
    let country = texts(subject.iter_country().map(|it| it.as_str().ok()).collect());
    let unit = texts(subject.iter_organizational_unit().map(|it| it.as_str().ok()).collect());
    if country.is_none_or(|country| country.len() != 2) {
        return wrong("its subject names no country");
    }
    if !has(subject.iter_organization().next().and_then(|it| it.as_str().ok()))
        || !has(subject.iter_common_name().next().and_then(|it| it.as_str().ok()))
    {
        return wrong("its subject names no maker");
    }
    if unit.as_deref() != Some("Authenticator Attestation") {
        return wrong("its subject does not say that it attests to authenticators");
    }
    match leaf.basic_constraints() {
        Ok(Some(constraints)) if !constraints.value.ca => {}
        _ => return wrong("it does not say that it is no authority"),
    }
    let said = leaf.get_extension_unique(&MODEL).map_err(|_| AttestationError::Malformed)?;
    match said {
        None => wrong("it does not name its model"),
        Some(said) if said.critical => wrong("its model is marked as critical"),
        // An octet string inside of the extension's.
        Some(said) if said.value == [&[4, 16], model.as_slice()].concat() => Ok(()),
        Some(_) => Err(AttestationError::OtherModel),
    }
}

/// The root to which the chain leads.
fn lead_to_root(
    chain: &[X509Certificate<'_>],
    roots: &Roots,
    now: Timestamp,
) -> Result<Digest, AttestationError> {
    let moment =
        ASN1Time::from_timestamp(now.0.div_euclid(1_000)).map_err(|_| AttestationError::Expired)?;
    for certificate in chain {
        check_any(certificate, moment)?;
    }
    for (below, (one, issuer)) in chain.iter().zip(chain.iter().skip(1)).enumerate() {
        check_issuer(issuer, below)?;
        if !is_issued(one, issuer) {
            return Err(AttestationError::Issuer("it has not issued what names it"));
        }
    }
    let last = chain.last().ok_or(AttestationError::None)?;
    let mut why = AttestationError::Untrusted;
    for der in &roots.0 {
        let root = read(der)?;
        // Some chains end with the root itself.
        let is_root = chain.len() > 1 && root.as_raw() == last.as_raw();
        if !is_root && !is_issued(last, &root) {
            continue;
        }
        let below = if is_root { chain.len().saturating_sub(2) } else { chain.len().saturating_sub(1) };
        match check_any(&root, moment).and_then(|()| check_issuer(&root, below)) {
            Ok(()) => return Ok(Digest::of(der)),
            Err(wrong) => why = wrong,
        }
    }
    Err(why)
}

fn is_issued(one: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    let raw = |name: &X509Name<'_>| name.as_raw().to_vec();
    raw(one.issuer()) == raw(issuer.subject())
        && one.verify_signature(Some(issuer.public_key())).is_ok()
}

/// What holds of every certificate of a chain.
fn check_any(certificate: &X509Certificate<'_>, now: ASN1Time) -> Result<(), AttestationError> {
    if !certificate.validity().is_valid_at(now) {
        return Err(AttestationError::Expired);
    }
    let understood = |parsed: &ParsedExtension<'_>| {
        matches!(parsed, ParsedExtension::BasicConstraints(_) | ParsedExtension::KeyUsage(_))
    };
    let unknown = |it: &&x509_parser::extensions::X509Extension<'_>| {
        it.critical && !understood(it.parsed_extension())
    };
    match certificate.extensions().iter().find(unknown) {
        None => Ok(()),
        Some(_) => Err(AttestationError::Critical),
    }
}

/// Whether a certificate may issue others, with that many authorities between it and the leaf.
fn check_issuer(issuer: &X509Certificate<'_>, below: usize) -> Result<(), AttestationError> {
    let wrong = |what| Err(AttestationError::Issuer(what));
    match issuer.basic_constraints() {
        Ok(Some(constraints)) if constraints.value.ca => {
            let depth =
                constraints.value.path_len_constraint.map(|depth| usize::try_from(depth).unwrap_or(0));
            if depth.is_some_and(|depth| below > depth) {
                return wrong("more authorities are below it than it allows");
            }
        }
        _ => return wrong("it is no authority"),
    }
    match issuer.key_usage() {
        Ok(Some(usage)) if !usage.value.key_cert_sign() => wrong("its key may not sign certificates"),
        Ok(_) => Ok(()),
        Err(_) => Err(AttestationError::Malformed),
    }
}

#[cfg(test)]
mod tests;
