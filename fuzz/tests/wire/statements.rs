//! Whole sessions: an agent's messages in any order, a server that answers them, and somebody who says yes
//! or no. What runs is what was asked about, every leaf is settled once and as the server knows it, and a
//! session that has been answered is at rest.

use std::collections::{BTreeMap, BTreeSet};

use bolero::TypeGenerator;
use tyer_core::intent::Effect;
use tyer_core::verdict::{LeafIndex, Outcome};
use tyer_wire::postgres::decode::{Decoder, Side};
use tyer_wire::postgres::encode;
use tyer_wire::postgres::identity::Scope;
use tyer_wire::postgres::refuse;
use tyer_wire::postgres::session::{Fatal, Question, Session, Step};

use crate::server::{Answer, Cleared, Server, TAKEN};

/// Few names, so that they collide; the last two are one to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TypeGenerator)]
pub(crate) enum Name {
    Unnamed,
    A,
    B,
    Long,
    Longer,
}

impl Name {
    fn text(self) -> String {
        match self {
            Self::Unnamed => String::new(),
            Self::A => "a".to_owned(),
            Self::B => "b".to_owned(),
            Self::Long => format!("{}1", "x".repeat(63)),
            Self::Longer => format!("{}2", "x".repeat(63)),
        }
    }
}

/// Few texts, of every kind that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TypeGenerator)]
pub(crate) enum Text {
    One,
    Read,
    Delete,
    DeleteOne,
    Copy,
    Prepare,
    Execute,
    Deallocate,
    DeallocateAll,
    Fetch,
    Set,
    Begin,
    Commit,
    Rollback,
    Wrong,
}

impl Text {
    fn sql(self) -> &'static str {
        match self {
            Self::One => "select 1",
            Self::Read => "select n from orders",
            Self::Delete => "delete from orders",
            Self::DeleteOne => "delete from orders where id = $1",
            Self::Copy => "copy orders from stdin",
            Self::Prepare => "prepare a as delete from orders",
            Self::Execute => "execute a",
            Self::Deallocate => "deallocate a",
            Self::DeallocateAll => "deallocate all",
            Self::Fetch => "fetch 1 from a",
            Self::Set => "set standard_conforming_strings to off",
            Self::Begin => "begin",
            Self::Commit => "commit",
            Self::Rollback => "rollback",
            Self::Wrong => "selec x",
        }
    }
}

/// What happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, TypeGenerator)]
pub(crate) enum Event {
    Query(Text),
    Parse(Name, Text),
    Bind(Name, Name, bool),
    Execute(Name, bool),
    /// All three in a row, as drivers send them.
    Run(Name, Name, Text),
    DescribeStatement(Name),
    DescribePortal(Name),
    CloseStatement(Name),
    ClosePortal(Name),
    CopyData(bool),
    CopyDone,
    CopyFail,
    Call,
    Flush,
    Sync,
    SyncAgain,
    /// The agent gets that many of the server's answers.
    Answers(u8),
}

