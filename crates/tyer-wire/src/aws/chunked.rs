//! Bodies in `aws-chunked`: each chunk with its length, and with a signature over it and all before it where the
//! body is signed; at their end the trailers.
//!
//! Follows "Transferring Payload in Multiple Chunks" and "Including Trailing Headers" of S3's description of
//! Signature Version 4. A signed chunk leaves the [`Decoder`] only after its signature was verified, and so is held
//! until it is whole; an unsigned one leaves as it comes. What goes on to AWS is written by [`Encoder`].

mod encode;
#[cfg(test)]
mod tests;

use tyer_core::intent::Digest;
use tyer_core::limits::{CHUNK_BYTES_MAX, CHUNK_LINE_BYTES_MAX, TRAILERS_BYTES_MAX, TRAILERS_MAX};

use crate::aws::request::Head;
use crate::aws::sigv4::{Link, Payload, Seed, Verified, read_digest};

pub use encode::Encoder;

/// Why a body is refused. The texts are for whoever sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// The body of that request does not come in chunks.
    #[error("the request declares no body in chunks")]
    NotChunked,
    /// The head does not say how long the content is, or not once, as a number.
    #[error("the x-amz-decoded-content-length is missing, or is no number")]
    NoLength,
    /// The head does not say which trailers follow.
    #[error("the x-amz-trailer is missing, or does not list names of trailers")]
    NoTrailers,
    /// A length, an extension or a line end is not as it must be.
    #[error("the body is not well-formed aws-chunked")]
    Malformed,
    /// A signed chunk that would have to be held whole.
    #[error("a signed chunk has more than {CHUNK_BYTES_MAX} bytes; send smaller chunks")]
    TooLong,
    /// A line or all trailers together are longer than any of a client that exists.
    #[error("a line or the trailers of the body are too long")]
    Line,
    /// A chunk or the trailers are not what was signed.
    #[error("the signature of a chunk or of the trailers does not match")]
    Signature,
    /// A trailer that was not declared, is missing, or comes twice.
    #[error("the trailers are not those that the request declares")]
    Trailers,
    /// More or fewer bytes than were declared.
    #[error("the content has not the length that the request declares")]
    Length,
    /// The body ended before its last chunk or its trailers.
    #[error("the body ended before it was complete")]
    Cut,
}

/// Takes a body apart, in whatever pieces it comes. What was refused once stays refused.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    signing: Signing,
    /// A line that is not whole yet.
    line: Vec<u8>,
    /// A signed chunk that is not whole yet.
    held: Vec<u8>,
    /// Bytes of content that are still to come.
    left: u64,
    /// Names of the trailers that the head declares.
    declared: Vec<String>,
    trailers: Vec<(String, String)>,
    trailers_bytes: usize,
}

#[derive(Debug)]
enum Signing {
    None,
    Chunks(Seed),
    ChunksAndTrailers(Seed),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// In the line with a chunk's length.
    Length,
    /// So many bytes before the end of a chunk with that signature.
    Content { left: u64, signature: [u8; 32] },
    /// Before the line end that follows a chunk.
    ContentEnd { is_last: bool },
    /// Among the trailers.
    Trailers,
    /// After the signature over the trailers.
    TrailersSigned,
    /// All is there. Some clients send one more line end.
    Done,
    /// All is there, and that line end too.
    Closed,
    /// The body is refused.
    Refused(ChunkError),
}

impl Decoder {
    /// For the body of a request with that head, which was verified.
    ///
    /// # Errors
    ///
    /// [`ChunkError::NotChunked`], [`ChunkError::NoLength`] or [`ChunkError::NoTrailers`].
    pub fn new(verified: &Verified, head: &Head) -> Result<Self, ChunkError> {
        let seed = || verified.seed().cloned().ok_or(ChunkError::NotChunked);
        let signing = match verified.payload() {
            Payload::StreamingSigned => Signing::Chunks(seed()?),
            Payload::StreamingSignedTrailer => Signing::ChunksAndTrailers(seed()?),
            Payload::StreamingUnsignedTrailer => Signing::None,
            Payload::Hash(_) | Payload::OfBody | Payload::Unsigned => {
                return Err(ChunkError::NotChunked);
            }
        };
        let left = head.header("x-amz-decoded-content-length").and_then(decimal);
        let declared = match signing {
            Signing::Chunks(_) if head.headers("x-amz-trailer").next().is_none() => Vec::new(),
            Signing::Chunks(_) => return Err(ChunkError::NoTrailers),
            Signing::None | Signing::ChunksAndTrailers(_) => {
                declared(head).ok_or(ChunkError::NoTrailers)?
            }
        };
        Ok(Self {
            state: State::Length,
            signing,
            line: Vec::new(),
            held: Vec::new(),
            left: left.ok_or(ChunkError::NoLength)?,
            declared,
            trailers: Vec::new(),
            trailers_bytes: 0,
        })
    }

