//! The same bytes in other pieces are the same conversation: whatever the network makes of it, a session
//! sends, asks, passes on and settles the same, and a client is let in or not the same.

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use proptest::prelude::*;
use tyer_core::intent::Effect;
use tyer_core::verdict::Outcome;

use super::proof::{Model, agent_line, real};
use super::*;
use crate::postgres::decode::sasl_initial;
use crate::postgres::scram::{Challenge, Verifier};
use crate::postgres::startup::{First, first};

/// Less than this of a message that may travel in pieces is never given out before it is whole.
const AHEAD_MAX: usize = 8 * 1024 - 1;

/// What came of a conversation: each direction's bytes, however they were cut.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    sent: Vec<u8>,
    got: Vec<u8>,
    asked: Vec<(Digest, String, bool)>,
    settled: Vec<(LeafIndex, Outcome)>,
    fatal: Option<Fatal>,
}

/// A door's connection as far as it is bytes, with the answers to its questions at hand.
struct Door {
    session: Session,
    from_agent: Decoder,
    from_upstream: Decoder,
    clears: Vec<bool>,
    /// Takes what is sent, where there is one.
    server: Option<Model>,
    seen: Seen,
}

impl Door {
    fn new(clears: &[bool], server: Option<Model>) -> Self {
        Self {
            session: session(),
            from_agent: Decoder::new(Side::Agent),
            from_upstream: Decoder::new(Side::Upstream),
            clears: clears.to_vec(),
            server,
            seen: Seen::default(),
        }
    }

    fn read(&mut self, side: Side, bytes: &[u8]) {
        if self.seen.fatal.is_some() {
            return;
        }
        let read = match side {
            Side::Agent => {
                self.from_agent.push(bytes);
                self.agent_messages()
            }
            Side::Upstream => {
                self.from_upstream.push(bytes);
                self.upstream_messages()
            }
        };
        self.seen.fatal = read.err();
    }

    fn agent_messages(&mut self) -> Result<(), Fatal> {
        while let Some(frame) = self.from_agent.frame()? {
            match self.session.agent(&frame)? {
                Step::Nothing => {}
                Step::Later => {
                    self.from_agent.put_back();
                    return Ok(());
                }
                Step::First(chore) => {
                    self.from_agent.put_back();
                    self.send(chore.bytes(), None);
                    return Ok(());
                }
                Step::Send(chore) => self.send(chore.bytes(), None),
                Step::Ask(question) => self.answer(&question)?,
                Step::Finish(_) => panic!("nobody says goodbye here"),
            }
        }
        Ok(())
    }

    fn answer(&mut self, question: &Question) -> Result<(), Fatal> {
        let at = self.seen.asked.len();
        let is_opaque = question.understanding.acts.worst() == Effect::Opaque;
        if let Some(server) = &mut self.server {
            server.shown = (question.text(), is_opaque);
        }
        self.seen.asked.push((question.digest, question.text(), question.may_wait));
        if self.clears[at % self.clears.len()] {
            let leaf = LeafIndex(u64::try_from(at).unwrap());
            let run = self.session.cleared(question.digest, leaf)?;
            if !run.bytes().is_empty() {
                self.send(run.bytes(), Some(&question.sql));
            }
        } else {
            let chore = self.session.refused(Answer::new("42501", "no"))?;
            self.send(chore.bytes(), None);
        }
        Ok(())
    }

    fn send(&mut self, bytes: &[u8], cleared: Option<&str>) {
        self.seen.sent.extend(bytes);
        if let Some(server) = &mut self.server {
            let cleared = cleared.map(|sql| real(server, sql, bytes));
            server.take(bytes, cleared.as_deref());
        }
    }

    fn upstream_messages(&mut self) -> Result<(), Fatal> {
        while let Some(frame) = self.from_upstream.frame()? {
            let relay = self.session.upstream(&frame)?;
            match &relay.pass {
                Pass::Same => self.seen.got.extend(frame.bytes()),
                Pass::Instead(bytes) => self.seen.got.extend(bytes),
            }
            self.seen.settled.extend(relay.settled);
            // A message that has to wait is tried again after each of the server's.
            self.agent_messages()?;
        }
        Ok(())
    }

    /// What the server says next; rows come before a command is complete, long ones among them.
    fn next_answer(&mut self, rows: &[usize]) -> Vec<Vec<u8>> {
        let Some(server) = self.server.as_mut().filter(|server| !server.answers.is_empty()) else {
            return Vec::new();
        };
        let answer = server.answers.remove(0);
        let row = |length: &usize| encode::message(b'D', |out| out.resize(5 + length, b'x'));
        let rows = rows.iter().filter(|_| answer[0] == b'C').map(row);
        rows.chain([answer.clone()]).collect()
    }
}

/// A conversation as it went, message by message, with a server that answered.
type Conversation = Vec<(Side, Vec<u8>)>;

