//! Ceremonies by a software authenticator, good and bad ones.

use ciborium::Value;

use super::authenticator::{ATTESTED, Authenticator, PRESENT, Parts, VERIFIED, header, to_cbor};
use super::*;
use crate::intent::PersonId;

const ORIGIN: &str = "https://tyer.example.com:8443";

fn rp() -> RelyingParty {
    RelyingParty::of_origin(ORIGIN).unwrap()
}

fn statement(what: Decision) -> Statement {
    Statement {
        origin: ORIGIN.to_owned(),
        what,
        person: "alice".to_owned(),
        root: Digest([7; 32]),
        size: 12,
        nonce: "AAAA".to_owned(),
        expires: Timestamp(1_000),
    }
}

fn enrol() -> Statement {
    statement(Decision::Enrol { person: PersonId::new("alice") })
}

fn invite() -> Statement {
    statement(Decision::Invite { person: PersonId::new("bob") })
}

#[test]
fn origins() {
    let check = |origin: &str, expect: Option<&str>| {
        let id = RelyingParty::of_origin(origin).ok().map(|rp| rp.id().to_owned());
        assert_eq!(id.as_deref(), expect, "{origin}");
    };
    check("https://tyer.example.com", Some("tyer.example.com"));
    check("https://tyer.example.com:8443", Some("tyer.example.com"));
    check("http://localhost:7070", Some("localhost"));
    check("http://tyer.localhost", Some("tyer.localhost"));
    check("http://tyer.example.com", None);
    check("https://tyer.example.com/", None);
    check("https://Tyer.example.com", None);
    check("https://tyer.example.com:443", None);
    check("https://tyer.example.com:08", None);
    check("https://tyer.example.com:", None);
    check("https://me@tyer.example.com", None);
    check("https://", None);
    check("tyer.example.com", None);
}

#[test]
fn every_kind_of_key_registers_and_signs() {
    for authenticator in
        [Authenticator::es256("one"), Authenticator::eddsa("two"), Authenticator::rs256("three")]
    {
        let registration = authenticator.creation(&enrol()).registration();
        let key = register(&rp(), &enrol(), &registration).unwrap();
        assert_eq!(key, authenticator.public());
        assert_eq!(check_key(&key), Ok(()));
        let signed = authenticator.sign(&invite());
        assert_eq!(verify(&rp(), &signed, &key), Ok(()));
        assert_eq!(verify_at(&rp(), &signed, &key, Timestamp(999)), Ok(()));
        assert_eq!(verify_at(&rp(), &signed, &key, Timestamp(1_000)), Err(AssertionError::Expired));
    }
}

/// Signs an `Invite` of bob with changed parts; the signature itself is always good.
fn check_signing(name: &str, expect: Result<(), AssertionError>, change: impl Fn(&mut Parts)) {
    let authenticator = Authenticator::eddsa("alice");
    let mut parts = Parts::get(&invite());
    change(&mut parts);
    let signed = authenticator.sign_parts(&invite(), &parts);
    assert_eq!(verify(&rp(), &signed, &authenticator.public()), expect, "{name}");
}