impl Event {
    /// The messages that the agent sends.
    fn messages(self) -> Vec<Vec<u8>> {
        let named = |tag, kind: &str, name: Name| {
            encode::message(tag, |out| out.extend(format!("{kind}{}\0", name.text()).bytes()))
        };
        let bind = |portal: Name, statement: Name, value: Option<bool>| {
            encode::message(b'B', |out| {
                out.extend(format!("{}\0{}\0", portal.text(), statement.text()).bytes());
                let value = value.map(|value| if value { b"1" } else { b"2" });
                out.extend([0, 0, 0, u8::from(value.is_some())]);
                if let Some(value) = value {
                    out.extend([0, 0, 0, 1]);
                    out.extend(value);
                }
                out.extend([0, 0]);
            })
        };
        let execute = |name: Name, some: bool| {
            encode::message(b'E', |out| {
                out.extend(format!("{}\0", name.text()).bytes());
                out.extend([0, 0, 0, u8::from(some)]);
            })
        };
        let parse =
            |name: Name, text: Text| encode::parse(name.text().as_bytes(), text.sql().as_bytes(), &[]);
        vec![match self {
            Self::Query(text) => encode::query(text.sql().as_bytes()),
            Self::Parse(name, text) => parse(name, text),
            Self::Bind(portal, statement, with) => bind(portal, statement, with.then_some(true)),
            Self::Execute(name, some) => execute(name, some),
            Self::Run(portal, statement, text) => {
                let value = (text == Text::DeleteOne).then_some(portal == Name::A);
                return vec![
                    parse(statement, text),
                    bind(portal, statement, value),
                    execute(portal, statement == Name::B),
                ];
            }
            Self::DescribeStatement(name) => named(b'D', "S", name),
            Self::DescribePortal(name) => named(b'D', "P", name),
            Self::CloseStatement(name) => named(b'C', "S", name),
            Self::ClosePortal(name) => named(b'C', "P", name),
            Self::CopyData(good) => {
                encode::message(b'd', |out| out.extend(if good { b"row" } else { b"bad" }))
            }
            Self::CopyDone => encode::message(b'c', |_| {}),
            Self::CopyFail => encode::message(b'f', |out| out.extend(b"no\0")),
            Self::Call => encode::message(b'F', |out| out.extend(b"x")),
            Self::Flush => encode::message(b'H', |_| {}),
            Self::Sync | Self::SyncAgain => encode::sync(),
            Self::Answers(_) => return Vec::new(),
        }]
    }
}

/// A whole input.
#[derive(Clone, Debug, TypeGenerator)]
pub(crate) struct Conversation {
    pub(crate) events: Vec<Event>,
    /// Whether questions are answered by yes, in turn.
    pub(crate) clears: [bool; 8],
}

/// What is wrong with the session, on purpose: each stands for a bug that the target has to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Planted {
    Nothing,
    /// A name is taken for confirmed where the server said that it is taken already.
    ParsedAlthoughNot,
    /// What was refused leaves all the same.
    RefusedLeaves,
    /// The answer to one question clears what another one was about.
    ParametersForgotten,
    /// The server's word that settings have changed is not heard.
    SettingUnheard,
    /// Outcomes are not taken from what the server said: nothing worked.
    AlwaysFailed,
    /// The same: everything worked.
    AlwaysDone,
}

struct Play {
    session: Session,
    server: Server,
    planted: Planted,
    clears: [bool; 8],
    asked: usize,
    leaves: BTreeSet<u64>,
    settled: BTreeMap<u64, Outcome>,
    /// The session has ended the connection.
    is_closed: bool,
}

/// Plays the conversation to its end, and panics where anything is not as it must be.
pub(crate) fn play(conversation: &Conversation, planted: Planted) {
    let mut session = Session::new(Scope::default());
    session.setting("client_encoding", "UTF8");
    session.setting("standard_conforming_strings", "on");
    let mut play = Play {
        session,
        server: Server::default(),
        planted,
        clears: conversation.clears,
        asked: 0,
        leaves: BTreeSet::new(),
        settled: BTreeMap::new(),
        is_closed: false,
    };
    for event in &conversation.events {
        if let Event::Answers(count) = event {
            play.relay(usize::from(*count % 8));
        }
        event.messages().iter().for_each(|message| play.agent(message));
    }
    // Whatever is open is ended, and everything answered.
    play.clears = [true; 8];
    for event in [Event::CopyFail, Event::Sync, Event::Query(Text::Rollback)] {
        event.messages().iter().for_each(|message| play.agent(message));
        play.relay(usize::MAX);
    }
    if !play.is_closed {
        play.end();
    }
}

