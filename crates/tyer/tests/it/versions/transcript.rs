//! What a server says, byte by byte: from the start-up packet to the end of a representative conversation.
//!
//! A line is who says it (`>` the client, `<` the server), the message's type, and its body: NUL is `|`, and
//! what cannot be printed, `|` and `\` are `\x` and two digits. What the client says to log in is left out, and
//! what is random or names a process is replaced by as many zeros.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use tyer_wire::postgres::encode;
use xtask::cluster::{Cluster, DATABASE, ROLE};

/// What the client asks, and how often the server is ready, or waits for a copy, before it asks more.
fn conversation() -> Vec<Vec<u8>> {
    let query = |sql: &str| encode::query(sql.as_bytes());
    let parse = |name: &str, sql: &str| encode::parse(name.as_bytes(), sql.as_bytes(), &[]);
    let bind = |name: &str, values: &[&str]| {
        encode::message(b'B', |out| {
            out.push(0);
            out.extend([name.as_bytes(), &[0, 0, 0]].concat());
            out.extend(u16::try_from(values.len()).expect("few").to_be_bytes());
            for value in values {
                out.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
                out.extend(value.as_bytes());
            }
            out.extend([0, 0]);
        })
    };
    let named =
        |tag: u8, what: &str| encode::message(tag, |out| out.extend([what.as_bytes(), &[0]].concat()));
    let execute =
        |rows: u32| encode::message(b'E', |out| out.extend([&[0][..], &rows.to_be_bytes()].concat()));
    let copied = |text: &str| encode::message(b'd', |out| out.extend(text.as_bytes()));
    let done = || encode::message(b'c', |_| {});
    let failed = || named(b'f', "enough");
    let plus = "SELECT $1::int + 1 AS next";
    vec![
        query("SELECT 1 AS one, NULL::text AS none"),
        query("SELECT n FROM generate_series(1, 3) AS n; SELECT 'two'; SELECT 1 / 0"),
        query(""),
        query("SELEC 1"),
        [parse("", plus), bind("", &["41"]), named(b'D', "P"), execute(0), encode::sync()].concat(),
        [parse("kept", plus), named(b'D', "Skept"), encode::sync()].concat(),
        [bind("kept", &["x"]), execute(0), bind("kept", &["1"]), execute(0), encode::sync()].concat(),
        [bind("kept", &["1"]), execute(0), named(b'C', "Skept"), encode::sync()].concat(),
        [
            parse("", "SELECT n FROM generate_series(1, 3) AS n"),
            bind("", &[]),
            execute(2),
            execute(2),
            encode::sync(),
        ]
        .concat(),
        query("CREATE TEMP TABLE numbers (n int UNIQUE)"),
        query("COPY numbers FROM STDIN"),
        [copied("1\n2\n"), copied("3\n"), done()].concat(),
        query("COPY numbers FROM STDIN"),
        [copied("4\n"), failed()].concat(),
        query("COPY (SELECT n FROM numbers ORDER BY n) TO STDOUT"),
        query("BEGIN"),
        query("INSERT INTO customers SELECT * FROM customers WHERE id = 1"),
        query("SELECT 1"),
        query("ROLLBACK"),
        query("DROP TABLE IF EXISTS nowhere"),
        query("SET timezone = 'Asia/Tokyo'"),
        query("LISTEN recorded"),
        query("NOTIFY recorded, 'heard'"),
    ]
}

/// Holds the conversation with a server, and tells it.
pub(super) fn record(cluster: &Cluster, version: u32) -> String {
    let stream = TcpStream::connect(("127.0.0.1", cluster.port())).expect("a connection");
    let said = format!(
        "# What PostgreSQL {version} says. Recorded by the black-box tests (`versions`); never edited by hand.\n"
    );
    let mut recorder = Recorder { stream, said };
    let parameters = [("user", ROLE), ("database", DATABASE), ("application_name", "recorded")];
    recorder.send(&encode::startup(2, &parameters));
    recorder.log_in(cluster.password());
    while recorder.hear().0 != b'Z' {}
    for asked in conversation() {
        for message in messages(&asked) {
            recorder.tell('>', message);
        }
        recorder.send(&asked);
        while !matches!(recorder.hear().0, b'Z' | b'G') {}
    }
    recorder.said
}

struct Recorder {
    stream: TcpStream,
    said: String,
}

impl Recorder {
    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("the server listens");
    }

    fn log_in(&mut self, password: &str) {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        loop {
            let (tag, body) = self.hear();
            match (tag, body.get(..4)) {
                (b'v', _) => {}
                (b'R', Some([0, 0, 0, 10])) => {
                    let first = encode::sasl_initial(SCRAM_SHA_256.as_bytes(), scram.message());
                    self.send(&first);
                }
                (b'R', Some([0, 0, 0, 11])) => {
                    scram.update(&body[4..]).expect("a challenge");
                    let second = encode::sasl_response(scram.message());
                    self.send(&second);
                }
                (b'R', Some([0, 0, 0, 12])) => {}
                (b'R', Some([0, 0, 0, 0])) => return,
                other => panic!("{other:?}"),
            }
        }
    }

    /// The next message of the server: its type and its body.
    fn hear(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 5];
        self.stream.read_exact(&mut head).expect("a message");
        let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
        let mut body = vec![0; usize::try_from(length).expect("a length") - 4];
        self.stream.read_exact(&mut body).expect("a body");
        self.tell('<', &[&head, masked(head[0], &body).as_slice()].concat());
        (head[0], body)
    }

    fn tell(&mut self, who: char, message: &[u8]) {
        let _infallible = write!(self.said, "{who} {}", char::from(message[0]));
        if message.len() > 5 {
            self.said.push(' ');
        }
        for byte in &message[5..] {
            match byte {
                0 => self.said.push('|'),
                b'|' | b'\\' => _ = write!(self.said, "\\x{byte:02x}"),
                b' '..=b'~' => self.said.push(char::from(*byte)),
                other => _ = write!(self.said, "\\x{other:02x}"),
            }
        }
        self.said.push('\n');
    }
}

/// A body with as many zeros for what is another each time.
fn masked(tag: u8, body: &[u8]) -> Vec<u8> {
    let kept = match (tag, body.get(3)) {
        (b'K', _) => 0,
        (b'R', Some(11 | 12)) => 4,
        (b'A', _) => return [&[0; 4], &body[4..]].concat(),
        _ => body.len(),
    };
    [&body[..kept], &vec![0; body.len() - kept]].concat()
}

/// The messages of which bytes are made.
fn messages(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut found, mut rest) = (Vec::new(), bytes);
    while let Some(&[_, a, b, c, d]) = rest.get(..5) {
        let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).expect("a length") + 1;
        let (message, others) = rest.split_at(length);
        found.push(message);
        rest = others;
    }
    found
}
