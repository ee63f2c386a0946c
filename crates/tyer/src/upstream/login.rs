//! Logging in to a PostgreSQL upstream by SCRAM-SHA-256, bound to the TLS channel where the server offers
//! that, MD5, password or client certificate ("Start-up" in "Message Flow" of PostgreSQL's documentation).
//!
//! Protocol 3.2 is asked for, whose keys for cancelling cannot be guessed; a server that knows only 3.0 says
//! so. Between an agent and its server the versions may differ: everything else is the same in both, and
//! keys never cross.

use std::io;
use std::time::Duration;

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tyer_wire::postgres::decode::{Complaint, Decoder, Side};
use tyer_wire::postgres::encode;
use tyer_wire::postgres::welcome::{Authentication, Welcome};

use super::dial::{self, DialError};
use super::{CancelKey, Stream, Target};

/// How long the upstream may take to let us in.
pub(super) const LOGIN_WAIT: Duration = Duration::from_secs(10);

/// The minor version of protocol 3 that is asked for.
const MINOR: u16 = 2;

/// How servers and poolers refuse a version that they cannot negotiate: as a feature that they do not
/// have, or as a violation of the protocol.
const UNKNOWN_VERSION: [&str; 2] = ["0A000", "08P01"];

/// A connection that has logged in, and what the server said about itself.
pub(super) struct LoggedIn {
    pub(super) stream: Stream,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) cancel: CancelKey,
    /// Bytes of the server that were read past the login.
    pub(super) rest: Vec<u8>,
}

/// Opens a stream and logs in.
pub(super) async fn login(target: &Target, settings: &[(&str, &str)]) -> Result<LoggedIn, DialError> {
    let logged_in = async {
        match log_in(target, settings, MINOR).await {
            // Some poolers end the connection instead of negotiating.
            Err(DialError::Version(_)) => log_in(target, settings, 0).await,
            other => other,
        }
    };
    tokio::time::timeout(LOGIN_WAIT, logged_in).await.map_err(|_| DialError::TooSlow)?
}

async fn log_in(target: &Target, settings: &[(&str, &str)], minor: u16) -> Result<LoggedIn, DialError> {
    let (stream, end_point) = dial::open(target).await?;
    let own = [("user", target.config.user.as_str()), ("database", target.config.database.as_str())];
    let parameters: Vec<_> = own.into_iter().chain(settings.iter().copied()).collect();
    let mut login = Login { stream, decoder: Decoder::new(Side::Upstream), end_point };
    login.send(&encode::startup(minor, &parameters)).await?;
    let first = login.first(minor).await?;
    login.authenticate(target, first).await?;
    login.until_ready().await
}

struct Login {
    stream: Stream,
    decoder: Decoder,
    /// The TLS end point of the server, if this is TLS.
    end_point: Option<Vec<u8>>,
}

impl Login {
    async fn message(&mut self) -> Result<Welcome, DialError> {
        let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        loop {
            if let Some(frame) = self.decoder.frame().map_err(malformed)? {
                return Ok(Welcome::decode(&frame).map_err(malformed)?);
            }
            let mut bytes = [0; 4096];
            let count = self.stream.read(&mut bytes).await?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.decoder.push(bytes.get(..count).unwrap_or_default());
        }
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), DialError> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    /// What the server wants to know, after it has said which version it speaks.
    async fn first(&mut self, asked: u16) -> Result<Authentication, DialError> {
        let said = match self.message().await? {
            Welcome::Negotiate(minor) if minor < asked => self.message().await?,
            said => said,
        };
        match said {
            Welcome::Authentication(authentication) => Ok(authentication),
            Welcome::Refused(said) if asked > 0 && UNKNOWN_VERSION.contains(&said.code.as_str()) => {
                Err(DialError::Version(said.message))
            }
            Welcome::Refused(said) => Err(DialError::Refused(said.message)),
            _ => Err(DialError::Unsupported("an unexpected first message")),
        }
    }