/// Sends the lines message by message; `reads` says how many of the server's answers come after each.
fn converse(
    lines: &[Vec<u8>],
    clears: &[bool],
    reads: &[usize],
    rows: &[usize],
) -> (Conversation, Seen) {
    let mut door = Door::new(clears, Some(Model::default()));
    let mut conversation = Vec::new();
    let (sync, mut reads) = (encode::sync(), reads.iter().cycle());
    for line in lines.iter().chain([&sync]) {
        door.read(Side::Agent, line);
        conversation.push((Side::Agent, line.clone()));
        for _ in 0..*reads.next().unwrap() {
            for answer in door.next_answer(rows) {
                door.read(Side::Upstream, &answer);
                conversation.push((Side::Upstream, answer));
            }
        }
    }
    loop {
        let answers = door.next_answer(rows);
        if answers.is_empty() {
            break;
        }
        for answer in answers {
            door.read(Side::Upstream, &answer);
            conversation.push((Side::Upstream, answer));
        }
    }
    if door.seen.fatal.is_none() {
        assert_eq!(door.from_agent.pending(), 0, "every message was taken");
        assert!(door.session.is_at_rest());
    }
    (conversation, door.seen)
}

/// The same messages becoming whole in the same order, but cut at these sizes, several of one side at a
/// time, and the beginning of one side's next message before the other side's last.
fn recut(conversation: &Conversation, clears: &[bool], cuts: &[usize], ahead: &[usize]) -> Seen {
    let mut door = Door::new(clears, None);
    let (mut cuts, mut ahead) = (cuts.iter().cycle(), ahead.iter().cycle());
    let mut groups: Vec<(Side, Vec<usize>, Vec<u8>)> = Vec::new();
    for (side, bytes) in conversation {
        match groups.last_mut() {
            Some((last, lengths, all)) if last == side => {
                lengths.push(bytes.len());
                all.extend(bytes);
            }
            _ => groups.push((*side, vec![bytes.len()], bytes.clone())),
        }
    }
    for at in 0..groups.len() {
        let (side, _, mut rest) = groups[at].clone();
        // The side's next messages are in the group after the next.
        if let Some((_, lengths, next)) = groups.get_mut(at + 2) {
            let early = (*ahead.next().unwrap()).min(lengths[0] - 1).min(AHEAD_MAX);
            rest.extend(next.drain(..early));
        }
        while !rest.is_empty() {
            let cut = (*cuts.next().unwrap()).min(rest.len());
            let later = rest.split_off(cut);
            door.read(side, &rest);
            rest = later;
        }
    }
    door.seen
}

/// Both sides' bytes trickle in as they are there, in any order, before a server that answers what it is
/// sent; it fails if it is made to run anything unasked. It takes whole messages only, so no line may be long
/// enough to travel in pieces.
fn trickle(lines: &[Vec<u8>], clears: &[bool], steps: &[(bool, usize)], rows: &[usize]) -> Seen {
    let mut door = Door::new(clears, Some(Model::default()));
    let mut from_agent = [lines.concat(), encode::sync()].concat();
    let mut from_server = Vec::new();
    let mut steps = steps.iter().cycle();
    loop {
        from_server.extend(door.next_answer(rows).concat());
        if from_agent.is_empty() && from_server.is_empty() {
            break;
        }
        let (is_agent, count) = *steps.next().unwrap();
        let is_agent = (is_agent && !from_agent.is_empty()) || from_server.is_empty();
        let (side, stream) =
            if is_agent { (Side::Agent, &mut from_agent) } else { (Side::Upstream, &mut from_server) };
        let later = stream.split_off(count.min(stream.len()));
        door.read(side, &std::mem::replace(stream, later));
    }
    if door.seen.fatal.is_none() {
        assert_eq!(door.from_agent.pending(), 0, "every message was taken");
        assert!(door.session.is_at_rest());
    }
    door.seen
}

fn agent_message(data_max: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        24 => agent_line().prop_map(|line| message(Side::Agent, line.strip_prefix("> ").unwrap())),
        1 => (0..data_max).prop_map(|length| encode::message(b'd', |out| out.resize(5 + length, b'x'))),
        1 => Just(encode::message(b'c', |_| {})),
    ]
}

/// The bytes of a client that logs in, and the words of the server that it answers to.
fn client(password: &str, requests: &[Vec<u8>]) -> Vec<u8> {
    let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
    let initial = scram.message().to_vec();
    let (_, challenge) = Challenge::answer(&initial, verifier(), true, NONCE).unwrap();
    scram.update(&challenge).unwrap();
    let mut bytes = requests.concat();
    bytes.extend(encode::startup(0, &[("user", "ses_1"), ("database", "shop"), ("TimeZone", "UTC")]));
    bytes.extend(encode::sasl_initial(b"SCRAM-SHA-256", &initial));
    bytes.extend(encode::sasl_response(scram.message()));
    bytes.extend(encode::query(b"select 1"));
    bytes
}

