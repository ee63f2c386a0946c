//! Golden transcripts and properties of the relay.
//!
//! A transcript's unindented lines are input: `> Type fields` from the agent, `< Type fields` from the
//! upstream, `clear` and `refuse` as answers to the open question, `done` for an exchange of Tyer's own, `lost`.
//! What follows each is
//! indented: what goes to the upstream (chores, or a run with its leaf), what the agent gets, what is
//! asked and what is settled. Fields are parted by `|`.

mod cuts;
mod ground;
mod proof;

use tyer_core::ceilings::{Ceiling, Ceilings};
use tyer_core::intent::{Effect, HoldId};
use tyer_core::names::{Meaning, Named};
use tyer_core::verdict::{Outcome, Reason, Refusal};

use super::pipeline::not_utf8;
use super::*;
use crate::postgres::decode::{Bind, Decoder, Parse, Side};

/// A session in the middle of nothing, as after authentication.
pub(super) fn session() -> Session {
    let scope = Scope { database: "shop".into(), role: "app".into(), ..Scope::default() };
    let mut session = Session::new(scope);
    session.setting("client_encoding", "UTF8");
    session.setting("standard_conforming_strings", "on");
    session
}

/// The same before a server that reports its default.
pub(super) fn enforcing() -> Session {
    let mut session = session().enforcing();
    session.setting("default_transaction_read_only", "off");
    session
}

/// Shows frames as `Type fields`.
fn shown(side: Side, bytes: &[u8]) -> String {
    let mut decoder = Decoder::new(side);
    decoder.push(bytes);
    let mut out = Vec::new();
    while let Ok(Some(frame)) = decoder.frame() {
        let name = TYPES.iter().find(|(of, tag, _)| (*of, *tag) == (side, frame.tag())).unwrap().2;
        let body: String = frame
            .body()
            .iter()
            .map(|byte| match byte {
                0 => "|".to_owned(),
                b' '..=b'~' => char::from(*byte).to_string(),
                other => format!("\\x{other:02x}"),
            })
            .collect();
        out.push(format!("{name} {body}").trim_end().to_owned());
    }
    assert_eq!(decoder.pending(), 0);
    shortened(&out).join(" + ")
}

/// What Tyer sends of its own in between goes by a name of its own; only its texts are shown.
fn shortened(messages: &[String]) -> Vec<String> {
    let is_own = |message: &&String| message.contains("\\x01tyer");
    let short = |message: &String| match message.strip_prefix("Parse \\x01tyer|") {
        Some(sql) if sql.contains("to_regclass") => "own MEANINGS".to_owned(),
        Some(sql) => format!("own {}", sql.split(" FROM ").next().unwrap().trim_end_matches('|')),
        None => message.clone(),
    };
    let shown = messages.iter().filter(|message| !is_own(message) || message.starts_with("Parse"));
    shown.map(short).collect()
}

const TYPES: [(Side, u8, &str); 41] = [
    (Side::Agent, b'Q', "Query"),
    (Side::Agent, b'P', "Parse"),
    (Side::Agent, b'B', "Bind"),
    (Side::Agent, b'D', "Describe"),
    (Side::Agent, b'E', "Execute"),
    (Side::Agent, b'C', "Close"),
    (Side::Agent, b'H', "Flush"),
    (Side::Agent, b'S', "Sync"),
    (Side::Agent, b'X', "Terminate"),
    (Side::Agent, b'F', "FunctionCall"),
    (Side::Agent, b'd', "CopyData"),
    (Side::Agent, b'c', "CopyDone"),
    (Side::Agent, b'f', "CopyFail"),
    (Side::Agent, b'p', "Password"),
    (Side::Upstream, b'1', "ParseComplete"),
    (Side::Upstream, b'2', "BindComplete"),
    (Side::Upstream, b'3', "CloseComplete"),
    (Side::Upstream, b'T', "RowDescription"),
    (Side::Upstream, b't', "ParameterDescription"),
    (Side::Upstream, b'n', "NoData"),
    (Side::Upstream, b'D', "DataRow"),
    (Side::Upstream, b'C', "CommandComplete"),
    (Side::Upstream, b'I', "EmptyQueryResponse"),
    (Side::Upstream, b's', "PortalSuspended"),
    (Side::Upstream, b'G', "CopyInResponse"),
    (Side::Upstream, b'H', "CopyOutResponse"),
    (Side::Upstream, b'W', "CopyBothResponse"),
    (Side::Upstream, b'd', "CopyData"),
    (Side::Upstream, b'c', "CopyDone"),
    (Side::Upstream, b'E', "Error"),
    (Side::Upstream, b'N', "Notice"),
    (Side::Upstream, b'A', "Notification"),
    (Side::Upstream, b'S', "ParameterStatus"),
    (Side::Upstream, b'R', "Authentication"),
    (Side::Upstream, b'K', "BackendKeyData"),
    (Side::Upstream, b'V', "FunctionCallResponse"),
    (Side::Upstream, b'v', "NegotiateProtocolVersion"),
    (Side::Upstream, b'Z', "Ready"),
    (Side::Agent, b'!', "Unknown"),
    (Side::Upstream, b'!', "Unknown"),
    // A `DataRow` whose fields are as the protocol has them; `-` is NULL.
    (Side::Upstream, b'D', "Row"),
];

