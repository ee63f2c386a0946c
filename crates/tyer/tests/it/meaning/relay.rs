//! A relay before a server that sees each text, and what the server did for it.
//!
//! A transaction gets an identifier with its first write, and only then. Another connection sees the newest
//! identifier that ended, and whether a connection holds one. Only one connection may work at a time. Where a
//! text wrote, the connection itself is asked which rows, between the texts of whoever uses it.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use tokio_postgres::{Client, SimpleQueryMessage};

use super::rows::{self, Counts, Did, Rows};

/// One text that ran.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The server's process.
    pub(crate) connection: i32,
    /// The number of its transaction among those of the connection.
    pub(crate) transaction: usize,
    pub(crate) sql: String,
    /// The command tags, up to an error.
    pub(crate) tags: Vec<String>,
    pub(crate) failed: bool,
    /// Whether anything was written for it; unknown where the transaction had written before.
    pub(crate) wrote: Option<bool>,
    /// What it did to rows; unknown where the connection could not be asked.
    pub(super) did: Option<Did>,
}

/// What another connection sees.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    ended: String,
    holds: bool,
}

struct Watch {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Watch {
    fn look(&self, pid: i32) -> Seen {
        let sql = format!(
            "SELECT pg_snapshot_xmax(pg_current_snapshot()), EXISTS (SELECT FROM pg_locks
             WHERE locktype = 'transactionid' AND mode = 'ExclusiveLock' AND pid = {pid})"
        );
        let rows = self.runtime.block_on(self.client.simple_query(&sql)).expect("an answer");
        let row = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let row = row.expect("a row");
        Seen { ended: row.get(0).unwrap_or_default().to_owned(), holds: row.get(1) == Some("t") }
    }
}

