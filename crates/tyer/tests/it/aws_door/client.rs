//! A client of AWS that signs as SDKs do, and otherwise if it is told to.

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tyer_core::intent::{Digest, Timestamp};
use tyer_wire::aws::request::Head;
use tyer_wire::aws::sigv4::{Outgoing, Scope, Signer, SigningKey, sign};
use xtask::instance::AwsLogin;

use super::real::now;

/// What sends requests over one connection.
pub(crate) type Sender = hyper::client::conn::http1::SendRequest<Full<Bytes>>;

/// One request before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) service: &'static str,
    pub(crate) region: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Call {
    /// A call of a JSON API.
    pub(crate) fn json(service: &'static str, target: &str, body: &str) -> Self {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        Self {
            service,
            region: "us-east-1",
            method: "POST",
            path: "/".to_owned(),
            headers: vec![
                pair("content-type", "application/x-amz-json-1.0"),
                pair("x-amz-target", target),
            ],
            body: body.as_bytes().to_vec(),
        }
    }

    /// A call of a query API.
    pub(crate) fn query(service: &'static str, form: &str) -> Self {
        let (region, method, path) = ("us-east-1", "POST", "/".to_owned());
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        Self { service, region, method, path, headers, body: form.as_bytes().to_vec() }
    }

    /// A call of S3.
    pub(crate) fn s3(method: &'static str, path: &str, body: Vec<u8>) -> Self {
        let (service, region, path) = ("s3", "us-east-1", path.to_owned());
        Self { service, region, method, path, headers: Vec::new(), body }
    }

    fn head(&self) -> Head {
        let (path, query) = self.path.split_once('?').unwrap_or((&self.path, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        Head { method: self.method.to_owned(), path, query, headers: self.headers.clone() }
    }

    /// Signed by the login, at that moment.
    pub(crate) fn signed(&self, login: &AwsLogin, at: Timestamp) -> Head {
        self.signed_as(login, at, &Digest::of(&self.body).to_string())
    }

    /// The same with that word for the body.
    pub(crate) fn signed_as(&self, login: &AwsLogin, at: Timestamp, word: &str) -> Head {
        let host = login.endpoint.trim_start_matches("http://");
        let scope = Scope::on(at, self.region, self.service).expect("a scope");
        let key = SigningKey::derive(&login.secret, &scope);
        let signer = Signer { access_key: &login.access_key, token: None, key: &key };
        let outgoing = match word {
            "UNSIGNED-PAYLOAD" => Outgoing::Unsigned,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Outgoing::Trailers { bytes: 0 },
            digest => Outgoing::Hash(Digest::try_from(digest.to_owned()).expect("a digest")),
        };
        let mut head = sign(&self.head(), host, outgoing, &signer, at).expect("a signature");
        // Framed by whoever sends it.
        head.headers.retain(|(name, _)| name != "content-length");
        head
    }

    /// Sends it as it is signed now.
    pub(crate) async fn send(&self, login: &AwsLogin) -> Answer {
        send(login, &self.signed(login, now()), self.body.clone()).await.expect("an answer")
    }
}

/// Sends a head with a body over a connection of its own.
pub(crate) async fn send(login: &AwsLogin, head: &Head, body: Vec<u8>) -> Result<Answer, hyper::Error> {
    let host = login.endpoint.trim_start_matches("http://");
    let stream = TcpStream::connect(host).await.expect("the door");
    let mut sender = spoken(stream).await?;
    sent(&mut sender, &head.path, head, body).await
}

/// A head as it is written by whoever declares a body of that length and speaks no HTTP of somebody else's.
pub(crate) fn written(head: &Head, length: usize, more: &str) -> Vec<u8> {
    let query = if head.query.is_empty() { String::new() } else { format!("?{}", head.query) };
    let lines: String =
        head.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (method, path) = (&head.method, &head.path);
    let text =
        format!("{method} {path}{query} HTTP/1.1\r\n{lines}content-length: {length}\r\n{more}\r\n");
    text.into_bytes()
}

/// HTTP over a stream.
pub(crate) async fn spoken<S>(stream: S) -> Result<Sender, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends a head, but for its path, with a body.
pub(crate) async fn sent(
    sender: &mut Sender,
    path: &str,
    head: &Head,
    body: Vec<u8>,
) -> Result<Answer, hyper::Error> {
    let query = if head.query.is_empty() { String::new() } else { format!("?{}", head.query) };
    let mut request = Request::builder().method(head.method.as_str()).uri(format!("{path}{query}"));
    for (name, value) in &head.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).expect("a request");
    let answer = sender.send_request(request).await?;
    let status = answer.status().as_u16();
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    let body = text(&answer.into_body().collect().await?.to_bytes());
    Ok(Answer { status, headers, body })
}
