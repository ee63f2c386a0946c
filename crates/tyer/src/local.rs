//! The client's side of the API: HTTP/1.1 over the server's Unix socket, or over TCP for agents that
//! know the console's address. One connection a request.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::secret::Secret;

/// The socket's name inside the data directory.
pub(crate) const SOCKET: &str = "tyer.sock";

/// How long reaching the server may take.
const CONNECT_WAIT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Talks to one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    server: Server,
    login: Option<(String, Secret)>,
}

#[derive(Clone, Debug)]
enum Server {
    Socket(PathBuf),
    Tcp { authority: String, tls: Option<PathBuf> },
}

/// What the server said.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// The body as it came.
    pub(crate) text: String,
    /// The body as JSON; null if it is not.
    pub(crate) body: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocalError {
    /// Nobody listens; nothing was sent.
    #[error("nobody answers at {at}: {source}")]
    Absent { at: String, source: std::io::Error },
    /// The address makes no sense.
    #[error("`{0}` is not an address such as https://tyer.example.com")]
    Address(String),
    /// TLS does not come about; nothing was sent.
    #[error("no trustworthy TLS with {at}: {why}")]
    Tls { at: String, why: String },
    /// The connection broke after the request had been sent.
    #[error("the connection broke before the answer was there: {0}")]
    Broken(String),
}

impl LocalError {
    /// Whether nothing was sent because no server is there.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}

impl Client {
    /// Over the Unix socket of a data directory.
    pub(crate) fn of_socket(data: &Path) -> Self {
        Self { server: Server::Socket(data.join(SOCKET)), login: None }
    }

    /// Over the console's address; `authorities` is the PEM file to check an `https` one with.
    pub(crate) fn of_address(address: &str, authorities: &Path) -> Result<Self, LocalError> {
        let wrong = || LocalError::Address(address.to_owned());
        let (scheme, rest) = address.split_once("://").ok_or_else(wrong)?;
        let authority = rest.trim_end_matches('/');
        if authority.is_empty() || authority.contains(['/', '@', '?', '#']) {
            return Err(wrong());
        }
        let tls = match scheme {
            "http" => None,
            "https" => Some(authorities.to_owned()),
            _ => return Err(wrong()),
        };
        Ok(Self { server: Server::Tcp { authority: authority.to_owned(), tls }, login: None })
    }

    /// With a session's minted credentials.
    pub(crate) fn with_login(self, user: &str, password: Secret) -> Self {
        Self { login: Some((user.to_owned(), password)), ..self }
    }

    /// Sends one request and reads the whole answer.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, LocalError> {
        let request = self.request(method, path, body)?;
        match &self.server {
            Server::Socket(path) => {
                let stream = within(&path.display().to_string(), UnixStream::connect(path)).await?;
                exchange(stream, request).await
            }
            Server::Tcp { authority, tls } => {
                let (host, address) = host_and_address(authority, tls.is_some());
                let stream = within(authority, TcpStream::connect(address)).await?;
                match tls {
                    None => exchange(stream, request).await,
                    Some(file) => exchange(secured(stream, &host, file).await?, request).await,
                }
            }
        }
    }

    fn request(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Request<Full<Bytes>>, LocalError> {
        let (host, origin) = match &self.server {
            Server::Socket(_) => ("localhost", "http://localhost".to_owned()),
            Server::Tcp { authority, tls: None } => (authority.as_str(), format!("http://{authority}")),
            Server::Tcp { authority, tls: Some(_) } => {
                (authority.as_str(), format!("https://{authority}"))
            }
        };
        let mut request =
            Request::builder().method(method).uri(path).header(HOST, host).header(ORIGIN, origin);
        if let Some((user, password)) = &self.login {
            let pair = Secret::new(format!("{user}:{}", password.reveal()));
            let header = Secret::new(format!("Basic {}", STANDARD.encode(pair.reveal())));
            request = request.header(AUTHORIZATION, header.reveal());
        }
        let text = body.map(Value::to_string);
        if text.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request
            .body(Full::new(Bytes::from(text.unwrap_or_default())))
            .map_err(|error| LocalError::Address(format!("{path}: {error}")))
    }
}

async fn within<S>(
    at: &str,
    connect: impl Future<Output = std::io::Result<S>>,
) -> Result<S, LocalError> {
    let connected = tokio::time::timeout(CONNECT_WAIT, connect).await;
    let connected = connected.unwrap_or_else(|_| Err(std::io::ErrorKind::TimedOut.into()));
    connected.map_err(|source| LocalError::Absent { at: at.to_owned(), source })
}

/// The host name, and the address with its port.
fn host_and_address(authority: &str, is_tls: bool) -> (String, String) {
    let default = if is_tls { 443 } else { 80 };
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|digit| digit.is_ascii_digit()) => {
            (host.trim_matches(['[', ']']).to_owned(), authority.to_owned())
        }
        _ => (authority.trim_matches(['[', ']']).to_owned(), format!("{authority}:{default}")),
    }
}

