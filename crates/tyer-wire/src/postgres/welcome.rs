//! What a server says to a client from the start-up packet until it is ready for queries ("Start-up" in
//! "Message Flow", and "Protocol Versions", in the documentation of PostgreSQL 18).
//!
//! Up to the first `ReadyForQuery` this is the same in protocols 3.0 and 3.2, but for the key for
//! cancelling: 4 bytes in 3.0, up to 256 in 3.2. A server that knows less than it was asked for says so
//! first.

use super::decode::{self, Complaint, DecodeError, Fields, Frame};

/// One message of a server before it is ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// `NegotiateProtocolVersion`: the newest minor version of protocol 3 that the server speaks.
    Negotiate(u16),
    /// What the server wants to know, or that it is satisfied.
    Authentication(Authentication),
    /// `BackendKeyData`.
    Key {
        /// The process.
        process: u32,
        /// What a cancel request for it must name too.
        secret: Vec<u8>,
    },
    /// `ParameterStatus`: name and value.
    Parameter(String, String),
    /// `NoticeResponse`.
    Notice,
    /// `ReadyForQuery`: it is over.
    Ready,
    /// `ErrorResponse`: it is over, too.
    Refused(Complaint),
}

/// The `Authentication` messages that Tyer has an answer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authentication {
    /// Nothing more is wanted.
    Done,
    /// The password in clear.
    Password,
    /// The password hashed by MD5, with this salt.
    Md5([u8; 4]),
    /// One of these SASL mechanisms.
    Sasl(Vec<String>),
    /// The server's part of a SASL exchange.
    SaslContinue(Vec<u8>),
    /// The end of a SASL exchange.
    SaslFinal(Vec<u8>),
    /// Another method, by its number.
    Other(u32),
}

impl Welcome {
    /// Reads a message.
    ///
    /// # Errors
    /// It is none that a server sends before it is ready, or not in that form.
    pub fn decode(frame: &Frame<'_>) -> Result<Self, DecodeError> {
        let body = frame.body();
        match frame.tag() {
            b'v' => negotiate(body).map(Self::Negotiate),
            b'R' => authentication(body).map(Self::Authentication),
            b'K' => key(body),
            b'S' => decode::parameter_status(body).map(|(name, value)| Self::Parameter(name, value)),
            b'N' => Complaint::decode(body).map(|_| Self::Notice),
            b'E' => Complaint::decode(body).map(Self::Refused),
            b'Z' => decode::ready_status(body).map(|_| Self::Ready),
            tag => Err(DecodeError::Type(tag)),
        }
    }
}

/// The options that the server does not know are left: Tyer asks for none.
fn negotiate(body: &[u8]) -> Result<u16, DecodeError> {
    let malformed = DecodeError::Malformed("NegotiateProtocolVersion");
    let mut fields = Fields::new(body, "NegotiateProtocolVersion");
    // The documentation says the minor version; servers send the whole one.
    let [a, b, c, d] = fields.u32()?.to_be_bytes();
    for _ in 0..fields.u32()? {
        fields.text()?;
    }
    fields.end()?;
    if [a, b] == [0, 3] { Ok(u16::from_be_bytes([c, d])) } else { Err(malformed) }
}

fn key(body: &[u8]) -> Result<Welcome, DecodeError> {
    let mut fields = Fields::new(body, "BackendKeyData");
    let process = fields.u32()?;
    match fields.rest() {
        secret if (4..=256).contains(&secret.len()) => {
            Ok(Welcome::Key { process, secret: secret.to_vec() })
        }
        _ => Err(DecodeError::Malformed("BackendKeyData")),
    }
}

fn authentication(body: &[u8]) -> Result<Authentication, DecodeError> {
    let mut fields = Fields::new(body, "Authentication");
    let kind = fields.u32()?;
    let found = match kind {
        0 => Authentication::Done,
        3 => Authentication::Password,
        5 => Authentication::Md5([fields.byte()?, fields.byte()?, fields.byte()?, fields.byte()?]),
        10 => Authentication::Sasl(mechanisms(&mut fields)?),
        11 => return Ok(Authentication::SaslContinue(fields.rest().to_vec())),
        12 => return Ok(Authentication::SaslFinal(fields.rest().to_vec())),
        // What it carries is of no use.
        other => return Ok(Authentication::Other(other)),
    };
    fields.end()?;
    Ok(found)
}

fn mechanisms(fields: &mut Fields<'_>) -> Result<Vec<String>, DecodeError> {
    let mut found = Vec::new();
    loop {
        match fields.text()? {
            [] => return Ok(found),
            name => found.push(String::from_utf8_lossy(name).into_owned()),
        }
    }
}

#[cfg(test)]
mod tests;
