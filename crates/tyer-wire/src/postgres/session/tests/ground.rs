//! Reads run where the server refuses to write, whenever its answers come, and nothing else does; and what an agent
//! sees and what lasts is the same as without Tyer: its messages go to a model of a server with transactions, once
//! through a session and once directly.

use proptest::prelude::*;

use super::*;

const READ: &str = "SELECT n FROM orders";
const FAILS: &str = "SELECT missing FROM orders";
const WRITE: &str = "DELETE FROM orders WHERE n = 1";

/// A transaction of the model.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a model, whose states are told apart by nothing else"
)]
struct Open {
    is_explicit: bool,
    has_failed: bool,
    reads_only: bool,
    /// Whether something stands in it that lets reads go unenforced.
    has_others: bool,
    writes: usize,
    marks: Vec<(String, bool, usize)>,
}

/// A server that knows transactions, savepoints and who may write.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a model, whose states are told apart by nothing else"
)]
struct Server {
    /// Whether it fails the test where a read could write.
    is_watched: bool,
    default: bool,
    told: bool,
    open: Option<Open>,
    statement: String,
    skips: bool,
    lasting: usize,
    answers: Vec<Vec<u8>>,
}

impl Server {
    fn take(&mut self, bytes: &[u8]) {
        let mut decoder = Decoder::new(Side::Agent);
        decoder.push(bytes);
        while let Some(frame) = decoder.frame().unwrap() {
            self.message(&frame);
        }
    }

    fn message(&mut self, frame: &Frame<'_>) {
        if frame.tag() == b'S' {
            self.skips = false;
            return self.ready();
        }
        if self.skips || frame.tag() == b'H' {
            self.is_let_in(frame.body());
            return;
        }
        let reads_only = self.default;
        self.open.get_or_insert_with(|| Open { reads_only, ..Open::default() });
        let said = |tag: u8| Ok(encode::message(tag, |_| {}));
        let answer = match frame.tag() {
            b'Q' => {
                let sql = String::from_utf8(decode::query(frame.body()).unwrap().to_vec()).unwrap();
                let answer = self.run(&sql).unwrap_or_else(|code| self.fails(code));
                self.answers.push(answer);
                return self.ready();
            }
            b'P' => {
                let parse = Parse::decode(frame.body()).unwrap();
                self.statement = String::from_utf8(parse.sql.to_vec()).unwrap();
                said(b'1')
            }
            b'B' => said(b'2'),
            b'C' => said(b'3'),
            b'E' => self.run(&self.statement.clone()),
            tag => panic!("{tag} reached the upstream"),
        };
        self.skips = answer.is_err();
        let answer = answer.unwrap_or_else(|code| self.fails(code));
        self.answers.push(answer);
    }

    /// A write counts for its transaction even where it is skipped: it was cleared.
    fn is_let_in(&mut self, body: &[u8]) {
        if let Some(open) = &mut self.open {
            open.has_others |= body.windows(WRITE.len()).any(|part| part == WRITE.as_bytes());
        }
    }

    fn fails(&mut self, code: &str) -> Vec<u8> {
        match &mut self.open {
            Some(open) if open.is_explicit => {
                open.has_failed = true;
                // The innermost mark's own part has ended with it.
                open.reads_only = open.marks.last().map_or(open.reads_only, |mark| mark.1);
            }
            open => *open = None,
        }
        encode::complaint(b'E', &[(b'V', "ERROR"), (b'C', code), (b'M', "failed")])
    }

    fn ready(&mut self) {
        if let Some(open) = self.open.take_if(|open| !open.is_explicit) {
            self.lasting += open.writes;
        }
        if self.told != self.default {
            self.told = self.default;
            let value = if self.told { "on" } else { "off" };
            self.answers.push(encode::parameter_status("default_transaction_read_only", value));
        }
        let status = match &self.open {
            None => b'I',
            Some(open) if open.has_failed => b'E',
            Some(_) => b'T',
        };
        self.answers.push(encode::message(b'Z', |out| out.push(status)));
    }

