//! The proof that a client knows a password.

use std::num::NonZeroU32;

use bolero::TypeGenerator;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use tyer_wire::postgres::scram::{Challenge, Verifier};

/// Whether the client's last message proves anything.
pub(crate) type Proves = fn(Challenge, &[u8]) -> bool;

/// The server's part of the nonce.
const NONCE: &str = "3rfcNHYJY1ZVvWVs7j";

pub(crate) fn verifier() -> Verifier {
    // Once is enough where nobody attacks the hash.
    Verifier::from_password("pencil", b"0123456789abcdef", NonZeroU32::MIN)
}

/// The real one.
pub(crate) fn real(challenge: Challenge, last: &[u8]) -> bool {
    challenge.finish(last).is_ok()
}

/// Nothing that a client makes up proves a password.
pub(crate) fn any_bytes(proves: Proves, verifier: &Verifier, bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (first, last) = bytes.split_at(at);
    drop(Challenge::answer(first, verifier.clone(), true, "nonce"));
    let start = || Challenge::answer(b"n,,n=,r=mine", verifier.clone(), true, "nonce").unwrap().0;
    assert!(!proves(start(), last));
    let shaped = [b"c=biws,r=minenonce,p=", last].concat();
    assert!(!proves(start(), &shaped));
}

/// What a client does to an exchange that it could do right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TypeGenerator)]
pub(crate) enum Change {
    Nothing,
    OtherPassword,
    NoProof,
    ZeroProof,
    /// Of another exchange, as somebody who listened would have it.
    OldProof,
    /// That bit of the proof.
    Bit(u8),
    /// The last message's own nonce.
    Nonce,
    Binding,
    /// There is no such user: the verifier is a mock.
    NoSuchUser,
    /// There is none, and the verifier is right all the same.
    NotLetIn,
    Extended,
}

/// A client is let in if it has done everything right, and only then.
pub(crate) fn exchange(proves: Proves, change: Change) {
    let password = if change == Change::OtherPassword { "pencils" } else { "pencil" };
    let stored = match change {
        Change::NoSuchUser => Verifier::mock(b"secret", "nobody"),
        _ => verifier(),
    };
    let exists = !matches!(change, Change::NoSuchUser | Change::NotLetIn);
    let run = |stored: Verifier, nonce: &str| {
        let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let (challenge, answer) = Challenge::answer(client.message(), stored, exists, nonce).unwrap();
        client.update(&answer).unwrap();
        (challenge, String::from_utf8(client.message().to_vec()).unwrap())
    };
    let (challenge, last) = run(stored.clone(), NONCE);
    let (unproven, proof) = last.rsplit_once(",p=").unwrap();
    let (binding, nonce) = unproven.split_once(',').unwrap();
    let last = match change {
        Change::Nothing | Change::OtherPassword | Change::NoSuchUser | Change::NotLetIn => last,
        Change::NoProof => format!("{unproven},p="),
        Change::ZeroProof => format!("{unproven},p={}=", "A".repeat(43)),
        Change::OldProof => {
            let (_, old) = run(stored, NONCE);
            format!("{unproven},p={}", old.rsplit_once(",p=").unwrap().1)
        }
        Change::Bit(bit) => {
            // Letters of base64 but the last two, which have bits that mean nothing.
            let at = usize::from(bit) % 42;
            let mut proof = proof.to_owned();
            let letter = if proof.as_bytes()[at] == b'A' { "B" } else { "A" };
            proof.replace_range(at..=at, letter);
            format!("{unproven},p={proof}")
        }
        Change::Nonce => format!("{binding},{nonce}x,p={proof}"),
        Change::Binding => format!("c=eSws,{nonce},p={proof}"),
        Change::Extended => format!("{unproven},m=x,p={proof}"),
    };
    assert_eq!(proves(challenge, last.as_bytes()), change == Change::Nothing, "{change:?}: {last}");
}

/// An empty proof will do.
pub(crate) fn takes_an_empty_proof(challenge: Challenge, last: &[u8]) -> bool {
    last.ends_with(b",p=") || challenge.finish(last).is_ok()
}

/// What is said between the nonce and the proof is not part of what is proven.
pub(crate) fn skips_extensions(challenge: Challenge, last: &[u8]) -> bool {
    let text = String::from_utf8_lossy(last).replace(",m=x", "");
    challenge.finish(text.as_bytes()).is_ok()
}

/// Nothing but the right password proves anything, and that does not either.
pub(crate) fn proves_nothing(_: Challenge, _: &[u8]) -> bool {
    false
}
