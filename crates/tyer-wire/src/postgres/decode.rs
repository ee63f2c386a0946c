//! From bytes to frames and, selectively, to fields; and back.
//!
//! A frame is a type byte, a big-endian length that counts itself, and a body ("Message Formats" in
//! the PostgreSQL documentation). Bulk data (`DataRow`, `CopyData`) is never looked into: complete
//! neighbours travel as one piece and an overlong one as several, so that no row is ever buffered
//! whole. Every other frame is bounded before its body is awaited. Garbage is an error, never a panic.

mod fields;

pub(crate) use fields::Fields;
use tyer_core::limits::MESSAGE_BYTES_MAX;

/// Bytes of the type and the length.
const HEADER: usize = 5;
/// Bytes of a message that carries at most a name; PostgreSQL's own limit.
const SMALL_MAX: usize = 10_000;
/// From how many buffered bytes on an incomplete bulk message travels in pieces.
const PIECE_BYTES: usize = 8 * 1024;

/// Why bytes are not the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No message of that type is known in this direction.
    #[error("message type 0x{0:02x} is not known")]
    Type(u8),
    /// A length that no message can have.
    #[error("a message of type '{}' cannot be {length} bytes long", char::from(*.tag))]
    Length {
        /// The type.
        tag: u8,
        /// The declared length in bytes.
        length: u32,
    },
    /// A body that does not have the fields of its type.
    #[error("malformed {0} message")]
    Malformed(&'static str),
}

/// Who sends the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The agent's driver: frontend messages.
    Agent,
    /// The real database: backend messages.
    Upstream,
}

impl Side {
    /// The highest length of that message, or `None` if there is no such message.
    fn limit(self, tag: u8) -> Option<usize> {
        const STREAMED: usize = i32::MAX as usize;
        match (self, tag) {
            (Self::Agent, b'd') | (Self::Upstream, b'D' | b'd') => Some(STREAMED),
            (Self::Agent, b'Q' | b'P' | b'B' | b'F' | b'f')
            | (Self::Upstream, b'T' | b't' | b'E' | b'N' | b'A' | b'S' | b'R' | b'V' | b'v' | b'W') => {
                Some(MESSAGE_BYTES_MAX)
            }
            (Self::Agent, b'D' | b'E' | b'C' | b'H' | b'S' | b'X' | b'c' | b'p')
            | (
                Self::Upstream,
                b'1' | b'2' | b'3' | b'n' | b'C' | b'I' | b's' | b'G' | b'H' | b'c' | b'Z' | b'K',
            ) => Some(SMALL_MAX),
            _ => None,
        }
    }

    fn is_bulk(self, tag: u8) -> bool {
        matches!((self, tag), (Self::Agent, b'd') | (Self::Upstream, b'D' | b'd'))
    }
}

/// Where a frame stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    /// One message, or several complete ones of the same bulk type.
    Whole,
    /// The beginning of a bulk message, header included.
    First,
    /// More of the bulk message that the frame before belongs to.
    Later,
}

/// A message as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    tag: u8,
    bytes: &'a [u8],
    piece: Piece,
}

impl<'a> Frame<'a> {
    /// The type byte.
    #[must_use]
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The bytes as they came, header included where there is one.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where it stands in its message.
    #[must_use]
    pub fn piece(&self) -> Piece {
        self.piece
    }

    /// The body; meaningless for bulk frames.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }
}

/// Cuts a stream of bytes into frames.
#[derive(Debug)]
pub struct Decoder {
    side: Side,
    buffer: Vec<u8>,
    start: usize,
    /// Bytes of the frame given out last.
    last: usize,
    bulk: u8,
    left: usize,
}

impl Decoder {
    /// A decoder for what that side sends after its start-up packets.
    #[must_use]
    pub fn new(side: Side) -> Self {
        Self { side, buffer: Vec::new(), start: 0, last: 0, bulk: 0, left: 0 }
    }

