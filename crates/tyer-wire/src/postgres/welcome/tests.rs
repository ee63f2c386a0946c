//! The messages one by one, garbage, and what real servers of every version said.

use proptest::prelude::*;
use tyer_core::verdict::LeafIndex;

use super::*;
use crate::postgres::decode::{Decoder, Side};
use crate::postgres::encode;
use crate::postgres::identity::Scope;
use crate::postgres::session::{Pass, Session, Step};

fn decoded(bytes: &[u8]) -> Result<Welcome, DecodeError> {
    let mut decoder = Decoder::new(Side::Upstream);
    decoder.push(bytes);
    Welcome::decode(&decoder.frame()?.expect("a whole message"))
}

#[test]
fn every_message() {
    let check = |bytes: &[u8], expect: Welcome| assert_eq!(decoded(bytes), Ok(expect), "{bytes:?}");
    let asked = |kind: u8, rest: &[u8]| {
        encode::message(b'R', |out| out.extend([&[0, 0, 0, kind], rest].concat()))
    };
    check(&encode::negotiate(0, &[]), Welcome::Negotiate(0));
    check(&encode::negotiate(2, &["_pq_.x".to_owned()]), Welcome::Negotiate(2));
    let authentications = [
        (encode::authentication_ok(), Authentication::Done),
        (asked(3, b""), Authentication::Password),
        (asked(5, b"salt"), Authentication::Md5(*b"salt")),
        (encode::authentication_sasl(&["a", "b"]), Authentication::Sasl(vec!["a".into(), "b".into()])),
        (encode::authentication_continue(b"r=1"), Authentication::SaslContinue(b"r=1".to_vec())),
        (encode::authentication_final(b"v=1"), Authentication::SaslFinal(b"v=1".to_vec())),
        (asked(7, b""), Authentication::Other(7)),
        (asked(8, b"more"), Authentication::Other(8)),
    ];
    for (bytes, expect) in authentications {
        check(&bytes, Welcome::Authentication(expect));
    }
    check(&encode::parameter_status("a", "b"), Welcome::Parameter("a".into(), "b".into()));
    check(&encode::complaint(b'N', &[(b'M', "well")]), Welcome::Notice);
    check(&encode::ready(), Welcome::Ready);
    let complaint = Complaint { severity: "FATAL".into(), code: "28P01".into(), message: "no".into() };
    let fields = [(b'S', "FATAL"), (b'C', "28P01"), (b'M', "no")];
    check(&encode::complaint(b'E', &fields), Welcome::Refused(complaint));
}

#[test]
fn keys_have_any_length_that_the_protocol_allows() {
    let check = |length: usize, is_taken: bool| {
        let secret = vec![1; length];
        let expect = if is_taken {
            Ok(Welcome::Key { process: 7, secret: secret.clone() })
        } else {
            Err(DecodeError::Malformed("BackendKeyData"))
        };
        assert_eq!(decoded(&encode::backend_key(7, &secret)), expect, "{length}");
    };
    check(3, false);
    check(4, true);
    check(32, true);
    check(256, true);
    check(257, false);
}

#[test]
fn what_is_out_of_place_is_an_error() {
    let check = |bytes: &[u8]| assert!(decoded(bytes).is_err(), "{bytes:?}");
    check(b"v\0\0\0\x0c\0\x02\0\0\0\0\0\0");
    check(b"v\0\0\0\x0c\0\x03\0\0\0\0\0\x01");
    check(b"R\0\0\0\x09\0\0\0\0x");
    check(b"R\0\0\0\x0a\0\0\0\x0aab");
    check(b"D\0\0\0\x06\0\0");
    check(b"1\0\0\0\x04");
}

proptest! {
    #[test]
    fn garbage_never_panics(tag in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..40)) {
        let bytes = encode::message(tag, |out| out.extend(&body));
        let mut decoder = Decoder::new(Side::Upstream);
        decoder.push(&bytes);
        if let Ok(Some(frame)) = decoder.frame() {
            drop(Welcome::decode(&frame));
        }
    }
}

/// The messages of a transcript of a real server: whether the server says it, and its bytes.
fn recorded(version: u32) -> Vec<(bool, Vec<u8>)> {
    let path = format!("{}/testdata/postgres/servers/{version}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("a transcript");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let message = |line: &str| {
        let (head, mut body) = line.as_bytes().split_at_checked(4).unwrap_or((line.as_bytes(), b""));
        let bytes = encode::message(head[2], |out| {
            while let Some(first) = body.first() {
                let digits = || std::str::from_utf8(&body[2..4]).expect("two digits");
                let (byte, length) = match first {
                    b'|' => (0, 1),
                    b'\\' => (u8::from_str_radix(digits(), 16).expect("two digits"), 4),
                    plain => (*plain, 1),
                };
                out.push(byte);
                body = &body[length..];
            }
        });
        (head.starts_with(b"<"), bytes)
    };
    lines.map(message).collect()
}

