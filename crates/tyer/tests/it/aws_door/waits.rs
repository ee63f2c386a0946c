//! Waiting for people at this door. The configured wait is longer than a client's time, so the door's own bound holds,
//! and an answer that comes soon was not waited out.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use xtask::instance::Shape;

use super::client::written;
use super::proxy::connections;
use super::real::now;
use super::{Desk, put_item};
use crate::bed::needing;

/// Less than the door waits at most.
const SOON: Duration = Duration::from_secs(20);

async fn desk() -> Desk {
    Desk::new(&Shape { wait_seconds: 300, ..needing(2) }).await
}

impl Desk {
    async fn until_open(&mut self, id: &str) {
        let path = format!("/api/v1/holds/{id}");
        for _ in 0..400 {
            let (_, hold) = self.alice.http().get(&path).await.expect("an answer");
            if hold["state"] == "open" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{id} was never opened");
    }
}

#[tokio::test]
async fn an_approval_ends_the_wait_and_the_request_runs() {
    let mut desk = desk().await;
    let login = desk.session(&[]);
    let waiting = tokio::spawn(async move { put_item("1").send(&login).await });
    desk.until_open("H-1").await;
    desk.alice.approve("H-1").await.expect("alice agrees");
    assert!(!waiting.is_finished(), "one is not two");
    assert_eq!(desk.service.seen().len(), 0);
    desk.bob.approve("H-1").await.expect("bob agrees");
    let answer = tokio::time::timeout(SOON, waiting).await.expect("an answer soon").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(desk.service.seen().len(), 1);
    desk.verify();
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_has_nothing_sent_and_keeps_its_hold() {
    let mut desk = desk().await;
    let login = desk.session(&[]);
    let call = put_item("1");
    let door = login.endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(door).await.expect("the door");
    let mut text = written(&call.signed(&login, now()), call.body.len(), "");
    text.extend_from_slice(&call.body);
    stream.write_all(&text).await.expect("a request");
    desk.until_open("H-1").await;
    assert_eq!(connections(&desk, &login), 1);
    drop(stream);
    for _ in 0..400 {
        if connections(&desk, &login) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(connections(&desk, &login), 0, "it waits for nobody any more");
    desk.alice.approve("H-1").await.expect("alice agrees");
    desk.bob.approve("H-1").await.expect("bob agrees");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(desk.service.seen().len(), 0, "an approval alone sends nothing");
    let later = tokio::time::timeout(SOON, call.send(&login)).await.expect("an answer soon");
    assert_eq!(later.status, 200, "{}", later.body);
    let cleared = desk.leaves("cleared");
    assert_eq!(cleared.len(), 1);
    assert!(cleared[0].to_string().contains("H-1"), "by the same hold: {}", cleared[0]);
    assert_eq!(desk.service.seen().len(), 1);
    desk.verify();
}
