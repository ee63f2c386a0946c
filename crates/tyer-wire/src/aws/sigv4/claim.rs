//! Who a request says has signed it, before anything of that is believed.

use std::borrow::Cow;
use std::fmt;

use tyer_core::intent::Timestamp;

use super::presigned::{self, Parameter};
use super::{ALGORITHM, Payload, Scope, TERMINATOR, canonical, moment, read_digest};
use crate::aws::request::Head;

/// Why there is no claim of a kind that can be verified. The texts are for whoever sent the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsigned {
    /// There is neither an `Authorization` nor a presigned query.
    #[error("the request is not signed; sign it with the access key of the session")]
    NotSigned,
    /// Signature Version 2, which S3's presigned addresses have by default in some clients.
    #[error(
        "signature version 2 is not accepted; sign with version 4 \
         (in boto3: Config(signature_version='s3v4'), in the AWS CLI: s3.signature_version = s3v4)"
    )]
    VersionTwo,
    /// Signature Version 4A, which is good for several regions.
    #[error(
        "signature version 4A (AWS4-ECDSA-P256-SHA256) is not accepted; sign with version 4 for one region \
         (multi-region access points and global endpoints need 4A and cannot be reached)"
    )]
    VersionFourA,
    /// Another way to authenticate, such as a bearer token.
    #[error("the authorization is not AWS4-HMAC-SHA256; sign with signature version 4")]
    Algorithm,
    /// More than one claim, so that it would depend on the reader which one counts.
    #[error(
        "the request is signed more than once; sign it either by one Authorization header or in the query"
    )]
    Several,
    /// A part of the claim cannot be read.
    #[error("the signature cannot be read: {0}")]
    Malformed(&'static str),
}

/// What a request says of its signature.
#[derive(Clone, PartialEq, Eq)]
pub struct Claim {
    pub(super) access_key: String,
    pub(super) scope: Scope,
    pub(super) payload: Payload,
    pub(super) token: Option<String>,
    /// When it was signed, as it is written and as a moment.
    pub(super) moment: String,
    pub(super) at: Timestamp,
    /// How many seconds it is good for, if it is presigned.
    pub(super) presigned_s: Option<u32>,
    /// Names of the signed headers, sorted, divided by semicolons.
    pub(super) signed: String,
    pub(super) signature: [u8; 32],
}

impl Claim {
    /// Reads the claim of a request: of its `Authorization` header or of its query, never of both.
    ///
    /// # Errors
    ///
    /// Why there is none that could be verified.
    pub fn read(head: &Head) -> Result<Self, Unsigned> {
        let parameters = presigned::parameters(&head.query)?;
        let mut authorizations = head.headers("authorization");
        match (authorizations.next(), authorizations.next()) {
            (Some(_), Some(_)) => Err(Unsigned::Several),
            (Some(_), None) if !parameters.is_empty() => Err(Unsigned::Several),
            (Some(_), None) if presigned::is_version_two(&head.query) => Err(Unsigned::Several),
            (Some(authorization), None) => Self::of_header(head, authorization),
            (None, _) if !parameters.is_empty() => Self::of_query(head, &parameters),
            (None, _) if presigned::is_version_two(&head.query) => Err(Unsigned::VersionTwo),
            (None, _) => Err(Unsigned::NotSigned),
        }
    }

    /// The access key that it names.
    #[must_use]
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The scope that it names, and so the API that the request is for.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What it says of the body.
    #[must_use]
    pub fn payload(&self) -> Payload {
        self.payload
    }

    /// The session token that came with it, which the caller compares: it belongs to the access key.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether it came in the query.
    #[must_use]
    pub fn is_presigned(&self) -> bool {
        self.presigned_s.is_some()
    }