/// One message from its line in a transcript.
fn message(side: Side, line: &str) -> Vec<u8> {
    let (name, rest) = line.split_once(' ').unwrap_or((line, ""));
    let tag = TYPES.iter().find(|(of, _, known)| *of == side && *known == name).unwrap().1;
    let fields: Vec<&str> = rest.split('|').collect();
    let texts = |out: &mut Vec<u8>, fields: &[&str]| {
        for field in fields {
            out.extend(field.as_bytes());
            out.push(0);
        }
    };
    encode::message(tag, |out| match (side, tag) {
        (Side::Agent, b'P') => {
            texts(out, &fields[..2]);
            out.extend([0, 0]);
        }
        (Side::Agent, b'B') => {
            texts(out, &fields[..2]);
            let values = &fields[2..];
            out.extend([0, 0, 0, u8::try_from(values.len()).unwrap()]);
            for value in values {
                out.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
                out.extend(value.as_bytes());
            }
            out.extend([0, 0]);
        }
        (Side::Agent, b'E') => {
            texts(out, &fields[..1]);
            out.extend(fields.get(1).map_or(0, |rows| rows.parse::<u32>().unwrap()).to_be_bytes());
        }
        (Side::Agent, b'Q' | b'D' | b'C' | b'f') => texts(out, &[rest]),
        (Side::Upstream, b'C') => texts(out, &[rest]),
        (Side::Upstream, b'D') if name == "Row" => {
            out.extend(u16::try_from(fields.len()).unwrap().to_be_bytes());
            for field in &fields {
                let length = u32::try_from(field.len()).unwrap();
                out.extend(if *field == "-" { u32::MAX } else { length }.to_be_bytes());
                out.extend(if *field == "-" { "" } else { field }.as_bytes());
            }
        }
        (Side::Upstream, b'S') => texts(out, &fields),
        (Side::Upstream, b'E') => {
            let severity = if fields.len() > 2 { fields[2] } else { "ERROR" };
            let code = format!("C{}", fields[0]);
            texts(out, &[&format!("V{severity}"), &code, &format!("M{}", fields[1])]);
            out.push(0);
        }
        _ => out.extend(rest.as_bytes()),
    })
}

/// What people agree to: three rows of a table, and what two names mean.
fn agreed() -> Ceilings {
    let ceiling =
        Ceiling { name: "public.orders".into(), identity: 7, rows: Some(3), elsewhere: false };
    let named = |(name, identity): (&str, u64)| {
        let qualified = format!("public.{name}");
        let kind = "table".to_owned();
        let means = Some(Meaning { qualified, identity, kind, rules: None, own: false });
        Named { name: name.to_owned(), means }
    };
    let names = [("orders", 7), ("obsolete", 8)].map(named).to_vec();
    Ceilings { relations: vec![ceiling], others: Some(3), names, ..Ceilings::default() }
}

/// What was counted is shown where there is any.
fn settled_as(leaf: LeafIndex, outcome: &Outcome) -> String {
    format!("leaf {}: {outcome:?}", leaf.0).replace(", did: []", "")
}

