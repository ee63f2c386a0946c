//! Keys of every kind, and signatures in which one thing is wrong.

use super::signer::{Parts, Signer};
use super::*;
use crate::assertion::RelyingParty;
use crate::assurance::{self, SignatureError};
use crate::intent::{HoldId, PersonId, Timestamp};
use crate::statement::Subject;

const RSA_2048: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDoZV2n+rSfTEzPeIQa+BkZJ6fbST5qTRzUddKn2R0zfGpxWQJE9p8van1qPaNU97YOnipurNL6+0OscYPElxuyqOwi295oy707lntw29pRU7mZR+ax3HXYgJ0QXU7nWmOzmH70bvgbBkPQeg63vSiYRAGBEAqnTu6q117a9GGF4Y1GdTWPbaKGrd2dZPfHRxEgPF5WnnKf8fUKaQufsKMD/kNgJWRDCJ9J2gdpJOPDFMGKrI3kkPZuKNnUO/a8JYN0zVnwaqh6MeT6E3bWWDXJm4bJsMrQUEZUfwP9s/I40qefvPr1FKd2IGX+YIdEJTTUbuQIskfTPDTw7wGz+mPh";
const P384: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBN9ZcO/pIiQ14tf+MtsJMy4oJAb0fKFRWXNRANQtNMAt9FXVoYZ+zZX+DYgkZO3BVM5h4GbABfPMsaEKO2JnQQk7YZnmNdqlYpMV7F5LpIkbN2ZB4+nI6XkMiPZNYNw6PA==";

fn subject() -> Subject {
    let (request, card, policy_set) = (Digest([2; 32]), Digest([4; 32]), Digest([3; 32]));
    Subject { hold: HoldId::new("H-42"), request, card, policy_set }
}

fn statement(what: Decision) -> Statement {
    Statement {
        origin: "https://tyer.example.com".into(),
        what,
        person: "bob".into(),
        root: Digest([1; 32]),
        size: 7,
        nonce: "bm9uY2U".into(),
        expires: Timestamp(1_767_268_800_001),
    }
}

fn approve() -> Statement {
    statement(Decision::Approve(subject()))
}

fn signers() -> [Signer; 5] {
    [
        Signer::ed25519("bob"),
        Signer::p256(),
        Signer::rsa(),
        Signer::ed25519("bob").sk("ssh:"),
        Signer::p256().sk("ssh:tyer"),
    ]
}

#[test]
fn every_kind_of_key_signs_for_what_it_proves() {
    let proves = ["software", "software", "software", "unattested", "unattested"];
    for (signer, proves) in signers().iter().zip(proves) {
        let key = signer.public();
        assert_eq!(check_key(&key), Ok(()), "{key:?}");
        assert_eq!(assurance::of_key(&key).as_str(), proves, "{key:?}");
        assert!(key.credential.starts_with("SHA256:") && !key.ssh.ends_with("me@home"), "{key:?}");
        for decision in [
            Decision::Approve(subject()),
            Decision::Reject(subject()),
            Decision::ApproveAll { subjects: vec![subject(), subject()] },
            Decision::Look { holds: vec![HoldId::new("H-42")] },
        ] {
            let signed = signer.sign(&statement(decision));
            assert_eq!(verify(&signed, &key), Ok(()), "{key:?}");
            assert_eq!(says_verified(&signed), proves == "unattested", "{key:?}");
            let armored = armored(&signed.signature).unwrap();
            let taken = take_armored(&armored).unwrap();
            assert_eq!(taken, (signed.signature.clone(), key.credential.clone()));
        }
    }
}