    /// How many bytes of content are still to come.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Takes the next bytes of the body, and appends to `content` what may go on.
    ///
    /// # Errors
    ///
    /// Why the body is refused; what was appended before stays.
    pub fn push(&mut self, mut bytes: &[u8], content: &mut Vec<u8>) -> Result<(), ChunkError> {
        while !bytes.is_empty() {
            let taken = match self.state {
                State::Content { left, signature } => self.content(left, signature, bytes, content),
                State::Refused(error) => Err(error),
                State::Length
                | State::ContentEnd { .. }
                | State::Trailers
                | State::TrailersSigned
                | State::Done
                | State::Closed => self.text(bytes),
            };
            bytes = taken.inspect_err(|error| self.state = State::Refused(*error))?;
        }
        Ok(())
    }

    /// The trailers of a body that has ended, in the order they came in.
    ///
    /// # Errors
    ///
    /// [`ChunkError::Cut`], [`ChunkError::Trailers`], or why it was refused before.
    pub fn finish(self) -> Result<Vec<(String, String)>, ChunkError> {
        // The empty line after the signature over the trailers would add nothing.
        let is_whole = matches!(self.state, State::Done | State::Closed | State::TrailersSigned);
        match self.state {
            State::Refused(error) => return Err(error),
            _ if !is_whole || !self.line.is_empty() => return Err(ChunkError::Cut),
            _ => {}
        }
        if self.trailers.len() == self.declared.len() {
            Ok(self.trailers)
        } else {
            Err(ChunkError::Trailers)
        }
    }