fn relayed(relay: &Relay) -> Vec<String> {
    let mut lines = Vec::new();
    if let Pass::Instead(bytes) = &relay.pass {
        lines.push(format!("agent gets: {}", shown(Side::Upstream, bytes)));
    }
    if !relay.send.bytes().is_empty() {
        lines.push(format!("chore: {}", shown(Side::Agent, relay.send.bytes())));
    }
    match &relay.turn {
        Turn::None => {}
        Turn::Ready => lines.push("ready".to_owned()),
        Turn::Refused(answer) => lines.push(format!("to be refused: {}", answer.message())),
        Turn::Otherwise(excess) => lines.push(format!("otherwise: {}", excess.differences.join("; "))),
        Turn::Exceeded(excess) => lines.push(format!("exceeded: {}", excess.differences.join("; "))),
        Turn::Meant(None) => lines.push("means: not found out".to_owned()),
        Turn::Meant(Some(meant)) => {
            let names: Vec<String> = meant.names.iter().map(Named::in_words).collect();
            lines.push(format!("means: {}, by {:?}", names.join("; "), meant.path));
        }
    }
    let settled = relay.settled.iter().map(|(leaf, outcome)| settled_as(*leaf, outcome));
    lines.extend(settled);
    lines
}

/// A session, its open question and the leaves handed out.
struct Play {
    session: Option<Session>,
    question: Option<Question>,
    leaf: u64,
}

impl Play {
    fn session(&mut self) -> &mut Session {
        self.session.as_mut().unwrap()
    }

