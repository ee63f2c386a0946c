//! Whatever an agent sends, nothing that was not cleared runs: its messages are relayed to a model of
//! the server that fails if it is made to plan or run anything unasked, and that answers as the
//! protocol says, at random moments.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::postgres::decode::Target;
use crate::postgres::understand::understand;

/// A server that runs nothing but what it was cleared for: a text, or a body that the question showed. Its
/// `swap()` is code that nobody sees through: it gives the name `a` a grave body.
#[derive(Debug, Default)]
pub(super) struct Model {
    statements: HashMap<Vec<u8>, String>,
    portals: HashMap<Vec<u8>, String>,
    skipping: bool,
    cleared: Vec<String>,
    /// What people were shown of it; whether it was opaque to them.
    pub(super) shown: (String, bool),
    pub(super) answers: Vec<Vec<u8>>,
}

impl Model {
    /// Takes bytes as the upstream would; `cleared` is the text of the run that they are, if any.
    pub(super) fn take(&mut self, bytes: &[u8], cleared: Option<&str>) {
        self.cleared.extend(cleared.map(str::to_owned));
        let mut decoder = Decoder::new(Side::Agent);
        decoder.push(bytes);
        let mut runs = false;
        while let Some(frame) = decoder.frame().unwrap() {
            runs |= matches!(frame.tag(), b'E' | b'Q');
            self.message(&frame);
        }
        if !runs {
            // It was cleared to be bound and no more.
            self.cleared.clear();
        }
        assert_eq!(self.cleared, Vec::<String>::new(), "what was cleared is run, or skipped, at once");
    }

    fn message(&mut self, frame: &Frame<'_>) {
        if frame.tag() == b'S' {
            self.skipping = false;
            self.portals.clear();
            self.ready();
            return;
        }
        if self.skipping {
            if matches!(frame.tag(), b'E' | b'Q') {
                self.cleared.clear();
            }
            return;
        }
        let answer = match frame.tag() {
            b'Q' => {
                let done = self.run(std::str::from_utf8(decode::query(frame.body()).unwrap()).unwrap());
                self.statements.remove(&b""[..]);
                self.answers.push(done.unwrap_or_else(error));
                self.portals.clear();
                return self.ready();
            }
            b'P' => self.parse(&Parse::decode(frame.body()).unwrap()),
            b'B' => self.bind(&Bind::decode(frame.body()).unwrap()),
            b'E' => {
                let (portal, _) = decode::execute(frame.body()).unwrap();
                let sql = self.portals.get(portal).cloned();
                if sql.is_none() {
                    // Nothing of that name is here, so that nothing runs, asked or not.
                    self.cleared.clear();
                }
                sql.and_then(|sql| self.run(&sql))
            }
            b'D' => {
                let (target, name) = decode::target(frame.body()).unwrap();
                let known = match target {
                    Target::Statement => self.statements.contains_key(name),
                    Target::Portal => self.portals.contains_key(name),
                };
                known.then(|| encode::message(b'n', |_| {}))
            }
            b'C' => {
                let (target, name) = decode::target(frame.body()).unwrap();
                match target {
                    Target::Statement => self.statements.remove(name),
                    Target::Portal => self.portals.remove(name),
                };
                Some(encode::message(b'3', |_| {}))
            }
            b'H' | b'd' | b'c' | b'f' => return,
            tag => panic!("{tag} reached the upstream"),
        };
        self.skipping = answer.is_none();
        self.answers.push(answer.unwrap_or_else(error));
    }