    /// Takes bytes as they were read. Call [`Decoder::frame`] until it is empty before the next one.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
            self.last = 0;
        }
        // A burst must not keep its memory for the rest of the connection.
        if self.buffer.is_empty() && self.buffer.capacity() > MESSAGE_BYTES_MAX / 16 {
            self.buffer = Vec::new();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame, or `None` until more bytes have come.
    ///
    /// # Errors
    /// The bytes are not the protocol; the stream can't be used any more.
    pub fn frame(&mut self) -> Result<Option<Frame<'_>>, DecodeError> {
        let ready = self.buffer.len() - self.start;
        if self.left > 0 {
            let length = self.left.min(ready);
            self.left -= length;
            return Ok(if length == 0 { None } else { self.cut(self.bulk, length, Piece::Later) });
        }
        let Some((tag, total)) = self.header(0)? else { return Ok(None) };
        if total <= ready {
            let length = if self.side.is_bulk(tag) { self.run(tag, total) } else { total };
            Ok(self.cut(tag, length, Piece::Whole))
        } else if self.side.is_bulk(tag) && ready >= PIECE_BYTES {
            (self.bulk, self.left) = (tag, total - ready);
            Ok(self.cut(tag, ready, Piece::First))
        } else {
            Ok(None)
        }
    }

    /// Takes the whole message that was given out last back, to give it out again. Only right before
    /// anything else is pushed or asked for.
    pub fn put_back(&mut self) {
        self.start = self.start.saturating_sub(self.last);
        self.last = 0;
    }

    /// Whether the frames given out so far end with a complete message; where not, nothing may be
    /// put between them and the next.
    #[must_use]
    pub fn is_between(&self) -> bool {
        self.left == 0
    }

    /// The bytes that were not given out yet.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// How many bytes were not given out yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Type and whole size of the message that begins `at` bytes on.
    fn header(&self, at: usize) -> Result<Option<(u8, usize)>, DecodeError> {
        let rest = self.buffer.get(self.start + at..).unwrap_or_default();
        let Some(&tag) = rest.first() else { return Ok(None) };
        let limit = self.side.limit(tag).ok_or(DecodeError::Type(tag))?;
        let Some(&[a, b, c, d]) = rest.get(1..HEADER) else { return Ok(None) };
        let declared = u32::from_be_bytes([a, b, c, d]);
        let length = usize::try_from(declared).unwrap_or(usize::MAX);
        if length < 4 || length > limit {
            return Err(DecodeError::Length { tag, length: declared });
        }
        Ok(Some((tag, length + 1)))
    }

    /// How far complete messages of the same type follow each other. An error behind them is found
    /// when it is their turn.
    fn run(&self, tag: u8, mut length: usize) -> usize {
        let ready = self.buffer.len() - self.start;
        while let Ok(Some((next, size))) = self.header(length) {
            if next != tag || length + size > ready {
                break;
            }
            length += size;
        }
        length
    }

    fn cut(&mut self, tag: u8, length: usize, piece: Piece) -> Option<Frame<'_>> {
        let from = self.start;
        self.start += length;
        self.last = length;
        self.buffer.get(from..self.start).map(|bytes| Frame { tag, bytes, piece })
    }
}

/// `Query`: its text, without the NUL.
///
/// # Errors
/// The body does not have these fields.
pub fn query(body: &[u8]) -> Result<&[u8], DecodeError> {
    let mut fields = Fields::new(body, "Query");
    let sql = fields.text()?;
    fields.end()?;
    Ok(sql)
}

/// `Parse`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty for the unnamed one.
    pub name: &'a [u8],
    /// The text.
    pub sql: &'a [u8],
    /// The declared parameter types, as far as declared; 0 leaves one to the server.
    pub types: Vec<u32>,
}

impl<'a> Parse<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// The body does not have these fields.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body, "Parse");
        let (name, sql) = (fields.text()?, fields.text()?);
        let types = (0..fields.count()?).map(|_| fields.u32()).collect::<Result<_, _>>()?;
        fields.end()?;
        Ok(Self { name, sql, types })
    }
}

/// `Bind`, without the result formats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal's name; empty for the unnamed one.
    pub portal: &'a [u8],
    /// The statement's name.
    pub statement: &'a [u8],
    /// Format codes: none (all text), one for all, or one each.
    pub formats: Vec<i16>,
    /// The parameters; `None` is NULL.
    pub values: Vec<Option<&'a [u8]>>,
}

impl<'a> Bind<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// The body does not have these fields.
    pub fn decode(body: &'a [u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body, "Bind");
        let (portal, statement) = (fields.text()?, fields.text()?);
        let formats = (0..fields.count()?).map(|_| fields.i16()).collect::<Result<Vec<_>, _>>()?;
        let values = fields.values()?;
        let results = fields.count()?;
        fields.take(results * 2)?;
        fields.end()?;
        let known = formats.iter().all(|format| matches!(format, 0 | 1));
        if !known || (formats.len() > 1 && formats.len() != values.len()) {
            return Err(DecodeError::Malformed("Bind"));
        }
        Ok(Self { portal, statement, formats, values })
    }
}

/// What `Describe` and `Close` are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