#[test]
fn keys_that_are_not_accepted() {
    let check = |line: &str, expect: SshError| assert_eq!(read_key(line), Err(expect), "{line}");
    check("", KEY);
    check("ssh-ed25519", KEY);
    check("ssh-ed25519 AAAA", KEY);
    check(RSA_2048, SshError::UnsupportedKey);
    check(P384, SshError::UnsupportedKey);
    let line = Signer::ed25519("bob").line();
    check(&line.replace("ssh-ed25519", "ssh-rsa"), KEY);
    check(&format!("no-touch-required {line}"), KEY);
    check(&format!("{line}\n{line}"), KEY);
    check(&"x".repeat(SSH_KEY_CHARS_MAX + 1), KEY);
    // A passkey's application is the console's host; such a key must not sign here as SSH's.
    check(&Signer::ed25519("bob").sk("tyer.example.com").line(), SshError::UnsupportedKey);
    check(&Signer::p256().sk("").line(), SshError::UnsupportedKey);
}

#[test]
fn a_kept_key_has_one_spelling() {
    let key = Signer::ed25519("bob").public();
    let check = |key: PublicKey| assert_eq!(check_key(&key), Err(KEY), "{key:?}");
    check(PublicKey { ssh: format!("{} bob", key.ssh), ..key.clone() });
    check(PublicKey { credential: "SHA256:other".into(), ..key.clone() });
    check(PublicKey { cose: "AAAA".into(), ..key.clone() });
    check(PublicKey { ssh: String::new(), ..key });
}

#[test]
fn one_secret_is_one_key_whatever_it_calls_itself() {
    let check = |one: &PublicKey, other: &PublicKey, expect: bool| {
        assert_eq!(assurance::are_same(one, other), expect, "{one:?} {other:?}");
    };
    let bob = Signer::ed25519("bob");
    check(&bob.public(), &bob.public(), true);
    check(&bob.public(), &Signer::ed25519("bob").sk("ssh:").public(), true);
    check(
        &Signer::ed25519("bob").sk("ssh:a").public(),
        &Signer::ed25519("bob").sk("ssh:b").public(),
        true,
    );
    check(&bob.public(), &Signer::ed25519("carol").public(), false);
    check(&Signer::p256().public(), &Signer::p256().public(), false);
    let passkey = crate::assertion::authenticator::Authenticator::eddsa("bob").public();
    check(&bob.public(), &passkey, true);
    check(&Signer::ed25519("carol").public(), &passkey, false);
}

/// One thing is wrong with the signature.
fn check(change: impl Fn(&mut Parts), expect: Result<(), SshError>) {
    for signer in signers() {
        let statement = approve();
        let mut parts = Parts::of(&statement);
        change(&mut parts);
        let found = verify(&signer.sign_parts(&statement, &parts), &signer.public());
        assert_eq!(found, expect, "{signer:?} {parts:?}");
    }
}

#[test]
fn signatures_for_something_else() {
    check(|_| {}, Ok(()));
    check(|it| it.hash = ["sha256", "sha256"], Ok(()));
    check(|it| it.namespace = "git", Err(SshError::OtherNamespace));
    check(|it| it.namespace = "tyer ", Err(SshError::OtherNamespace));
    check(|it| it.namespace = "", Err(SIGNATURE));
    check(|it| it.hash = ["sha512", "sha256"], Err(SshError::BadSignature));
    check(|it| it.hash = ["sha256", "sha512"], Err(SshError::BadSignature));
    check(|it| it.hash = ["sha1", "sha512"], Err(SIGNATURE));
    check(|it| it.message.push(b'\n'), Err(SshError::BadSignature));
    check(|it| it.message = approve().challenge().0.to_vec(), Err(SshError::BadSignature));
    check(
        |it| it.message = statement(Decision::Reject(subject())).canonical(),
        Err(SshError::BadSignature),
    );
    check(|it| it.version = 0, Err(SIGNATURE));
    check(|it| it.version = 2, Err(SIGNATURE));
    check(|it| it.reserved = b"x", Err(SIGNATURE));
    check(|it| it.tail = b"x", Err(SIGNATURE));
}

