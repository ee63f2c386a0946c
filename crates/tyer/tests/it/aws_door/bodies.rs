//! Bodies of every form that SDKs send: whole, in chunks with signatures and trailers, and streams.

use serde_json::Value;
use tyer_core::intent::Digest;

use super::client::{Call, send};
use super::real::{ACCESS_KEY, Seen, now};
use super::{Desk, open};

/// More than is read whole.
const LONG: usize = 3 * 1024 * 1024;

fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from(at % 251).expect("a byte")).collect()
}

fn header<'a>(seen: &'a Seen, name: &str) -> Option<&'a str> {
    seen.head.header(name)
}

/// The same request with its body in chunks without signatures, and a trailer behind it.
fn chunked(call: &Call) -> (Vec<u8>, Call) {
    let length = call.body.len();
    let mut body = Vec::new();
    for piece in call.body.chunks(64 * 1024) {
        body.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        body.extend_from_slice(piece);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    let mut call = call.clone();
    let pairs = [
        ("content-encoding", "aws-chunked".to_owned()),
        ("x-amz-decoded-content-length", length.to_string()),
        ("x-amz-trailer", "x-amz-checksum-crc32".to_owned()),
    ];
    call.headers.extend(pairs.map(|(name, value)| (name.to_owned(), value)));
    (body, call)
}

#[tokio::test]
async fn bodies_of_every_form_arrive_as_they_are() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    for length in [0, 10, LONG] {
        let call = Call::s3("PUT", "/orders/key%20one", content(length));
        let answer = call.send(&login).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let unsigned = call.signed_as(&login, now(), "UNSIGNED-PAYLOAD");
        let answer = send(&login, &unsigned, call.body.clone()).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        let (body, in_chunks) = chunked(&call);
        let head = in_chunks.signed_as(&login, now(), "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
        let answer = send(&login, &head, body).await.expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let seen = desk.service.seen();
    assert_eq!(seen.len(), 9);
    for (at, seen) in seen.iter().enumerate() {
        assert_eq!(seen.signer.as_deref(), Some(ACCESS_KEY), "{at}");
        assert_eq!(seen.head.path, "/orders/key%20one");
        let length = [0, 10, LONG][at / 3];
        let is_in_chunks = header(seen, "x-amz-trailer").is_some();
        assert_eq!(is_in_chunks, at == 8, "only what streams keeps its chunks");
        if is_in_chunks {
            let start = format!("{LONG:x}\r\n");
            assert!(seen.body.starts_with(start.as_bytes()));
            assert!(seen.body.ends_with(b"\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"));
            assert_eq!(&seen.body[start.len()..start.len() + LONG], content(LONG));
        } else {
            assert_eq!(seen.body.len(), length, "{at}");
            assert!(seen.body == content(length), "{at}");
            assert_eq!(header(seen, "content-encoding"), None);
            let checksum = header(seen, "x-amz-checksum-crc32");
            assert_eq!(checksum, (at % 3 == 2).then_some("AAAAAA=="), "a trailer becomes a header");
        }
    }
    let outcomes = desk.outcomes(9).await;
    let digest = Digest::of(&content(LONG)).to_string();
    let tells = |outcome: &&Value| outcome["tag"].as_str().is_some_and(|tag| tag.contains(&digest));
    assert_eq!(outcomes.iter().filter(tells).count(), 3, "{outcomes:?}");
    desk.verify();
}

#[tokio::test]
async fn a_stream_that_is_not_what_was_declared_never_arrives_whole() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let call = Call::s3("PUT", "/orders/key", content(LONG));
    let head = call.signed(&login, now());
    let mut other = call.body.clone();
    other[LONG - 1] ^= 1;
    let answer = send(&login, &head, other).await.expect("an answer");
    assert!(answer.body.contains("OutcomeUnknown"), "{}", answer.body);
    assert_eq!(desk.service.seen().len(), 0);
    let outcomes = desk.outcomes(1).await;
    assert_eq!(outcomes[0]["is"], "unknown", "{outcomes:?}");
    desk.verify();
}

#[tokio::test]
async fn what_is_too_long_to_be_read_whole_is_refused() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let long = format!(r#"{{"TableName":"{}"}}"#, "t".repeat(17 * 1024 * 1024));
    let answer = Call::json("dynamodb", "DynamoDB_20120810.GetItem", &long).send(&login).await;
    assert_eq!(answer.status, 413, "{}", answer.body);
    assert_eq!(desk.service.seen().len(), 0);
}
