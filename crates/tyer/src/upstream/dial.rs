//! Dialing a PostgreSQL upstream: TCP, and TLS with the host name checked, by the certificates of named
//! authorities or of the system's.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tyer_wire::postgres::encode;

use super::login::LOGIN_WAIT;
use super::{CancelKey, Stream, Target};
use crate::config::TlsFiles;
use crate::tls::end_point;

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
    #[error("the upstream does not know this version of the protocol: {0}")]
    Version(String),
    #[error("the upstream refused the login: {0}")]
    Refused(String),
    #[error("the upstream asks for a way to log in that is not supported: {0}")]
    Unsupported(&'static str),
    #[error("the upstream did not answer in time")]
    TooSlow,
    #[error(
        "the upstream's role {role} has more power than was allowed: {powers}; take it away, or name it in \
         allow_role_powers"
    )]
    Powers { role: String, powers: String },
}

impl DialError {
    /// What an agent reads, and the next step.
    pub(crate) fn for_agent(&self) -> (&'static str, &'static str) {
        match self {
            Self::Powers { .. } => (
                "this door is closed: Tyer's own role at the database has more power than was allowed",
                "nothing was executed; the operator takes it away or allows it, and `tyer doctor` names it",
            ),
            Self::Unknown
            | Self::Io(_)
            | Self::Tls(_)
            | Self::NoTls
            | Self::Version(_)
            | Self::Refused(_)
            | Self::Unsupported(_)
            | Self::TooSlow => (
                "the database behind this door cannot be reached",
                "nothing was executed; the operator has been told",
            ),
        }
    }
}

/// A TLS client that trusts only these authorities, or the system's, and shows a certificate if it has one.
pub(super) fn client_tls(
    authorities: Option<&Path>,
    client: Option<&TlsFiles>,
) -> Result<Arc<ClientConfig>, String> {
    let roots = match authorities {
        Some(file) => named(file)?,
        None => of_the_system()?,
    };
    let tls = ClientConfig::builder().with_root_certificates(roots);
    let Some(files) = client else { return Ok(Arc::new(tls.with_no_client_auth())) };
    let (chain, key) = shown(files)?;
    tls.with_client_auth_cert(chain, key)
        .map(Arc::new)
        .map_err(|error| format!("{}: {error}", files.certificate.display()))
}

/// A TLS client for where there is no TLS.
pub(super) fn trusting_nobody() -> Arc<ClientConfig> {
    let tls = ClientConfig::builder().with_root_certificates(RootCertStore::empty());
    Arc::new(tls.with_no_client_auth())
}

/// The authorities of a PEM file.
fn named(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| format!("{}: {error}", file.display()))?;
        roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if roots.is_empty() {
        return Err(format!("{} holds no certificate", file.display()));
    }
    Ok(roots)
}

/// The authorities that this machine trusts for everything.
fn of_the_system() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // Such a collection may hold some that nobody can use; trusting fewer is safe.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        let found = if errors.is_empty() { String::new() } else { format!(": {}", errors.join("; ")) };
        return Err(format!("this machine has no authorities to trust, name some{found}"));
    }
    Ok(roots)
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

/// A stream to the upstream, by TLS if configured, with the TLS end point that a login may be bound to;
/// nothing has been said over it yet.
pub(super) async fn open(target: &Target) -> Result<(Stream, Option<Vec<u8>>), DialError> {
    let mut tcp = TcpStream::connect(&target.config.address).await?;
    tcp.set_nodelay(true)?;
    let Some(tls) = &target.tls else { return Ok((Box::new(tcp), None)) };
    tcp.write_all(&encode::ssl_request()).await?;
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

/// Sends a cancel request over a connection of its own.
pub(super) async fn cancel(target: &Target, key: &CancelKey) -> Result<(), DialError> {
    let sent = async {
        let (mut stream, _) = open(target).await?;
        let out = encode::cancel_request(key.process.cast_unsigned(), &key.secret);
        stream.write_all(&out).await?;
        // The server closes the connection when it has passed the signal on.
        let mut end = Vec::new();
        stream.read_to_end(&mut end).await?;
        Ok(())
    };
    tokio::time::timeout(LOGIN_WAIT, sent).await.map_err(|_| DialError::TooSlow)?
}