#[test]
fn algorithms_of_signatures_are_the_keys() {
    let check = |signer: &Signer, algorithm: &'static str, expect: Result<(), SshError>| {
        let statement = approve();
        let parts = Parts { algorithm: Some(algorithm), ..Parts::of(&statement) };
        let found = verify(&signer.sign_parts(&statement, &parts), &signer.public());
        assert_eq!(found, expect, "{algorithm}");
    };
    check(&Signer::rsa(), "rsa-sha2-256", Ok(()));
    check(&Signer::rsa(), "rsa-sha2-512", Ok(()));
    check(&Signer::rsa(), "ssh-rsa", Err(SIGNATURE));
    check(&Signer::ed25519("bob"), "rsa-sha2-512", Err(SshError::UnsupportedKey));
    check(
        &Signer::p256(),
        "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
        Err(SshError::UnsupportedKey),
    );
    check(&Signer::ed25519("bob").sk("ssh:"), "ssh-ed25519", Err(SIGNATURE));
}

#[test]
fn a_security_keys_user_must_have_been_present() {
    let check = |flags: u8, expect: Result<bool, SshError>| {
        for signer in [Signer::ed25519("bob").sk("ssh:"), Signer::p256().sk("ssh:")] {
            let statement = approve();
            let parts = Parts { flags, ..Parts::of(&statement) };
            let signed = signer.sign_parts(&statement, &parts);
            let found = verify(&signed, &signer.public()).map(|()| says_verified(&signed));
            assert_eq!(found, expect, "{flags}");
        }
    };
    check(PRESENT, Ok(false));
    check(PRESENT | VERIFIED, Ok(true));
    check(VERIFIED, Err(SshError::NotPresent));
    check(0, Err(SshError::NotPresent));
}

#[test]
fn keys_and_decisions_cannot_be_exchanged() {
    let (bob, carol) = (Signer::ed25519("bob"), Signer::ed25519("carol"));
    let signed = bob.sign(&approve());
    assert_eq!(verify(&signed, &carol.public()), Err(SshError::OtherKey));
    let renamed = Signed { credential: carol.public().credential, ..signed.clone() };
    assert_eq!(verify(&renamed, &carol.public()), Err(SshError::OtherKey));
    assert_eq!(verify(&renamed, &bob.public()), Err(SshError::OtherKey));
    let as_sk = Signer::ed25519("bob").sk("ssh:").public();
    let renamed = Signed { credential: as_sk.credential.clone(), ..signed.clone() };
    assert_eq!(verify(&renamed, &as_sk), Err(SshError::OtherKey));
    for what in [
        Decision::SignIn,
        Decision::Invite { person: PersonId::new("dave") },
        Decision::Thaw { frozen: Timestamp(1) },
        Decision::AddKey { key: carol.public().ssh },
        Decision::MakeKey,
        Decision::ConfirmKey { person: PersonId::new("carol"), key: carol.public().digest() },
    ] {
        let signed = bob.sign(&statement(what));
        assert_eq!(verify(&signed, &bob.public()), Err(SshError::OtherDecision));
    }
    let rp = |origin: &str| RelyingParty::of_origin(origin).unwrap();
    let at = |origin: &str| assurance::verify(&rp(origin), &signed, &bob.public());
    assert_eq!(at("https://tyer.example.com"), Ok(()));
    assert!(matches!(at("https://other.example.com"), Err(SignatureError::Passkey(_))));
    let with_client_data = Signed { client_data: "AAAA".into(), ..signed.clone() };
    assert_eq!(verify(&with_client_data, &bob.public()), Err(SIGNATURE));
}

#[test]
fn an_attested_key_verifies_its_user_each_time() {
    let check = |flags: u8, expect: Result<(), SshError>| {
        for signer in [Signer::ed25519("bob").sk("ssh:"), Signer::p256().sk("ssh:")] {
            let statement = approve();
            let signed = signer.sign_parts(&statement, &Parts { flags, ..Parts::of(&statement) });
            let key = PublicKey { attested: Some(Digest([3; 32])), ..signer.public() };
            assert_eq!(assurance::of_key(&key).as_str(), "hardware");
            assert_eq!(verify(&signed, &key), expect, "{flags}");
        }
    };
    check(PRESENT | VERIFIED, Ok(()));
    check(PRESENT, Err(SshError::NotVerified));
    check(VERIFIED, Err(SshError::NotPresent));
    // What is in no security key is none, whatever is said of it.
    let bob = Signer::ed25519("bob");
    let key = PublicKey { attested: Some(Digest([3; 32])), ..bob.public() };
    assert_eq!(assurance::of_key(&key).as_str(), "software");
    assert_eq!(verify(&bob.sign(&approve()), &key), Err(KEY));
}

