//! A body that streams from the client to AWS: taken out of the client's chunks, hashed, and let end only if it is what
//! was declared.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming};
use ring::digest;
use tyer_core::intent::Digest;
use tyer_wire::aws::chunked::{ChunkError, Decoder, Encoder};
use tyer_wire::aws::refuse::Kind;
use tyer_wire::aws::sigv4::{Outgoing, Payload, Verified};

use super::admit::Claimed;
use super::answer::Refused;
use crate::upstream::aws;
use crate::upstream::aws::Cut;

/// What was seen of a body that has streamed: how many bytes, and their SHA-256 if it came to its end.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen(Arc<Mutex<(u64, Option<Digest>)>>);

impl Seen {
    /// In words for the outcome.
    pub(super) fn in_words(&self) -> String {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            (length, Some(digest)) => format!("{length} bytes with the SHA-256 {digest} were sent"),
            (length, None) => format!("{length} bytes were sent, which were not all"),
        }
    }

    fn note(&self, length: u64, digest: Option<Digest>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (length, digest);
    }
}

/// The body on its way, how it goes out, and what will have been seen of it.
pub(super) fn passing(
    claimed: &Claimed,
    (incoming, length, verified): (Incoming, u64, &Verified),
) -> Result<(aws::Body, Outgoing, Seen), Refused> {
    let refuse = |why: ChunkError| claimed.refuse(Kind::from(why), why.to_string());
    let decoder = || claimed.decoder(verified).map(Box::new).map_err(refuse);
    let (form, outgoing) = match verified.payload() {
        Payload::Hash(digest) => (Form::Declared(digest), Outgoing::Hash(digest)),
        Payload::OfBody | Payload::Unsigned => (Form::Plain, Outgoing::Unsigned),
        Payload::StreamingSigned => (Form::Chunks(decoder()?, None), Outgoing::Unsigned),
        Payload::StreamingSignedTrailer | Payload::StreamingUnsignedTrailer => {
            let names = claimed.plain.header("x-amz-trailer").unwrap_or_default();
            let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            let bytes = Encoder::bytes(length, names).ok_or_else(|| {
                claimed.refuse(Kind::NotImplemented, "a trailer whose length is not known beforehand")
            })?;
            let form = Form::Chunks(decoder()?, Some(Encoder::new(length)));
            (form, Outgoing::Trailers { bytes })
        }
    };
    let seen = Seen::default();
    let passing = Passing {
        incoming,
        form,
        length,
        passed: 0,
        hash: digest::Context::new(&digest::SHA256),
        held: None,
        seen: seen.clone(),
        is_over: false,
    };
    Ok((passing.boxed_unsync(), outgoing, seen))
}

enum Form {
    /// It goes on as it comes.
    Plain,
    /// The same, if it has this SHA-256.
    Declared(Digest),
    /// It comes in chunks, and goes on in one, if it has trailers.
    Chunks(Box<Decoder>, Option<Encoder>),
    /// What came last was the end.
    Ended,
}

struct Passing {
    incoming: Incoming,
    form: Form,
    /// How long the content has to be.
    length: u64,
    passed: u64,
    hash: digest::Context,
    /// The last piece, which goes only when it is known to be right: with it the request is complete.
    held: Option<Bytes>,
    seen: Seen,
    is_over: bool,
}

impl Body for Passing {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        loop {
            if self.is_over {
                return Poll::Ready(None);
            }
            let next = match ready!(Pin::new(&mut self.incoming).poll_frame(context)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => self.push(&bytes),
                    Err(_) => continue,
                },
                Some(Err(error)) => Err(Cut(format!("the client's body broke off: {error}"))),
                None => {
                    self.is_over = true;
                    self.finish()
                }
            };
            match next {
                Ok(Some(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Ok(None) => {}
                Err(cut) => {
                    self.is_over = true;
                    return Poll::Ready(Some(Err(cut)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }
}

impl Passing {
    /// Takes a piece, and gives the one before it.
    fn push(&mut self, bytes: &Bytes) -> Result<Option<Bytes>, Cut> {
        let out = match &mut self.form {
            Form::Plain | Form::Declared(_) => {
                self.hash.update(bytes);
                self.passed += bytes.len() as u64;
                bytes.clone()
            }
            Form::Chunks(decoder, encoder) => {
                let mut content = Vec::with_capacity(bytes.len());
                decoder.push(bytes, &mut content).map_err(|why| Cut(why.to_string()))?;
                self.hash.update(&content);
                self.passed += content.len() as u64;
                match encoder {
                    None => Bytes::from(content),
                    Some(encoder) => {
                        let mut out = Vec::with_capacity(content.len() + 16);
                        encoder.push(&content, &mut out).map_err(|why| Cut(why.to_string()))?;
                        Bytes::from(out)
                    }
                }
            }
            Form::Ended => return Ok(None),
        };
        if self.passed > self.length {
            return Err(Cut("the body is longer than it was declared".to_owned()));
        }
        self.seen.note(self.passed, None);
        if out.is_empty() { Ok(None) } else { Ok(self.held.replace(out)) }
    }

    /// The last piece, if all was as declared.
    fn finish(&mut self) -> Result<Option<Bytes>, Cut> {
        let mut digest = Digest([0; 32]);
        digest.0.copy_from_slice(self.hash.clone().finish().as_ref());
        let mut last = self.held.take().map(Vec::from).unwrap_or_default();
        match std::mem::replace(&mut self.form, Form::Ended) {
            Form::Plain | Form::Ended => {}
            Form::Declared(declared) if declared == digest => {}
            Form::Declared(_) => {
                return Err(Cut("the body does not have the SHA-256 that was signed".to_owned()));
            }
            Form::Chunks(decoder, encoder) => {
                let trailers = decoder.finish().map_err(|why| Cut(why.to_string()))?;
                if let Some(encoder) = encoder {
                    encoder.finish(&trailers, &mut last).map_err(|why| Cut(why.to_string()))?;
                }
            }
        }
        if self.passed != self.length {
            return Err(Cut("the body is shorter than it was declared".to_owned()));
        }
        self.seen.note(self.passed, Some(digest));
        Ok(Some(Bytes::from(last)).filter(|last| !last.is_empty()))
    }
}
