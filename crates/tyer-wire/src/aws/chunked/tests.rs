//! The examples of S3's documentation, bodies of every client's form, and bodies that are not right.

use proptest::prelude::*;

use super::*;
use crate::aws::sigv4::{Claim, SigningKey};
use tyer_core::intent::Timestamp;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 24 May 2013, 00:00:00 UTC.
const NOW: Timestamp = Timestamp(1_369_353_600_000);
const SCOPE: &str = "20130524/us-east-1/s3/aws4_request";

/// The head of the documentation's example, with its signature.
fn example(payload: &str, more: &[(&str, &str)], signature: &str) -> Head {
    let mut headers = vec![
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", payload),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
    ];
    headers.extend(more);
    let mut names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{SCOPE},SignedHeaders={},Signature={signature}",
        names.join(";")
    );
    headers.push(("authorization", &authorization));
    Head {
        method: "PUT".into(),
        path: "/examplebucket/chunkObject.txt".into(),
        query: String::new(),
        headers: headers.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
    }
}

fn verified(head: &Head) -> Verified {
    let claim = Claim::read(head).expect("a claim");
    let key = SigningKey::derive(SECRET, claim.scope());
    claim.verify(head, None, &key, NOW).expect("it is signed")
}

/// Chunks of the letter `a` with their signatures, and what follows them.
fn body(chunks: &[(usize, &str)], rest: &str) -> Vec<u8> {
    let mut body = Vec::new();
    for (length, signature) in chunks {
        body.extend_from_slice(format!("{length:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', *length));
        if *length > 0 {
            body.extend_from_slice(b"\r\n");
        }
    }
    body.extend_from_slice(rest.as_bytes());
    body
}

fn signed_head() -> Head {
    example(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        &[("content-length", "66824")],
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    )
}

fn signed_body() -> Vec<u8> {
    let chunks = [
        (65536, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648"),
        (1024, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497"),
        (0, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"),
    ];
    body(&chunks, "\r\n")
}

fn trailed_head() -> Head {
    example(
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        &[("x-amz-trailer", "x-amz-checksum-crc32c")],
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
    )
}

const TRAILER_SIGNATURE: &str = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";

fn trailed_body(rest: &str) -> Vec<u8> {
    let chunks = [
        (65536, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"),
        (1024, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"),
        (0, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"),
    ];
    body(&chunks, rest)
}

fn signed_trailers() -> String {
    format!("x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n\r\n")
}

/// The head of a body without signatures.
fn unsigned_head(length: &str, trailers: &str) -> Head {
    let request = Head {
        method: "PUT".into(),
        path: "/b/k".into(),
        query: String::new(),
        headers: [("host", "a"), ("x-amz-decoded-content-length", length), ("x-amz-trailer", trailers)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
    };
    let scope = crate::aws::sigv4::Scope::on(NOW, "us-east-1", "s3").expect("a day");
    let key = SigningKey::derive(SECRET, &scope);
    let signer = crate::aws::sigv4::Signer { access_key: "AKID", token: None, key: &key };
    let body = crate::aws::sigv4::Outgoing::Trailers { bytes: 0 };
    crate::aws::sigv4::sign(&request, "a", body, &signer, NOW).expect("it can be signed")
}

type Decoded = (Vec<u8>, Vec<(String, String)>);

fn decoded<'a>(head: &Head, pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Decoded, ChunkError> {
    let mut decoder = Decoder::new(&verified(head), head)?;
    let mut content = Vec::new();
    for piece in pieces {
        decoder.push(piece, &mut content)?;
    }
    decoder.finish().map(|trailers| (content, trailers))
}

fn crc32c() -> Vec<(String, String)> {
    vec![("x-amz-checksum-crc32c".into(), "sOO8/Q==".into())]
}

#[test]
fn the_examples_of_the_documentation_are_verified() {
    let content = vec![b'a'; 66560];
    let signed = signed_body();
    assert_eq!(signed.len(), 66824);
    assert_eq!(decoded(&signed_head(), [&signed[..]]), Ok((content.clone(), Vec::new())));
    let trailed = trailed_body(&signed_trailers());
    assert_eq!(decoded(&trailed_head(), [&trailed[..]]), Ok((content, crc32c())));
}

#[test]
fn each_client_ends_its_body_in_its_own_way() {
    let ends = [
        signed_trailers(),
        // Without the last line end.
        format!("x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n"),
        // The trailer's line as it is signed, and an empty line before the signature.
        format!(
            "x-amz-checksum-crc32c:sOO8/Q==\n\r\nx-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n\r\n"
        ),
        format!(
            "X-Amz-Checksum-CRC32C: sOO8/Q== \r\nx-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n\r\n"
        ),
    ];
    for end in ends {
        let trailers =
            decoded(&trailed_head(), [&trailed_body(&end)[..]]).map(|(_, trailers)| trailers);
        assert_eq!(trailers, Ok(crc32c()), "{end}");
    }
    let head = unsigned_head("5", "x-amz-checksum-crc32c");
    for end in ["x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n", "x-amz-checksum-crc32c:sOO8/Q==\n\r\n\r\n"] {
        let body = format!("3\r\nabc\r\n02\r\nde\r\n0\r\n{end}");
        assert_eq!(decoded(&head, [body.as_bytes()]), Ok((b"abcde".to_vec(), crc32c())), "{end}");
    }
}

#[test]
fn nothing_of_a_signed_body_can_be_changed() {
    let content = |body: &[u8]| {
        let head = signed_head();
        let mut decoder = Decoder::new(&verified(&head), &head).expect("a body in chunks");
        let mut content = Vec::new();
        let pushed = decoder.push(body, &mut content);
        (pushed.and_then(|()| decoder.finish().map(|_| ())), content.len())
    };
    let check = |what: &str, change: &dyn Fn(&mut Vec<u8>), expect: ChunkError, released: usize| {
        let mut body = signed_body();
        change(&mut body);
        assert_eq!(content(&body), (Err(expect), released), "{what}");
    };
    let (first, second, last) = (0, 88 + 65536 + 2, 66824 - 86);
    check("a byte of the first chunk", &|it| it[first + 100] = b'b', ChunkError::Signature, 0);
    check("its last byte", &|it| it[88 + 65535] = b'b', ChunkError::Signature, 0);
    check("a byte of the second", &|it| it[second + 100] = b'b', ChunkError::Signature, 65536);
    check("the first signature", &|it| it[first + 30] = b'0', ChunkError::Signature, 0);
    check("the last signature", &|it| it[last + 30] = b'9', ChunkError::Signature, 66560);
    check("a chunk less", &|it| drop(it.drain(second..last)), ChunkError::Length, 65536);
    check("no first chunk", &|it| drop(it.drain(..second)), ChunkError::Signature, 0);
    check("no end", &|it| it.truncate(last), ChunkError::Cut, 66560);
    check("half an end", &|it| it.truncate(last + 84), ChunkError::Cut, 66560);
    check("half a chunk", &|it| it.truncate(1000), ChunkError::Cut, 0);
    check("more after it", &|it| it.extend_from_slice(b"0\r\n"), ChunkError::Malformed, 66560);
    check("no signature", &|it| drop(it.drain(5..86)), ChunkError::Signature, 0);
    check("a smaller chunk", &|it| it[..5].copy_from_slice(b"0ffff"), ChunkError::Signature, 0);
    check("an early end", &|it| it[0] = b'0', ChunkError::Length, 0);
    check("a larger chunk", &|it| it[0] = b'2', ChunkError::Length, 0);
}

#[test]
fn trailers_are_those_that_were_declared_and_signed() {
    let check = |rest: &str, expect: ChunkError| {
        assert_eq!(decoded(&trailed_head(), [&trailed_body(rest)[..]]), Err(expect), "{rest}");
    };
    let signature = format!("x-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n\r\n");
    let trailer = "x-amz-checksum-crc32c:sOO8/Q==\r\n";
    check(&format!("x-amz-checksum-crc32c:sOO8/Q=A\r\n{signature}"), ChunkError::Signature);
    check(&signature, ChunkError::Signature);
    check(&format!("{trailer}{trailer}{signature}"), ChunkError::Trailers);
    check(&format!("{trailer}x-amz-other:a\r\n{signature}"), ChunkError::Trailers);
    check(&format!("{trailer}x-amz-trailer-signature:00\r\n\r\n"), ChunkError::Malformed);
    check(&format!("{trailer}\r\n"), ChunkError::Cut);
    check(trailer, ChunkError::Cut);
    check("", ChunkError::Cut);
    check(&format!("{trailer}nothing\r\n{signature}"), ChunkError::Malformed);
    check(&format!("{trailer}{signature}{trailer}"), ChunkError::Malformed);
    check(&"\r\n".repeat(TRAILERS_BYTES_MAX), ChunkError::Line);
    check(&"a".repeat(CHUNK_LINE_BYTES_MAX + 1), ChunkError::Line);
}

#[test]
fn a_body_without_signatures_is_what_its_head_declares() {
    let check = |length: &str, trailers: &str, body: &str, expect: Result<&str, ChunkError>| {
        let head = unsigned_head(length, trailers);
        let content = decoded(&head, [body.as_bytes()]).map(|(content, _)| content);
        assert_eq!(content, expect.map(|text| text.as_bytes().to_vec()), "{length} {trailers} {body}");
    };
    let name = "x-amz-checksum-crc32";
    let end = "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
    check("3", name, &format!("3\r\nabc\r\n{end}"), Ok("abc"));
    check("0", name, end, Ok(""));
    check("3", "a, B", "3\r\nabc\r\n0\r\nb:1\r\na:\r\n\r\n", Ok("abc"));
    check("2", name, &format!("3\r\nabc\r\n{end}"), Err(ChunkError::Length));
    check("4", name, &format!("3\r\nabc\r\n{end}"), Err(ChunkError::Length));
    check("3", name, "3\r\nabc\r\n0\r\n\r\n", Err(ChunkError::Trailers));
    check("3", name, "3\r\nabc\r\n", Err(ChunkError::Cut));
    check("3", name, "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n", Err(ChunkError::Cut));
    check("3", name, &format!("3\r\nabcd\r\n{end}"), Err(ChunkError::Malformed));
    check("3", name, &format!("3\nabc\r\n{end}"), Err(ChunkError::Malformed));
    check("3", name, &format!("3\r\nabc\n{end}"), Err(ChunkError::Malformed));
    check("3", name, &format!("+3\r\nabc\r\n{end}"), Err(ChunkError::Malformed));
    check("3", name, &format!("3;a=b\r\nabc\r\n{end}"), Err(ChunkError::Malformed));
    check("3", name, &format!("\r\nabc\r\n{end}"), Err(ChunkError::Malformed));
    check("3", name, &format!("00000000000000003\r\nabc\r\n{end}"), Err(ChunkError::Malformed));
    check("3", name, "ffffffffffffffff\r\n", Err(ChunkError::Length));
    check("3", name, &format!("3\r\nabc\r\n0\r\n{name}:a\0b\r\n\r\n"), Err(ChunkError::Malformed));
    for length in ["", "-1", "+3", "3.0", "99999999999999999999"] {
        check(length, name, end, Err(ChunkError::NoLength));
    }
    for trailers in ["", ",", "a,a", "a b", "a:b", &["a"; 99].join(",")] {
        check("0", trailers, end, Err(ChunkError::NoTrailers));
    }
}

#[test]
fn a_chunk_that_would_be_held_for_long_is_refused() {
    let head = signed_head();
    let signature = "0".repeat(64);
    for (length, expect) in [(CHUNK_BYTES_MAX + 1, ChunkError::TooLong), (66561, ChunkError::Length)] {
        let mut decoder = Decoder::new(&verified(&head), &head).expect("a body in chunks");
        decoder.left = if expect == ChunkError::TooLong { u64::MAX } else { decoder.left };
        let line = format!("{length:x};chunk-signature={signature}\r\n");
        assert_eq!(decoder.push(line.as_bytes(), &mut Vec::new()), Err(expect));
        // And whatever comes after it.
        assert_eq!(decoder.push(&signed_body(), &mut Vec::new()), Err(expect));
        assert_eq!(decoder.finish(), Err(expect));
    }
}

#[test]
fn a_body_that_is_not_in_chunks_has_no_decoder() {
    let mut head = unsigned_head("0", "a");
    head.headers.retain(|(name, _)| name != "x-amz-trailer" && name != "x-amz-decoded-content-length");
    let scope = crate::aws::sigv4::Scope::on(NOW, "us-east-1", "s3").expect("a day");
    let key = SigningKey::derive(SECRET, &scope);
    let signer = crate::aws::sigv4::Signer { access_key: "AKID", token: None, key: &key };
    let body = crate::aws::sigv4::Outgoing::Unsigned;
    let head = crate::aws::sigv4::sign(&head, "a", body, &signer, NOW).expect("it can be signed");
    assert_eq!(Decoder::new(&verified(&head), &head).map(|_| ()), Err(ChunkError::NotChunked));
}

/// What the encoder writes of these pieces.
fn encoded(pieces: &[Vec<u8>], trailers: &[(String, String)]) -> Vec<u8> {
    let length: usize = pieces.iter().map(Vec::len).sum();
    let mut encoder = Encoder::new(length as u64);
    let mut out = Vec::new();
    for piece in pieces {
        encoder.push(piece, &mut out).expect("it is as long as was said");
    }
    encoder.finish(trailers, &mut out).expect("they can be written");
    out
}

#[test]
fn an_encoder_writes_what_it_said_it_would() {
    let crc32 = [("x-amz-checksum-crc32".to_owned(), "AAAAAA==".to_owned())];
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    assert_eq!(
        text(encoded(&[b"abc".to_vec(), b"de".to_vec()], &crc32)),
        "5\r\nabcde\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"
    );
    assert_eq!(text(encoded(&[], &crc32)), "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n");
    let mut encoder = Encoder::new(2);
    assert_eq!(encoder.push(b"abc", &mut Vec::new()), Err(ChunkError::Length));
    assert_eq!(Encoder::new(2).finish(&crc32, &mut Vec::new()), Err(ChunkError::Length));
    for (name, value) in [("a", "b\r\nc"), ("a:b", "c"), ("x-amz-checksum-crc32", "AAAA")] {
        let trailers = [(name.to_owned(), value.to_owned())];
        assert_eq!(Encoder::new(0).finish(&trailers, &mut Vec::new()), Err(ChunkError::Trailers));
    }
    assert_eq!(Encoder::bytes(5, ["x-amz-meta-a"]), None);
}

/// A body cut at these places.
fn cut<'b>(body: &'b [u8], places: &[prop::sample::Index]) -> Vec<&'b [u8]> {
    let mut ends: Vec<usize> = places.iter().map(|place| place.index(body.len() + 1)).collect();
    ends.extend([0, body.len()]);
    ends.sort_unstable();
    ends.windows(2).map(|ends| &body[ends[0]..ends[1]]).collect()
}

proptest! {
    #[test]
    fn pieces_make_no_difference(places: Vec<prop::sample::Index>) {
        let whole = trailed_body(&signed_trailers());
        prop_assert_eq!(decoded(&trailed_head(), cut(&whole, &places)), Ok((vec![b'a'; 66560], crc32c())));
    }

    #[test]
    fn what_is_encoded_is_decoded(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
        places: Vec<prop::sample::Index>,
    ) {
        let trailers = [("x-amz-checksum-sha256".to_owned(), "A".repeat(44))];
        let content = pieces.concat();
        let body = encoded(&pieces, &trailers);
        let names = trailers.iter().map(|(name, _)| name.as_str());
        prop_assert_eq!(Encoder::bytes(content.len() as u64, names), Some(body.len() as u64));
        let head = unsigned_head(&content.len().to_string(), "x-amz-checksum-sha256");
        prop_assert_eq!(decoded(&head, cut(&body, &places)), Ok((content, trailers.to_vec())));
    }

    /// Whatever comes, what was released is no more than what was declared, and the same in any pieces.
    #[test]
    fn any_bytes_are_taken_the_same_in_any_pieces(
        text in "([0-5]\r\n|a|\r\n|x-amz-checksum-crc32:A\r\n|;|:){0,12}", places: Vec<prop::sample::Index>,
    ) {
        let head = unsigned_head("5", "x-amz-checksum-crc32");
        let whole = decoded(&head, [text.as_bytes()]);
        prop_assert_eq!(&decoded(&head, cut(text.as_bytes(), &places)), &whole);
        if let Ok((content, _)) = whole {
            prop_assert_eq!(content.len(), 5);
        }
    }
}
