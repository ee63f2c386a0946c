//! The attacks.

use tyer_wire::postgres::encode;

/// What a client does next.
pub(super) enum Step {
    /// All at once.
    Send(Vec<u8>),
    /// Reads up to that message.
    Await(u8),
}

/// What an attack comes to without Tyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Without {
    /// Something runs.
    Rings,
    /// Nothing does, or nobody has looked.
    Nothing,
}

/// What becomes of the connection through the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    GoesOn,
    /// With an error.
    Ends,
    /// It depends on what comes first, an answer of the server or the agent's next message.
    Either,
}

pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) without: Without,
    pub(super) ending: Ending,
    pub(super) script: Vec<Step>,
}

/// The kinds that there are, for the tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    Rings,
    RingsOrEither,
    Nothing,
    Ends,
}

impl Means {
    fn of(self) -> (Without, Ending) {
        match self {
            Self::Rings => (Without::Rings, Ending::GoesOn),
            Self::RingsOrEither => (Without::Rings, Ending::Either),
            Self::Nothing => (Without::Nothing, Ending::GoesOn),
            Self::Ends => (Without::Nothing, Ending::Ends),
        }
    }
}

const RING: &str = "INSERT INTO prey VALUES (1)";
const TRAP: &str = "SELECT trap(1)";
const SCRATCH: &str = "CREATE TEMP TABLE scratch (x int)";
const COPY: &str = "COPY pg_temp.scratch FROM STDIN";

pub(super) fn query(sql: &str) -> Vec<u8> {
    encode::query(sql.as_bytes())
}

pub(super) fn parse(name: &str, sql: &str) -> Vec<u8> {
    encode::parse(name.as_bytes(), sql.as_bytes(), &[])
}

pub(super) fn bind(portal: &str, statement: &str) -> Vec<u8> {
    encode::message(b'B', |out| out.extend(format!("{portal}\0{statement}\0\0\0\0\0\0\0").bytes()))
}

pub(super) fn execute(portal: &str, rows: u8) -> Vec<u8> {
    encode::message(b'E', |out| {
        out.extend(format!("{portal}\0").bytes());
        out.extend([0, 0, 0, rows]);
    })
}

pub(super) fn sync() -> Vec<u8> {
    encode::sync()
}

/// The unnamed portal, and the end of the pipeline.
pub(super) fn run() -> Vec<u8> {
    [execute("", 0), sync()].concat()
}

fn whole(sql: &str) -> Vec<u8> {
    [parse("", sql), bind("", ""), execute("", 0)].concat()
}

fn raw(tag: u8, body: &[u8]) -> Vec<u8> {
    encode::message(tag, |out| out.extend(body))
}

