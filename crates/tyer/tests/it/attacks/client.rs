//! A client that says exactly what it is told to.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use tyer_wire::postgres::decode::{Complaint, Decoder, Side};
use tyer_wire::postgres::encode;
use xtask::cluster::DATABASE;

use super::scripts::{self, Step};
use crate::clients::Seat;

/// Nothing here takes so long; whoever is silent for longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What came: types of messages, with the codes of errors, and everything that is text.
#[derive(Debug, Default)]
pub(super) struct Answers {
    all: Vec<(u8, String)>,
    pub(super) text: String,
}

impl Answers {
    /// The types alone.
    pub(super) fn tags(&self) -> String {
        self.all.iter().map(|(tag, _)| char::from(*tag)).collect()
    }

    /// Types, and the codes of errors.
    fn shown(&self) -> String {
        let shown = |(tag, code): &(u8, String)| match code.is_empty() {
            true => char::from(*tag).to_string(),
            false => format!("{}({code})", char::from(*tag)),
        };
        self.all.iter().map(shown).collect::<Vec<_>>().join(" ")
    }
}

/// The hold that an error names.
pub(super) fn hold_of(answers: &Answers) -> String {
    let (_, rest) =
        answers.text.split_once("H-").unwrap_or_else(|| panic!("no hold in {}", answers.text));
    format!("H-{}", rest.chars().take_while(char::is_ascii_digit).collect::<String>())
}

pub(super) struct Client {
    stream: TcpStream,
    decoder: Decoder,
    answers: Answers,
}

impl Client {
    /// Logs in.
    pub(super) fn connect(seat: &Seat) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", seat.port)).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("no delay");
        let (decoder, answers) = (Decoder::new(Side::Upstream), Answers::default());
        let mut client = Self { stream, decoder, answers };
        client.send(&encode::startup(0, &[("user", &seat.user), ("database", DATABASE)]));
        let mut scram = ScramSha256::new(seat.password.as_bytes(), ChannelBinding::unsupported());
        client.authentication(10);
        client.send(&encode::sasl_initial(b"SCRAM-SHA-256", scram.message()));
        scram.update(&client.authentication(11)).expect("a challenge");
        client.send(&encode::sasl_response(scram.message()));
        scram.finish(&client.authentication(12)).expect("the server's proof");
        client.authentication(0);
        while client.next().expect("a greeting").0 != b'Z' {}
        client.answers = Answers::default();
        client
    }

    fn authentication(&mut self, kind: u8) -> Vec<u8> {
        let (tag, body) = self.next().expect("an answer");
        assert_eq!((tag, &body[..4]), (b'R', &[0, 0, 0, kind][..]), "{body:?}");
        body[4..].to_vec()
    }

    /// Sends what the other side may no longer want to hear.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        drop(self.stream.write_all(bytes));
    }

    /// Sends, and takes what comes until the server is ready again.
    pub(super) fn ask(&mut self, bytes: &[u8]) -> Answers {
        let readies = scripts::readies(bytes);
        self.send(bytes);
        let mut ready = 0;
        while ready < readies.max(1) {
            let (tag, _) = self.note().unwrap_or_else(|| panic!("closed: {:?}", self.answers));
            ready += usize::from(tag == b'Z');
        }
        std::mem::take(&mut self.answers)
    }

    pub(super) fn play(&mut self, script: &[Step]) {
        for step in script {
            match step {
                Step::Send(bytes) => self.send(bytes),
                Step::Await(tag) => while self.note().is_some_and(|(came, _)| came != *tag) {},
            }
        }
    }

    /// The other side's end of the connection. What it said last may be lost where it had not read everything.
    pub(super) fn until_closed(mut self) -> String {
        while self.note().is_some() {}
        "closed".to_owned()
    }

    /// Whatever came, up to the answer of a question that every healthy connection answers; nothing, if the
    /// connection has ended.
    pub(super) fn until_consistent(mut self) -> Option<String> {
        let end = [encode::message(b'f', |out| out.push(0)), encode::sync()].concat();
        self.send(&end);
        self.send(&encode::query(b"SELECT 'still' || ' here'"));
        while !self.answers.text.ends_with("still here") {
            self.note()?;
        }
        // Its own answer is no part of what came before.
        self.answers.all.truncate(self.answers.all.len() - 2);
        let rest = [self.note()?, self.note()?].map(|(tag, _)| tag);
        assert_eq!(rest, *b"CZ", "{:?}", self.answers);
        self.answers.all.truncate(self.answers.all.len() - 2);
        Some(self.answers.shown())
    }

    /// The next message, noted; notices and settings come when they like.
    fn note(&mut self) -> Option<(u8, Vec<u8>)> {
        let (tag, body) = self.next()?;
        let code = match tag {
            b'E' => Complaint::decode(&body).expect("an error").code,
            b'Z' => String::from_utf8_lossy(&body).into_owned(),
            _ => String::new(),
        };
        if !matches!(tag, b'N' | b'S') {
            self.answers.all.push((tag, code));
        }
        self.answers.text.push_str(&String::from_utf8_lossy(&body));
        Some((tag, body))
    }

    fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(frame) = self.decoder.frame().expect("the protocol") {
                return Some((frame.tag(), frame.body().to_vec()));
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.decoder.push(&bytes[..count]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("it hangs: {error}, {:?}", self.answers),
            }
        }
    }
}
