//! A relay before a server that sees each text, and whether the server wrote anything for it.
//!
//! A transaction gets an identifier with its first write, and only then. Another connection sees the newest
//! identifier that ended, and whether a connection holds one. Only one connection may work at a time.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use tokio_postgres::{Client, SimpleQueryMessage};

/// One text that ran.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) sql: String,
    /// The first command tag; empty if there was an error before it.
    pub(crate) tag: String,
    pub(crate) failed: bool,
    /// Whether anything was written for it; unknown where the transaction had written before.
    pub(crate) wrote: Option<bool>,
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
    loop {
        let (kind, frame) = take(&mut agent)?;
        let sql = frame.get(5..frame.len().saturating_sub(1)).unwrap_or_default();
        let sql = String::from_utf8_lossy(sql).into_owned();
        let look = || watch.lock().expect("a lock").look(pid);
        let before = (kind == b'Q').then(look);
        server.write_all(&frame)?;
        if !matches!(kind, b'Q' | b'F' | b'S') {
            continue;
        }
        let answer = answered(&mut agent, &mut server)?;
        if let Some(before) = before {
            let after = watch.lock().expect("a lock").look(pid);
            let wrote = (!before.holds).then(|| after.holds || after.ended != before.ended);
            drop(ran.send(Ran { sql, tag: answer.tag, failed: answer.failed, wrote }));
        }
        agent.write_all(&answer.ready)?;
    }
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

#[derive(Default)]
struct Answer {
    tag: String,
    failed: bool,
    /// The last frame, which the agent gets when everything else is done.
    ready: Vec<u8>,
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
            b'C' if answer.tag.is_empty() => {
                let tag = frame.get(5..frame.len() - 1).unwrap_or_default();
                answer.tag = String::from_utf8_lossy(tag).into_owned();
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
