//! SSH signatures: whatever bytes come, only the one that was made over the statement is accepted.

use bolero::TypeGenerator;
use tyer_core::intent::{Digest, HoldId, Timestamp};
use tyer_core::record::PublicKey;
use tyer_core::sshsig;
use tyer_core::statement::{Decision, Signed, Statement, Subject};

/// Whether an armoured signature approves [`statement`] with [`KEY`].
pub(crate) type Approves = fn(&str) -> bool;

/// Made for this test by `ssh-keygen`, as the signature; the private key is gone.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFhcI8zmNhw7bFNPA0mBY4h1GSO0SyL1pnQJ5ZLLl1Mj";
const SIGNED: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgWFwjzOY2HDtsU08DSYFjiHUZI7\nRLIvWmdAnlksuXUyMAAAAEdHllcgAAAAAAAAAGc2hhNTEyAAAAUwAAAAtzc2gtZWQyNTUx\nOQAAAEBV3SqwTs7uQo11QEWd7jf3nalFWpsBV4g2F0Wsro8clK84FCsUtV3JfLXjcQficK\n850+DN4uCihb8uHQOGwNcM\n-----END SSH SIGNATURE-----\n";

/// The real one.
pub(crate) fn real(armored: &str) -> bool {
    sshsig::take_armored(armored).is_ok_and(|(signature, credential)| {
        sshsig::verify(&signed(signature, credential), &key()).is_ok()
    })
}

fn key() -> PublicKey {
    sshsig::read_key(KEY).unwrap()
}

fn signed(signature: String, credential: String) -> Signed {
    let (authenticator_data, client_data) = (String::new(), String::new());
    Signed { statement: statement(), credential, authenticator_data, client_data, signature }
}

fn statement() -> Statement {
    let subject = Subject {
        hold: HoldId::new("H-42"),
        request: Digest([2; 32]),
        card: Digest([4; 32]),
        policy_set: Digest([3; 32]),
    };
    Statement {
        origin: "https://tyer.example.com".into(),
        what: Decision::Approve(subject),
        person: "bob".into(),
        root: Digest([1; 32]),
        size: 7,
        nonce: "bm9uY2U".into(),
        expires: Timestamp(1_767_268_800_001),
    }
}

/// Bytes that nobody signed approve nothing, and what can be read is written as it was. A key is read off no bytes
/// without a check.
pub(crate) fn any_bytes(approves: Approves, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!approves(&text));
    for kept in [base64url(bytes), base64url(&[b"SSHSIG\0\0\0\x01", bytes].concat())] {
        let armored = sshsig::armored(&kept).unwrap_or_default();
        assert!(!approves(&armored));
        if let Ok((read, _)) = sshsig::take_armored(&armored) {
            assert_eq!(read, kept);
        }
    }
    for line in [text.as_ref(), &format!("ssh-ed25519 {text}"), &format!("ssh-rsa {text}")] {
        if let Ok(key) = sshsig::read_key(line) {
            assert_eq!(sshsig::check_key(&key), Ok(()));
        }
    }
}

/// Base64url without padding, as signatures are kept.
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            (0..3).fold(0_usize, |sum, at| sum << 8 | usize::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..=chunk.len() {
            text.push(char::from(LETTERS[number >> (18 - 6 * at) & 63]));
        }
    }
    text
}

/// What somebody does to the bytes of a signature that was right.
#[derive(Clone, Debug, PartialEq, Eq, TypeGenerator)]
pub(crate) enum Change {
    Nothing,
    /// That bit.
    Flip(u16),
    /// A byte more, there.
    Insert(u16, u8),
    Remove(u16),
    /// A piece of it once more, there.
    Repeat(u16, u8, u16),
    Cut(u16),
    /// The length that stands there, of four bytes.
    Length(u16, u32),
    Append(Vec<u8>),
}

impl Change {
    /// What these bytes are then.
    pub(crate) fn of(&self, right: &[u8]) -> Vec<u8> {
        let place = |at: u16| usize::from(at) % right.len();
        let mut made = right.to_vec();
        match self {
            Self::Nothing => {}
            Self::Flip(bit) => made[place(bit / 8)] ^= 1 << (bit % 8),
            Self::Insert(at, byte) => made.insert(place(*at), *byte),
            Self::Remove(at) => drop(made.remove(place(*at))),
            Self::Repeat(from, count, to) => {
                let end = (place(*from) + usize::from(*count)).min(right.len());
                let piece = &right[place(*from)..end];
                made.splice(place(*to)..place(*to), piece.iter().copied());
            }
            Self::Cut(at) => made.truncate(place(*at)),
            Self::Length(at, length) => {
                let at = place(*at).min(right.len() - 4);
                made[at..at + 4].copy_from_slice(&length.to_be_bytes());
            }
            Self::Append(more) => made.extend(more),
        }
        made
    }
}

/// The right signature approves, and none that differs from it does.
pub(crate) fn changed(approves: Approves, change: &Change) {
    let right = bytes();
    let made = change.of(&right);
    let armored = sshsig::armored(&base64url(&made)).unwrap_or_default();
    assert_eq!(approves(&armored), made == right, "{change:?}");
}

/// The bytes of the right signature.
fn bytes() -> Vec<u8> {
    let (kept, _) = sshsig::take_armored(SIGNED).unwrap();
    decoded(&kept)
}

/// The bytes of base64url.
pub(crate) fn decoded(kept: &str) -> Vec<u8> {
    let number = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'-' => 62,
        _ => 63,
    };
    let mut bytes = Vec::new();
    for chunk in kept.as_bytes().chunks(4) {
        let sum = (0..4)
            .fold(0_u32, |sum, at| sum << 6 | u32::from(chunk.get(at).map_or(0, |it| number(*it))));
        bytes.extend(&sum.to_be_bytes()[1..chunk.len()]);
    }
    bytes
}

/// Whatever can be read will do.
pub(crate) fn takes_what_can_be_read(armored: &str) -> bool {
    sshsig::take_armored(armored).is_ok()
}

/// What the key did not sign will do, if nobody named the key.
pub(crate) fn takes_what_names_no_key(armored: &str) -> bool {
    !armored.contains("c3NoLWVkMjU1MTk") || real(armored)
}

/// Nothing will do.
pub(crate) fn takes_nothing(_: &str) -> bool {
    false
}
