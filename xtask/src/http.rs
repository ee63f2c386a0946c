//! A small HTTP client for the console's API, as a browser on this machine would call it.

use std::path::PathBuf;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN, SET_COOKIE};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// Talks to one console; remembers its cookie.
#[derive(Clone, Debug)]
pub struct Http {
    server: Server,
    cookie: Option<String>,
}

#[derive(Clone, Debug)]
enum Server {
    Port(u16),
    Socket(PathBuf),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The console cannot be reached.
    #[error("the console cannot be reached: {0}")]
    Io(#[from] std::io::Error),
    /// It does not speak HTTP as expected.
    #[error("the console's answer is broken: {0}")]
    Http(#[from] hyper::Error),
    /// The request cannot be built.
    #[error("the request cannot be built: {0}")]
    Request(#[from] hyper::http::Error),
}

/// A status and a JSON body; null if the body is not JSON.
pub type Answer = (StatusCode, Value);

impl Http {
    /// A client of the console on this port of localhost.
    #[must_use]
    pub fn new(port: u16) -> Self {
        Self { server: Server::Port(port), cookie: None }
    }

    /// A client of the API over a server's socket.
    #[must_use]
    pub fn of_socket(path: PathBuf) -> Self {
        Self { server: Server::Socket(path), cookie: None }
    }

    /// The console's origin.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("http://{}", self.host())
    }

    /// GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn get(&mut self, path: &str) -> Result<Answer, HttpError> {
        self.send("GET", path, &Value::Null).await
    }

    /// POST with a JSON body.
    ///
    /// # Errors
    /// When there is no answer.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<Answer, HttpError> {
        self.send("POST", path, body).await
    }

    fn host(&self) -> String {
        match &self.server {
            Server::Port(port) => format!("localhost:{port}"),
            Server::Socket(_) => "localhost".to_owned(),
        }
    }

    async fn send(&mut self, method: &str, path: &str, body: &Value) -> Result<Answer, HttpError> {
        match &self.server {
            Server::Port(port) => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).await?;
                self.exchange(stream, method, path, body).await
            }
            Server::Socket(socket) => {
                let stream = UnixStream::connect(socket).await?;
                self.exchange(stream, method, path, body).await
            }
        }
    }

    async fn exchange(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Result<Answer, HttpError> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.host())
            .header(ORIGIN, self.origin())
            .header(CONTENT_TYPE, "application/json");
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = sender.send_request(request.body(Full::<Bytes>::from(body))?).await?;
        let status = answer.status();
        if let Some(cookie) = answer.headers().get(SET_COOKIE).and_then(|value| value.to_str().ok()) {
            self.cookie = cookie.split(';').next().map(ToOwned::to_owned);
        }
        let bytes = answer.into_body().collect().await?.to_bytes();
        driver.abort();
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }
}
