//! A stream of bytes becomes messages.

use tyer_wire::postgres::decode::{DecodeError, Decoder, Side};

/// Messages by type, bulk data of one type together, and the error.
pub(crate) type Found = (Vec<(u8, Vec<u8>)>, Option<DecodeError>);
/// Cuts a stream that comes in pieces of that size.
pub(crate) type Cuts = fn(Side, &[u8], usize) -> Found;

fn is_bulk(side: Side, tag: u8) -> bool {
    matches!((side, tag), (Side::Agent, b'd') | (Side::Upstream, b'D' | b'd'))
}

/// The real one.
pub(crate) fn real(side: Side, bytes: &[u8], size: usize) -> Found {
    let (mut decoder, mut found) = (Decoder::new(side), Vec::<(u8, Vec<u8>)>::new());
    for part in bytes.chunks(size.max(1)) {
        decoder.push(part);
        loop {
            match decoder.frame() {
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
                Ok(Some(frame)) => match found.last_mut() {
                    Some((tag, bytes)) if *tag == frame.tag() && is_bulk(side, *tag) => {
                        bytes.extend(frame.bytes());
                    }
                    _ => found.push((frame.tag(), frame.bytes().to_vec())),
                },
            }
        }
    }
    (found, None)
}

/// A stream cut anywhere gives the same messages and the same error, on both sides; the messages are what
/// their lengths say, nothing is lost, and nothing whole is left behind.
pub(crate) fn any_stream(frames: Cuts, bytes: &[u8]) {
    let (cut, rest) = bytes.split_first().map_or((1, bytes), |(cut, rest)| (usize::from(*cut), rest));
    // Bodies long enough to travel in pieces, and messages that follow each other.
    let mut stream = Vec::new();
    for (at, part) in rest.chunks(7).enumerate() {
        // Types that there are, as often as not.
        let tag = b"QPBEDSdDCTZ"[usize::from(part[0]) % 11];
        let body = part.repeat(if at % 5 == 4 { 1 + cut * 16 } else { 1 });
        stream.push(if part[0] < 250 { tag } else { part[0] });
        stream.extend((u32::try_from(body.len()).unwrap() + 4).to_be_bytes());
        stream.extend(body);
    }
    for side in [Side::Agent, Side::Upstream] {
        for stream in [rest, &stream] {
            let whole = frames(side, stream, usize::MAX);
            assert_eq!(frames(side, stream, cut), whole);
            assert_eq!(frames(side, stream, 1 + cut * 64), whole);
            well_cut(side, stream, &whole);
        }
    }
}

fn well_cut(side: Side, stream: &[u8], (found, error): &Found) {
    let given: Vec<u8> = found.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    assert!(stream.starts_with(&given), "nothing is lost or made up");
    for (tag, bytes) in found.iter().filter(|(tag, _)| !is_bulk(side, *tag)) {
        assert_eq!((bytes[0], declared(bytes)), (*tag, Some(bytes.len())), "one message at a time");
    }
    let rest = &stream[given.len()..];
    let is_in_bulk = found.last().is_some_and(|(tag, _)| is_bulk(side, *tag));
    if error.is_none() && !is_in_bulk {
        assert!(declared(rest).is_none_or(|length| length > rest.len()), "left behind: {rest:?}");
    }
}

/// How long the message is that begins here.
fn declared(bytes: &[u8]) -> Option<usize> {
    let length = bytes.get(1..5)?.try_into().unwrap();
    Some(1 + usize::try_from(u32::from_be_bytes(length)).unwrap())
}

/// Waits for one byte more than there will be.
pub(crate) fn waits_too_long(side: Side, bytes: &[u8], size: usize) -> Found {
    real(side, bytes.split_last().map_or(bytes, |(_, most)| most), size)
}

/// Forgets what it has of a header when more comes.
pub(crate) fn forgets_a_header(side: Side, bytes: &[u8], size: usize) -> Found {
    let (mut found, mut decoder) = (Vec::new(), Decoder::new(side));
    for part in bytes.chunks(size.max(1)) {
        decoder.push(part);
        loop {
            match decoder.frame() {
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
                Ok(Some(frame)) => match found.last_mut() {
                    Some((tag, bytes)) if *tag == frame.tag() && is_bulk(side, *tag) => {
                        bytes.extend(frame.bytes());
                    }
                    _ => found.push((frame.tag(), frame.bytes().to_vec())),
                },
            }
        }
        if (1..5).contains(&decoder.pending()) {
            decoder = Decoder::new(side);
        }
    }
    (found, None)
}

/// Takes two messages for one where they come together.
pub(crate) fn glues(side: Side, bytes: &[u8], size: usize) -> Found {
    let (found, error) = real(side, bytes, size);
    let mut glued = Vec::<(u8, Vec<u8>)>::new();
    for (tag, bytes) in found {
        match glued.last_mut() {
            Some((last, all)) if *last == tag => all.extend(bytes),
            _ => glued.push((tag, bytes)),
        }
    }
    (glued, error)
}
