//! A client that sends one signed request again and again over connections that it keeps.

use std::time::{Duration, Instant, SystemTime};

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tyer_core::intent::{Digest, Timestamp};
use tyer_wire::aws::request::Head;
use tyer_wire::aws::sigv4::{Outgoing, Scope, Signer, SigningKey, sign};

use super::Work;
use super::servers::{Servers, Way};
use crate::bench::BenchError;

const REGION: &str = "us-east-1";

/// What is sent where.
pub(super) struct Load {
    port: u16,
    head: Head,
    body: Bytes,
}

/// What came of one round.
pub(super) struct Round {
    pub(super) rate: f64,
    pub(super) latencies_us: Vec<f64>,
}

fn failed(what: impl std::fmt::Display) -> BenchError {
    BenchError::Program("a request", what.to_string())
}

impl Load {
    pub(super) fn new(servers: &Servers, way: Way, work: Work) -> Result<Self, BenchError> {
        let port = servers.port(way);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (service, method, path, headers, body) = match work {
            Work::Call => {
                let headers = vec![
                    pair("content-type", "application/x-amz-json-1.0"),
                    pair("x-amz-target", "DynamoDB_20120810.GetItem"),
                ];
                let body = r#"{"TableName":"orders","Key":{"id":{"S":"0af31c"}}}"#.as_bytes().to_vec();
                ("dynamodb", "POST", "/".to_owned(), headers, body)
            }
            Work::Put(bytes) | Work::PutUnsigned(bytes) => {
                ("s3", "PUT", "/bench/object".to_owned(), Vec::new(), vec![b'x'; bytes])
            }
            Work::Get(bytes) => ("s3", "GET", format!("/bench/{bytes}"), Vec::new(), Vec::new()),
        };
        let mut head = Head { method: method.to_owned(), path, query: String::new(), headers };
        if method != "GET" {
            head.headers.push(pair("content-length", &body.len().to_string()));
        }
        let outgoing = match work {
            Work::PutUnsigned(_) => Outgoing::Unsigned,
            _ => Outgoing::Hash(Digest::of(&body)),
        };
        let head =
            signed(&head, (service, outgoing), servers, port).ok_or_else(|| failed("not signed"))?;
        Ok(Self { port, head, body: Bytes::from(body) })
    }

    /// Sends over so many connections at once for so long.
    pub(super) async fn run(&self, clients: usize, each: Duration) -> Result<Round, BenchError> {
        let mut tasks = tokio::task::JoinSet::new();
        let started = Instant::now();
        for _ in 0..clients {
            let (port, head, body) = (self.port, self.head.clone(), self.body.clone());
            tasks.spawn(async move { client(port, &head, &body, each).await });
        }
        let mut latencies_us = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            latencies_us.extend(ended.map_err(failed)??);
        }
        let count = f64::from(u32::try_from(latencies_us.len()).unwrap_or(u32::MAX));
        Ok(Round { rate: count / started.elapsed().as_secs_f64(), latencies_us })
    }
}

async fn client(port: u16, head: &Head, body: &Bytes, each: Duration) -> Result<Vec<f64>, BenchError> {
    let stream = TcpStream::connect(("127.0.0.1", port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let driver = tokio::spawn(connection);
    let (started, mut latencies) = (Instant::now(), Vec::new());
    while latencies.is_empty() || started.elapsed() < each {
        let before = Instant::now();
        once(&mut sender, head, body).await?;
        latencies.push(before.elapsed().as_secs_f64() * 1e6);
    }
    driver.abort();
    Ok(latencies)
}

async fn once(
    sender: &mut SendRequest<Full<Bytes>>,
    head: &Head,
    body: &Bytes,
) -> Result<(), BenchError> {
    let mut request = Request::builder().method(head.method.as_str()).uri(head.path.as_str());
    for (name, value) in &head.headers {
        request = request.header(name, value);
    }
    let request = request.body(Full::new(body.clone())).map_err(failed)?;
    sender.ready().await.map_err(failed)?;
    let answer = sender.send_request(request).await.map_err(failed)?;
    let status = answer.status();
    let mut body = answer.into_body();
    let mut said = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(failed)?;
        if let Some(bytes) = frame.data_ref().filter(|_| status != StatusCode::OK) {
            said.extend_from_slice(bytes);
        }
    }
    if status != StatusCode::OK {
        return Err(failed(format!("{status} {}", String::from_utf8_lossy(&said))));
    }
    Ok(())
}

fn signed(
    head: &Head,
    (service, outgoing): (&str, Outgoing),
    servers: &Servers,
    port: u16,
) -> Option<Head> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let now = Timestamp(i64::try_from(since.as_millis()).ok()?);
    let login = &servers.login;
    let scope = Scope::on(now, REGION, service)?;
    let key = SigningKey::derive(&login.secret, &scope);
    let signer = Signer { access_key: &login.access_key, token: None, key: &key };
    sign(head, &format!("127.0.0.1:{port}"), outgoing, &signer, now).ok()
}