    /// What the server wants to know next.
    async fn asked(&mut self) -> Result<Authentication, DialError> {
        match self.message().await? {
            Welcome::Authentication(authentication) => Ok(authentication),
            Welcome::Refused(Complaint { message, .. }) => Err(DialError::Refused(message)),
            _ => Err(DialError::Unsupported("an unexpected message during login")),
        }
    }

    async fn authenticate(&mut self, target: &Target, first: Authentication) -> Result<(), DialError> {
        let password = target.config.password.reveal();
        match first {
            Authentication::Done => return Ok(()),
            Authentication::Sasl(offered) => self.scram(password, &offered).await?,
            Authentication::Md5(salt) => {
                let hash = md5_hash(target.config.user.as_bytes(), password.as_bytes(), salt);
                self.send(&encode::password(hash.as_bytes())).await?;
            }
            Authentication::Password if target.tls.is_some() => {
                self.send(&encode::password(password.as_bytes())).await?;
            }
            Authentication::Password => {
                return Err(DialError::Unsupported("a password in clear over a connection in clear"));
            }
            Authentication::SaslContinue(_)
            | Authentication::SaslFinal(_)
            | Authentication::Other(_) => {
                return Err(DialError::Unsupported("GSSAPI, SSPI, Kerberos or a newer method"));
            }
        }
        match self.asked().await? {
            Authentication::Done => Ok(()),
            _ => Err(DialError::Unsupported("a second question during login")),
        }
    }

    /// Binds the login to the TLS channel if the server offers it. If it does not, it is told that we
    /// could have: a server whose offer was taken away on the way then refuses.
    async fn scram(&mut self, password: &str, offered: &[String]) -> Result<(), DialError> {
        let is_offered = |mechanism: &str| offered.iter().any(|name| name == mechanism);
        let (mechanism, binding) = match self.end_point.take() {
            Some(end_point) if is_offered(SCRAM_SHA_256_PLUS) => {
                (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(end_point))
            }
            _ if !is_offered(SCRAM_SHA_256) => {
                return Err(DialError::Unsupported("a SASL mechanism other than SCRAM-SHA-256"));
            }
            Some(_) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
            None => (SCRAM_SHA_256, ChannelBinding::unsupported()),
        };
        let mut scram = ScramSha256::new(password.as_bytes(), binding);
        self.send(&encode::sasl_initial(mechanism.as_bytes(), scram.message())).await?;
        let Authentication::SaslContinue(challenge) = self.asked().await? else {
            return Err(DialError::Unsupported("an unexpected message during SCRAM"));
        };
        scram.update(&challenge)?;
        self.send(&encode::sasl_response(scram.message())).await?;
        let Authentication::SaslFinal(last) = self.asked().await? else {
            return Err(DialError::Unsupported("an unexpected message during SCRAM"));
        };
        // The server proves that it knows the password too.
        Ok(scram.finish(&last)?)
    }

    async fn until_ready(mut self) -> Result<LoggedIn, DialError> {
        let mut parameters = Vec::new();
        let mut cancel = CancelKey { process: 0, secret: Vec::new() };
        loop {
            match self.message().await? {
                Welcome::Parameter(name, value) => parameters.push((name, value)),
                Welcome::Key { process, secret } => {
                    cancel = CancelKey { process: process.cast_signed(), secret };
                }
                Welcome::Notice => {}
                Welcome::Ready => break,
                Welcome::Refused(said) => return Err(DialError::Refused(said.message)),
                Welcome::Negotiate(_) | Welcome::Authentication(_) => {
                    return Err(DialError::Unsupported("an unexpected message after login"));
                }
            }
        }
        let rest = self.decoder.rest().to_vec();
        Ok(LoggedIn { stream: self.stream, parameters, cancel, rest })
    }
}

#[cfg(test)]
mod tests;