    /// The request as it would have been without presigning: what a client moved into the query for that is back
    /// in its headers, so that it is understood and passed on like any other. A request that was signed by a header
    /// is left as it is. The result verifies no more.
    ///
    /// # Errors
    ///
    /// [`Unsigned::Malformed`] if a parameter cannot be a header, or is one too.
    pub fn plain<'a>(&self, head: &'a Head) -> Result<Cow<'a, Head>, Unsigned> {
        if self.is_presigned() {
            presigned::plain(head).map(Cow::Owned)
        } else {
            Ok(Cow::Borrowed(head))
        }
    }

    fn of_header(head: &Head, authorization: &str) -> Result<Self, Unsigned> {
        let (algorithm, rest) =
            authorization.trim().split_once(' ').unwrap_or((authorization.trim(), ""));
        check_algorithm(algorithm)?;
        if presigned::has_amz(&head.query) {
            return Err(Unsigned::Malformed("a parameter of the query stands for an x-amz- header"));
        }
        let [mut credential, mut signed, mut signature] = [None; 3];
        for part in rest.split(',') {
            let (name, value) =
                part.trim().split_once('=').ok_or(Unsigned::Malformed("a part without a value"))?;
            let place = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed,
                "Signature" => &mut signature,
                _ => return Err(Unsigned::Malformed("a part of the Authorization that is not known")),
            };
            if place.replace(value).is_some() {
                return Err(Unsigned::Several);
            }
        }
        let (moment, at) = moment_of_header(head)?;
        let parts = Parts {
            credential: credential.ok_or(Unsigned::Malformed("no Credential"))?,
            signed: signed.ok_or(Unsigned::Malformed("no SignedHeaders"))?,
            signature: signature.ok_or(Unsigned::Malformed("no Signature"))?,
        };
        let mut claim = parts.claim(moment, at)?;
        claim.payload = payload(head, None, Payload::OfBody)?;
        claim.token = token(head, None)?;
        Ok(claim)
    }

    fn of_query(head: &Head, parameters: &[(Parameter, String)]) -> Result<Self, Unsigned> {
        let find = |which: Parameter| {
            parameters.iter().find(|(name, _)| *name == which).map(|(_, value)| value.as_str())
        };
        check_algorithm(find(Parameter::Algorithm).unwrap_or_default())?;
        let want = |which, missing| find(which).ok_or(Unsigned::Malformed(missing));
        let moment = want(Parameter::Date, "no X-Amz-Date")?.to_owned();
        let at = moment::read(&moment).ok_or(Unsigned::Malformed("the X-Amz-Date"))?;
        let expires = want(Parameter::Expires, "no X-Amz-Expires")?;
        let parts = Parts {
            credential: want(Parameter::Credential, "no X-Amz-Credential")?,
            signed: want(Parameter::SignedHeaders, "no X-Amz-SignedHeaders")?,
            signature: want(Parameter::Signature, "no X-Amz-Signature")?,
        };
        let mut claim = parts.claim(moment, at)?;
        claim.presigned_s = Some(presigned::seconds(expires)?);
        // S3 does not know the body when an address is presigned; other APIs presign for a body that is known.
        let unsaid =
            if canonical::is_s3(&claim.scope.service) { Payload::Unsigned } else { Payload::OfBody };
        claim.payload = payload(head, find(Parameter::Payload), unsaid)?;
        if claim.payload.is_chunked() {
            return Err(Unsigned::Malformed("a presigned request whose body comes in chunks"));
        }
        claim.token = token(head, find(Parameter::Token))?;
        Ok(claim)
    }
}

/// Without the signature and the session token.
impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("access_key", &self.access_key)
            .field("scope", &self.scope)
            .field("payload", &self.payload)
            .field("moment", &self.moment)
            .field("presigned_s", &self.presigned_s)
            .field("signed", &self.signed)
            .finish_non_exhaustive()
    }
}

/// What both forms have.
struct Parts<'a> {
    credential: &'a str,
    signed: &'a str,
    signature: &'a str,
}

impl Parts<'_> {
    /// A claim that says nothing of body and token yet.
    fn claim(&self, moment: String, at: Timestamp) -> Result<Claim, Unsigned> {
        let (access_key, scope) = credential(self.credential)?;
        if !moment.starts_with(&scope.date) {
            return Err(Unsigned::Malformed("the Credential is of another day than the date"));
        }
        check_names(self.signed)?;
        let signature = read_digest(self.signature)
            .ok_or(Unsigned::Malformed("the Signature is not of 64 lower-case hexadecimal digits"))?;
        Ok(Claim {
            access_key,
            scope,
            payload: Payload::OfBody,
            token: None,
            moment,
            at,
            presigned_s: None,
            signed: self.signed.to_owned(),
            signature: signature.0,
        })
    }
}

