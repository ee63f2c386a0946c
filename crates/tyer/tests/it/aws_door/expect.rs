//! `Expect: 100-continue`: whoever did not sign, or has to wait for people, is not asked for a body.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use xtask::instance::AwsLogin;

use super::client::{Call, written};
use super::real::now;
use super::{Desk, open, put_item};
use crate::bed::needing;

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const LONG: usize = 200 * 1024;

/// Sends the head alone, and the body only when it is asked for; all that came back.
async fn asked(call: &Call, login: &AwsLogin) -> (bool, String) {
    let door = login.endpoint.trim_start_matches("http://");
    let mut stream = TcpStream::connect(door).await.expect("the door");
    let head = call.signed(login, now());
    let more = "expect: 100-continue\r\nconnection: close\r\n";
    stream.write_all(&written(&head, call.body.len(), more)).await.expect("a head");
    let mut first = vec![0; CONTINUE.len()];
    let read = stream.read_exact(&mut first);
    tokio::time::timeout(Duration::from_secs(10), read).await.expect("in time").expect("an answer");
    let is_asked = first == CONTINUE.as_bytes();
    if is_asked {
        first.clear();
        stream.write_all(&call.body).await.expect("a body");
    }
    let mut rest = String::from_utf8(first).expect("text");
    stream.read_to_string(&mut rest).await.expect("the rest");
    (is_asked, rest)
}

#[tokio::test]
async fn only_whoever_signed_is_asked_for_a_body() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let mut liar = login.clone();
    liar.secret.push('x');
    let mut nobody = login.clone();
    nobody.access_key = "AKIAIOSFODNN7EXAMPLE".to_owned();
    // S3's heads say the SHA-256 of the body; what others sign can only be verified with it.
    let s3 = |length| Call::s3("PUT", "/orders/key", vec![7; length]);
    for (call, is_whole) in [(put_item("1"), false), (s3(9), true), (s3(LONG), true)] {
        let (is_asked, rest) = asked(&call, &login).await;
        assert!(is_asked && rest.starts_with("HTTP/1.1 200"), "{rest}");
        let (is_asked, rest) = asked(&call, &liar).await;
        assert!(is_asked != is_whole && rest.starts_with("HTTP/1.1 403"), "{rest}");
        let (is_asked, rest) = asked(&call, &nobody).await;
        assert!(!is_asked && rest.starts_with("HTTP/1.1 403"), "{rest}");
    }
    let seen = desk.service.seen();
    let lengths: Vec<usize> = seen.iter().skip(1).map(|seen| seen.body.len()).collect();
    assert_eq!(lengths, [9, LONG]);
}

#[tokio::test]
async fn a_stream_that_has_to_wait_for_people_is_not_sent_beforehand() {
    let desk = Desk::new(&needing(2)).await;
    let login = desk.session(&[]);
    let (is_asked, rest) = asked(&Call::s3("PUT", "/orders/key", vec![7; LONG]), &login).await;
    assert!(!is_asked && rest.starts_with("HTTP/1.1 403") && rest.contains("H-1"), "{rest}");
    assert_eq!(desk.service.seen().len(), 0);
}