/// `Describe` or `Close`: what it is about, and its name.
///
/// # Errors
/// The body does not have these fields.
pub fn target(body: &[u8]) -> Result<(Target, &[u8]), DecodeError> {
    let mut fields = Fields::new(body, "Describe or Close");
    let target = match fields.byte()? {
        b'S' => Target::Statement,
        b'P' => Target::Portal,
        _ => return Err(DecodeError::Malformed("Describe or Close")),
    };
    let name = fields.text()?;
    fields.end()?;
    Ok((target, name))
}

/// `Execute`: the portal's name and the most rows wanted, 0 for all.
///
/// # Errors
/// The body does not have these fields.
pub fn execute(body: &[u8]) -> Result<(&[u8], u32), DecodeError> {
    let mut fields = Fields::new(body, "Execute");
    let (portal, rows) = (fields.text()?, fields.u32()?);
    fields.end()?;
    Ok((portal, rows))
}

/// `DataRow` of one row: its columns, null as `None`.
///
/// # Errors
/// The body does not have these fields.
pub fn row(body: &[u8]) -> Result<Vec<Option<&[u8]>>, DecodeError> {
    let mut fields = Fields::new(body, "DataRow");
    let columns = fields.values()?;
    fields.end()?;
    Ok(columns)
}

/// `CommandComplete`: its tag.
///
/// # Errors
/// The body does not have these fields.
pub fn command_tag(body: &[u8]) -> Result<String, DecodeError> {
    let mut fields = Fields::new(body, "CommandComplete");
    let tag = String::from_utf8_lossy(fields.text()?).into_owned();
    fields.end()?;
    Ok(tag)
}

/// `ParameterStatus`: name and value.
///
/// # Errors
/// The body does not have these fields.
pub fn parameter_status(body: &[u8]) -> Result<(String, String), DecodeError> {
    let mut fields = Fields::new(body, "ParameterStatus");
    let (name, value) = (fields.text()?, fields.text()?);
    fields.end()?;
    Ok((String::from_utf8_lossy(name).into_owned(), String::from_utf8_lossy(value).into_owned()))
}

/// `ReadyForQuery`: the transaction status byte.
///
/// # Errors
/// The body does not have these fields.
pub fn ready_status(body: &[u8]) -> Result<u8, DecodeError> {
    let mut fields = Fields::new(body, "ReadyForQuery");
    let status = fields.byte()?;
    fields.end()?;
    Ok(status)
}

/// `ErrorResponse` or `NoticeResponse`: severity that is never translated, SQLSTATE and message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    /// `ERROR`, `FATAL`, `PANIC`, or a notice's.
    pub severity: String,
    /// The SQLSTATE.
    pub code: String,
    /// The message.
    pub message: String,
}

impl Complaint {
    /// Reads the body.
    ///
    /// # Errors
    /// The body does not have these fields.
    pub fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(body, "ErrorResponse");
        let mut found = Self::default();
        loop {
            let field = match fields.byte()? {
                0 => break,
                field => field,
            };
            let value = String::from_utf8_lossy(fields.text()?).into_owned();
            match field {
                b'V' => found.severity = value,
                b'S' if found.severity.is_empty() => found.severity = value,
                b'C' => found.code = value,
                b'M' => found.message = value,
                _ => {}
            }
        }
        fields.end()?;
        Ok(found)
    }

    /// Whether the connection ends with it.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(self.severity.as_str(), "FATAL" | "PANIC")
    }
}