const NONCE: &str = "3rfcNHYJY1ZVvWVs7j";

fn verifier() -> Verifier {
    // Once is enough where nobody attacks the hash.
    Verifier::from_password("pencil", b"0123456789abcdef", std::num::NonZeroU32::MIN)
}

/// What a login makes of a client's bytes as they come in these pieces.
fn login(bytes: &[u8], cuts: &[usize]) -> Vec<String> {
    let (mut buffer, mut decoder, mut seen) = (Vec::new(), None, Vec::new());
    let (mut exchange, mut rest, mut cuts) = (None, bytes, cuts.iter().cycle());
    while !rest.is_empty() {
        let (now, later) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
        rest = later;
        buffer.extend(now);
        while decoder.is_none() {
            let Some((found, used)) = first(&buffer).unwrap() else { break };
            buffer.drain(..used);
            seen.push(format!("{found:?}"));
            decoder = matches!(found, First::Start(_)).then(|| Decoder::new(Side::Agent));
        }
        let Some(decoder) = &mut decoder else { continue };
        decoder.push(&std::mem::take(&mut buffer));
        while let Some(frame) = decoder.frame().unwrap() {
            let body = frame.body();
            match exchange.take() {
                None if frame.tag() == b'p' => {
                    let (mechanism, said) = sasl_initial(body).unwrap();
                    let (challenge, answer) = Challenge::answer(said, verifier(), true, NONCE).unwrap();
                    seen.push(format!("{mechanism:?}: {answer:?}"));
                    exchange = Some(challenge);
                }
                Some(challenge) => {
                    seen.push(format!("{:?}", challenge.finish(body).map(|(_, last)| last)))
                }
                None => seen.push(format!("{}: {body:?}", frame.tag())),
            }
        }
    }
    seen
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn cutting_both_streams_anywhere_gives_the_same_session(
        lines in prop::collection::vec(agent_message(20_000), 1..30),
        clears in prop::collection::vec(any::<bool>(), 1..8),
        reads in prop::collection::vec(0usize..6, 1..8),
        rows in prop::collection::vec(prop_oneof![0usize..20, 0usize..20_000], 0..3),
        cuts in prop::collection::vec(prop_oneof![1usize..12, 1usize..12_000], 1..40),
        ahead in prop::collection::vec(0usize..30, 1..8),
    ) {
        let (conversation, seen) = converse(&lines, &clears, &reads, &rows);
        prop_assert_eq!(recut(&conversation, &clears, &cuts, &ahead), seen);
    }

    #[test]
    fn nothing_runs_uncleared_however_bytes_trickle_in(
        lines in prop::collection::vec(agent_message(100), 1..30),
        clears in prop::collection::vec(any::<bool>(), 1..8),
        steps in prop::collection::vec((any::<bool>(), prop_oneof![1usize..12, 1usize..200]), 1..40),
        rows in prop::collection::vec(0usize..20, 0..3),
    ) {
        let seen = trickle(&lines, &clears, &steps, &rows);
        if seen.fatal.is_none() {
            let cleared = (0..seen.asked.len()).filter(|at| clears[at % clears.len()]);
            let mut settled: Vec<_> = seen.settled.iter().map(|(leaf, _)| leaf.0).collect();
            settled.sort_unstable();
            prop_assert_eq!(settled, cleared.map(|at| at as u64).collect::<Vec<_>>());
        }
    }

    #[test]
    fn cutting_a_login_anywhere_gives_the_same_login(
        is_right in any::<bool>(),
        asks in prop::collection::vec(any::<bool>(), 0..3),
        cuts in prop::collection::vec(1usize..40, 1..40),
    ) {
        let gss = [8u32.to_be_bytes(), 80_877_104_u32.to_be_bytes()].concat();
        let request = |tls: &bool| if *tls { encode::ssl_request() } else { gss.clone() };
        let requests: Vec<_> = asks.iter().map(request).collect();
        let bytes = client(if is_right { "pencil" } else { "pencils" }, &requests);
        let whole = login(&bytes, &[usize::MAX]);
        prop_assert_eq!(whole.len(), asks.len() + 4);
        prop_assert_eq!(whole[asks.len() + 2].starts_with("Ok"), is_right);
        prop_assert_eq!(login(&bytes, &cuts), whole);
    }
}

/// Errors of the protocol, too, do not depend on the pieces that they come in.
#[test]
fn what_ends_a_session_ends_it_in_any_pieces() {
    for stray in [encode::message(b'p', |out| out.extend(b"x")), encode::message(b'B', |_| {})] {
        let lines = [encode::query(b"select 1"), stray];
        let (conversation, seen) = converse(&lines, &[true], &[0], &[3]);
        assert!(seen.fatal.is_some());
        for cut in 1..12 {
            assert_eq!(recut(&conversation, &[true], &[cut], &[cut]), seen);
        }
    }
}