#[test]
fn whoever_adds_a_key_signs_that_with_it() {
    for signer in signers() {
        let key = signer.public();
        let adds = |person: &str, key: &PublicKey| Statement {
            person: person.into(),
            ..statement(Decision::AddKey { key: key.ssh.clone() })
        };
        let right = adds("bob", &key);
        let proof = |by: &Signer, over: &Statement| by.sign(over).signature;
        let check = |over: &Statement, proof: &str, expect: Result<(), SshError>| {
            assert_eq!(verify_proof(over, proof, &key), expect, "{over:?}");
        };
        check(&right, &proof(&signer, &right), Ok(()));
        let other = Signer::ed25519("carol");
        check(&right, &proof(&other, &right), Err(SshError::OtherKey));
        // Made for somebody else, for another day, or for an answer.
        check(&right, &proof(&signer, &adds("mallory", &key)), Err(SshError::BadSignature));
        let another_day = Statement { nonce: "b3RoZXI".into(), ..right.clone() };
        check(&right, &proof(&signer, &another_day), Err(SshError::BadSignature));
        check(&right, &proof(&signer, &approve()), Err(SshError::BadSignature));
        check(&approve(), &proof(&signer, &approve()), Err(SshError::OtherProof));
        let of_another = adds("bob", &other.public());
        check(&of_another, &proof(&signer, &of_another), Err(SshError::OtherProof));
        let git = Parts { namespace: "git", ..Parts::of(&right) };
        check(&right, &signer.sign_parts(&right, &git).signature, Err(SshError::OtherNamespace));
        check(&right, "", Err(SIGNATURE));
    }
}

#[test]
fn every_flipped_bit_is_found() {
    for signer in signers() {
        let (signed, key) = (signer.sign(&approve()), signer.public());
        let bytes = URL_SAFE_NO_PAD.decode(&signed.signature).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let signature = URL_SAFE_NO_PAD.encode(flipped);
            assert!(verify(&Signed { signature, ..signed.clone() }, &key).is_err(), "{key:?} {bit}");
        }
    }
}

#[test]
fn armour_that_cannot_be_read() {
    let good = armored(&Signer::ed25519("bob").sign(&approve()).signature).unwrap();
    assert!(take_armored(&good).is_ok());
    assert!(take_armored(&good.replace('\n', "\r\n")).is_ok());
    let check = |text: &str| assert_eq!(take_armored(text), Err(SIGNATURE), "{text}");
    check("");
    check(BEGIN);
    check(&format!("{BEGIN}\n{END}\n"));
    check(&format!("{BEGIN}\n????\n{END}\n"));
    check(&format!("{BEGIN}\nU1NIU0lH\n{END}\n"));
    check(&good.replace("SIGNATURE", "MESSAGE"));
    check(&format!("x{good}"));
    check(&format!("{good}x"));
    check(&format!("{good}{good}"));
    check(&format!("{BEGIN}\n{}\n{END}", "A".repeat(SSH_SIGNATURE_BYTES_MAX * 2)));
    assert_eq!(armored("!"), Err(SIGNATURE));
    assert_eq!(armored(&"A".repeat(SSH_SIGNATURE_BYTES_MAX * 2)), Err(SIGNATURE));
}

#[test]
fn allowed_signers_are_allowed_this_namespace_only() {
    let key = Signer::ed25519("bob").public();
    assert_eq!(allowed_signer("bob", &key), format!("bob namespaces=\"tyer\" {}\n", key.ssh));
}