fn check_algorithm(algorithm: &str) -> Result<(), Unsigned> {
    match algorithm {
        ALGORITHM => Ok(()),
        "AWS4-ECDSA-P256-SHA256" => Err(Unsigned::VersionFourA),
        "AWS" => Err(Unsigned::VersionTwo),
        _ => Err(Unsigned::Algorithm),
    }
}

/// `KEY/20150830/us-east-1/s3/aws4_request`
fn credential(text: &str) -> Result<(String, Scope), Unsigned> {
    let is_word = |text: &&str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        !text.is_empty() && text.len() <= WORD_CHARS_MAX && text.bytes().all(is_letter)
    };
    let malformed = Unsigned::Malformed("the Credential is not KEY/DATE/REGION/SERVICE/aws4_request");
    let mut parts = text.split('/');
    let mut next = || parts.next().filter(is_word).ok_or(malformed);
    let access_key = next()?.to_owned();
    let scope = Scope { date: next()?.into(), region: next()?.into(), service: next()?.into() };
    if parts.next() != Some(TERMINATOR) || parts.next().is_some() || scope.date.len() != 8 {
        return Err(malformed);
    }
    Ok((access_key, scope))
}

/// Characters of an access key, a region and a service's name.
const WORD_CHARS_MAX: usize = 128;

/// Whether each name is one of a header, in lower case, after the one before it.
fn check_names(signed: &str) -> Result<(), Unsigned> {
    let is_letter = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase();
    let mut before = "";
    for name in signed.split(';') {
        if !name.bytes().all(is_letter) || name <= before {
            return Err(Unsigned::Malformed("the SignedHeaders are not lower-case names in order"));
        }
        before = name;
    }
    Ok(())
}

/// When the request was signed: its `x-amz-date`, or its `Date`.
fn moment_of_header(head: &Head) -> Result<(String, Timestamp), Unsigned> {
    match (one(head, "x-amz-date")?, one(head, "date")?) {
        (Some(moment), _) => {
            let at = moment::read(moment).ok_or(Unsigned::Malformed("the x-amz-date"))?;
            Ok((moment.to_owned(), at))
        }
        (None, Some(date)) => {
            let malformed = Unsigned::Malformed("the Date");
            let at = moment::read_date(date).or_else(|| moment::read(date)).ok_or(malformed)?;
            Ok((moment::text(at).ok_or(malformed)?, at))
        }
        (None, None) => Err(Unsigned::Malformed("neither x-amz-date nor Date")),
    }
}

fn payload(head: &Head, parameter: Option<&str>, unsaid: Payload) -> Result<Payload, Unsigned> {
    match (one(head, "x-amz-content-sha256")?, parameter) {
        (Some(_), Some(_)) => Err(Unsigned::Several),
        (None, None) => Ok(unsaid),
        (Some(text), None) | (None, Some(text)) => Payload::read(text).ok_or_else(|| {
            if text.starts_with("STREAMING-AWS4-ECDSA-") {
                Unsigned::VersionFourA
            } else {
                Unsigned::Malformed(
                    "the x-amz-content-sha256 is neither a SHA-256 nor a kind of body that is known",
                )
            }
        }),
    }
}

fn token(head: &Head, parameter: Option<&str>) -> Result<Option<String>, Unsigned> {
    let places = [one(head, "x-amz-security-token")?, one(head, "x-amz-s3session-token")?, parameter];
    let mut tokens = places.into_iter().flatten();
    match (tokens.next(), tokens.next()) {
        (_, Some(_)) => Err(Unsigned::Several),
        (token, None) => Ok(token.map(str::to_owned)),
    }
}

/// The one header of that name, if there is any.
fn one<'a>(head: &'a Head, name: &'a str) -> Result<Option<&'a str>, Unsigned> {
    let mut values = head.headers(name);
    match (values.next(), values.next()) {
        (_, Some(_)) => Err(Unsigned::Several),
        (value, None) => Ok(value),
    }
}
