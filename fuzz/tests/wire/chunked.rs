//! Bodies in chunks: what leaves the decoder is what was sent and, where it is signed, what was signed.

use bolero::TypeGenerator;
use tyer_core::intent::Timestamp;
use tyer_wire::aws::chunked::Decoder;
use tyer_wire::aws::request::Head;
use tyer_wire::aws::sigv4::{Claim, Outgoing, Scope, Signer, SigningKey, Verified, sign};

/// What left the decoder for a body in these pieces, and whether it was whole.
pub(crate) type Decodes = fn(&Head, &Verified, &[&[u8]]) -> (Vec<u8>, bool);

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 24 May 2013, 00:00:00 UTC.
const NOW: Timestamp = Timestamp(1_369_353_600_000);

/// The real one.
pub(crate) fn real(head: &Head, verified: &Verified, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut decoder = Decoder::new(verified, head).unwrap();
    let mut content = Vec::new();
    let pushed = pieces.iter().try_for_each(|piece| decoder.push(piece, &mut content));
    let finished = decoder.finish();
    assert!(pushed.is_ok() || finished.is_err(), "refused, and then whole");
    (content, pushed.is_ok() && finished.is_ok())
}

/// Pieces of bodies that a body is put together from, besides arbitrary bytes.
const WORDS: [&str; 12] = [
    "5\r\n",
    "2\r\n",
    "3\r\n",
    "0\r\n",
    "he",
    "llo",
    "hello",
    "\r\n",
    "\n",
    "x-amz-checksum-crc32:AAAAAA==\r\n",
    "x-amz-other:a\r\n",
    ";chunk-signature=",
];

/// A body without signatures is the same in any pieces, has what its head declares, and no more leaves before.
pub(crate) fn any_bytes(decodes: Decodes, bytes: &[u8]) {
    let (head, verified) = unsigned();
    let words = bytes.iter().map(|byte| WORDS[usize::from(*byte) % WORDS.len()]).collect::<String>();
    let right = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    for body in [bytes, words.as_bytes(), &[right, bytes].concat()] {
        let whole = decodes(&head, &verified, &[body]);
        let single: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(decodes(&head, &verified, &single), whole);
        assert!(whole.0.len() <= 5 && (!whole.1 || whole.0.len() == 5), "{whole:?}");
    }
}

/// What somebody does to a body whose chunks and trailers are signed.
#[derive(Clone, Debug, PartialEq, Eq, TypeGenerator)]
pub(crate) enum Change {
    Nothing,
    /// That bit of that byte.
    Flip(u16, u8),
    /// A byte more, there.
    Insert(u16, u8),
    /// That byte less.
    Remove(u16),
}

/// Chunks of a body with their signatures, made by another implementation.
const SIGNED: [(&str, &str); 3] = [
    ("hello", "2158439b6d11871064a5fd5063507994d148453b14f51edac2f2405b7b13824e"),
    ("world", "87cd442b293959166a1b87b6eb27a54b1bc65cd70e05722eb4590cea11f3a6f2"),
    ("", "17756516be435368215fe2b365cc6b6b758aaa1529ad38ca9010eb08d9ccc28d"),
];
const TRAILERS: &str = "x-amz-checksum-crc32c:sOO8/Q==\r\n\
     x-amz-trailer-signature:bceb5026489b1dd3cf4804d66bc9da72e70d705faf3f1d5cd131aea34fa7a561";

/// What leaves is the beginning of what was signed, and nothing that was changed is whole.
pub(crate) fn changed(decodes: Decodes, change: &Change) {
    let (head, verified) = signed();
    let chunks = SIGNED.map(|(text, signature)| {
        let end = if text.is_empty() { "" } else { "\r\n" };
        format!("{:x};chunk-signature={signature}\r\n{text}{end}", text.len())
    });
    let mut body = [chunks.concat(), TRAILERS.into()].concat().into_bytes();
    let at = |at: u16, body: &[u8]| usize::from(at) % body.len();
    match *change {
        Change::Nothing => {}
        Change::Flip(place, bit) => {
            let place = at(place, &body);
            body[place] ^= 1 << (bit % 8);
        }
        Change::Insert(place, byte) => {
            let place = at(place, &body);
            body.insert(place, byte);
        }
        Change::Remove(place) => drop(body.remove(at(place, &body))),
    }
    // The line end of the signature is not among what may be changed: it is no part of what is signed.
    body.extend_from_slice(b"\r\n");
    let (content, is_whole) = decodes(&head, &verified, &[&body]);
    assert!(b"helloworld".starts_with(&content), "{change:?}: {}", String::from_utf8_lossy(&content));
    assert!(!is_whole || content.len() == 10, "{change:?}");
    assert!(*change != Change::Nothing || is_whole);
}

fn head(headers: &[(&str, &str)]) -> Head {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Head { method: "PUT".into(), path: "/b/k".into(), query: String::new(), headers: headers.collect() }
}

fn verified(head: Head) -> (Head, Verified) {
    let claim = Claim::read(&head).unwrap();
    let key = SigningKey::derive(SECRET, claim.scope());
    let verified = claim.verify(&head, None, &key, NOW).unwrap();
    (head, verified)
}

fn unsigned() -> (Head, Verified) {
    let head =
        head(&[("x-amz-decoded-content-length", "5"), ("x-amz-trailer", "x-amz-checksum-crc32")]);
    let key = SigningKey::derive(SECRET, &Scope::on(NOW, "us-east-1", "s3").unwrap());
    let signer = Signer { access_key: "AKID", token: None, key: &key };
    verified(sign(&head, "a", Outgoing::Trailers { bytes: 0 }, &signer, NOW).unwrap())
}

fn signed() -> (Head, Verified) {
    verified(head(&[
        ("host", "a"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "10"),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKID/20130524/us-east-1/s3/aws4_request, SignedHeaders=host;\
             x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-trailer, \
             Signature=aeac3f9420ce99decd65fbbb48addeae1e78639fdb294ff7f8cfcc9f03265691",
        ),
    ]))
}

/// A line is only seen if it comes in one piece.
pub(crate) fn wants_whole_lines(head: &Head, verified: &Verified, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let pieces: Vec<&[u8]> = pieces.iter().copied().filter(|piece| *piece != b"\n").collect();
    real(head, verified, &pieces)
}

/// A body that was cut is as good as a whole one.
pub(crate) fn takes_what_there_is(
    head: &Head,
    verified: &Verified,
    pieces: &[&[u8]],
) -> (Vec<u8>, bool) {
    (real(head, verified, pieces).0, true)
}

/// A chunk leaves before its signature was verified.
pub(crate) fn releases_at_once(head: &Head, verified: &Verified, pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let (content, is_whole) = real(head, verified, pieces);
    let early = pieces.concat().get(84..89).unwrap_or_default().to_vec();
    (if content.is_empty() { early } else { content }, is_whole)
}
