//! Dialing a PostgreSQL upstream: TCP, TLS with the host name checked, and login by SCRAM-SHA-256, MD5
//! or password. The login follows the start-up flow of PostgreSQL's protocol 3.0.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{CancelKey, Connected, Outbox, Stream, Target, UpstreamWriter};

/// How long the upstream may take to let us in.
const LOGIN_WAIT: Duration = Duration::from_secs(10);

/// Why the upstream cannot be reached. For the operator; agents read a fixed sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("the upstream is not configured")]
    Unknown,
    #[error("the upstream cannot be reached: {0}")]
    Io(#[from] io::Error),
    #[error("the upstream does not speak TLS")]
    NoTls,
    #[error("the upstream refused the login: {0}")]
    Refused(String),
    #[error("the upstream asks for a way to log in that is not supported: {0}")]
    Unsupported(&'static str),
    #[error("the upstream did not answer in time")]
    TooSlow,
}

/// A TLS client that trusts only these authorities.
pub(super) fn client_tls(authorities: &Path) -> Result<Arc<ClientConfig>, String> {
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
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

/// A stream to the upstream, by TLS if configured; nothing has been said over it yet.
pub(super) async fn open(target: &Target) -> Result<Stream, DialError> {
    let mut tcp = TcpStream::connect(&target.config.address).await?;
    tcp.set_nodelay(true)?;
    let Some(tls) = &target.tls else { return Ok(Box::new(tcp)) };
    let mut ask = bytes::BytesMut::new();
    frontend::ssl_request(&mut ask);
    tcp.write_all(&ask).await?;
    if tcp.read_u8().await? != b'S' {
        return Err(DialError::NoTls);
    }
    let host = target.config.address.rsplit_once(':').map_or("", |(host, _)| host);
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| DialError::Refused(format!("`{host}` is not a host name")))?;
    Ok(Box::new(TlsConnector::from(Arc::clone(tls)).connect(name, tcp).await?))
}

/// Opens a stream and logs in.
pub(super) async fn login(
    target: &Target,
    settings: &[(String, String)],
) -> Result<Connected, DialError> {
    tokio::time::timeout(LOGIN_WAIT, log_in(target, settings)).await.map_err(|_| DialError::TooSlow)?
}

async fn log_in(target: &Target, settings: &[(String, String)]) -> Result<Connected, DialError> {
    let mut stream = open(target).await?;
    let own = [("user", target.config.user.as_str()), ("database", target.config.database.as_str())];
    let agents = settings.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut out = bytes::BytesMut::new();
    frontend::startup_message(own.into_iter().chain(agents), &mut out)?;
    stream.write_all(&out).await?;
    let mut login = Login { stream, buffer: bytes::BytesMut::new() };
    login.authenticate(target).await?;
    login.until_ready().await
}

/// Sends a cancel request over a connection of its own.
pub(super) async fn cancel(target: &Target, key: &CancelKey) -> Result<(), DialError> {
    let sent = async {
        let mut stream = open(target).await?;
        let mut out = bytes::BytesMut::new();
        frontend::cancel_request(key.process, key.secret, &mut out);
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
}

impl Login {
    async fn message(&mut self) -> Result<Message, DialError> {
        loop {
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
                let offered = body.mechanisms().any(|mechanism| Ok(mechanism == SCRAM_SHA_256))?;
                if !offered {
                    return Err(DialError::Unsupported("a SASL mechanism other than SCRAM-SHA-256"));
                }
                self.scram(password).await?;
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

    async fn scram(&mut self, password: &str) -> Result<(), DialError> {
        let mut scram = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
        let first = scram.message().to_vec();
        self.send(|out| frontend::sasl_initial_response(SCRAM_SHA_256, &first, out)).await?;
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
        let mut cancel = CancelKey { process: 0, secret: 0 };
        loop {
            match self.message().await? {
                Message::ParameterStatus(body) => {
                    parameters.push((body.name()?.to_owned(), body.value()?.to_owned()));
                }
                Message::BackendKeyData(body) => {
                    cancel = CancelKey { process: body.process_id(), secret: body.secret_key() };
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
            cancel,
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