    fn run(&mut self, sql: &str) -> Result<Vec<u8>, &'static str> {
        let mut open = self.open.take().unwrap_or_default();
        let words: Vec<&str> = sql.split(' ').collect();
        let ended = self.ends(&mut open, &words);
        let done = match ended {
            Some(tag) => Ok(tag),
            None if open.has_failed => {
                open.has_others |= sql == WRITE;
                Err("25P02")
            }
            None => self.does(&mut open, sql, &words),
        };
        if ended.is_none() || words.contains(&"CHAIN") || words.contains(&"TO") {
            self.open = Some(open);
        }
        done.map(|tag| encode::message(b'C', |out| out.extend(format!("{tag}\0").bytes())))
    }

    /// What ends a transaction or goes back in it, which a failed one allows too.
    fn ends(&mut self, open: &mut Open, words: &[&str]) -> Option<&'static str> {
        let lasts = match words {
            ["COMMIT", ..] => !open.has_failed,
            ["ROLLBACK", "TO", name] => {
                let at = open.marks.iter().rposition(|(known, ..)| known == name)?;
                open.marks.truncate(at + 1);
                (open.reads_only, open.writes) = (open.marks[at].1, open.marks[at].2);
                open.has_failed = false;
                return Some("ROLLBACK");
            }
            ["ROLLBACK", ..] => false,
            _ => return None,
        };
        if words.contains(&"CHAIN") && !open.is_explicit {
            return None;
        }
        self.lasting += if lasts { open.writes } else { 0 };
        let reads_only = open.reads_only;
        *open = Open { is_explicit: true, reads_only, ..Open::default() };
        Some(if lasts { "COMMIT" } else { "ROLLBACK" })
    }

    fn does(
        &mut self,
        open: &mut Open,
        sql: &str,
        words: &[&str],
    ) -> Result<&'static str, &'static str> {
        match words {
            ["SET", "default_transaction_read_only", "=", value] => {
                self.default = *value == "on";
                return Ok("SET");
            }
            ["RESET", "default_transaction_read_only"] => {
                self.default = false;
                return Ok("RESET");
            }
            ["SET", "LOCAL", "transaction_read_only", "=", "on"] => {
                open.reads_only = true;
                return Ok("SET");
            }
            _ if sql == READ || sql == FAILS => {
                let is_safe = open.reads_only || open.has_others || !self.is_watched;
                assert!(is_safe, "a read could write");
                return if sql == READ { Ok("SELECT 1") } else { Err("42P01") };
            }
            _ => {}
        }
        let tag = match words {
            ["BEGIN"] => {
                open.is_explicit = true;
                "BEGIN"
            }
            ["SAVEPOINT" | "RELEASE", ..] if !open.is_explicit => return Err("25P01"),
            ["SAVEPOINT", name] => {
                open.marks.push(((*name).to_owned(), open.reads_only, open.writes));
                "SAVEPOINT"
            }
            ["RELEASE", .., name] => {
                let at = open.marks.iter().rposition(|(known, ..)| known == name).ok_or("3B001")?;
                open.reads_only = open.marks[at].1;
                open.marks.truncate(at);
                "RELEASE"
            }
            ["COMMIT" | "ROLLBACK", ..] => return Err("25P01"),
            ["SHOW", ..] => "SHOW",
            _ if sql == WRITE => {
                assert!(!open.reads_only, "a write is held to reading");
                open.writes += 1;
                open.has_others = true;
                "DELETE 1"
            }
            other => panic!("{other:?}"),
        };
        open.has_others |= !open.is_explicit;
        Ok(tag)
    }
}

/// The agent's messages of one line; `run` is Parse, Bind and Execute.
fn messages(line: &str) -> Vec<Vec<u8>> {
    let lines = match line.strip_prefix("run ") {
        Some(sql) => vec![format!("Parse |{sql}"), "Bind ||".to_owned(), "Execute ".to_owned()],
        None => vec![line.to_owned()],
    };
    lines.iter().map(|line| message(Side::Agent, line)).collect()
}

/// A session with the server behind it, and what the agent has seen.
struct Through {
    session: Session,
    server: Server,
    leaf: u64,
    seen: Vec<u8>,
}

impl Through {
    fn agent(&mut self, bytes: &[u8]) {
        let mut decoder = Decoder::new(Side::Agent);
        decoder.push(bytes);
        let frame = decoder.frame().unwrap().unwrap();
        loop {
            match self.session.agent(&frame).unwrap() {
                Step::Nothing => return,
                Step::Send(chore) => return self.server.take(chore.bytes()),
                Step::Ask(question) => {
                    self.leaf += 1;
                    let run = self.session.cleared(question.digest, LeafIndex(self.leaf)).unwrap();
                    return self.server.take(run.bytes());
                }
                Step::First(chore) => self.server.take(chore.bytes()),
                Step::Later => assert!(self.answer(), "it waits for answers that nobody owes"),
                Step::Finish(_) => panic!("nobody says goodbye here"),
            }
        }
    }

    /// Relays the server's next answer, if there is one.
    fn answer(&mut self) -> bool {
        if self.server.answers.is_empty() {
            return false;
        }
        let bytes = self.server.answers.remove(0);
        let mut decoder = Decoder::new(Side::Upstream);
        decoder.push(&bytes);
        let relay = self.session.upstream(&decoder.frame().unwrap().unwrap()).unwrap();
        match relay.pass {
            Pass::Same => self.seen.extend(bytes),
            Pass::Instead(bytes) => self.seen.extend(bytes),
        }
        true
    }
}

fn play(lines: &[String], reads: &[usize]) -> Result<(), TestCaseError> {
    let server = Server { is_watched: true, ..Server::default() };
    let mut through = Through { session: enforcing(), server, leaf: 0, seen: Vec::new() };
    let mut direct = Server::default();
    let mut reads = reads.iter().cycle();
    for line in lines.iter().map(String::as_str).chain(["Sync"]) {
        for bytes in messages(line) {
            through.agent(&bytes);
            direct.take(&bytes);
            for _ in 0..*reads.next().unwrap() {
                through.answer();
            }
        }
    }
    while through.answer() {}
    let direct_seen = direct.answers.concat();
    prop_assert_eq!(shown(Side::Upstream, &through.seen), shown(Side::Upstream, &direct_seen));
    prop_assert_eq!(through.server.lasting, direct.lasting);
    Ok(())
}

fn line() -> impl Strategy<Value = String> {
    let sql = prop::sample::select(vec![
        READ,
        READ,
        READ,
        FAILS,
        WRITE,
        WRITE,
        "SHOW transaction_read_only",
        "BEGIN",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "COMMIT AND CHAIN",
        "SAVEPOINT a",
        "ROLLBACK TO a",
        "RELEASE a",
    ]);
    (prop::sample::select(vec!["Query", "run", "run", "Sync", "Sync", "Flush"]), sql).prop_map(
        |(how, sql)| {
            if matches!(how, "Sync" | "Flush") { how.to_owned() } else { format!("{how} {sql}") }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    #[test]
    fn reads_are_held_to_reading_and_nobody_sees_it(
        lines in prop::collection::vec(line(), 1..30),
        reads in prop::collection::vec(0usize..6, 1..8),
    ) {
        play(&lines, &reads)?;
    }
}
