//! Whose bucket a request to S3 means, as AWS gets it.

use xtask::instance::ACCOUNT;

use super::client::Call;
use super::real::{ACCESS_KEY, Says, Seen};
use super::{Desk, open};

const OWNER: &str = "x-amz-expected-bucket-owner";

fn said(seen: &Seen) -> Vec<&str> {
    seen.head.headers(OWNER).collect()
}

#[tokio::test]
async fn what_writes_to_a_bucket_says_whose_it_is_to_be() {
    let desk = Desk::new(&open()).await;
    let login = desk.session(&[]);
    let small = Call::s3("PUT", "/orders/key", b"content".to_vec());
    let long = Call::s3("PUT", "/orders/key", vec![7; 3 * 1024 * 1024]);
    let get = Call::s3("GET", "/orders/key", Vec::new());
    let mut own = small.clone();
    own.headers.push((OWNER.to_owned(), "444455556666".to_owned()));
    for call in [&small, &long, &own, &get] {
        let answer = call.send(&login).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let seen = desk.service.seen();
    let told: Vec<Vec<&str>> = seen.iter().map(said).collect();
    assert_eq!(told, [vec![ACCOUNT], vec![ACCOUNT], vec!["444455556666"], vec![]]);
    for seen in &seen {
        assert_eq!(seen.signer.as_deref(), Some(ACCESS_KEY));
        let names = seen.head.header("authorization").unwrap_or_default();
        assert_eq!(names.contains(OWNER), !said(seen).is_empty(), "what is said is signed: {names}");
    }
    desk.service.says(Says::Answer(403, "<Error><Code>AccessDenied</Code></Error>".to_owned()));
    let answer = small.send(&login).await;
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(desk.outcomes(4).await[3]["code"], "403 AccessDenied");
    desk.verify();
}
