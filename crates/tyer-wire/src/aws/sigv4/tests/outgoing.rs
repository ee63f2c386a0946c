//! What AWS gets.

use super::*;

const TOKEN: &str = "the/token==";

fn sent(request: &Head, service: &str, body: Outgoing) -> Head {
    let scope = Scope::on(NOW, "us-east-1", service).expect("a day");
    let key = SigningKey::derive(SECRET, &scope);
    let signer = Signer { access_key: "AKIDREAL", token: Some(TOKEN), key: &key };
    let sent =
        sign(request, "s3.us-east-1.amazonaws.com", body, &signer, NOW).expect("it can be signed");
    let digest = match body {
        Outgoing::Hash(digest) => Some(digest),
        Outgoing::Unsigned | Outgoing::Trailers { .. } => None,
    };
    assert!(verified(&sent, digest.as_ref(), NOW).is_ok(), "{sent:?}");
    sent
}

/// The headers but the signature, one on a line.
fn lines(head: &Head) -> String {
    let shown = head.headers.iter().filter(|(name, _)| name != "authorization");
    shown.map(|(name, value)| format!("{name}: {value}\n")).collect()
}

#[test]
fn nothing_of_the_clients_signature_goes_out() {
    let request = head(
        "POST",
        "/?a=b",
        &[
            ("host", "tyer.example"),
            ("authorization", "AWS4-HMAC-SHA256 Credential=AKIDSESSION"),
            ("date", "Sun, 30 Aug 2015 12:36:00 GMT"),
            ("x-amz-date", "20150830T123559Z"),
            ("x-amz-security-token", "the session's"),
            ("x-amz-s3session-token", "another"),
            ("connection", "keep-alive"),
            ("expect", "100-continue"),
            ("transfer-encoding", "chunked"),
            ("x-amz-target", "DynamoDB_20120810.ListTables"),
            ("content-type", "application/x-amz-json-1.0"),
            ("user-agent", "aws-cli"),
        ],
    );
    let sent = sent(&request, "dynamodb", Outgoing::Hash(Digest::of(b"{}")));
    assert_eq!(
        lines(&sent),
        "x-amz-target: DynamoDB_20120810.ListTables\ncontent-type: application/x-amz-json-1.0\n\
         user-agent: aws-cli\nhost: s3.us-east-1.amazonaws.com\nx-amz-date: 20150830T123600Z\n\
         x-amz-security-token: the/token==\n"
    );
    let authorization = sent.header("authorization").expect("it is signed");
    assert!(
        authorization.starts_with(
            "AWS4-HMAC-SHA256 Credential=AKIDREAL/20150830/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature="
        ),
        "{authorization}"
    );
    assert_eq!((sent.method.as_str(), sent.path.as_str(), sent.query.as_str()), ("POST", "/", "a=b"));
}

#[test]
fn the_body_is_declared_in_the_form_that_it_has() {
    let check = |service: &str, said: &[(&str, &str)], body: Outgoing, expect: &str| {
        let request = head("PUT", "/b/k", &[&[("host", "tyer.example")], said].concat());
        let shown = lines(&sent(&request, service, body));
        let shown: Vec<&str> = shown
            .lines()
            .filter(|line| {
                line.starts_with("content-") || line.starts_with("x-amz-content") || {
                    line.starts_with("x-amz-decoded") || line.starts_with("x-amz-trailer")
                }
            })
            .collect();
        assert_eq!(shown.join(" | "), expect);
    };
    let empty = Digest::of(b"");
    let hash = format!("x-amz-content-sha256: {empty}");
    check("sts", &[], Outgoing::Hash(empty), "");
    check("sts", &[("x-amz-content-sha256", "UNSIGNED-PAYLOAD")], Outgoing::Hash(empty), &hash);
    check("s3", &[], Outgoing::Hash(empty), &hash);
    let plain = "content-length: 9 | x-amz-content-sha256: UNSIGNED-PAYLOAD";
    check("s3", &[("content-length", "9")], Outgoing::Unsigned, plain);
    let signed = [
        ("content-length", "200"),
        ("content-encoding", "aws-chunked,gzip"),
        ("x-amz-decoded-content-length", "9"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
    ];
    let plain = "content-encoding: gzip | content-length: 9 | x-amz-content-sha256: UNSIGNED-PAYLOAD";
    check("s3", &signed, Outgoing::Unsigned, plain);
    let trailed = [
        ("transfer-encoding", "chunked"),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "9"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
    ];
    check(
        "s3",
        &trailed,
        Outgoing::Trailers { bytes: 52 },
        "content-encoding: aws-chunked | x-amz-decoded-content-length: 9 | x-amz-trailer: x-amz-checksum-crc32 | \
         content-length: 52 | x-amz-content-sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    );
    check(
        "s3",
        &trailed,
        Outgoing::Unsigned,
        "content-length: 9 | x-amz-content-sha256: UNSIGNED-PAYLOAD",
    );
}

#[test]
fn what_cannot_be_signed_is_said() {
    let scope = Scope::on(NOW, "us-east-1", "s3").expect("a day");
    let key = SigningKey::derive(SECRET, &scope);
    let request = head("GET", "/", &[]);
    let check = |request: &Head, host: &str, token: Option<&str>, now: Timestamp| {
        let signer = Signer { access_key: "AKIDREAL", token, key: &key };
        sign(request, host, Outgoing::Unsigned, &signer, now).map(|_| ())
    };
    assert_eq!(check(&request, "a", None, NOW), Ok(()));
    assert_eq!(check(&request, "a", None, NOW.plus(24 * 60 * 60 * 1000)), Err(SignError::Day));
    assert_eq!(check(&request, "a", None, Timestamp(i64::MAX)), Err(SignError::Day));
    assert_eq!(check(&request, "a\r\nb: c", None, NOW), Err(SignError::Header));
    assert_eq!(check(&request, "a", Some("a b"), NOW), Err(SignError::Header));
    let hoisted = head("GET", "/?X-Amz-Acl=public-read", &[]);
    assert_eq!(check(&hoisted, "a", None, NOW), Err(SignError::Parameter));
}
