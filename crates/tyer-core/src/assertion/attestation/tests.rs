//! A maker's certificates, one of which is forged a time.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SigningKey as _, date_time_ymd,
};

use super::*;
use crate::assertion::authenticator::{Authenticator, to_cbor};
use crate::intent::PersonId;
use crate::statement::Decision;

pub(super) const MODEL_BYTES: [u8; 16] = *b"a model of a key";
/// 2026-01-01.
pub(super) const NOW: Timestamp = Timestamp(1_767_225_600_000);

/// A maker, its authenticator and what it says, each of which a test can change.
struct Forge {
    root: CertificateParams,
    between: Option<CertificateParams>,
    leaf: CertificateParams,
    model: Vec<u8>,
    /// What is done to authenticator data and client data after they were signed.
    exchange: fn(&mut Vec<u8>, &mut String),
    /// Signed by another key than the leaf's.
    other_key: bool,
    self_signed: bool,
    /// Another root of the same name is trusted instead.
    other_root: bool,
    algorithm: i64,
    /// `self` is `packed` without certificates.
    format: &'static str,
}

fn params(names: &[(DnType, &str)], is_ca: IsCa) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    for (kind, name) in names {
        params.distinguished_name.push(kind.clone(), *name);
    }
    (params.not_before, params.not_after) = (date_time_ymd(2025, 1, 1), date_time_ymd(2030, 1, 1));
    params.is_ca = is_ca;
    params
}

pub(super) fn authority(name: &str) -> CertificateParams {
    let is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let mut params = params(&[(DnType::CommonName, name)], is_ca);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

pub(super) fn leaf() -> CertificateParams {
    let names = [
        (DnType::CountryName, "SE"),
        (DnType::OrganizationName, "Maker"),
        (DnType::OrganizationalUnitName, "Authenticator Attestation"),
        (DnType::CommonName, "Maker's keys"),
    ];
    params(&names, IsCa::ExplicitNoCa)
}

impl Forge {
    fn new() -> Self {
        Self {
            root: authority("Maker's root"),
            between: None,
            leaf: leaf(),
            model: [&[4, 16], MODEL_BYTES.as_slice()].concat(),
            exchange: |_, _| {},
            other_key: false,
            self_signed: false,
            other_root: false,
            algorithm: -7,
            format: "packed",
        }
    }

    fn attest(mut self) -> Result<bool, AttestationError> {
        if !self.model.is_empty() {
            let model =
                CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4], self.model);
            self.leaf.custom_extensions.push(model);
        }
        let [root_key, between_key, leaf_key, other] = [0; 4].map(|_| KeyPair::generate().unwrap());
        let root = self.root.self_signed(&root_key).unwrap();
        let mut chain = Vec::new();
        let issuer = match self.between {
            Some(between) => {
                let by = Issuer::from_params(&self.root, &root_key);
                chain.push(between.signed_by(&between_key, &by).unwrap().der().to_vec());
                Issuer::new(between, between_key)
            }
            None => {
                Issuer::new(self.root.clone(), KeyPair::from_pem(&root_key.serialize_pem()).unwrap())
            }
        };
        let made = match self.self_signed {
            true => self.leaf.self_signed(&leaf_key).unwrap(),
            false => self.leaf.signed_by(&leaf_key, &issuer).unwrap(),
        };
        chain.insert(0, made.der().to_vec());
        let trusted = if self.other_root { self.root.self_signed(&other).unwrap() } else { root };
        let roots = Roots::of_pem(trusted.pem().as_bytes()).unwrap();
        let signer = if self.other_key { &other } else { &leaf_key };
        let (statement, registration) = registration(
            self.exchange,
            (self.format, self.algorithm),
            (self.format != "self").then_some(chain),
            signer,
        );
        let rp = RelyingParty::of_origin(&statement.origin).unwrap();
        let digest = attest(&rp, (&statement, &registration), &roots, NOW)?;
        Ok(roots.has(digest))
    }
}

fn registration(
    exchange: fn(&mut Vec<u8>, &mut String),
    (format, algorithm): (&str, i64),
    chain: Option<Vec<Vec<u8>>>,
    signer: &KeyPair,
) -> (Statement, Registration) {
    let statement = Statement {
        origin: "https://tyer.example.com".into(),
        what: Decision::Enrol { person: PersonId::new("bob") },
        person: "bob".into(),
        root: Digest([1; 32]),
        size: 7,
        nonce: "bm9uY2U".into(),
        expires: NOW,
    };
    let mut parts = Authenticator::eddsa("bob").creation(&statement);
    parts.authenticator_data[37..53].copy_from_slice(&MODEL_BYTES);
    let hash = Digest::of(parts.client_data.as_bytes()).0;
    let signature = signer.sign(&[parts.authenticator_data.as_slice(), &hash].concat()).unwrap();
    exchange(&mut parts.authenticator_data, &mut parts.client_data);
    let mut said: Vec<(Value, Value)> =
        vec![("alg".into(), algorithm.into()), ("sig".into(), Value::Bytes(signature))];
    if let Some(chain) = chain {
        said.push(("x5c".into(), Value::Array(chain.into_iter().map(Value::Bytes).collect())));
    }
    let object = Value::Map(vec![
        ("fmt".into(), if format == "self" { "packed" } else { format }.into()),
        ("attStmt".into(), Value::Map(said)),
        ("authData".into(), Value::Bytes(parts.authenticator_data.clone())),
    ]);
    let registration = parts.registration_with(&to_cbor(&object));
    (statement, registration)
}

/// `trusted`, or why not, after one thing was changed.
fn check(change: impl Fn(&mut Forge), expect: &str) {
    let mut forge = Forge::new();
    change(&mut forge);
    assert_eq!(in_words(forge.attest()), expect);
}