/// A message whose length is a lie.
fn lying(tag: u8, length: u32, body: &[u8]) -> Vec<u8> {
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

fn data() -> Vec<u8> {
    raw(b'd', b"1\n")
}

fn done() -> Vec<u8> {
    raw(b'c', b"")
}

fn close(kind: char, name: &str) -> Vec<u8> {
    raw(b'C', format!("{kind}{name}\0").as_bytes())
}

/// How many times the server says that it is ready.
pub(super) fn readies(bytes: &[u8]) -> usize {
    let (mut rest, mut count) = (bytes, 0);
    while let Some(length) = rest.get(1..5) {
        let length = u32::from_be_bytes(length.try_into().expect("four bytes"));
        count += usize::from(matches!(rest[0], b'Q' | b'S'));
        rest = &rest[1 + length as usize..];
    }
    count
}

fn attack(name: &'static str, means: Means, messages: &[Vec<u8>]) -> Attack {
    let (without, ending) = means.of();
    Attack { name, without, ending, script: vec![Step::Send(messages.concat())] }
}

/// With a table of its own to copy into.
fn copying(name: &'static str, means: Means, messages: &[Vec<u8>]) -> Attack {
    let script = vec![Step::Send(query(SCRATCH)), Step::Await(b'Z'), Step::Send(messages.concat())];
    let (without, ending) = means.of();
    Attack { name, without, ending, script }
}

/// Every attack; `alarm` is the number of the sequence that rings.
pub(super) fn all(alarm: u32) -> Vec<Attack> {
    [
        copies(),
        guarded_copies(),
        portals(),
        suspended(),
        names(),
        pipelines(),
        strays(alarm),
        lies(),
        readings(),
        hidden(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `COPY` swallows `Sync`, so that answers and messages may fall out of step.
fn copies() -> Vec<Attack> {
    use Means::{Ends, Rings, RingsOrEither};
    let copy = || [parse("k", COPY), bind("k", "k"), execute("k", 0)].concat();
    let ring = || [whole(RING), sync()].concat();
    vec![
        copying(
            "a Query's COPY swallows Sync",
            Rings,
            &[
                query(COPY),
                sync(),
                sync(),
                data(),
                sync(),
                done(),
                parse("s", "SELECT 1"),
                sync(),
                ring(),
            ],
        ),
        copying(
            "an Execute's COPY swallows Sync",
            Rings,
            &[copy(), sync(), data(), sync(), done(), sync(), parse("s", "SELECT 1"), sync(), ring()],
        ),
        // Which of the syncs were swallowed decides which answer confirms the name.
        copying(
            "a name given where Sync was swallowed",
            RingsOrEither,
            &[
                copy(),
                sync(),
                raw(b'd', b"not a number\n"),
                sync(),
                parse("s", RING),
                done(),
                sync(),
                parse("s", "SELECT 1"),
                sync(),
                [bind("", "s"), execute("", 0), sync()].concat(),
            ],
        ),
        copying("a Query inside of COPY", Ends, &[query(COPY), data(), query(RING), query(RING)]),
        copying(
            "a Query inside of an Execute's COPY",
            Ends,
            &[copy(), data(), query(RING), sync(), query(RING)],
        ),
        copying(
            "an Execute in place of the end of COPY",
            Ends,
            &[copy(), whole(RING), done(), sync(), ring()],
        ),
        copying(
            "COPY that the client gives up, and more behind it",
            Rings,
            &[copy(), raw(b'f', b"no\0"), whole(RING), sync(), done(), ring()],
        ),
    ]
}

/// `COPY` of what nobody was asked about.
fn guarded_copies() -> Vec<Attack> {
    use Means::Rings;
    vec![
        attack(
            "COPY into what is guarded",
            Rings,
            &[query("COPY prey FROM STDIN"), data(), done(), query("SELECT 1")],
        ),
        attack(
            "an Execute's COPY into what is guarded",
            Rings,
            &[
                parse("k", "COPY prey FROM STDIN"),
                bind("", "k"),
                execute("", 0),
                data(),
                done(),
                sync(),
            ],
        ),
        attack(
            "COPY of what a change returns",
            Rings,
            &[query(&format!("COPY ({RING} RETURNING x) TO STDOUT"))],
        ),
    ]
}

/// Portals run without an `Execute`, or go on as another.
fn portals() -> Vec<Attack> {
    use Means::{Nothing, Rings};
    let returning = format!("{RING} RETURNING x");
    vec![
        attack(
            "a portal that FETCH runs",
            Rings,
            &[
                query("BEGIN"),
                parse("w", &returning),
                bind("c", "w"),
                sync(),
                query("FETCH ALL FROM c"),
                query("COMMIT"),
            ],
        ),
        attack(
            "a portal that FETCH runs in its own pipeline",
            Rings,
            &[
                query("BEGIN"),
                parse("w", &returning),
                bind("c", "w"),
                parse("f", "FETCH 1 FROM c"),
                bind("f", "f"),
                execute("f", 0),
                sync(),
                query("COMMIT"),
            ],
        ),
        attack(
            "a Bind that is planned and never executed",
            Rings,
            &[parse("", TRAP), bind("", ""), sync()],
        ),
        attack(
            "a Bind that is planned and flushed",
            Rings,
            &[parse("", TRAP), bind("", ""), raw(b'H', b""), sync()],
        ),
        attack(
            "a Bind of a change without its Execute",
            Nothing,
            &[parse("", RING), bind("", ""), sync()],
        ),
    ]
}

/// Names of portals that were cleared as something else.
fn suspended() -> Vec<Attack> {
    use Means::{Nothing, Rings};
    let read = "SELECT x FROM herd";
    vec![
        attack(
            "a suspended portal's name for a change",
            Rings,
            &[
                query("BEGIN"),
                [parse("r", read), bind("p", "r"), execute("p", 1), sync()].concat(),
                [close('P', "p"), parse("w", RING), bind("p", "w"), execute("p", 1), sync()].concat(),
                query("COMMIT"),
            ],
        ),
        attack(
            "the suspended unnamed portal bound anew",
            Rings,
            &[
                query("BEGIN"),
                [parse("r", read), parse("w", RING), bind("", "r"), execute("", 1)].concat(),
                [bind("", "w"), execute("", 1), sync()].concat(),
                query("COMMIT"),
            ],
        ),
        attack(
            "a portal closed before it is executed",
            Nothing,
            &[parse("a", RING), bind("b", "a"), close('P', "b"), execute("b", 0), sync()],
        ),
        attack(
            "a cursor over what is planned",
            Rings,
            &[
                query("BEGIN"),
                query(&format!("DECLARE c CURSOR FOR {TRAP}")),
                query("FETCH 1 FROM c"),
                query("ROLLBACK"),
            ],
        ),
    ]
}

/// Names that mean something else than they seem to.
fn names() -> Vec<Attack> {
    use Means::{Nothing, Rings};
    let long = |last: char| format!("{}{last}", "x".repeat(63));
    let use_it = |name: &str| [bind("", name), execute("", 0), sync()].concat();
    vec![
        attack(
            "a name that an error has not given",
            Rings,
            &[parse("b", RING), parse("b", "SELECT 1"), sync(), use_it("b")],
        ),
        attack(
            "the unnamed statement that an error has not replaced",
            Rings,
            &[parse("", RING), parse("c", "SELEC x"), parse("", "SELECT 1"), sync(), use_it("")],
        ),
        attack(
            "two names that are one to the server",
            Rings,
            &[parse(&long('1'), RING), parse(&long('2'), "SELECT 1"), sync(), use_it(&long('2'))],
        ),
        attack(
            "a long name that is bound by its beginning",
            Rings,
            &[parse(&long('1'), RING), sync(), use_it(&"x".repeat(63))],
        ),
        attack(
            "the name under which refusals are parsed",
            Rings,
            &[parse("tyer_refused", RING), sync(), use_it("tyer_refused")],
        ),
        attack(
            "the refusals' name taken before a refusal",
            Rings,
            &[parse("tyer_refused", "SELECT 1"), sync(), whole(RING), sync(), use_it("tyer_refused")],
        ),
        attack(
            "a statement that SQL prepares",
            Rings,
            &[query(&format!("PREPARE x AS {RING}")), use_it("x")],
        ),
        attack(
            "a statement that SQL prepares under a name that is known",
            Rings,
            &[
                parse("x", "SELECT 1"),
                sync(),
                query(&format!("DEALLOCATE x; PREPARE x AS {RING}")),
                use_it("x"),
            ],
        ),
        attack(
            "SQL's EXECUTE of a statement of the protocol",
            Rings,
            &[parse("x", RING), sync(), query("EXECUTE x")],
        ),
        attack("a name that nobody has given", Nothing, &[use_it("nobody")]),
    ]
}

/// What comes behind a refusal, or between messages that belong together.
fn pipelines() -> Vec<Attack> {
    use Means::{Nothing, Rings};
    vec![
        attack("a change", Rings, &[query(RING)]),
        attack(
            "an Execute behind a refused one",
            Rings,
            &[
                parse("w", RING),
                bind("p", "w"),
                execute("p", 0),
                execute("p", 0),
                whole(RING),
                sync(),
                bind("", "w"),
                run(),
            ],
        ),
        attack(
            "a Query inside of a pipeline",
            Rings,
            &[parse("w", RING), bind("", "w"), query("SELECT 1"), bind("", "w"), run()],
        ),
        attack(
            "a read, a change and a read in one pipeline",
            Rings,
            &[whole("SELECT 1"), whole(RING), whole("SELECT 2"), sync()],
        ),
        attack(
            "a change in a failed transaction that ends",
            Rings,
            &[query("BEGIN"), query("SELECT 1/0"), whole("ROLLBACK"), whole(RING), sync()],
        ),
        attack("Sync without end", Nothing, &[sync(), sync(), sync(), raw(b'H', b""), sync()]),
    ]
}

/// Messages that have no place in a session.
fn strays(alarm: u32) -> Vec<Attack> {
    use Means::{Ends, Nothing, Rings};
    // nextval(regclass) by its number, with one binary argument and a binary result.
    let mut call = 1574_u32.to_be_bytes().to_vec();
    call.extend([0, 1, 0, 1, 0, 1, 0, 0, 0, 4]);
    call.extend(alarm.to_be_bytes());
    call.extend([0, 1]);
    let gss = [8_u32.to_be_bytes(), 80_877_104_u32.to_be_bytes()].concat();
    let behind = || query(RING);
    vec![
        attack("a function called by its number", Rings, &[raw(b'F', &call)]),
        attack(
            "a second start-up message",
            Ends,
            &[encode::startup(0, &[("user", "postgres")]), behind()],
        ),
        attack("a request for TLS", Ends, &[encode::ssl_request(), behind()]),
        attack("a request for GSSAPI", Ends, &[gss, behind()]),
        attack("a request to cancel", Ends, &[encode::cancel_request(1, b"abcd"), behind()]),
        attack("a password after the login", Ends, &[encode::sasl_response(b"pencil"), behind()]),
        attack("a type that there is not", Ends, &[raw(b'!', b"x"), behind()]),
        attack("a type that only servers send", Ends, &[raw(b'Z', b"I"), behind()]),
        attack(
            "COPY data where nothing is copied",
            Nothing,
            &[data(), done(), raw(b'f', b"no\0"), query("SELECT 1"), data(), sync()],
        ),
    ]
}

/// Lengths and fields that are not what they say.
fn lies() -> Vec<Attack> {
    use Means::Ends;
    let text = format!("{RING}\0");
    let hidden = format!("SELECT 1\0{RING}\0");
    let bound = |count: u8| [b"\0\0\0\0\0", &[count][..], b"\xff\xff\xff\xfe\0\0"].concat();
    vec![
        attack("a Query of two gigabytes", Ends, &[lying(b'Q', 0x7fff_ffff, text.as_bytes())]),
        attack("a Query of a negative length", Ends, &[lying(b'Q', u32::MAX, text.as_bytes())]),
        attack("a Query that does not count its length", Ends, &[lying(b'Q', 3, text.as_bytes())]),
        attack("a Parse of two gigabytes", Ends, &[lying(b'P', 0x7fff_ffff, text.as_bytes())]),
        attack("a Sync with a text in it", Ends, &[lying(b'S', 0x0001_0000, text.as_bytes())]),
        attack("a Query with a text behind its end", Ends, &[raw(b'Q', hidden.as_bytes())]),
        attack("a Query without an end", Ends, &[raw(b'Q', RING.as_bytes()), query(RING)]),
        attack("a Bind with a negative length", Ends, &[parse("", RING), raw(b'B', &bound(1)), run()]),
        attack(
            "a Bind of more values than there are",
            Ends,
            &[parse("", RING), raw(b'B', &bound(9)), run()],
        ),
        attack("a Close of neither", Ends, &[close('X', "a"), query(RING)]),
        attack("an Execute without its count", Ends, &[raw(b'E', b"\0"), query(RING)]),
    ]
}

/// Texts that mean something else once a setting has changed.
fn readings() -> Vec<Attack> {
    use Means::{Nothing, Rings};
    // One string and a list to one reading, the end of a string and a change to the other.
    let quoted = format!("SELECT '\\', ' ; {RING}; --'");
    let wide = format!("SELECT E'\u{3043}\\'; {RING}; --'");
    let off = "SET standard_conforming_strings = off";
    let config = "SELECT set_config('standard_conforming_strings', 'off', false)";
    let encoding = "SET client_encoding = 'SJIS'";
    vec![
        attack("a quote that is escaped by now", Rings, &[query(off), query(&quoted)]),
        attack(
            "a quote that is escaped within a transaction",
            Rings,
            &[query("BEGIN"), query(off), query(&quoted), query("ROLLBACK")],
        ),
        attack("a quote that a function has escaped", Rings, &[query(config), query(&quoted)]),
        attack("a quote that the same text escapes", Nothing, &[query(&format!("{off}; {quoted}"))]),
        attack(
            "a quote escaped for a Parse in the same pipeline",
            Nothing,
            &[whole(off), whole(&quoted), sync()],
        ),
        attack("a backslash that is half a letter", Rings, &[query(encoding), query(&wide)]),
        attack(
            "a backslash that RESET makes half a letter",
            Nothing,
            &[query("RESET ALL"), query(&wide)],
        ),
        attack(
            "a path to another function",
            Rings,
            &[
                query(
                    "CREATE FUNCTION pg_temp.lower(text) RETURNS text LANGUAGE sql AS 'SELECT trap(1)::text'",
                ),
                query("SELECT pg_temp.lower('x')"),
            ],
        ),
    ]
}

/// A second statement where only one is seen.
fn hidden() -> Vec<Attack> {
    use Means::{Nothing, Rings};
    let behind = |before: &str| query(&format!("{before}{RING}"));
    vec![
        attack("a second statement", Rings, &[behind("SELECT 1; ")]),
        attack(
            "a second statement behind a comment",
            Rings,
            &[behind("SELECT 1 /* ; */ ; /* /* */ ; */ ")],
        ),
        attack("a second statement behind a line", Rings, &[behind("SELECT 1 -- ;\n; -- \r")]),
        attack("a second statement behind dollars", Rings, &[behind("SELECT $a$ $b$ ; $a$; ")]),
        attack("a second statement behind nothing", Rings, &[behind(";;;")]),
        attack(
            "a change in a read",
            Rings,
            &[query(&format!("WITH w AS ({RING} RETURNING x) SELECT 1"))],
        ),
        attack("a change that is only explained", Rings, &[behind("EXPLAIN ANALYZE ")]),
        attack("a change in a block", Rings, &[query(&format!("DO $$ BEGIN {RING}; END $$"))]),
        attack("two statements in one Parse", Nothing, &[whole(&format!("SELECT 1; {RING}")), sync()]),
        attack("a function that does it", Rings, &[query(TRAP)]),
        attack("a function in a condition", Rings, &[query("SELECT x FROM herd WHERE trap(x) = 0")]),
        attack("a function in an order", Rings, &[query("SELECT x FROM herd ORDER BY public.trap(x)")]),
    ]
}
