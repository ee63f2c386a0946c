//! Tyer's own credentials: in no answer to an agent and in no log, whatever AWS says.

use xtask::instance::Shape;

use super::consequences::delete_stack;
use super::real::{ACCESS_KEY, SECRET, Says};
use super::{Desk, get_item, open, put_item};
use crate::bed::needing;

const TOKEN: &str = "t0ken/of+the//account==";

async fn desk(shape: Shape) -> Desk {
    let files = vec![("aws.token", TOKEN.to_owned())];
    let shape = Shape { files: [shape.files, files].concat(), ..shape };
    Desk::with(&shape, "session_token = { file = \"aws.token\" }").await
}

fn echo() -> String {
    let mut filler = "x".repeat(270);
    // What is cut for the log is cut in the middle of it.
    filler.push_str(ACCESS_KEY);
    format!(
        "<Error><Code>SignatureDoesNotMatch</Code><AWSAccessKeyId>{ACCESS_KEY}</AWSAccessKeyId>\
         <CanonicalRequest>x-amz-security-token:{TOKEN}</CanonicalRequest><Key>{SECRET}</Key>{filler}</Error>"
    )
}

#[tokio::test]
async fn what_aws_says_to_tyers_own_questions_leaves_no_credential_in_its_log() {
    let desk = desk(needing(2)).await;
    let login = desk.session(&[]);
    desk.service.says(Says::Answer(403, echo()));
    let answer = delete_stack().send(&login).await;
    assert!(answer.status == 403 && answer.body.contains("H-1"), "{}", answer.body);
    let asked = desk.service.seen();
    assert!(!asked.is_empty(), "Tyer has asked something itself");
    assert!(asked.iter().all(|seen| seen.head.header("x-amz-security-token") == Some(TOKEN)));
    let log = std::fs::read_to_string(desk.tyer.directory().join("serve.log")).expect("a log");
    assert!(log.contains("AWS did not answer a question") && log.contains("AWSAccessKeyId"), "{log}");
    for (own, _) in [ACCESS_KEY, TOKEN, SECRET].map(|own| own.split_at(8)) {
        assert!(!log.contains(own), "{log}");
        assert!(!answer.body.contains(own), "{}", answer.body);
    }
}

#[tokio::test]
async fn no_answer_gives_a_secret_back() {
    let desk = desk(open()).await;
    let login = desk.session(&[]);
    let said = format!("a {SECRET} b {TOKEN} c {ACCESS_KEY} d");
    let stars = |own: &str| "*".repeat(own.len());
    let expect = format!("a {} b {} c {ACCESS_KEY} d", stars(SECRET), stars(TOKEN));
    let long = "x".repeat(100_000);
    let cut = said.find(SECRET).expect("it") + 9;
    let (one, other) = said.split_at(cut);
    let in_two = vec![one.to_owned(), other.to_owned()];
    let (begun, _) = SECRET.split_at(9);
    let to_the_end = vec!["end ".to_owned(), begun.to_owned()];
    let cases = [
        (Says::Answer(200, said.clone()), expect.clone()),
        (Says::Answer(200, format!("{long}{said}")), format!("{long}{expect}")),
        (Says::Pieces(in_two), expect),
        (Says::Pieces(to_the_end), format!("end {begun}")),
        (Says::Pieces(vec!["plain".to_owned()]), "plain".to_owned()),
    ];
    for (at, (says, expect)) in cases.into_iter().enumerate() {
        desk.service.says(says);
        for answer in [put_item(&at.to_string()).send(&login).await, get_item().send(&login).await] {
            assert_eq!(answer.status, 200);
            assert!(answer.body == expect, "{at}: {}", answer.body);
        }
    }
    desk.service.says(Says::Answer(403, echo()));
    let answer = put_item("e").send(&login).await;
    for own in [ACCESS_KEY, SECRET, TOKEN] {
        assert!(!answer.body.contains(own), "{}", answer.body);
    }
    assert!(answer.body.contains("SignatureDoesNotMatch"), "{}", answer.body);
    desk.verify();
}