    fn parse(&mut self, parse: &Parse<'_>) -> Option<Vec<u8>> {
        let sql = String::from_utf8(parse.sql.to_vec()).unwrap();
        if parse.name.is_empty() {
            self.statements.remove(parse.name);
        }
        if sql.contains("tyer_refused")
            || sql.contains("selec ")
            || sql.contains("; ")
            || self.statements.contains_key(parse.name)
        {
            return None;
        }
        self.statements.insert(parse.name.to_vec(), sql);
        Some(encode::message(b'1', |_| {}))
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Option<Vec<u8>> {
        if bind.portal.is_empty() {
            self.portals.remove(bind.portal);
        }
        let sql = self.statements.get(bind.statement)?.clone();
        let is_grave = understand(&sql).acts.worst().is_dangerous();
        let is_read = sql.starts_with("select n");
        assert!(!(is_grave || is_read) || self.cleared.contains(&sql), "planned unasked: {sql}");
        if self.portals.contains_key(bind.portal) {
            self.cleared.clear();
            return None;
        }
        self.portals.insert(bind.portal.to_vec(), sql);
        Some(encode::message(b'2', |_| {}))
    }

    fn run(&mut self, sql: &str) -> Option<Vec<u8>> {
        if sql.as_bytes() == REFUSED_SQL {
            return None;
        }
        let at = self.cleared.iter().position(|cleared| cleared == sql);
        self.cleared.remove(at.unwrap_or_else(|| panic!("ran unasked: {sql}")));
        let mut inside = Vec::new();
        for statement in sql.split("; ") {
            self.statement(statement, &mut inside, 0)?;
        }
        Some(encode::message(b'C', |out| out.extend(b"SELECT 1\0")))
    }

    /// One statement of a text that prepared the names in `inside`.
    fn statement(&mut self, sql: &str, inside: &mut Vec<String>, depth: usize) -> Option<()> {
        let words: Vec<&str> = sql.split(' ').collect();
        match words.as_slice() {
            ["deallocate", "all"] => self.statements.retain(|name, _| name.is_empty()),
            ["deallocate", name] => {
                inside.retain(|known| known != name);
                self.statements.remove(name.as_bytes())?;
            }
            ["prepare", name, "as", ..] => {
                if self.statements.contains_key(name.as_bytes()) {
                    return None;
                }
                inside.push((*name).to_owned());
                let body = sql.split_once(" as ").unwrap().1;
                self.statements.insert(name.as_bytes().to_vec(), body.to_owned());
            }
            // A statement may execute itself.
            ["execute", _] if depth > 9 => return None,
            ["execute", name] => {
                let body = self.statements.get(name.as_bytes())?.clone();
                let (text, is_opaque) = &self.shown;
                let is_shown = text.ends_with(&format!("\n-- {name} is:\n-- {body}"))
                    || inside.iter().any(|known| known == name);
                assert!(is_shown || *is_opaque, "{body} ran, asked was: {text}");
                self.statement(&body, &mut Vec::new(), depth + 1)?;
            }
            ["select", "swap()"] => {
                self.statements.insert(b"a".to_vec(), "delete from swapped".to_owned());
            }
            ["fail", ..] => return None,
            _ => {}
        }
        Some(())
    }

    fn ready(&mut self) {
        self.answers.push(encode::ready());
    }
}

fn error() -> Vec<u8> {
    encode::complaint(b'E', &[(b'V', "ERROR"), (b'C', "XX001"), (b'M', "failed")])
}

pub(super) fn agent_line() -> impl Strategy<Value = String> {
    let sql = || {
        prop::sample::select(vec![
            "select 1",
            "delete from orders",
            "select n from orders",
            "deallocate a",
            "deallocate all",
            "prepare a as select 1",
            "prepare b as delete from orders",
            "execute a",
            "execute b",
            "execute a; deallocate a; prepare a as select 2; execute a",
            "prepare a as select 3; fail now",
            "select swap()",
            "fail now",
            "selec x",
        ])
    };
    let name = || prop::sample::select(vec!["", "a", "b"]);
    prop_oneof![
        2 => sql().prop_map(|sql| format!("> Query {sql}")),
        4 => (name(), sql()).prop_map(|(name, sql)| format!("> Parse {name}|{sql}")),
        5 => (name(), name()).prop_map(|(portal, name)| format!("> Bind {portal}|{name}|{portal}{name}")),
        5 => name().prop_map(|name| format!("> Execute {name}|0")),
        1 => name().prop_map(|name| format!("> Describe S{name}")),
        1 => name().prop_map(|name| format!("> Describe P{name}")),
        1 => name().prop_map(|name| format!("> Close S{name}")),
        1 => name().prop_map(|name| format!("> Close P{name}")),
        1 => Just("> Flush".to_owned()),
        4 => Just("> Sync".to_owned()),
        1 => Just("> CopyData x".to_owned()),
        1 => Just("> FunctionCall x".to_owned()),
    ]
}

/// Plays the lines; `clears` says whether each question is cleared, `reads` how many of the server's
/// answers are relayed after each line.
fn play(lines: &[String], clears: &[bool], reads: &[usize]) -> Result<(), TestCaseError> {
    let (mut session, mut model) = (session(), Model::default());
    let (mut clears, mut reads) = (clears.iter().cycle(), reads.iter().cycle());
    let (mut leaf, mut settled) = (0, Vec::new());
    for line in lines.iter().map(String::as_str).chain(["> Sync"]) {
        let bytes = message(Side::Agent, line.strip_prefix("> ").unwrap());
        let mut decoder = Decoder::new(Side::Agent);
        decoder.push(&bytes);
        let frame = decoder.frame().unwrap().unwrap();
        let mut step = session.agent(&frame).unwrap();
        if step == Step::Later {
            relay(&mut session, &mut model, usize::MAX, &mut settled)?;
            step = session.agent(&frame).unwrap();
        }
        match step {
            Step::Nothing => {}
            Step::Later => panic!("it waits for answers that nobody owes"),
            Step::First(_) => panic!("nothing is enforced here"),
            Step::Send(chore) => model.take(chore.bytes(), None),
            Step::Ask(question) if *clears.next().unwrap() => {
                leaf += 1;
                let run = session.cleared(question.digest, LeafIndex(leaf)).unwrap();
                if !run.bytes().is_empty() {
                    // A name that only the server knows runs what stands for it here.
                    let sql = real(&model, &question.sql, run.bytes());
                    let worst = question.understanding.acts.worst();
                    model.shown = (question.text(), worst == Effect::Opaque);
                    model.take(run.bytes(), Some(&sql));
                }
            }
            Step::Ask(_) => {
                let chore = session.refused(Answer::new("42501", "no")).unwrap();
                model.take(chore.bytes(), None);
            }
            Step::Finish(_) => panic!("nobody says goodbye here"),
        }
        prop_assert_eq!(session.kept.bytes(), recounted(&session), "after {}", line);
        let count = *reads.next().unwrap();
        relay(&mut session, &mut model, count, &mut settled)?;
        prop_assert_eq!(session.kept.bytes(), recounted(&session), "answers after {}", line);
    }
    relay(&mut session, &mut model, usize::MAX, &mut settled)?;
    settled.sort_unstable();
    prop_assert_eq!(settled, (1..=leaf).collect::<Vec<_>>());
    prop_assert!(session.is_at_rest());
    Ok(())
}

/// Bytes of everything that the session refers to, each once.
fn recounted(session: &Session) -> usize {
    let (mut statements, mut portals) = (HashMap::new(), HashMap::new());
    let mut statement = |prepared: &Arc<Prepared>| {
        let weight = prepared.weight.as_ref().map_or(0, kept::Weight::bytes);
        statements.insert(Arc::as_ptr(prepared), weight);
    };
    let mut portal = |portal: &Portal, statement: &mut dyn FnMut(&Arc<Prepared>)| {
        statement(&portal.prepared);
        let bound = portal.weight.as_ref();
        portals.extend(bound.map(|weight| (Arc::as_ptr(weight), weight.bytes())));
    };
    session.statements.all().for_each(&mut statement);
    session.portals.all().for_each(|it| portal(it, &mut statement));
    for expect in session.expects.iter().chain(session.held.iter().map(|held| &held.expect)) {
        match &expect.what {
            Awaits::Parse { prepared, .. } => statement(prepared),
            Awaits::Bind { portal: bound, .. } => portal(bound, &mut statement),
            _ => {}
        }
    }
    statements.values().sum::<usize>() + portals.values().sum::<usize>()
}

/// What the server will run for a question about a name that could not be looked up: what stands there
/// once it has taken what goes before the `Execute`.
pub(super) fn real(model: &Model, sql: &str, bytes: &[u8]) -> String {
    if !sql.starts_with("-- ") {
        return sql.to_owned();
    }
    let (mut statements, mut portals) = (model.statements.clone(), model.portals.clone());
    let mut decoder = Decoder::new(Side::Agent);
    decoder.push(bytes);
    while let Some(frame) = decoder.frame().unwrap() {
        match frame.tag() {
            b'P' => {
                let parse = Parse::decode(frame.body()).unwrap();
                statements.insert(parse.name.to_vec(), String::from_utf8(parse.sql.to_vec()).unwrap());
            }
            b'B' => {
                let bind = Bind::decode(frame.body()).unwrap();
                if let Some(sql) = statements.get(bind.statement) {
                    portals.insert(bind.portal.to_vec(), sql.clone());
                }
            }
            b'E' => {
                let (portal, _) = decode::execute(frame.body()).unwrap();
                return portals.get(portal).cloned().unwrap_or_default();
            }
            _ => {}
        }
    }
    String::new()
}

fn relay(
    session: &mut Session,
    model: &mut Model,
    count: usize,
    settled: &mut Vec<u64>,
) -> Result<(), TestCaseError> {
    for bytes in model.answers.drain(..count.min(model.answers.len())) {
        let mut decoder = Decoder::new(Side::Upstream);
        decoder.push(&bytes);
        let relay = session.upstream(&decoder.frame().unwrap().unwrap());
        let relay = relay.map_err(|fatal| TestCaseError::fail(fatal.to_string()))?;
        settled.extend(relay.settled.iter().map(|(leaf, _)| leaf.0));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_runs_that_was_not_cleared(
        lines in prop::collection::vec(agent_line(), 1..40),
        clears in prop::collection::vec(any::<bool>(), 1..8),
        reads in prop::collection::vec(0usize..6, 1..8),
    ) {
        play(&lines, &clears, &reads)?;
    }

    #[test]
    fn nothing_runs_where_everything_is_refused(
        lines in prop::collection::vec(agent_line(), 1..40),
        reads in prop::collection::vec(0usize..6, 1..8),
    ) {
        play(&lines, &[false], &reads)?;
    }

    #[test]
    fn garbage_never_panics(
        messages in prop::collection::vec((any::<bool>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..20),
    ) {
        let mut session = session();
        for (from_agent, tag, body) in messages {
            let side = if from_agent { Side::Agent } else { Side::Upstream };
            let mut decoder = Decoder::new(side);
            decoder.push(&encode::message(tag, |out| out.extend(&body)));
            let Ok(Some(frame)) = decoder.frame() else { continue };
            if from_agent {
                if let Ok(Step::Ask(question)) = session.agent(&frame) {
                    drop(session.cleared(question.digest, LeafIndex(0)).unwrap());
                }
            } else {
                drop(session.upstream(&frame));
            }
        }
        drop(session.lost("gone"));
    }
}

/// A name that a later pipeline uses means what the server confirmed, however the earlier one ended.
#[test]
fn an_error_in_an_earlier_pipeline_cannot_swap_a_statement() {
    let lines = |all: &[&str]| all.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    for earlier in [
        ["> Parse b|delete from orders", "> Parse b|select 1"].as_slice(),
        ["> Parse |delete from orders", "> Parse c|selec x", "> Parse |select 1"].as_slice(),
    ] {
        let mut all = lines(earlier);
        let name = if earlier.len() == 2 { "b" } else { "" };
        all.extend(lines(&["> Sync"]));
        all.push(format!("> Bind |{name}"));
        all.push("> Execute |0".to_owned());
        // Nothing of the server is read until the door has to.
        play(&all, &[true], &[0]).unwrap();
    }
}

/// What is bound, closed and then executed is not what was asked about.
#[test]
fn a_portal_closed_before_its_execution_is_not_planned() {
    let lines = ["> Parse a|delete from orders", "> Bind b|a", "> Close Pb", "> Execute b|0"];
    play(&lines.map(str::to_owned), &[true], &[0]).unwrap();
}

/// What names stand for when SQL and the protocol share them, whenever the server's answers come.
#[test]
fn what_is_executed_by_name_is_what_was_shown() {
    let lines = |all: &[&str]| all.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    for all in [
        [
            "> Parse a|select 1",
            "> Sync",
            "> Query execute a",
            "> Query deallocate a",
            "> Query execute a",
        ]
        .as_slice(),
        &["> Query prepare b as delete from orders", "> Bind |b", "> Execute |0", "> Sync"],
        &[
            "> Parse a|select 1",
            "> Sync",
            "> Query select swap()",
            "> Bind |a",
            "> Execute |0",
            "> Sync",
        ],
        &["> Parse a|select 1", "> Sync", "> Query select swap()", "> Query execute a"],
        &["> Parse a|execute b", "> Bind |a", "> Parse b|delete from orders", "> Execute |0"],
        &["> Parse b|select swap()", "> Parse a|select 1", "> Bind b|b", "> Bind |a", "> Execute b|0"],
    ] {
        for reads in [&[0][..], &[9]] {
            play(&lines(all), &[true], reads).unwrap();
        }
    }
}
