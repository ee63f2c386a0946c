//! The body of a request: read whole where that is small or decides what is asked, else left to stream.

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tyer_core::intent::Digest;
use tyer_core::limits::{AWS_BODY_BYTES_MAX, AWS_STREAM_BYTES_MIN};
use tyer_wire::aws::asked::{Content, is_stream};
use tyer_wire::aws::chunked::ChunkError;
use tyer_wire::aws::refuse::Kind;
use tyer_wire::aws::sigv4::{Payload, Verified};

use super::admit::Claimed;
use super::answer::Refused;

/// A body: all there, or still to come.
pub(super) enum Read {
    Whole(Bytes, Digest, Vec<(String, String)>),
    Streams(Incoming, u64, Box<Verified>),
}

impl Read {
    /// As far as the request's identity is concerned.
    pub(super) fn content(&self) -> Content {
        match self {
            Self::Whole(bytes, digest, _) => Content::Whole { bytes: bytes.clone(), digest: *digest },
            Self::Streams(_, length, verified) => match verified.payload() {
                Payload::Hash(digest) => Content::Declared { digest, length: *length },
                Payload::OfBody
                | Payload::Unsigned
                | Payload::StreamingSigned
                | Payload::StreamingSignedTrailer
                | Payload::StreamingUnsignedTrailer => Content::Unseen { length: *length },
            },
        }
    }
}

/// Verifies the request, and reads its body as far as that has to be seen before anything is decided.
pub(super) async fn read(claimed: &Claimed, body: Incoming) -> Result<Read, Refused> {
    let length = length(claimed, &body)?;
    let is_long = length.is_none_or(|length| length > AWS_STREAM_BYTES_MIN);
    let payload = claimed.claim.payload();
    let scope = claimed.claim.scope();
    if is_long && payload != Payload::OfBody && is_stream(&claimed.plain, &scope.service, &scope.region)
    {
        let verified = claimed.verify(None)?;
        let Some(length) = length else {
            let message = "a body that is a stream must declare its length";
            return Err(claimed.refuse(Kind::NoLength, message));
        };
        return Ok(Read::Streams(body, length, Box::new(verified)));
    }
    if !matches!(payload, Payload::OfBody) {
        // Nobody has to be sent a body who did not sign.
        claimed.verify(None)?;
    }
    let sent = all(claimed, body).await?;
    let digest = Digest::of(&sent);
    if !payload.is_chunked() {
        claimed.verify(Some(&digest))?;
        return Ok(Read::Whole(sent, digest, Vec::new()));
    }
    let verified = claimed.verify(None)?;
    let refuse = |why: ChunkError| claimed.refuse(Kind::from(why), why.to_string());
    let mut decoder = claimed.decoder(&verified).map_err(refuse)?;
    let mut content = Vec::with_capacity(sent.len());
    decoder.push(&sent, &mut content).map_err(refuse)?;
    let trailers = decoder.finish().map_err(refuse)?;
    let digest = Digest::of(&content);
    Ok(Read::Whole(Bytes::from(content), digest, trailers))
}

/// How long the content is, without the chunks that it comes in, as far as the head says.
fn length(claimed: &Claimed, body: &Incoming) -> Result<Option<u64>, Refused> {
    use hyper::body::Body as _;
    if !claimed.claim.payload().is_chunked() {
        return Ok(body.size_hint().exact());
    }
    let declared = claimed.plain.header("x-amz-decoded-content-length");
    let length = declared.and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| {
        claimed.refuse(Kind::NoLength, "the x-amz-decoded-content-length is missing, or is no number")
    })
}

/// All of a body, if that is not more than is ever read whole.
async fn all(claimed: &Claimed, mut body: Incoming) -> Result<Bytes, Refused> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            claimed.refuse(Kind::Body, format!("the body did not come to its end: {error}"))
        })?;
        let Ok(bytes) = frame.into_data() else { continue };
        if all.len() + bytes.len() > AWS_BODY_BYTES_MAX {
            let message = format!("a request of more than {AWS_BODY_BYTES_MAX} bytes is not read");
            return Err(claimed.refuse(Kind::TooLarge, message));
        }
        if all.is_empty() && hyper::body::Body::is_end_stream(&body) {
            // One piece is most often all there is, and is not copied then.
            return Ok(bytes);
        }
        all.extend_from_slice(&bytes);
    }
    Ok(all.freeze())
}