/// What came of it, given whether it led to the root.
pub(super) fn in_words(attested: Result<bool, AttestationError>) -> String {
    match attested {
        Ok(true) => "trusted".to_owned(),
        Ok(false) => "by no root".to_owned(),
        Err(why) => why.to_string(),
    }
}

#[test]
fn a_trusted_maker_attests() {
    check(|_| {}, "trusted");
    check(|forge| forge.between = Some(authority("Maker's batch")), "trusted");
    let short = |forge: &mut Forge| forge.root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    check(short, "trusted");
}

#[test]
fn what_is_not_signed_by_the_leaf_is_no_attestation() {
    let not_over = "the attestation is not over this key";
    check(|forge| forge.other_key = true, not_over);
    // The counter.
    check(|forge| forge.exchange = |data, _| data[36] = 9, not_over);
    check(|forge| forge.exchange = |data, _| data[53 - 1] ^= 1, not_over);
    check(|forge| forge.exchange = |_, client| *client = client.replace("[1]", "[2]"), not_over);
    check(
        |forge| forge.exchange = |data, _| data[32] &= !0x04,
        "the authenticator did not verify its user",
    );
    let other_kind =
        "the attestation's certificate: its key is not of the kind that the attestation names";
    check(|forge| forge.algorithm = -257, other_kind);
    check(|forge| forge.algorithm = -8, other_kind);
    let none = "the passkey carries no attestation by certificates";
    check(|forge| forge.format = "self", none);
    check(|forge| forge.format = "none", none);
    check(|forge| forge.format = "fido-u2f", none);
}

#[test]
fn the_leaf_is_an_attestation_certificate_of_that_model() {
    let name = |kind: DnType, name: &'static str| {
        move |forge: &mut Forge| forge.leaf.distinguished_name.push(kind.clone(), name)
    };
    let without = |kind: DnType| {
        move |forge: &mut Forge| assert!(forge.leaf.distinguished_name.remove(kind.clone()))
    };
    let unit =
        "the attestation's certificate: its subject does not say that it attests to authenticators";
    check(name(DnType::OrganizationalUnitName, "Web"), unit);
    check(without(DnType::OrganizationalUnitName), unit);
    let country = "the attestation's certificate: its subject names no country";
    check(without(DnType::CountryName), country);
    let maker = "the attestation's certificate: its subject names no maker";
    check(without(DnType::OrganizationName), maker);
    check(without(DnType::CommonName), maker);
    let authority = "the attestation's certificate: it does not say that it is no authority";
    check(|forge| forge.leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), authority);
    check(|forge| forge.leaf.is_ca = IsCa::NoCa, authority);
    check(|forge| forge.model.clear(), "the attestation's certificate: it does not name its model");
    let other = "the attestation is for another model of authenticator";
    check(|forge| forge.model[2] ^= 1, other);
    check(|forge| forge.model.push(0), other);
    let exchanged = "the attestation is not over this key";
    check(|forge| forge.exchange = |data, _| data[37..53].copy_from_slice(&[0; 16]), exchanged);
}

#[test]
fn the_chain_leads_to_a_trusted_root() {
    let untrusted = "the attestation does not lead to a root that is trusted here";
    check(|forge| forge.self_signed = true, untrusted);
    check(|forge| forge.other_root = true, untrusted);
    let other_root_below = |forge: &mut Forge| {
        forge.other_root = true;
        forge.between = Some(authority("Maker's batch"));
    };
    check(other_root_below, untrusted);
    let no_authority = "an issuer of the attestation: it is no authority";
    check(|forge| forge.root.is_ca = IsCa::ExplicitNoCa, no_authority);
    let leaf_between = |forge: &mut Forge| {
        let mut between = leaf();
        between.distinguished_name.push(DnType::CommonName, "Another leaf");
        forge.between = Some(between);
    };
    check(leaf_between, no_authority);
    let too_deep = |forge: &mut Forge| {
        forge.root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        forge.between = Some(authority("Maker's batch"));
    };
    check(too_deep, "an issuer of the attestation: more authorities are below it than it allows");
    let no_signer = "an issuer of the attestation: its key may not sign certificates";
    check(|forge| forge.root.key_usages = vec![KeyUsagePurpose::CrlSign], no_signer);
    let expired = "a certificate of the attestation has expired or is not valid yet";
    check(|forge| forge.leaf.not_after = date_time_ymd(2025, 6, 1), expired);
    check(|forge| forge.leaf.not_before = date_time_ymd(2026, 6, 1), expired);
    check(|forge| forge.root.not_after = date_time_ymd(2025, 6, 1), expired);
    let expired_between = |forge: &mut Forge| {
        let mut between = authority("Maker's batch");
        between.not_after = date_time_ymd(2025, 6, 1);
        forge.between = Some(between);
    };
    check(expired_between, expired);
    let critical = |forge: &mut Forge| {
        let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        unknown.set_criticality(true);
        forge.leaf.custom_extensions.push(unknown);
    };
    check(critical, "a certificate of the attestation has a critical extension that is not understood");
}

#[test]
fn roots_are_certificates() {
    let check =
        |text: &str| assert_eq!(Roots::of_pem(text.as_bytes()), Err(AttestationError::NotRoots));
    check("");
    check("certificate");
    check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let key = KeyPair::generate().unwrap();
    check(&key.serialize_pem());
    let root = authority("Maker's root").self_signed(&key).unwrap().pem();
    check(&root.repeat(ATTESTATION_ROOTS_MAX + 1));
    assert!(Roots::of_pem(root.repeat(2).as_bytes()).is_ok());
}
