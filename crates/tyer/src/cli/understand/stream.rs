//! Many requests, one JSON line each, in order.
//!
//! What the input yields at once is a batch; batches go round the threads, and are written and flushed
//! in the same order. So slow input is answered line by line, and fast input in large blocks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde::Deserialize;
use serde_json::Value;
use tyer_core::limits::REQUEST_BYTES_MAX;

use super::{Explained, Understand, opaque};

/// Bytes that are read at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// Bytes of one line: JSON may take six for one of the request.
const LINE_BYTES_MAX: usize = 6 * REQUEST_BYTES_MAX + 64 * 1024;
/// Batches that wait before and after each thread.
const QUEUE: usize = 2;
/// Requests of recent batches whose answer is kept, and how long they may be.
const REMEMBERED_MAX: usize = 8_192;
const REMEMBERED_BYTES_MAX: usize = 2_048;
/// The parser and the walk recurse as deep as a request is nested.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// How a stream ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Ended {
    /// At least one line was not the JSON that is asked for.
    pub(super) any_malformed: bool,
}

/// The answers to a batch, and whether a line in it was malformed.
type Answers = (Vec<u8>, bool);

/// Explains every line of `input` on `threads` threads and writes one line each to `output`.
pub(super) fn explain_lines<W: Write + Send>(
    way: &Understand,
    input: &mut impl Read,
    output: &mut W,
    threads: usize,
) -> io::Result<Ended> {
    std::thread::scope(|scope| {
        let (mut questions, mut answers) = (Vec::new(), Vec::new());
        for _ in 0..threads.max(1) {
            let (ask, asked) = sync_channel(QUEUE);
            let (answer, answered) = sync_channel(QUEUE);
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
            thread.spawn_scoped(scope, move || answer_batches(way, &asked, &answer))?;
            questions.push(ask);
            answers.push(answered);
        }
        let writer = scope.spawn(move || write_in_turn(&answers, output));
        let read = read_batches(input, &questions);
        drop(questions);
        // The writer ends when the threads have, and they end when nothing more is asked.
        let written = writer.join().unwrap_or_else(|_| Err(io::Error::other("a thread failed")));
        read.and(written)
    })
}

/// Cuts the input into batches of whole lines.
fn read_batches(input: &mut impl Read, questions: &[SyncSender<Vec<u8>>]) -> io::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut pending = Pending::default();
    let mut turns = questions.iter().cycle();
    loop {
        let count = match input.read(&mut block) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let read = block.get(..count).unwrap_or_default();
        let whole = read.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let (lines, rest) = read.split_at(whole);
        pending.extend(lines);
        if whole > 0 || count == 0 {
            let batch = std::mem::take(&mut pending).bytes;
            let asked = batch.is_empty() || turns.next().is_some_and(|ask| ask.send(batch).is_ok());
            // If nobody takes it, the output is closed; the writer knows why.
            if count == 0 || !asked {
                return Ok(());
            }
        }
        pending.extend(rest);
    }
}

/// The batch that is being read.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    /// Where its last line begins.
    line: usize,
}

impl Pending {
    /// Adds to the batch. Of a line that is too long anyway only so much is kept that its answer says so.
    fn extend(&mut self, more: &[u8]) {
        for piece in more.split_inclusive(|byte| *byte == b'\n') {
            let room = (LINE_BYTES_MAX + 1).saturating_sub(self.bytes.len() - self.line);
            let (line, end) = piece.split_at(piece.len() - usize::from(piece.ends_with(b"\n")));
            self.bytes.extend_from_slice(line.get(..room).unwrap_or(line));
            if !end.is_empty() {
                self.bytes.extend_from_slice(end);
                self.line = self.bytes.len();
            }
        }
    }
}

fn answer_batches(way: &Understand, asked: &Receiver<Vec<u8>>, answer: &SyncSender<Answers>) {
    let mut remembered = Remembered::default();
    for batch in asked {
        let mut out = Vec::with_capacity(batch.len() * 3);
        let mut any_malformed = false;
        for line in batch.strip_suffix(b"\n").unwrap_or(&batch).split(|byte| *byte == b'\n') {
            any_malformed |= !remembered.answer(way, line, &mut out);
        }
        if answer.send((out, any_malformed)).is_err() {
            return;
        }
    }
}

/// Takes one batch of each thread in turn, as they were given out.
fn write_in_turn(answers: &[Receiver<Answers>], output: &mut impl Write) -> io::Result<Ended> {
    let mut ended = Ended::default();
    for answered in answers.iter().cycle() {
        // The thread whose turn it is has ended, so all batches are answered.
        let Ok((lines, any_malformed)) = answered.recv() else { break };
        output.write_all(&lines)?;
        output.flush()?;
        ended.any_malformed |= any_malformed;
    }
    Ok(ended)
}

/// One line of input.
#[derive(Deserialize)]
struct Asked<'a> {
    #[serde(default)]
    id: Value,
    #[serde(borrow)]
    request: Cow<'a, str>,
}

/// Answers to recent requests, without the ids.
#[derive(Default)]
struct Remembered {
    answers: HashMap<String, Arc<str>>,
}

impl Remembered {
    /// Answers one line; false if it is malformed.
    fn answer(&mut self, way: &Understand, line: &[u8], out: &mut Vec<u8>) -> bool {
        let asked = if line.len() > LINE_BYTES_MAX {
            Err("the line is too long".to_owned())
        } else {
            serde_json::from_slice::<Asked<'_>>(line).map_err(|error| error.to_string())
        };
        let (id, answer, is_good) = match &asked {
            Ok(asked) => (asked.id.to_string(), self.of(way, &asked.request), true),
            Err(why) => ("null".to_owned(), malformed(why), false),
        };
        out.extend_from_slice(b"{\"id\":");
        out.extend_from_slice(id.as_bytes());
        out.push(b',');
        out.extend_from_slice(answer.as_bytes());
        out.push(b'\n');
        is_good
    }

    fn of(&mut self, way: &Understand, request: &str) -> Arc<str> {
        if let Some(known) = self.answers.get(request) {
            return Arc::clone(known);
        }
        let answer = rest_of_line(&way.explain(request.as_bytes()), None);
        if request.len() <= REMEMBERED_BYTES_MAX {
            if self.answers.len() >= REMEMBERED_MAX {
                self.answers.clear();
            }
            self.answers.insert(request.to_owned(), Arc::clone(&answer));
        }
        answer
    }
}

fn malformed(why: &str) -> Arc<str> {
    let error = format!("not a line such as {{\"id\": 1, \"request\": \"...\"}}: {why}");
    rest_of_line(&opaque("the line could not be read"), Some(&error))
}

/// A line after the id and its comma.
fn rest_of_line(explained: &Explained, error: Option<&str>) -> Arc<str> {
    let text = serde_json::to_string(&explained.shown(error)).unwrap_or_default();
    text.strip_prefix('{').unwrap_or(&text).into()
}