async fn secured(
    stream: TcpStream,
    host: &str,
    authorities: &Path,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, LocalError> {
    let refuse = |why: String| LocalError::Tls { at: host.to_owned(), why };
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(authorities)
        .map_err(|error| refuse(format!("cannot read {}: {error}", authorities.display())))?;
    // A bundle of the system may hold certificates of forms that are not supported.
    roots.add_parsable_certificates(certificates.filter_map(Result::ok));
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).map_err(|error| refuse(error.to_string()))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    let connected = tokio::time::timeout(CONNECT_WAIT, connecting).await;
    connected
        .map_err(|_| refuse("no answer in time".to_owned()))?
        .map_err(|error| refuse(error.to_string()))
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<Answer, LocalError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |error: &dyn std::fmt::Display| LocalError::Broken(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| broken(&error))?;
    let driver = tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
    let status = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
        .collect()
        .await
        .map_err(|error| broken(&error))?;
    driver.abort();
    let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
    let body = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer { status, text, body })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[test]
    fn addresses() {
        let check = |address: &str, expect: Option<(&str, &str)>| {
            let client = Client::of_address(address, Path::new("ca.pem")).ok();
            let found = client.map(|client| match client.server {
                Server::Tcp { authority, tls } => host_and_address(&authority, tls.is_some()),
                Server::Socket(_) => panic!("not a socket"),
            });
            let expect = expect.map(|(host, address)| (host.to_owned(), address.to_owned()));
            assert_eq!(found, expect, "{address}");
        };
        check("http://localhost:7780", Some(("localhost", "localhost:7780")));
        check("https://tyer.example.com/", Some(("tyer.example.com", "tyer.example.com:443")));
        check("http://[::1]:7780", Some(("::1", "[::1]:7780")));
        check("http://[::1]", Some(("::1", "[::1]:80")));
        for wrong in ["", "localhost:7780", "ftp://a", "http://", "http://a/b", "http://u:p@a"] {
            check(wrong, None);
        }
    }

    #[tokio::test]
    async fn a_request_goes_over_the_socket_with_its_login() {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = tokio::net::UnixListener::bind(directory.path().join(SOCKET)).expect("a socket");
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut seen = vec![0; 4096];
            let count = stream.read(&mut seen).await.expect("a request");
            let answer = "HTTP/1.1 202 Accepted\r\ncontent-length: 14\r\n\r\n{\"hold\":\"H-1\"}";
            stream.write_all(answer.as_bytes()).await.expect("an answer");
            String::from_utf8_lossy(&seen[..count]).into_owned()
        });
        let client = Client::of_socket(directory.path())
            .with_login("s-1", Secret::new("minted-and-shown-once".to_owned()));
        let body = serde_json::json!({ "sql": "SELECT 1" });
        let answer = client.send("POST", "/api/v1/proposals", Some(&body)).await.expect("an answer");
        assert_eq!((answer.status, answer.body["hold"].as_str()), (202, Some("H-1")));
        let seen = server.await.expect("the server");
        assert!(seen.starts_with("POST /api/v1/proposals HTTP/1.1\r\n"), "{seen}");
        assert!(
            seen.contains("authorization: Basic cy0xOm1pbnRlZC1hbmQtc2hvd24tb25jZQ==\r\n"),
            "{seen}"
        );
        assert!(seen.ends_with("{\"sql\":\"SELECT 1\"}"), "{seen}");
        assert!(!format!("{client:?}").contains("minted-and-shown-once"));
    }

    #[tokio::test]
    async fn no_socket_means_no_server() {
        let directory = tempfile::tempdir().expect("a directory");
        let error = Client::of_socket(directory.path()).send("GET", "/api/v1/status", None).await;
        assert!(error.expect_err("nobody is there").is_absent());
    }
}