/// Starts the relay; its port, and all that ran once every connection is closed.
pub(crate) fn start(server: u16, login: &str) -> (u16, Arc<Mutex<Vec<Ran>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let ran = Arc::new(Mutex::new(Vec::new()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (client, connection) =
        runtime.block_on(tokio_postgres::connect(login, tokio_postgres::NoTls)).expect("a connection");
    runtime.spawn(connection);
    let watch = Arc::new(Mutex::new(Watch { runtime, client }));
    let all = Arc::clone(&ran);
    std::thread::spawn(move || {
        for agent in listener.incoming().map_while(Result::ok) {
            let (watch, all) = (Arc::clone(&watch), Arc::clone(&all));
            std::thread::spawn(move || {
                let (send, receive) = channel();
                // A connection that ends is no error here; what ran before it counts.
                drop(relay(agent, server, &watch, &send));
                drop(send);
                all.lock().expect("a lock").extend(receive);
            });
        }
    });
    (port, ran)
}

fn relay(mut agent: TcpStream, server: u16, watch: &Mutex<Watch>, ran: &Sender<Ran>) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", server))?;
    agent.set_nodelay(true)?;
    server.set_nodelay(true)?;
    server.write_all(&sized(&mut agent)?)?;
    let pid = sign_in(&mut agent, &mut server)?;
    let mut seat = Seat { agent, server, state: b'I', counts: Counts::default(), transaction: 0 };
    loop {
        let (kind, frame) = take(&mut seat.agent)?;
        if kind != b'Q' {
            seat.server.write_all(&frame)?;
            if matches!(kind, b'F' | b'S') {
                let answer = answered(&mut seat.agent, &mut seat.server)?;
                seat.ends(&answer)?;
            }
            continue;
        }
        seat.begins()?;
        let look = || watch.lock().expect("a lock").look(pid);
        let before = look();
        seat.server.write_all(&frame)?;
        let mut answer = answered(&mut seat.agent, &mut seat.server)?;
        let after = look();
        let wrote = (!before.holds).then(|| after.holds || after.ended != before.ended);
        seat.state = state(&answer);
        let did = match wrote {
            Some(false) => Some(Did::default()),
            _ => seat.measure(&mut answer)?,
        };
        let sql = String::from_utf8_lossy(&frame[5..frame.len() - 1]).into_owned();
        let (connection, transaction) = (pid, seat.transaction);
        let Answer { tags, failed, .. } = answer.clone();
        drop(ran.send(Ran { connection, transaction, sql, tags, failed, wrote, did }));
        seat.ends(&answer)?;
    }
}

/// One connection through the relay.
struct Seat {
    agent: TcpStream,
    server: TcpStream,
    /// What the server said last of its transaction.
    state: u8,
    /// What it had counted of rows when it was asked last.
    counts: Counts,
    transaction: usize,
}

impl Seat {
    /// Before a text: outside of a transaction the connection begins to count.
    fn begins(&mut self) -> io::Result<()> {
        if self.state == b'I' {
            self.transaction += 1;
            self.counts = Counts::default();
            let (_, others) = self.ask(rows::HAND_ON)?;
            self.agent.write_all(&others)?;
        }
        Ok(())
    }

    /// After an answer: the agent may go on.
    fn ends(&mut self, answer: &Answer) -> io::Result<()> {
        self.state = state(answer);
        self.agent.write_all(&answer.ready)
    }

    /// What was done to rows since the connection was asked last; it may be asked where it is not in the way.
    fn measure(&mut self, answer: &mut Answer) -> io::Result<Option<Did>> {
        // A transaction that has run no query may still be told how it is isolated.
        let words =
            ["BEGIN", "START", "SET", "RESET", "SHOW", "SAVEPOINT", "RELEASE", "ROLLBACK", "LOCK"];
        let early = |tag: &String| {
            let word = tag.split(' ').next().unwrap_or_default();
            words.contains(&word) && tag != "SET CONSTRAINTS" || matches!(word, "COMMIT" | "DISCARD")
        };
        let is_free = self.state == b'I' || self.state == b'T' && !answer.tags.iter().all(early);
        if !is_free {
            return Ok(None);
        }
        let (counted, others) = self.ask(rows::COUNTED)?;
        answer.ready.splice(0..0, others);
        let Some(now) = counted.map(Counts::of) else { return Ok(None) };
        let changes = now.since(&self.counts);
        self.counts = now;
        let Some(changes) = changes else { return Ok(None) };
        if changes.is_empty() {
            return Ok(Some(Did::default()));
        }
        let (leading, others) = self.ask(&rows::leading_to(&changes))?;
        answer.ready.splice(0..0, others);
        let leading = leading.expect("what leads to a relation");
        Ok(Some(Did::new(changes, leading)))
    }

    /// The answer to a question of our own, unless it fails; and what the agent is to get of what came with it.
    fn ask(&mut self, sql: &str) -> io::Result<(Option<Rows>, Vec<u8>)> {
        let length = u32::try_from(sql.len() + 5).expect("a short question");
        let frame = [b"Q", length.to_be_bytes().as_slice(), sql.as_bytes(), b"\0"].concat();
        self.server.write_all(&frame)?;
        let (mut rows, mut others, mut failed) = (Rows::new(), Vec::new(), false);
        loop {
            let (kind, frame) = take(&mut self.server)?;
            match kind {
                b'Z' => return Ok(((!failed).then_some(rows), others)),
                b'D' => rows.push(values(&frame[5..])),
                b'E' => failed = true,
                b'A' | b'S' => others.extend(frame),
                _ => {}
            }
        }
    }
}

/// The values of a row; none is empty.
fn values(mut row: &[u8]) -> Vec<String> {
    let count = u16::from_be_bytes([row[0], row[1]]);
    row = &row[2..];
    let mut values = Vec::new();
    for _ in 0..count {
        let length = i32::from_be_bytes(row[..4].try_into().expect("four bytes"));
        let (value, rest) = row[4..].split_at(usize::try_from(length).unwrap_or_default());
        values.push(String::from_utf8_lossy(value).into_owned());
        row = rest;
    }
    values
}

/// The login, and the server's process.
fn sign_in(agent: &mut TcpStream, server: &mut TcpStream) -> io::Result<i32> {
    let mut pid = 0;
    loop {
        let (kind, frame) = take(server)?;
        agent.write_all(&frame)?;
        match kind {
            // What is asked for here, the agent answers; 0 and 12 end that.
            b'R' if !matches!(frame.get(5..9), Some([0, 0, 0, 0 | 12])) => {
                server.write_all(&take(agent)?.1)?;
            }
            b'K' => {
                pid = i32::from_be_bytes(
                    frame.get(5..9).and_then(|it| it.try_into().ok()).unwrap_or_default(),
                )
            }
            b'Z' => return Ok(pid),
            _ => {}
        }
    }
}

#[derive(Clone, Default)]
struct Answer {
    tags: Vec<String>,
    failed: bool,
    /// The last frame, which the agent gets when everything else is done.
    ready: Vec<u8>,
}

/// What an answer says of the transaction.
fn state(answer: &Answer) -> u8 {
    answer.ready.last().copied().unwrap_or_default()
}

fn answered(agent: &mut TcpStream, server: &mut TcpStream) -> io::Result<Answer> {
    let mut answer = Answer::default();
    let mut kept = Vec::new();
    loop {
        let (kind, frame) = take(server)?;
        match kind {
            b'Z' => {
                agent.write_all(&kept)?;
                return Ok(Answer { ready: frame, ..answer });
            }
            b'E' => answer.failed = true,
            b'C' => {
                let tag = frame.get(5..frame.len() - 1).unwrap_or_default();
                answer.tags.push(String::from_utf8_lossy(tag).into_owned());
            }
            _ => {}
        }
        kept.extend(frame);
        if kind == b'G' {
            agent.write_all(&kept)?;
            kept.clear();
            loop {
                let (kind, frame) = take(agent)?;
                server.write_all(&frame)?;
                if matches!(kind, b'c' | b'f') {
                    break;
                }
            }
        }
    }
}

/// A frame with its kind in front.
fn take(from: &mut TcpStream) -> io::Result<(u8, Vec<u8>)> {
    let mut kind = [0];
    from.read_exact(&mut kind)?;
    let mut frame = vec![kind[0]];
    frame.extend(sized(from)?);
    Ok((kind[0], frame))
}

/// What has its length in front.
fn sized(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let mut all = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap_or_default().max(4)];
    all[..4].copy_from_slice(&length);
    from.read_exact(&mut all[4..])?;
    Ok(all)
}