    /// Bytes of a chunk; returns what follows it.
    fn content<'b>(
        &mut self,
        left: u64,
        signature: [u8; 32],
        bytes: &'b [u8],
        content: &mut Vec<u8>,
    ) -> Result<&'b [u8], ChunkError> {
        let take = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let (piece, rest) = bytes.split_at_checked(take).unwrap_or((bytes, &[]));
        let left = left.saturating_sub(take as u64);
        self.state = State::Content { left, signature };
        match &mut self.signing {
            Signing::None => content.extend_from_slice(piece),
            Signing::Chunks(seed) | Signing::ChunksAndTrailers(seed) => {
                self.held.extend_from_slice(piece);
                if left == 0 {
                    if !seed.follow(Link::Chunk, &Digest::of(&self.held), signature) {
                        return Err(ChunkError::Signature);
                    }
                    content.append(&mut self.held);
                }
            }
        }
        if left == 0 {
            self.state = State::ContentEnd { is_last: false };
        }
        Ok(rest)
    }

    /// Bytes of a line; returns what follows it.
    fn text<'b>(&mut self, bytes: &'b [u8]) -> Result<&'b [u8], ChunkError> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let take = end.map_or(bytes.len(), |end| end + 1);
        let (piece, rest) = bytes.split_at_checked(take).unwrap_or((bytes, &[]));
        if self.line.len() + piece.len() > CHUNK_LINE_BYTES_MAX {
            return Err(ChunkError::Line);
        }
        self.line.extend_from_slice(piece);
        if end.is_some() {
            let line = std::mem::take(&mut self.line);
            self.state = self.whole_line(&line)?;
        }
        Ok(rest)
    }

    fn whole_line(&mut self, line: &[u8]) -> Result<State, ChunkError> {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let is_ended = text.ends_with(b"\r");
        let text = str::from_utf8(text.strip_suffix(b"\r").unwrap_or(text))
            .map_err(|_| ChunkError::Malformed)?;
        match self.state {
            State::Length if is_ended => self.length(text),
            State::ContentEnd { is_last } if is_ended && text.is_empty() => {
                Ok(if is_last { State::Done } else { State::Length })
            }
            State::Trailers => {
                self.trailers_bytes += line.len();
                if self.trailers_bytes > TRAILERS_BYTES_MAX {
                    return Err(ChunkError::Line);
                }
                // Some clients end a trailer's line with the bare newline that is signed.
                self.trailer(text)
            }
            State::TrailersSigned if is_ended && text.is_empty() => Ok(State::Done),
            State::Done if is_ended && text.is_empty() => Ok(State::Closed),
            State::Length
            | State::Content { .. }
            | State::ContentEnd { .. }
            | State::TrailersSigned
            | State::Done
            | State::Closed
            | State::Refused(_) => Err(ChunkError::Malformed),
        }
    }

    /// The line before a chunk.
    fn length(&mut self, text: &str) -> Result<State, ChunkError> {
        let (digits, signature) = match (text.split_once(";chunk-signature="), &self.signing) {
            (None, Signing::None) => (text, [0; 32]),
            (Some((digits, signature)), Signing::Chunks(_) | Signing::ChunksAndTrailers(_)) => {
                (digits, read_digest(signature).ok_or(ChunkError::Malformed)?.0)
            }
            (None, Signing::Chunks(_) | Signing::ChunksAndTrailers(_)) => {
                return Err(ChunkError::Signature);
            }
            (Some(_), Signing::None) => return Err(ChunkError::Malformed),
        };
        let length = hexadecimal(digits).ok_or(ChunkError::Malformed)?;
        self.left = self.left.checked_sub(length).ok_or(ChunkError::Length)?;
        if length > 0 {
            let is_held = !matches!(self.signing, Signing::None);
            if is_held && length > CHUNK_BYTES_MAX as u64 {
                return Err(ChunkError::TooLong);
            }
            return Ok(State::Content { left: length, signature });
        }
        if self.left > 0 {
            return Err(ChunkError::Length);
        }
        let (seed, after) = match &mut self.signing {
            Signing::None => return Ok(State::Trailers),
            Signing::Chunks(seed) => (seed, State::ContentEnd { is_last: true }),
            Signing::ChunksAndTrailers(seed) => (seed, State::Trailers),
        };
        let is_signed = seed.follow(Link::Chunk, &Digest::of(b""), signature);
        if is_signed { Ok(after) } else { Err(ChunkError::Signature) }
    }

    /// A line after the last chunk.
    fn trailer(&mut self, text: &str) -> Result<State, ChunkError> {
        if text.is_empty() {
            return Ok(match self.signing {
                // Some clients put an empty line before the signature.
                Signing::ChunksAndTrailers(_) => State::Trailers,
                Signing::None | Signing::Chunks(_) => State::Done,
            });
        }
        let (name, value) = text.split_once(':').ok_or(ChunkError::Malformed)?;
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
        if value.chars().any(char::is_control) {
            return Err(ChunkError::Malformed);
        }
        if let Signing::ChunksAndTrailers(seed) = &mut self.signing
            && name == "x-amz-trailer-signature"
        {
            let signature = read_digest(value).ok_or(ChunkError::Malformed)?.0;
            let lines = self.trailers.iter().map(|(name, value)| format!("{name}:{value}\n"));
            let is_signed = seed.follow(
                Link::Trailers,
                &Digest::of(lines.collect::<String>().as_bytes()),
                signature,
            );
            return if is_signed { Ok(State::TrailersSigned) } else { Err(ChunkError::Signature) };
        }
        let is_new = !self.trailers.iter().any(|(other, _)| *other == name);
        if !is_new || !self.declared.contains(&name) {
            return Err(ChunkError::Trailers);
        }
        self.trailers.push((name, value.to_owned()));
        Ok(State::Trailers)
    }
}

/// The trailers that a head declares: different names of headers, and at least one.
fn declared(head: &Head) -> Option<Vec<String>> {
    let list = head.header("x-amz-trailer")?;
    let mut names: Vec<String> = Vec::new();
    for name in list.split(',') {
        let name = name.trim().to_ascii_lowercase();
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_name = !name.is_empty() && name.bytes().all(is_letter);
        if !is_name || names.contains(&name) || names.len() >= TRAILERS_MAX {
            return None;
        }
        names.push(name);
    }
    Some(names)
}

fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A length as chunks have it, of at most sixteen digits.
fn hexadecimal(text: &str) -> Option<u64> {
    let is_number = text.len() <= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| is_number)
}
