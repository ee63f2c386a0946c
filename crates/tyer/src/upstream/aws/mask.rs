//! What must not get back to an agent, or into a log, found in what AWS says and written over with as many asterisks, so
//! that lengths stay as they were declared.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use super::Credentials;
use crate::secret::Secret;

/// What stands in place of each byte.
const OVER: u8 = b'*';

/// The forms in which answers repeat a text: as it is, as a JSON that escapes slashes has it, percent-encoded, and byte by
/// byte, as in `CanonicalRequestBytes` of S3.
pub(super) fn forms(text: &str) -> Vec<Secret> {
    let encoded = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    let in_bytes: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        text.to_owned(),
        text.replace('/', "\\/"),
        text.bytes().map(encoded).collect(),
        in_bytes.join(" "),
    ];
    all.dedup();
    all.retain(|form| !form.is_empty());
    all.into_iter().map(Secret::new).collect()
}

/// Writes over every one of `parts`; whether there was one.
pub(super) fn cover<'a>(text: &mut [u8], parts: impl Iterator<Item = &'a str>) -> bool {
    let places: Vec<_> = parts
        .flat_map(|part| {
            memmem::find_iter(text, part).map(|at| at..at + part.len()).collect::<Vec<_>>()
        })
        .collect();
    for place in &places {
        if let Some(place) = text.get_mut(place.clone()) {
            place.fill(OVER);
        }
    }
    !places.is_empty()
}

/// Takes the secrets out of an answer that streams. A piece whose end may be the beginning of one is kept back until the next.
pub(crate) struct Mask {
    credentials: Credentials,
    held: Bytes,
}

impl Mask {
    pub(crate) fn new(credentials: Credentials) -> Self {
        Self { credentials, held: Bytes::new() }
    }

    /// Takes a piece, and gives what may go.
    pub(crate) fn push(&mut self, piece: Bytes) -> Bytes {
        let mut piece = if self.held.is_empty() {
            piece
        } else {
            let mut both = BytesMut::with_capacity(self.held.len() + piece.len());
            both.extend_from_slice(&self.held);
            both.extend_from_slice(&piece);
            both.freeze()
        };
        if self.credentials.secrets().any(|secret| memmem::find(&piece, secret.as_bytes()).is_some()) {
            let mut own = BytesMut::from(piece);
            cover(&mut own, self.credentials.secrets());
            piece = own.freeze();
        }
        let kept = self.credentials.secrets().map(|secret| begun(&piece, secret.as_bytes())).max();
        self.held = piece.split_off(piece.len().saturating_sub(kept.unwrap_or(0)));
        piece
    }

    /// Whose secrets it takes out.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// How many bytes are kept back.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// What was kept back, and is no secret, since nothing came behind it.
    pub(crate) fn rest(&mut self) -> Option<Bytes> {
        Some(std::mem::take(&mut self.held)).filter(|held| !held.is_empty())
    }
}

/// How many bytes at the end of a piece are the beginning of `part`, without being all of it.
fn begun(piece: &[u8], part: &[u8]) -> usize {
    let Some(first) = part.first() else { return 0 };
    let start = piece.len().saturating_sub(part.len().saturating_sub(1));
    let end = piece.get(start..).unwrap_or_default();
    let begins = |at: &usize| end.get(*at..).is_some_and(|rest| part.starts_with(rest));
    memchr::memchr_iter(*first, end).find(begins).map_or(0, |at| end.len() - at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3/cret+=";

    fn credentials() -> Credentials {
        let own = |text: &str| Secret::new(text.to_owned());
        Credentials::new(own("AKIA1"), own(SECRET), Some(own("tt0ken")))
    }

    #[test]
    fn secrets_are_found_wherever_they_are_cut() {
        let text = "a s3/cret+= b tt0ken AKIA1 ttt0ken s3\\/cret+= s3%2Fcret%2B%3D \
                    73 33 2f 63 72 65 74 2b 3d s3/cret+ t";
        let expect = "a ********* b ****** AKIA1 t****** ********** *************** \
                      ************************** s3/cret+ t";
        for first in 0..=text.len() {
            for second in (first..=text.len()).step_by(7) {
                let mut mask = Mask::new(credentials());
                let mut out = Vec::new();
                let text = Bytes::from_static(text.as_bytes());
                for piece in [text.slice(..first), text.slice(first..second), text.slice(second..)] {
                    out.extend_from_slice(&mask.push(piece));
                }
                out.extend(mask.rest().into_iter().flatten());
                assert_eq!(String::from_utf8(out).expect("text"), expect, "{first} {second}");
            }
        }
    }

    #[test]
    fn nothing_is_kept_back_that_begins_no_secret() {
        let check = |piece: &'static str, expect: usize| {
            let mut mask = Mask::new(credentials());
            let passed = mask.push(Bytes::from_static(piece.as_bytes()));
            assert_eq!((mask.held(), passed.len()), (expect, piece.len() - expect), "{piece}");
        };
        check("", 0);
        check("plain", 0);
        check("AKIA1", 0);
        check("x s3/cre", 6);
        check("x s3/cret+=", 0);
        check("tt", 2);
        check("tt0t", 1);
    }
}