/// `SASLInitialResponse`: the mechanism and the client's first message.
///
/// # Errors
/// The body does not have these fields.
pub fn sasl_initial(body: &[u8]) -> Result<(&[u8], &[u8]), DecodeError> {
    let mut fields = Fields::new(body, "SASLInitialResponse");
    let mechanism = fields.text()?;
    let length = usize::try_from(fields.u32()?).unwrap_or(usize::MAX);
    let first = fields.take(length)?;
    fields.end()?;
    Ok((mechanism, first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::encode;
    use proptest::prelude::*;

    /// Frames of a stream cut at these sizes; pieces of bulk data put together again.
    fn frames(side: Side, bytes: &[u8], cuts: &[usize]) -> (Vec<(u8, Vec<u8>)>, Option<DecodeError>) {
        let (mut decoder, mut found, mut rest) = (Decoder::new(side), Vec::new(), bytes);
        let mut cuts = cuts.iter().copied().chain(std::iter::repeat(usize::MAX));
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cuts.next().unwrap_or(1).clamp(1, rest.len()));
            rest = later;
            decoder.push(now);
            loop {
                match decoder.frame() {
                    Ok(None) => break,
                    Err(error) => return (found, Some(error)),
                    Ok(Some(frame)) => match found.last_mut() {
                        Some((tag, bytes)) if *tag == frame.tag && side.is_bulk(frame.tag) => {
                            bytes.extend_from_slice(frame.bytes);
                        }
                        _ => found.push((frame.tag, frame.bytes.to_vec())),
                    },
                }
            }
        }
        (found, None)
    }

    fn message() -> impl Strategy<Value = Vec<u8>> {
        let tag = prop::sample::select(b"DDDdTECZSN123".to_vec());
        (tag, prop::collection::vec(any::<u8>(), 0..9000))
            .prop_map(|(tag, body)| encode::message(tag, |out| out.extend_from_slice(&body)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn cutting_the_stream_anywhere_gives_the_same_messages(
            messages in prop::collection::vec(message(), 1..6),
            cuts in prop::collection::vec(1usize..12_000, 0..40),
        ) {
            let bytes = messages.concat();
            let whole = frames(Side::Upstream, &bytes, &[]);
            prop_assert_eq!(&whole.0.iter().flat_map(|(_, b)| b.clone()).collect::<Vec<_>>(), &bytes);
            prop_assert_eq!(frames(Side::Upstream, &bytes, &cuts), whole);
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for side in [Side::Agent, Side::Upstream] {
                frames(side, &bytes, &[3, 1, 7]);
            }
            drop((query(&bytes), Parse::decode(&bytes), Bind::decode(&bytes), target(&bytes)));
            drop((execute(&bytes), command_tag(&bytes), parameter_status(&bytes)));
            drop((Complaint::decode(&bytes), sasl_initial(&bytes)));
        }
    }

    #[test]
    fn an_overlong_row_travels_in_pieces_and_is_not_buffered() {
        let row = encode::message(b'D', |out| out.resize(300_000, 7));
        let mut decoder = Decoder::new(Side::Upstream);
        let mut pieces = Vec::new();
        for part in row.chunks(16_384) {
            decoder.push(part);
            assert!(decoder.pending() <= 16_384);
            while let Ok(Some(frame)) = decoder.frame() {
                pieces.push(frame.piece());
            }
            assert_eq!(decoder.is_between(), pieces.len() == 19);
        }
        assert_eq!((pieces.len(), pieces[0], pieces[18]), (19, Piece::First, Piece::Later));
    }

    #[test]
    fn what_is_not_the_protocol() {
        let check = |side, bytes: &[u8], expect: DecodeError| {
            assert_eq!(frames(side, bytes, &[]).1, Some(expect));
        };
        check(Side::Agent, b"z", DecodeError::Type(b'z'));
        check(Side::Agent, b"1\0\0\0\x04", DecodeError::Type(b'1'));
        check(Side::Agent, b"Q\0\0\0\x03", DecodeError::Length { tag: b'Q', length: 3 });
        check(Side::Agent, b"S\0\x01\0\0", DecodeError::Length { tag: b'S', length: 65_536 });
        check(Side::Agent, b"Q\xff\xff\xff\xff", DecodeError::Length { tag: b'Q', length: u32::MAX });
        check(Side::Upstream, b"Q\0\0\0\x04", DecodeError::Type(b'Q'));
        assert_eq!(query(b"select 1"), Err(DecodeError::Malformed("Query")));
        assert_eq!(query(b"select 1\0drop\0"), Err(DecodeError::Malformed("Query")));
        let formats = b"\0\0\0\x02\0\0\0\x01\0\x01\0\0\0\x01x\0\0";
        assert_eq!(Bind::decode(formats), Err(DecodeError::Malformed("Bind")));
        assert_eq!(Bind::decode(b"\0\0\0\0\0\x01\0\0\0\x09x\0\0"), Err(DecodeError::Malformed("Bind")));
    }

    #[test]
    fn messages_read_back() {
        let bytes = encode::parse(b"s", b"select $1", &[23]);
        let expect = Parse { name: b"s", sql: b"select $1", types: vec![23] };
        assert_eq!(Parse::decode(&bytes[HEADER..]), Ok(expect));
        let bind = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\0";
        let expect =
            Bind { portal: b"p", statement: b"s", formats: vec![1], values: vec![Some(b"x"), None] };
        assert_eq!(Bind::decode(bind), Ok(expect));
        assert_eq!(execute(b"p\0\0\0\0\x07"), Ok((&b"p"[..], 7)));
        assert_eq!(row(b"\0\x02\0\0\0\x01x\xff\xff\xff\xff"), Ok(vec![Some(&b"x"[..]), None]));
        assert_eq!(row(b"\0\x01\0\0\0\x02x"), Err(DecodeError::Malformed("DataRow")));
        assert_eq!(row(b"\0\0more"), Err(DecodeError::Malformed("DataRow")));
        assert_eq!(target(b"Sname\0"), Ok((Target::Statement, &b"name"[..])));
    }
}
