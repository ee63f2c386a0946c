//! Others' signatures are verified, ours are what others make, and nothing that was changed passes.

mod changed;
mod outgoing;
mod vectors;

use super::*;
use crate::aws::request::Head;

pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 30 August 2015, 12:36:00 UTC, the moment of the test suite.
pub(crate) const NOW: Timestamp = Timestamp(1_440_938_160_000);

pub(crate) fn head(method: &str, target: &str, headers: &[(&str, &str)]) -> Head {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Head { method: method.into(), path: path.into(), query: query.into(), headers: headers.collect() }
}

/// The key for the scope that a claim names.
pub(crate) fn key(claim: &Claim) -> SigningKey {
    SigningKey::derive(SECRET, claim.scope())
}

/// As a client of the session signs it.
pub(crate) fn signed(head: &Head, service: &str, body: Outgoing) -> Head {
    let scope = Scope::on(NOW, "eu-west-1", service).expect("a day");
    let key = SigningKey::derive(SECRET, &scope);
    let signer = Signer { access_key: "AKIDEXAMPLE", token: None, key: &key };
    sign(head, head.header("host").expect("a host"), body, &signer, NOW).expect("it can be signed")
}

fn verified(head: &Head, body: Option<&Digest>, now: Timestamp) -> Result<Verified, String> {
    let claim = Claim::read(head).map_err(|error| error.to_string())?;
    claim.verify(head, body, &key(&claim), now).map_err(|error| error.to_string())
}

#[test]
fn keys_and_tokens_are_not_for_logs() {
    let scope = Scope::on(NOW, "eu-west-1", "s3").expect("a day");
    let key = SigningKey::derive(SECRET, &scope);
    let signer = Signer { access_key: "AKID", token: Some("t0ken"), key: &key };
    let mut request = head("GET", "/", &[("host", "a"), ("x-amz-security-token", "t0ken")]);
    request = sign(&request, "a", Outgoing::Unsigned, &signer, NOW).expect("it can be signed");
    let claim = Claim::read(&request).expect("a claim");
    assert_eq!(claim.token(), Some("t0ken"));
    let signature = claim.signature.map(|byte| byte.to_string()).join(", ");
    let text = format!("{signer:?} {key:?} {claim:?} {:?}", claim.verify(&request, None, &key, NOW));
    for secret in [SECRET, "t0ken", &signature] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn the_derived_key_is_that_of_the_documentation() {
    let scope = Scope { date: "20120215".into(), region: "us-east-1".into(), service: "iam".into() };
    let key = SigningKey::derive("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", &scope);
    let expected = "f4780e2d9f65fa895f9c67b32ce1baf0b0d8a43505a000a1a9e090d414db404d";
    let expected = hmac::Key::new(HMAC_SHA256, &read_digest(expected).expect("a key").0);
    assert_eq!(hmac::sign(&key.key, b"x").as_ref(), hmac::sign(&expected, b"x").as_ref());
}