    /// What follows from one line of input.
    fn line(&mut self, line: &str) -> Vec<String> {
        match line.split_once(' ').unwrap_or((line, "")) {
            (">", rest) => self.agent(&message(Side::Agent, rest)),
            ("<", rest) => self.upstream(&message(Side::Upstream, rest)),
            ("clear" | "refuse", _) if self.question.is_none() => vec!["nothing is asked".to_owned()],
            ("clear", _) => {
                self.leaf += 1;
                let digest = self.question.take().unwrap().digest;
                let leaf = LeafIndex(self.leaf);
                let run = self.session().cleared(digest, leaf).unwrap();
                vec![format!("run {}: {}", run.leaf().0, shown(Side::Agent, run.bytes()))]
            }
            ("refuse", _) => {
                self.question = None;
                let refusal = Refusal::new(Reason::Held, "one person must agree", "retry then");
                let answer = Answer::of(&refusal, Some(&HoldId::new("H-1")));
                let chore = self.session().refused(answer).unwrap();
                vec![format!("chore: {}", shown(Side::Agent, chore.bytes()))]
            }
            ("own", _) => {
                let digest = self.question.as_ref().unwrap().digest;
                match self.session().own(digest, &Arc::new(agreed())).unwrap() {
                    Owning::Starts(chore) => {
                        vec![format!("chore: {}", shown(Side::Agent, chore.bytes()))]
                    }
                    Owning::Refused(answer) => vec![format!("cannot be owned: {}", answer.message())],
                }
            }
            ("look", _) => match self.session().look_up() {
                Some(chore) => vec![format!("chore: {}", shown(Side::Agent, chore.bytes()))],
                None => vec!["cannot be looked up".to_owned()],
            },
            ("exceeded", _) => {
                let relay = self.session().exceeded(&Answer::new("55000", "it did too much")).unwrap();
                relayed(&relay)
            }
            // The server does what Tyer has said, tag by tag, and is ready in that status.
            ("done", rest) => {
                let (tags, status) = rest.rsplit_once(' ').unwrap();
                let mut lines = Vec::new();
                for tag in tags.split(" + ") {
                    let said = format!("CommandComplete {tag}");
                    for said in
                        ["CloseComplete", "ParseComplete", "BindComplete", &said, "CloseComplete"]
                    {
                        lines.extend(self.upstream(&message(Side::Upstream, said)));
                    }
                }
                lines.extend(self.upstream(&message(Side::Upstream, &format!("Ready {status}"))));
                lines
            }
            ("lost", _) => {
                let lost = self.session.take().unwrap().lost("the connection was lost");
                lost.into_iter().map(|(leaf, outcome)| settled_as(leaf, &outcome)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn agent(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut decoder = Decoder::new(Side::Agent);
        decoder.push(bytes);
        let step = match decoder.frame() {
            Ok(frame) => self.session().agent(&frame.unwrap()),
            Err(error) => Err(error.into()),
        };
        match step {
            Ok(Step::Nothing) => vec![],
            Ok(Step::Later) => vec!["later".to_owned()],
            Ok(Step::First(chore)) => vec![format!("first: {}", shown(Side::Agent, chore.bytes()))],
            Ok(Step::Send(chore)) => vec![format!("chore: {}", shown(Side::Agent, chore.bytes()))],
            Ok(Step::Finish(chore)) => vec![format!("finish: {}", shown(Side::Agent, chore.bytes()))],
            Ok(Step::Ask(question)) => {
                let worst = question.understanding.acts.worst();
                let wait = if question.may_wait { "may wait" } else { "now" };
                let text = question.text().replace('\n', " ");
                self.question = Some(*question);
                vec![format!("ask {worst}, {wait}: {text}")]
            }
            Err(fatal) => vec![format!("fatal: {}", shown(Side::Upstream, &fatal.answer().fatal()))],
        }
    }

    fn upstream(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut decoder = Decoder::new(Side::Upstream);
        decoder.push(bytes);
        let session = self.session();
        let is_owned =
            session.owned.is_some() || session.looking.is_some() || session.ground.is_moving();
        let relay = match decoder.frame() {
            Ok(frame) => self.session().upstream(&frame.unwrap()),
            Err(error) => Err(error.into()),
        };
        match relay {
            Ok(relay) => {
                let mut lines = relayed(&relay);
                lines.retain(|line| !is_owned || !line.trim_end().ends_with("gets:"));
                lines
            }
            Err(fatal) => vec![format!("fatal: {}", shown(Side::Upstream, &fatal.answer().fatal()))],
        }
    }
}

/// Plays the input of a transcript and compares what follows. `UPDATE_EXPECT=1` rewrites it.
fn check(name: &str) {
    check_from(name, session);
}

fn check_from(name: &str, session: fn() -> Session) {
    let path = format!("{}/testdata/postgres/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap();
    let mut play = Play { session: Some(session()), question: None, leaf: 0 };
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with("    ")) {
        out.push_str(line);
        out.push('\n');
        if line.starts_with('#') || line.is_empty() {
            // A heading begins anew.
            if line.starts_with("# ") {
                play = Play { session: Some(session()), question: None, leaf: 0 };
            }
            continue;
        }
        for follows in play.line(line) {
            out.push_str(&format!("    {follows}\n"));
        }
    }
    expect_test::expect_file![path].assert_eq(&out);
}

#[test]
fn simple() {
    check("simple");
}

#[test]
fn extended() {
    check("extended");
}

#[test]
fn pipeline() {
    check("pipeline");
}

#[test]
fn cursors() {
    check("cursors");
}

#[test]
fn names_of_statements() {
    check("names");
}

#[test]
fn transactions() {
    check("transactions");
}

#[test]
fn settings() {
    check("settings");
}

#[test]
fn observing() {
    check_from("observing", || session().observing());
}

#[test]
fn bytes_that_are_no_utf8_have_identities_of_their_own() {
    let digest = |bytes: &[u8]| {
        let mut session = session().observing();
        let mut decoder = Decoder::new(Side::Agent);
        decoder.push(&encode::query(bytes));
        match session.agent(&decoder.frame().unwrap().unwrap()).unwrap() {
            Step::Ask(question) => {
                assert_eq!(question.understanding.acts.worst(), Effect::Opaque);
                question.digest
            }
            other => panic!("{other:?}"),
        }
    };
    // All three are shown alike.
    let texts = [&b"selec '\xff'"[..], b"selec '\xfe'", "selec '\u{fffd}'".as_bytes()];
    let digests: BTreeSet<_> = texts.iter().map(|text| digest(text)).collect();
    assert_eq!(digests.len(), texts.len());
    assert_eq!(digest(texts[0]), digest(texts[0]));
    let mut enforcing = session();
    let mut decoder = Decoder::new(Side::Agent);
    decoder.push(&encode::query(texts[0]));
    let step = enforcing.agent(&decoder.frame().unwrap().unwrap()).unwrap();
    assert!(matches!(step, Step::Send(_)), "{step:?}");
}

/// An agent cannot make Tyer keep more than its limit, and what it closes or overwrites does not count.
#[test]
fn what_is_kept_is_bounded_in_bytes() {
    let check = |session: Session, piece: &dyn Fn(usize) -> Vec<u8>, close: &[u8]| {
        let mut play = Play { session: Some(session), question: None, leaf: 0 };
        let mut refused = 0;
        for number in 0.. {
            let out = play.agent(&piece(number)).join(" ");
            assert!(play.session().kept.bytes() <= tyer_core::limits::KEPT_BYTES_MAX);
            refused += usize::from(out.contains("tyer_refused"));
            if refused == 1 {
                play.agent(&message(Side::Agent, "Sync"));
                let answers = (0..number).map(|_| piece(0)[0] == b'P');
                for is_parse in answers {
                    play.upstream(&encode::message(if is_parse { b'1' } else { b'2' }, |_| {}));
                }
                let told = play.line("< Error 42703|x").join(" ");
                assert!(told.contains("C54000") && told.contains("DEALLOCATE ALL"), "{told}");
                play.line("< Ready T");
                break;
            }
        }
        let full = play.session().kept.bytes();
        play.agent(close);
        play.agent(&message(Side::Agent, "Sync"));
        play.line("< CloseComplete");
        play.line("< Ready T");
        assert!(play.session().kept.bytes() < full);
        let out = play.agent(&piece(0)).join(" ");
        assert!(!out.contains("tyer_refused"), "there is room again: {out}");
    };
    let megabyte = "x".repeat(1 << 20);
    let parse = |number| message(Side::Agent, &format!("Parse s{number}|select '{megabyte}'"));
    check(session(), &parse, &message(Side::Agent, "Close Ss0"));
    let bind = |number| {
        encode::message(b'B', |out| {
            out.extend(format!("p{number}\0s\0").as_bytes());
            out.extend([0, 0, 0, 1, 0, 16, 0, 0]);
            out.extend(megabyte.as_bytes());
            out.extend([0, 0]);
        })
    };
    check(session().observing(), &bind, &message(Side::Agent, "Close Pp0"));
}

#[test]
fn ceilings() {
    check("ceilings");
}

#[test]
fn enforced() {
    check_from("enforced", enforcing);
}

#[test]
fn copy() {
    check("copy");
}

#[test]
fn out_of_place() {
    check("out_of_place");
}

#[test]
fn answers_out_of_turn_are_errors() {
    let mut session = session();
    assert_eq!(session.cleared(Digest::of(b""), LeafIndex(1)), Err(Fatal::OutOfTurn));
    assert_eq!(session.refused(not_utf8()), Err(Fatal::OutOfTurn));
    let mut decoder = Decoder::new(Side::Agent);
    decoder.push(&encode::query(b"select 1"));
    let frame = decoder.frame().unwrap().unwrap();
    assert!(matches!(session.agent(&frame), Ok(Step::Ask(_))));
    assert_eq!(session.agent(&frame), Err(Fatal::OutOfTurn));
    assert_eq!(session.cleared(Digest::of(b"other"), LeafIndex(1)), Err(Fatal::OutOfTurn));
}

#[test]
fn the_same_request_has_the_same_digest_on_another_connection() {
    let digest = |lines: &[&str]| {
        let mut play = Play { session: Some(session()), question: None, leaf: 0 };
        lines.iter().for_each(|line| drop(play.line(line)));
        play.question.unwrap().digest
    };
    let one = digest(&["> Parse |delete $1", "> Bind ||7", "> Execute "]);
    assert_eq!(one, digest(&["> Parse s|delete $1", "> Bind p|s|7", "> Execute p|5"]));
    assert_ne!(one, digest(&["> Parse |delete $1", "> Bind ||8", "> Execute "]));
    let set = ["< ParameterStatus TimeZone|UTC", "> Parse |delete $1", "> Bind ||7", "> Execute "];
    assert_ne!(one, digest(&set));
}