impl Play {
    fn agent(&mut self, message: &[u8]) {
        if self.is_closed {
            return;
        }
        let mut decoder = Decoder::new(Side::Agent);
        decoder.push(message);
        let frame = decoder.frame().expect("a message").expect("a whole one");
        let mut taken = self.session.agent(&frame);
        if taken == Ok(Step::Later) {
            self.relay(usize::MAX);
            taken = self.session.agent(&frame);
        }
        let step = match taken {
            Ok(step) => step,
            Err(fatal) => {
                // Among COPY data, or where the session has not heard yet that they have ended.
                let is_copying = self.server.wants_data() || !self.server.answers.is_empty();
                let is_stray = matches!(fatal, Fatal::Agent(_)) && is_copying;
                assert!(is_stray, "a message in its place: {fatal}");
                self.is_closed = true;
                return;
            }
        };
        match step {
            Step::Nothing => {}
            Step::Later => panic!("it waits for answers that nobody owes"),
            Step::First(_) => panic!("nothing is enforced here"),
            Step::Send(chore) => self.server.take(chore.bytes(), None),
            Step::Ask(question) => self.answer(&question, message),
            Step::Finish(_) => panic!("nobody says goodbye here"),
        }
    }

    fn answer(&mut self, question: &Question, message: &[u8]) {
        let is_cleared = self.clears[self.asked % self.clears.len()];
        self.asked += 1;
        if !is_cleared {
            let chore = self.session.refused(refuse::Answer::new("42501", "no")).expect("a chore");
            let bytes = match self.planted {
                Planted::RefusedLeaves => message,
                _ => chore.bytes(),
            };
            return self.server.take(bytes, None);
        }
        let leaf = self.asked as u64;
        self.leaves.insert(leaf);
        let run = self.session.cleared(question.digest, LeafIndex(leaf)).expect("a run");
        assert_eq!((run.leaf(), run.digest()), (LeafIndex(leaf), question.digest));
        let values = question.parameters.values.iter();
        let values = values.map(|value| value.bytes.clone().unwrap_or_default());
        let values = values.filter(|_| self.planted != Planted::ParametersForgotten);
        let cleared = Cleared {
            leaf,
            sql: question.sql.to_string(),
            values: values.collect(),
            is_opaque: question.understanding.acts.iter().any(|act| act.effect == Effect::Opaque),
            is_nameless: question.sql.starts_with("-- "),
        };
        self.server.take(run.bytes(), Some(cleared));
    }

    /// Hands on that many of the server's answers.
    fn relay(&mut self, count: usize) {
        for _ in 0..count {
            let Some(Answer { to, mut bytes }) = self.server.answers.pop_front() else { return };
            match (self.planted, to, bytes[0]) {
                (Planted::ParsedAlthoughNot, TAKEN, b'E') => bytes = encode::message(b'1', |_| {}),
                (Planted::SettingUnheard, _, b'S') => continue,
                _ => {}
            }
            let mut decoder = Decoder::new(Side::Upstream);
            decoder.push(&bytes);
            let frame = decoder.frame().expect("a message").expect("a whole one");
            let relayed = match self.session.upstream(&frame) {
                Ok(relayed) => relayed,
                Err(_) if self.planted == Planted::ParsedAlthoughNot => {
                    // That it falls out of step is not what is to be found.
                    self.is_closed = true;
                    return;
                }
                Err(fatal) => panic!("an answer in its place: {fatal}"),
            };
            for (leaf, outcome) in relayed.settled {
                let before = self.settled.insert(leaf.0, outcome);
                assert_eq!(before, None, "settled twice: {}", leaf.0);
            }
        }
    }

    fn end(mut self) {
        assert!(self.session.is_at_rest(), "everything is answered");
        let settled: BTreeSet<u64> = self.settled.keys().copied().collect();
        assert_eq!(settled, self.leaves, "every leaf has its outcome");
        let unheard = match self.planted {
            Planted::AlwaysFailed => Some(Outcome::Failed { code: String::new() }),
            Planted::AlwaysDone => Some(Outcome::done(String::new(), None)),
            _ => None,
        };
        if let Some(unheard) = unheard {
            self.settled.values_mut().for_each(|outcome| *outcome = unheard.clone());
        }
        for (leaf, outcome) in &self.settled {
            let stands = self.server.stands.contains(leaf);
            if matches!(outcome, Outcome::Failed { .. }) {
                assert!(!stands, "{leaf} stands, and is said to have failed");
            }
        }
        for leaf in &self.server.undone {
            let outcome = self.settled.get(leaf);
            assert!(!matches!(outcome, Some(Outcome::Done { .. })), "{leaf} is undone: {outcome:?}");
        }
    }
}
