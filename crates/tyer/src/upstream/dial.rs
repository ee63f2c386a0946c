//! Dialing a PostgreSQL upstream: TCP, TLS with the host name checked, and login by SCRAM-SHA-256,
//! bound to the TLS channel where the server offers that, MD5, password or client certificate. The login follows the start-up flow of PostgreSQL's protocol 3.0.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tyer_wire::postgres::encode;

use super::{CancelKey, Connected, Outbox, Stream, Target, UpstreamWriter};
use crate::config::TlsFiles;
use crate::tls::end_point;

/// How long the upstream may take to let us in.
const LOGIN_WAIT: Duration = Duration::from_secs(10);

/// Bytes of a secret for cancelling; the protocol's limit.
const SECRET_BYTES_MAX: usize = 256;

/// Why the upstream cannot be reached. For the operator; agents read a fixed sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("the upstream is not configured")]
    Unknown,
    #[error("the upstream cannot be reached: {0}")]
    Io(#[from] io::Error),
    #[error("the upstream cannot be spoken to by TLS: {0}")]
    Tls(io::Error),
    #[error("the upstream does not speak TLS")]
    NoTls,
    #[error("the upstream refused the login: {0}")]
    Refused(String),
    #[error("the upstream asks for a way to log in that is not supported: {0}")]
    Unsupported(&'static str),
    #[error("the upstream did not answer in time")]
    TooSlow,
}

/// A TLS client that trusts only these authorities, and shows a certificate if it has one.
pub(super) fn client_tls(
    authorities: &Path,
    client: Option<&TlsFiles>,
) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(authorities)
        .map_err(|error| format!("cannot read {}: {error}", authorities.display()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| format!("{}: {error}", authorities.display()))?;
        roots.add(certificate).map_err(|error| format!("{}: {error}", authorities.display()))?;
    }
    if roots.is_empty() {
        return Err(format!("{} holds no certificate", authorities.display()));
    }
    let tls = ClientConfig::builder().with_root_certificates(roots);
    let Some(files) = client else { return Ok(Arc::new(tls.with_no_client_auth())) };
    let (chain, key) = shown(files)?;
    tls.with_client_auth_cert(chain, key)
        .map(Arc::new)
        .map_err(|error| format!("{}: {error}", files.certificate.display()))
}

/// The certificate that is shown to the server, and its key, which nobody else may read.
fn shown(files: &TlsFiles) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
    let unreadable =
        |path: &Path, error: &dyn std::fmt::Display| format!("cannot read {}: {error}", path.display());
    let key = &files.key;
    let mode = key.metadata().map_err(|error| unreadable(key, &error))?.permissions().mode();
    if mode & 0o077 != 0 {
        let path = key.display();
        return Err(format!("{path} can be read by other users; run `chmod go= {path}`"));
    }
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(&files.certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, &error))?;
    Ok((chain, key))
}

/// A stream to the upstream, by TLS if configured; nothing has been said over it yet.
pub(super) async fn open(target: &Target) -> Result<Stream, DialError> {
    Ok(open_bound(target).await?.0)
}

/// The same with the TLS end point that a login may be bound to.
async fn open_bound(target: &Target) -> Result<(Stream, Option<Vec<u8>>), DialError> {
    let mut tcp = TcpStream::connect(&target.config.address).await?;
    tcp.set_nodelay(true)?;
    let Some(tls) = &target.tls else { return Ok((Box::new(tcp), None)) };
    let mut ask = bytes::BytesMut::new();
    frontend::ssl_request(&mut ask);
    tcp.write_all(&ask).await?;
    if tcp.read_u8().await? != b'S' {
        return Err(DialError::NoTls);
    }
    let host = target.config.address.rsplit_once(':').map_or("", |(host, _)| host);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| DialError::Refused(format!("`{host}` is not a host name")))?;
    let connector = TlsConnector::from(Arc::clone(tls));
    let stream = connector.connect(name, tcp).await.map_err(DialError::Tls)?;
    let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let end_point = certificates
        .first()
        .and_then(|certificate| end_point(certificate).ok())
        .ok_or(DialError::Unsupported("a certificate that cannot be read"))?;
    Ok((Box::new(stream), Some(end_point)))
}

/// Opens a stream and logs in.
pub(super) async fn login(
    target: &Target,
    settings: &[(String, String)],
) -> Result<Connected, DialError> {
    tokio::time::timeout(LOGIN_WAIT, log_in(target, settings)).await.map_err(|_| DialError::TooSlow)?
}

async fn log_in(target: &Target, settings: &[(String, String)]) -> Result<Connected, DialError> {
    let (mut stream, end_point) = open_bound(target).await?;
    let own = [("user", target.config.user.as_str()), ("database", target.config.database.as_str())];
    let agents = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut out = bytes::BytesMut::new();
    frontend::startup_message(own.into_iter().chain(agents), &mut out)?;
    stream.write_all(&out).await?;
    let cancel = CancelKey { process: 0, secret: Vec::new() };
    let mut login = Login { stream, buffer: bytes::BytesMut::new(), end_point, cancel };
    login.authenticate(target).await?;
    login.until_ready().await
}

