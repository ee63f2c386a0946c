//! Clients that are slow on purpose, before bounds that are short on purpose.

use std::net::SocketAddr;

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(600);
/// One place, so that whoever is served shows that the client before has gone.
const ONE: Bounds = Bounds { connections: 1, head: LONG, body: LONG, taking: LONG };

async fn served(bounds: Bounds) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
        .route("/echo", post(|body: String| async { body }));
    let (close, closing) = watch::channel(false);
    tokio::spawn(serve(listener, move |_| router.clone(), bounds, closing));
    (address, close)
}

/// What a client gets that sends this and then nothing, up to the end of the connection.
async fn told(address: SocketAddr, sent: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(sent.as_bytes()).await.unwrap();
    let mut told = Vec::new();
    // A reset is an end, too.
    client.read_to_end(&mut told).await.ok();
    String::from_utf8_lossy(&told).into_owned()
}

#[tokio::test]
async fn a_client_that_is_slow_to_ask_is_not_waited_for() {
    let (address, _close) = served(Bounds { head: SHORT, ..ONE }).await;
    assert_eq!(told(address, "").await, "", "nothing is asked");
    told(address, "GET / HTTP/1.1\r\nHost: x").await;
    let idle = told(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(idle.starts_with("HTTP/1.1 200") && idle.ends_with("here"), "{idle}");
}

#[tokio::test]
async fn a_client_that_is_slow_to_send_a_body_is_not_waited_for() {
    let (address, _close) = served(Bounds { body: SHORT, ..ONE }).await;
    let head = "POST /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\n\r\n";
    let slow = told(address, &format!("{head}ab")).await;
    assert!(slow.starts_with("HTTP/1.1 400"), "{slow}");
    let whole = told(address, &format!("{head}abcd")).await;
    assert!(whole.ends_with("\r\n\r\nabcd"), "{whole}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_waited_for() {
    let (address, _close) = served(Bounds { taking: SHORT, ..ONE }).await;
    let mut deaf = TcpStream::connect(address).await.unwrap();
    deaf.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let next = told(address, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(next.ends_with("here"), "{next}");
    drop(deaf);
}

#[tokio::test]
async fn closing_ends_what_is_idle() {
    let (address, close) = served(ONE).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut told = vec![0];
    idle.read_exact(&mut told).await.unwrap();
    close.send_replace(true);
    idle.read_to_end(&mut told).await.unwrap();
    assert!(told.ends_with(b"here"), "{told:?}");
}