/// Plays the conversation after the start-up; what was asked about is cleared. Tells the outcomes.
fn replayed(mut session: Session, messages: &[(bool, Vec<u8>)]) -> Vec<String> {
    let (mut outcomes, mut later, mut leaf) = (Vec::new(), std::collections::VecDeque::new(), 0);
    for (is_servers, bytes) in messages {
        if *is_servers {
            let mut decoder = Decoder::new(Side::Upstream);
            decoder.push(bytes);
            let relay =
                session.upstream(&decoder.frame().expect("sound").expect("whole")).expect("known");
            assert_eq!(relay.pass, Pass::Same, "{}", String::from_utf8_lossy(bytes));
            outcomes
                .extend(relay.settled.iter().map(|(leaf, outcome)| format!("{} {outcome:?}", leaf.0)));
        } else {
            later.push_back(bytes);
        }
        while let Some(bytes) = later.front() {
            let mut decoder = Decoder::new(Side::Agent);
            decoder.push(bytes);
            match session.agent(&decoder.frame().expect("sound").expect("whole")).expect("known") {
                Step::Later | Step::First(_) => break,
                Step::Ask(question) => {
                    leaf += 1;
                    drop(session.cleared(question.digest, LeafIndex(leaf)).expect("it was asked"));
                }
                Step::Nothing | Step::Send(_) => {}
                Step::Finish(_) => panic!("no goodbye was recorded"),
            }
            later.pop_front();
        }
    }
    assert!(session.is_at_rest() && later.is_empty());
    outcomes
}

#[test]
fn every_version_is_understood() {
    let check = |version: u32, negotiated: &[u16], key_bytes: usize| {
        let messages = recorded(version);
        let is_ready = |(_, bytes): &(bool, Vec<u8>)| bytes.first() == Some(&b'Z');
        let ready = messages.iter().position(is_ready).expect("it becomes ready");
        let (start, rest) = messages.split_at(ready + 1);
        let said: Vec<_> = start.iter().map(|(_, bytes)| decoded(bytes).expect("known")).collect();
        let minors = said.iter().filter_map(|said| match said {
            Welcome::Negotiate(minor) => Some(*minor),
            _ => None,
        });
        assert_eq!(minors.collect::<Vec<_>>(), negotiated, "{version}");
        let keys = said.iter().filter_map(|said| match said {
            Welcome::Key { secret, .. } => Some(secret.len()),
            _ => None,
        });
        assert_eq!(keys.collect::<Vec<_>>(), [key_bytes], "{version}");
        let sasl = Authentication::Sasl(vec!["SCRAM-SHA-256".to_owned()]);
        assert!(said.contains(&Welcome::Authentication(sasl)), "{version}");
        assert!(said.contains(&Welcome::Authentication(Authentication::Done)), "{version}");
        let scope = Scope { database: "orders".into(), role: "tyer".into(), ..Scope::default() };
        let mut session = Session::new(scope);
        for said in &said {
            if let Welcome::Parameter(name, value) = said {
                session.setting(name, value);
            }
        }
        replayed(session, rest).join("\n")
    };
    let outcomes = check(13, &[0], 4);
    for (version, negotiated, key_bytes) in
        [(14, &[0][..], 4), (16, &[0], 4), (17, &[0], 4), (18, &[], 32)]
    {
        assert_eq!(check(version, negotiated, key_bytes), outcomes, "{version}");
    }
    let expect = expect_test::expect![[r#"
        1 Done { tag: "SELECT 1", rows: Some(1), did: [], undone: None }
        2 Failed { code: "22012" }
        3 Done { tag: "", rows: None, did: [], undone: None }
        4 Done { tag: "SELECT 1", rows: Some(1), did: [], undone: None }
        5 Failed { code: "22P02" }
        6 Failed { code: "22P02" }
        7 Done { tag: "SELECT 1", rows: Some(1), did: [], undone: None }
        8 Done { tag: "PortalSuspended", rows: Some(2), did: [], undone: None }
        9 Done { tag: "SELECT 1", rows: Some(1), did: [], undone: None }
        10 Done { tag: "CREATE TABLE", rows: None, did: [], undone: None }
        11 Done { tag: "COPY 3", rows: Some(3), did: [], undone: None }
        12 Failed { code: "57014" }
        13 Done { tag: "COPY 3", rows: Some(3), did: [], undone: None }
        14 Done { tag: "BEGIN", rows: None, did: [], undone: None }
        15 Failed { code: "23505" }
        16 Failed { code: "25P02" }
        17 Done { tag: "ROLLBACK", rows: None, did: [], undone: None }
        18 Done { tag: "DROP TABLE", rows: None, did: [], undone: None }
        19 Done { tag: "SET", rows: None, did: [], undone: None }
        20 Done { tag: "LISTEN", rows: None, did: [], undone: None }
        21 Done { tag: "NOTIFY", rows: None, did: [], undone: None }"#]];
    expect.assert_eq(&outcomes);
}