/// Sends a cancel request over a connection of its own.
pub(super) async fn cancel(target: &Target, key: &CancelKey) -> Result<(), DialError> {
    let sent = async {
        let mut stream = open(target).await?;
        let out = encode::cancel_request(key.process.cast_unsigned(), &key.secret);
        stream.write_all(&out).await?;
        // The server closes the connection when it has passed the signal on.
        let mut end = Vec::new();
        stream.read_to_end(&mut end).await?;
        Ok(())
    };
    tokio::time::timeout(LOGIN_WAIT, sent).await.map_err(|_| DialError::TooSlow)?
}

struct Login {
    stream: Stream,
    buffer: bytes::BytesMut,
    /// The TLS end point of the server, if this is TLS.
    end_point: Option<Vec<u8>>,
    cancel: CancelKey,
}

/// Takes a whole `BackendKeyData` off the buffer's start, with a secret of any length.
fn take_key(buffer: &mut bytes::BytesMut) -> io::Result<Option<CancelKey>> {
    let Some(&[b'K', a, b, c, d]) = buffer.get(..5) else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if !(12..=8 + SECRET_BYTES_MAX).contains(&length) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a malformed key for cancelling"));
    }
    if buffer.len() <= length {
        return Ok(None);
    }
    let message = buffer.split_to(length + 1);
    let (Some(&[a, b, c, d]), Some(secret)) = (message.get(5..9), message.get(9..)) else {
        return Ok(None);
    };
    Ok(Some(CancelKey { process: i32::from_be_bytes([a, b, c, d]), secret: secret.to_vec() }))
}

impl Login {
    async fn message(&mut self) -> Result<Message, DialError> {
        loop {
            if let Some(key) = take_key(&mut self.buffer)? {
                self.cancel = key;
            }
            if let Some(message) = Message::parse(&mut self.buffer)? {
                if let Message::ErrorResponse(body) = &message {
                    return Err(DialError::Refused(error_text(body)));
                }
                return Ok(message);
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    async fn send(
        &mut self,
        write: impl FnOnce(&mut bytes::BytesMut) -> io::Result<()>,
    ) -> Result<(), DialError> {
        let mut out = bytes::BytesMut::new();
        write(&mut out)?;
        self.stream.write_all(&out).await?;
        Ok(self.stream.flush().await?)
    }

    async fn authenticate(&mut self, target: &Target) -> Result<(), DialError> {
        let password = target.config.password.reveal();
        match self.message().await? {
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationSasl(body) => {
                use fallible_iterator::FallibleIterator as _;
                let offered: Vec<String> =
                    body.mechanisms().map(|name| Ok(name.to_owned())).collect()?;
                self.scram(password, &offered).await?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(target.config.user.as_bytes(), password.as_bytes(), body.salt());
                self.send(|out| frontend::password_message(hash.as_bytes(), out)).await?;
            }
            Message::AuthenticationCleartextPassword if target.tls.is_some() => {
                self.send(|out| frontend::password_message(password.as_bytes(), out)).await?;
            }
            Message::AuthenticationCleartextPassword => {
                return Err(DialError::Unsupported("a password in clear over a connection in clear"));
            }
            _ => return Err(DialError::Unsupported("GSSAPI, SSPI, Kerberos or a newer method")),
        }
        match self.message().await? {
            Message::AuthenticationOk => Ok(()),
            _ => Err(DialError::Unsupported("an unexpected message during login")),
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
        let first = scram.message().to_vec();
        self.send(|out| frontend::sasl_initial_response(mechanism, &first, out)).await?;
        let Message::AuthenticationSaslContinue(body) = self.message().await? else {
            return Err(DialError::Unsupported("an unexpected message during SCRAM"));
        };
        scram.update(body.data())?;
        let second = scram.message().to_vec();
        self.send(|out| frontend::sasl_response(&second, out)).await?;
        let Message::AuthenticationSaslFinal(body) = self.message().await? else {
            return Err(DialError::Unsupported("an unexpected message during SCRAM"));
        };
        // The server proves that it knows the password too.
        Ok(scram.finish(body.data())?)
    }

    async fn until_ready(mut self) -> Result<Connected, DialError> {
        let mut parameters = Vec::new();
        loop {
            match self.message().await? {
                Message::ParameterStatus(body) => {
                    parameters.push((body.name()?.to_owned(), body.value()?.to_owned()));
                }
                Message::NoticeResponse(_) => {}
                Message::ReadyForQuery(_) => break,
                _ => return Err(DialError::Unsupported("an unexpected message after login")),
            }
        }
        let (reader, half) = tokio::io::split(self.stream);
        Ok(Connected {
            reader,
            writer: UpstreamWriter { out: Outbox::new(half) },
            parameters,
            cancel: self.cancel,
            rest: self.buffer.to_vec(),
        })
    }
}

fn error_text(body: &postgres_protocol::message::backend::ErrorResponseBody) -> String {
    use fallible_iterator::FallibleIterator as _;
    let mut fields = body.fields();
    while let Ok(Some(field)) = fields.next() {
        if field.type_() == b'M' {
            return String::from_utf8_lossy(field.value_bytes()).into_owned();
        }
    }
    "no message".to_owned()
}

#[cfg(test)]
mod tests;
