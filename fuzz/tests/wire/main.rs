//! Fuzz targets over everything that hostile bytes reach before anybody decided on them.
//!
//! Each target runs for `FUZZ_SECONDS` (one, unless said otherwise) on inputs that bolero makes; those in
//! `__fuzz__/<target>/corpus` come first. `./dev fuzz` runs them for longer.

#![expect(clippy::indexing_slicing, reason = "indices are taken modulo the length")]

use std::time::Duration;

use bolero::check;
use tyer_wire::postgres::decode::{self, Bind, Complaint, DecodeError, Decoder, Parse, Side};
use tyer_wire::postgres::identity::Scope;
use tyer_wire::postgres::refuse::Answer;
use tyer_wire::postgres::scram::{Challenge, ITERATIONS, Verifier};
use tyer_wire::postgres::session::{Session, Step};
use tyer_wire::postgres::understand::understand;
use tyer_wire::postgres::welcome::Welcome;
use tyer_wire::postgres::{encode, startup};

/// Inputs are made until the time is over; this many would take far longer.
const NO_LIMIT: usize = usize::MAX;

fn time() -> Duration {
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// The first packet of a connection never takes more bytes than there are, and more bytes never change
/// what the first ones were.
#[test]
fn startup() {
    check!().with_iterations(NO_LIMIT).with_test_time(time()).for_each(|bytes: &[u8]| {
        // Few inputs have a length that fits by chance.
        let length = u32::try_from(bytes.len() + 8).unwrap().to_be_bytes();
        let framed = [&length[..], &[0, 3, 0, 0], bytes].concat();
        for input in [bytes, &framed] {
            let whole = startup::first(input);
            if let Ok(Some((_, taken))) = &whole {
                assert!(*taken <= input.len());
                assert_eq!(startup::first(&[input, b"more"].concat()), whole);
            }
        }
    });
}

fn is_bulk(side: Side, tag: u8) -> bool {
    matches!((side, tag), (Side::Agent, b'd') | (Side::Upstream, b'D' | b'd'))
}

/// What a stream is cut into: messages by type, bulk data of one type together, and the error.
fn frames(side: Side, bytes: &[u8], cut: usize) -> (Vec<(u8, Vec<u8>)>, Option<DecodeError>) {
    let (mut decoder, mut found) = (Decoder::new(side), Vec::<(u8, Vec<u8>)>::new());
    for part in bytes.chunks(cut.max(1)) {
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

/// A stream cut anywhere gives the same messages and the same error, on both sides.
#[test]
fn framing() {
    check!().with_iterations(NO_LIMIT).with_test_time(time()).for_each(|bytes: &[u8]| {
        let (cut, rest) =
            bytes.split_first().map_or((1, bytes), |(cut, rest)| (usize::from(*cut), rest));
        // Bodies long enough to travel in pieces, and messages that follow each other.
        let mut stream = Vec::new();
        for (at, part) in rest.chunks(7).enumerate() {
            let tag = part[0];
            let body = part.repeat(if at % 5 == 4 { 1 + cut * 16 } else { 1 });
            stream.push(tag);
            stream.extend((u32::try_from(body.len()).unwrap() + 4).to_be_bytes());
            stream.extend(body);
        }
        for side in [Side::Agent, Side::Upstream] {
            for stream in [rest, &stream] {
                let whole = frames(side, stream, usize::MAX);
                assert_eq!(frames(side, stream, cut), whole);
                assert_eq!(frames(side, stream, 1 + cut * 64), whole);
            }
        }
    });
}

/// Fields are read off any body without a panic, and what is read lies in the body.
#[test]
fn fields() {
    check!().with_iterations(NO_LIMIT).with_test_time(time()).for_each(|body: &[u8]| {
        if let Ok(sql) = decode::query(body) {
            assert_eq!(sql.len() + 1, body.len());
        }
        if let Ok(parse) = Parse::decode(body) {
            assert_eq!(parse.name.len() + parse.sql.len() + 4 + 4 * parse.types.len(), body.len());
        }
        if let Ok(bind) = Bind::decode(body) {
            assert!(bind.formats.len() <= 1 || bind.formats.len() == bind.values.len());
        }
        drop((decode::target(body), decode::execute(body), decode::command_tag(body)));
        drop((decode::parameter_status(body), decode::ready_status(body)));
        drop((Complaint::decode(body), decode::sasl_initial(body)));
        for tag in *b"vRKSNEZ" {
            let mut decoder = Decoder::new(Side::Upstream);
            decoder.push(&encode::message(tag, |out| out.extend_from_slice(body)));
            if let Ok(Some(frame)) = decoder.frame() {
                drop(Welcome::decode(&frame));
            }
        }
    });
}

/// Nothing that a client says proves a password it does not know.
#[test]
fn scram() {
    let verifier = Verifier::from_password("pencil", b"0123456789abcdef", ITERATIONS);
    check!().with_iterations(NO_LIMIT).with_test_time(time()).for_each(move |bytes: &[u8]| {
        let at = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        let (first, last) = bytes.split_at(at);
        drop(Challenge::answer(first, verifier.clone(), true, "nonce"));
        let start = || Challenge::answer(b"n,,n=,r=mine", verifier.clone(), true, "nonce").unwrap().0;
        assert!(start().finish(last).is_err());
        let shaped = [b"c=biws,r=minenonce,p=", last].concat();
        assert!(start().finish(&shaped).is_err());
    });
}

/// Pieces of SQL that texts are put together from, besides arbitrary bytes.
const WORDS: [&str; 32] = [
    "select",
    "1",
    "delete from",
    "orders",
    ";",
    "(",
    ")",
    "'",
    "$$",
    "--",
    "/*",
    "*/",
    "with x as",
    "begin",
    "commit",
    "set",
    "client_encoding",
    "=",
    "to",
    "execute",
    "prepare a as",
    "explain analyze",
    "copy",
    "from",
    "program",
    "do",
    "E'\\",
    "U&\"",
    "drop table",
    ",",
    "\n",
    "$1",
];

/// Any text is understood, the same each time; one that the grammar refuses is opaque.
#[test]
fn understanding() {
    check!().with_iterations(NO_LIMIT).with_test_time(time()).for_each(|bytes: &[u8]| {
        let words = bytes.iter().map(|byte| WORDS[usize::from(*byte) % WORDS.len()]);
        let texts = [String::from_utf8_lossy(bytes).into_owned(), words.collect::<Vec<_>>().join(" ")];
        for text in texts {
            let understood = understand(&text);
            assert_eq!(understand(&text), understood);
            if understood.syntax_error.is_some() {
                assert!(understood.acts.worst().is_dangerous(), "{text}");
                assert!(!understood.transactional && !understood.explainable, "{text}");
            }
        }
    });
}

const NAMES: [&str; 3] = ["", "a", "b"];
const TEXTS: [&str; 6] =
    ["select 1", "delete from orders", "deallocate a", "prepare a as select 1", "begin", "selec x"];
const ANSWERS: &[u8; 16] = b"123nTtCIsGHdDcEZ";

/// A message of the agent or the upstream, of the shape that its type has.
fn message(from: u8, what: u8) -> (Side, Vec<u8>) {
    let name = NAMES[usize::from(what) % NAMES.len()].as_bytes();
    let text = TEXTS[usize::from(what) % TEXTS.len()].as_bytes();
    let named = |tag, rest: &[&[u8]]| encode::message(tag, |out| out.extend(rest.concat()));
    let kind: &[u8] = if what > 127 { b"S" } else { b"P" };
    let bytes = match from % 12 {
        0 => encode::query(text),
        1 | 2 => encode::parse(name, text, &[]),
        3 | 4 => named(b'B', &[name, b"\0", name, b"\0\0\0\0\0\0\0"]),
        5 => named(b'E', &[name, b"\0\0\0\0\x01"]),
        6 => named(if from > 127 { b'D' } else { b'C' }, &[kind, name, b"\0"]),
        7 => encode::sync(),
        8 => named([b'd', b'c', b'f'][usize::from(what) % 3], &[b"x"]),
        9 => named(b'H', &[]),
        10 => named(b'F', &[name]),
        _ => {
            let tag = ANSWERS[usize::from(what) % ANSWERS.len()];
            let body: &[u8] = match tag {
                b'Z' => [b"I", b"T", b"E"][usize::from(from) % 3],
                b'C' => b"SELECT 1\0",
                b'E' => b"SERROR\0VERROR\0CXX000\0Mfailed\0\0",
                _ => b"",
            };
            return (Side::Upstream, named(tag, &[body]));
        }
    };
    (Side::Agent, bytes)
}

/// Where every question is answered by no, nothing that runs reaches the upstream: whatever comes in
/// whatever order from both sides.
#[test]
fn statements() {
    check!().with_iterations(NO_LIMIT).with_test_time(time()).for_each(|bytes: &[u8]| {
        let mut session = Session::new(Scope::default());
        session.setting("client_encoding", "UTF8");
        session.setting("standard_conforming_strings", "on");
        for pair in bytes.chunks_exact(2) {
            let (side, message) = message(pair[0], pair[1]);
            let mut decoder = Decoder::new(side);
            decoder.push(&message);
            let Ok(Some(frame)) = decoder.frame() else { continue };
            if side == Side::Upstream {
                drop(session.upstream(&frame));
                continue;
            }
            match session.agent(&frame) {
                Ok(Step::Send(chore)) => runs_nothing(chore.bytes()),
                Ok(Step::Ask(_)) => {
                    let chore = session.refused(Answer::new("42501", "no")).unwrap();
                    runs_nothing(chore.bytes());
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    });
}

fn runs_nothing(bytes: &[u8]) {
    let mut decoder = Decoder::new(Side::Agent);
    decoder.push(bytes);
    while let Ok(Some(frame)) = decoder.frame() {
        match frame.tag() {
            b'Q' => assert_eq!(decode::query(frame.body()), Ok(&b"SELECT \"tyer_refused\""[..])),
            tag => assert!(!matches!(tag, b'E' | b'F' | b'd'), "{tag} left unasked"),
        }
    }
    assert_eq!(decoder.pending(), 0);
}
