//! Connections before a server by its bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::upstream::aws::whole;
use crate::upstream::dial::trusting_nobody;

const SMALL: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const NONE: &str = "HTTP/1.1 204 No Content\r\n\r\n";
const CHUNKS: &str =
    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
const LAST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";

/// What a server does with a request.
#[derive(Clone, Copy)]
enum Then {
    Says(&'static str),
    SaysAndLeaves(&'static str),
    Leaves,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    requests: AtomicUsize,
}

/// A server that does these with its requests, in their order, and counts.
async fn server(script: &'static [Then]) -> (Way, Arc<Counts>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let counts = Arc::<Counts>::default();
    let shared = Arc::clone(&counts);
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            shared.connections.fetch_add(1, Ordering::SeqCst);
            let mut asked = Vec::new();
            while tcp.read_buf(&mut asked).await.unwrap_or(0) > 0 {
                if !asked.ends_with(b"\r\n\r\n") {
                    continue;
                }
                asked.clear();
                let at = shared.requests.fetch_add(1, Ordering::SeqCst);
                match script[at] {
                    Then::Says(answer) => tcp.write_all(answer.as_bytes()).await.unwrap(),
                    Then::SaysAndLeaves(answer) => {
                        tcp.write_all(answer.as_bytes()).await.unwrap();
                        break;
                    }
                    Then::Leaves => break,
                }
            }
        }
    });
    (Way { is_tls: false, authority }, counts)
}

/// What comes of as many requests as the script has, and how many connections and requests the server saw.
async fn check(script: &'static [Then], expect: &[&str], (connections, requests): (usize, usize)) {
    let (way, counts) = server(script).await;
    let all = Arc::new(Connections::new(trusting_nobody()));
    let mut found = Vec::new();
    for _ in expect {
        let request = Request::get("/").header("host", "there").body(whole(Bytes::new())).unwrap();
        found.push(match all.send(way.clone(), request).await {
            Ok(response) => {
                let body = response.into_body().collect().await.unwrap().to_bytes();
                String::from_utf8(body.to_vec()).unwrap()
            }
            Err(NoAnswer::Unsent(_)) => "unsent".to_owned(),
            Err(NoAnswer::Lost(_)) => "lost".to_owned(),
        });
        // What the server did with the connection has come here.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(found, expect);
    let count = |it: &AtomicUsize| it.load(Ordering::SeqCst);
    assert_eq!((count(&counts.connections), count(&counts.requests)), (connections, requests));
}

#[tokio::test]
async fn one_connection_serves_requests_after_each_other() {
    use Then::{Says, SaysAndLeaves};
    check(&[Says(SMALL), Says(SMALL), Says(SMALL)], &["{}", "{}", "{}"], (1, 3)).await;
    check(&[Says(NONE), Says(CHUNKS), Says(SMALL)], &["", "abc", "{}"], (1, 3)).await;
    check(&[SaysAndLeaves(LAST), Says(SMALL)], &["{}", "{}"], (2, 2)).await;
}

#[tokio::test]
async fn nothing_that_may_have_left_is_sent_again() {
    use Then::{Leaves, Says, SaysAndLeaves};
    // The kept connection is closed by now, and nothing had gone over it.
    check(&[SaysAndLeaves(SMALL), Says(SMALL)], &["{}", "{}"], (2, 2)).await;
    // The request was read, over a connection that was kept or a new one.
    check(&[Says(SMALL), Leaves, Says(SMALL)], &["{}", "lost", "{}"], (2, 3)).await;
    check(&[Leaves, Says(SMALL)], &["lost", "{}"], (2, 2)).await;
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    drop(listener);
    let all = Arc::new(Connections::new(trusting_nobody()));
    let request = || Request::get("/").body(whole(Bytes::new())).unwrap();
    for authority in [authority.as_str(), "no host at all", "[::1"] {
        let way = Way { is_tls: false, authority: authority.to_owned() };
        let sent = all.send(way, request()).await;
        assert!(matches!(sent, Err(NoAnswer::Unsent(_))), "{authority}");
    }
}

#[tokio::test]
async fn what_nobody_uses_is_closed() {
    let (way, _) = server(&[Then::Says(SMALL)]).await;
    let all = Arc::new(Connections::new(trusting_nobody()));
    let request = Request::get("/").header("host", "there").body(whole(Bytes::new())).unwrap();
    all.send(way.clone(), request).await.unwrap().into_body().collect().await.unwrap();
    let kept = || all.kept.lock().unwrap().values().map(Vec::len).sum::<usize>();
    all.close_idle(Instant::now());
    assert_eq!(kept(), 1);
    all.close_idle(Instant::now() + IDLE);
    assert_eq!(kept(), 0);
}