#[test]
fn client_data_is_read_strictly() {
    use AssertionError as E;
    let check = |name: &str, expect, from: &str, to: &str| {
        check_signing(name, expect, |parts| {
            let changed = parts.client_data.replacen(from, to, 1);
            assert!(from == to || changed != parts.client_data, "{name}: {from} is not there");
            parts.client_data = changed;
        });
    };
    let challenge = encode(&invite().challenge().0);
    let padded = format!("{challenge}=");
    let (last, other) = challenge.split_at(challenge.len() - 1);
    // The last character carries four bits; its neighbour in the alphabet differs in the unused two.
    let loose = format!("{last}{}", char::from(other.as_bytes()[0] + 1));
    let unreadable = Err(E::Malformed("client data"));
    check("as it is", Ok(()), "", "");
    check("no crossOrigin", Ok(()), r#","crossOrigin":false"#, "");
    check("another ceremony", Err(E::OtherCeremony), "webauthn.get", "webauthn.create");
    check("padded challenge", Err(E::OtherStatement), &challenge, &padded);
    check("loose challenge", Err(E::OtherStatement), &challenge, &loose);
    check("no challenge", unreadable, r#""challenge""#, r#""challange""#);
    check("another origin", Err(E::OtherOrigin), "tyer.example.com", "tyer.example.org");
    check("another port", Err(E::OtherOrigin), ":8443", "");
    check("another case", Err(E::OtherOrigin), "https://tyer", "https://Tyer");
    check("in a frame", Err(E::CrossOrigin), r#""crossOrigin":false"#, r#""crossOrigin":true"#);
    check("below a page", Err(E::CrossOrigin), r#""more":[1]"#, r#""topOrigin":"https://a.b""#);
    check("type twice", unreadable, r#"{"type""#, r#"{"type":"webauthn.get","type""#);
    check("type twice, escaped", unreadable, r#"{"type""#, r#"{"t\u0079pe":"webauthn.get","type""#);
    check("origin twice", unreadable, r#""more":[1]"#, r#""origin":"https://tyer.example.com:8443""#);
    check("crossOrigin twice", unreadable, r#""more":[1]"#, r#""crossOrigin":false"#);
    check("something after", unreadable, "}", "}{}");
    check("byte order mark", unreadable, "{", "\u{feff}{");
    check("not an object", unreadable, "{", "[{");
}

#[test]
fn authenticator_data_is_read_strictly() {
    use AssertionError as E;
    let check = |name: &str, expect, data: &[u8]| {
        check_signing(name, expect, |parts| parts.authenticator_data = data.to_vec());
    };
    let unreadable = Err(E::Malformed("authenticator data"));
    let id = "tyer.example.com";
    let with = |flags: u8, more: &[u8]| {
        let mut data = header(id, flags);
        data.extend_from_slice(more);
        data
    };
    let both = PRESENT | VERIFIED;
    check("as it is", Ok(()), &with(both, &[]));
    check("backed up", Ok(()), &with(both | 0x18, &[]));
    check("backed up but never eligible", unreadable, &with(both | 0x10, &[]));
    check("nobody there", Err(E::NotPresent), &with(VERIFIED, &[]));
    check("nobody verified", Err(E::NotVerified), &with(PRESENT, &[]));
    check("another relying party", Err(E::OtherOrigin), &header("example.com", both));
    check("one byte short", unreadable, &with(both, &[])[..36]);
    check("empty extensions", Ok(()), &with(both | 0x80, &to_cbor(&Value::Map(Vec::new()))));
    check("extensions that are none", unreadable, &with(both | 0x80, &to_cbor(&1.into())));
    check("no extensions after all", unreadable, &with(both | 0x80, &[]));
    check("something after", unreadable, &with(both, &[0]));
    check("something after the extensions", unreadable, &with(both | 0x80, &[0xa0, 0xa0]));
    let creation = Authenticator::eddsa("alice").creation(&enrol()).authenticator_data;
    check("a new passkey in an assertion", unreadable, &creation);
}

#[test]
fn signatures_are_bound_to_statement_and_key() {
    use AssertionError as E;
    let (alice, bob) = (Authenticator::es256("alice"), Authenticator::es256("bob"));
    let good = alice.sign(&invite());
    let check = |name: &str, signed: &Signed, key: &PublicKey, expect: AssertionError| {
        assert_eq!(verify(&rp(), signed, key), Err(expect), "{name}");
    };
    let with = |change: &dyn Fn(&mut Signed)| {
        let mut signed = good.clone();
        change(&mut signed);
        signed
    };
    let key = alice.public();
    check("another person's passkey", &good, &bob.public(), E::OtherCredential);
    let exchanged = PublicKey { credential: key.credential.clone(), ..bob.public() };
    check("the same id, another key", &good, &exchanged, E::BadSignature);
    check("another nonce", &with(&|s| s.statement.nonce.push('A')), &key, E::OtherStatement);
    check("a later expiry", &with(&|s| s.statement.expires = Timestamp(2)), &key, E::OtherStatement);
    check("another person", &with(&|s| s.statement.person = "bob".into()), &key, E::OtherStatement);
    let elsewhere = |s: &mut Signed| s.statement.origin = "https://a.example.com".into();
    check("another origin", &with(&elsewhere), &key, E::OtherOrigin);
    check("padded", &with(&|s| s.signature.push('=')), &key, E::Malformed("signature"));
    check("no signature", &with(&|s| s.signature.clear()), &key, E::Malformed("signature"));
    let long = |s: &mut Signed| s.client_data = "AAAA".repeat(6_000);
    check("too long", &with(&long), &key, E::Malformed("client data"));
}

proptest::proptest! {
    #[test]
    fn every_flipped_bit_of_an_assertion_fails(part in 0..3usize, at: proptest::sample::Index, bit in 0..8u32) {
        let alice = Authenticator::eddsa("alice");
        let mut signed = alice.sign(&invite());
        let text = match part {
            0 => &mut signed.authenticator_data,
            1 => &mut signed.client_data,
            _ => &mut signed.signature,
        };
        let mut bytes = base64url(text, "").unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        *text = encode(&bytes);
        proptest::prop_assert!(verify(&rp(), &signed, &alice.public()).is_err());
    }

    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = AuthenticatorData::read(&bytes).is_ok();
        drop(attested(&bytes));
        drop(Key::read(&bytes));
        drop(read_client_data(&bytes));
    }
}

#[test]
fn registrations_are_read_strictly() {
    use AssertionError as E;
    let authenticator = Authenticator::es256("alice");
    let check = |name: &str, expect: AssertionError, registration: &Registration| {
        assert_eq!(register(&rp(), &enrol(), registration), Err(expect), "{name}");
    };
    let good = authenticator.creation(&enrol());
    let data = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut parts = good.clone();
        change(&mut parts.authenticator_data);
        parts.registration()
    };
    let unreadable = E::Malformed("authenticator data");
    check("not verified", E::NotVerified, &data(&|data| data[32] = PRESENT | ATTESTED));
    check("not present", E::NotPresent, &data(&|data| data[32] = VERIFIED | ATTESTED));
    check("no passkey", unreadable, &data(&|data| *data = header("tyer.example.com", 5)));
    check("something after", unreadable, &data(&|data| data.push(0)));
    check("another relying party", E::OtherOrigin, &data(&|data| data[0] ^= 1));
    let id = E::Malformed("credential id");
    check("no id", id, &data(&|data| data[53..55].fill(0)));
    check("an id too long", id, &data(&|data| data[53..55].copy_from_slice(&[4, 0])));
    check("an id beyond the end", unreadable, &data(&|data| data[53..55].copy_from_slice(&[3, 0])));

    let mut other = good.clone();
    other.client_data = other.client_data.replace("webauthn.create", "webauthn.get");
    check("another ceremony", E::OtherCeremony, &other.registration());
    let object = E::Malformed("attestation object");
    check("not a map", object, &good.registration_with(&to_cbor(&1.into())));
    check("no data", object, &good.registration_with(&[0xa0]));
    let mut trailing = base64url(&good.registration().attestation_object, "").unwrap();
    trailing.push(0xf6);
    check("trailing bytes", object, &good.registration_with(&trailing));
    let entry = || ("authData".into(), Value::Bytes(good.authenticator_data.clone()));
    let twice = to_cbor(&Value::Map(vec![entry(), entry()]));
    check("data twice", object, &good.registration_with(&twice));
    let deep = [0x81; 8_000];
    check("very deep", object, &good.registration_with(&deep));
    let registration = good.registration();
    assert_eq!(register(&rp(), &invite(), &registration), Err(E::NotEnrolling));
    let other = Statement { nonce: "BBBB".to_owned(), ..enrol() };
    assert_eq!(register(&rp(), &other, &registration), Err(E::OtherStatement));
}

#[test]
fn unknown_attestation_formats_are_ignored() {
    let authenticator = Authenticator::es256("alice");
    let good = authenticator.creation(&enrol());
    let object = to_cbor(&Value::Map(vec![
        ("fmt".into(), "packed".into()),
        ("attStmt".into(), Value::Map(vec![("sig".into(), Value::Bytes(vec![1, 2]))])),
        ("authData".into(), Value::Bytes(good.authenticator_data.clone())),
    ]));
    let registered = register(&rp(), &enrol(), &good.registration_with(&object));
    assert_eq!(registered, Ok(authenticator.public()));
}

#[test]
fn keys() {
    use AssertionError as E;
    let check = |name: &str, key: &Value, expect: Result<(), AssertionError>| {
        let bytes = to_cbor(key);
        assert_eq!(Key::read(&bytes).map(|_| ()), expect, "{name}");
        let parts = Authenticator::es256("alice").creation_with(&enrol(), &bytes);
        let registered = register(&rp(), &enrol(), &parts.registration());
        assert_eq!(registered.map(|_| ()), expect, "{name}, registered");
    };
    let with = |key: &Value, label: i64, value: Value| {
        let mut entries = key.as_map().unwrap().clone();
        entries.retain(|(at, _)| *at != label.into());
        entries.push((label.into(), value));
        Value::Map(entries)
    };
    let bytes = |count: usize| Value::Bytes(vec![0xc1; count]);
    let es256 = Authenticator::es256("a").cose();
    let eddsa = Authenticator::eddsa("a").cose();
    let rs256 = Authenticator::rs256("a").cose();
    let (unreadable, unsupported) = (Err(E::Malformed("public key")), Err(E::UnsupportedKey));
    check("P-256", &es256, Ok(()));
    check("P-384", &with(&es256, -1, 2.into()), unsupported);
    check("the curve of Ed25519 in a P-256 key", &with(&es256, -1, 6.into()), unsupported);
    check("another algorithm", &with(&es256, 3, (-35).into()), unsupported);
    check("another kind", &with(&es256, 1, 1.into()), unsupported);
    check("short x", &with(&es256, -2, bytes(31)), unreadable);
    check("long y", &with(&es256, -3, bytes(33)), unreadable);
    check("compressed", &with(&es256, -3, Value::Bool(true)), unreadable);
    check("Ed25519", &eddsa, Ok(()));
    check("X25519", &with(&eddsa, -1, 4.into()), unsupported);
    check("short Ed25519", &with(&eddsa, -2, bytes(31)), unreadable);
    check("RSA", &rs256, Ok(()));
    check("RSA of 1024 bits", &with(&rs256, -1, bytes(128)), unsupported);
    check("RSA of 16384 bits", &with(&rs256, -1, bytes(2048)), unsupported);
    let padded = Value::Bytes([vec![0], vec![0xc1; 256]].concat());
    check("RSA with a leading zero", &with(&rs256, -1, padded), unsupported);
    let weak = Value::Bytes([vec![0x7f], vec![0xc1; 255]].concat());
    check("RSA of 2047 bits", &with(&rs256, -1, weak), unsupported);
    check("RSA with exponent one", &with(&rs256, -2, Value::Bytes(vec![1])), unsupported);
    check("RSA with an even exponent", &with(&rs256, -2, Value::Bytes(vec![1, 0])), unsupported);
    check("a shared secret", &with(&es256, 1, 4.into()), unsupported);
    let mut twice = es256.as_map().unwrap().clone();
    twice.push((3.into(), (-7).into()));
    check("a label twice", &Value::Map(twice), unreadable);
    check("no map", &bytes(77), unreadable);
}

#[test]
fn a_point_off_the_curve_verifies_nothing() {
    let authenticator = Authenticator::es256("alice");
    let mut entries = authenticator.cose().into_map().unwrap();
    entries.retain(|(label, _)| *label != (-3).into());
    entries.push(((-3).into(), Value::Bytes(vec![1; 32])));
    let key = PublicKey { cose: encode(&to_cbor(&Value::Map(entries))), ..authenticator.public() };
    let signed = authenticator.sign(&invite());
    assert_eq!(verify(&rp(), &signed, &key), Err(AssertionError::BadSignature));
}
