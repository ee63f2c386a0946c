//! Streams of requests: order, malformed lines, limits.

use serde_json::{Value, json};

use super::stream::{Ended, explain_lines};
use super::*;

fn way(protocol: Protocol) -> Understand {
    let (account, region) = ("111122223333".to_owned(), "eu-west-1".to_owned());
    Understand { protocol, jsonl: true, account, region }
}

/// Input that yields no more than so many bytes at once, as a pipe does.
struct Slowly<'a>(&'a [u8], usize);

impl std::io::Read for Slowly<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.0.len().min(self.1).min(out.len());
        out[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        Ok(count)
    }
}

fn answers(input: &str, at_once: usize, threads: usize) -> (Vec<Value>, Ended) {
    let mut out = Vec::new();
    let ended =
        explain_lines(&way(Protocol::Sql), &mut Slowly(input.as_bytes(), at_once), &mut out, threads)
            .expect("a stream");
    let text = String::from_utf8(out).expect("text");
    assert!(text.is_empty() || text.ends_with('\n'));
    (text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect(), ended)
}

#[test]
fn every_line_is_answered_in_order_however_it_comes() {
    let requests =
        ["SELECT 1", "DELETE FROM orders", "DROP TABLE orders", "%%%", "INSERT INTO t VALUES (1)"];
    let input: String = (0..500)
        .map(|number| {
            json!({ "id": number, "request": requests[number % requests.len()] }).to_string() + "\n"
        })
        .collect();
    let (expect, ended) = answers(&input, usize::MAX, 1);
    assert!(!ended.any_malformed);
    assert_eq!(expect.len(), 500);
    assert!(expect.iter().enumerate().all(|(number, line)| line["id"] == json!(number)));
    for (at_once, threads) in [(1, 1), (7, 3), (1000, 2), (usize::MAX, 4)] {
        assert_eq!(answers(&input, at_once, threads).0, expect, "{at_once} bytes, {threads} threads");
    }
    assert_eq!(answers(input.trim_end(), 64, 2).0, expect, "without the last line break");
}

#[test]
fn the_form_of_a_line() {
    let (lines, _) = answers("{\"id\":\"a\",\"request\":\"DELETE FROM orders\",\"note\":1}\n", 9, 2);
    assert_eq!(lines[0]["id"], "a");
    assert_eq!(lines[0]["worst"], "destroy");
    let act = &lines[0]["effects"][0];
    for key in ["effect", "resource", "reversibility", "why"] {
        assert!(act[key].is_string(), "{key}");
    }
    assert_eq!(lines[0].as_object().expect("an object").len(), 3);
    let one =
        serde_json::to_value(way(Protocol::Sql).explain(b"DELETE FROM orders").line(&Value::Null))
            .expect("JSON");
    assert_eq!(one["effects"], lines[0]["effects"]);
}

#[test]
fn what_keeps_others_waiting_is_told() {
    let line = serde_json::to_value(
        way(Protocol::Sql).explain(b"ALTER TABLE t SET LOGGED").line(&Value::Null),
    )
    .expect("JSON");
    let lock = json!({
        "on": "t", "mode": "ACCESS EXCLUSIVE", "blocks": "reads_and_writes",
        "work": "rewrite",
    });
    assert_eq!(line["locks"], json!([lock]));
}

#[test]
fn what_cannot_be_read_is_opaque_and_told_at_the_end() {
    let check = |line: &str| {
        let (lines, ended) = answers(&format!("{line}\n{{\"id\":2,\"request\":\"SELECT 1\"}}\n"), 5, 2);
        assert_eq!((&lines[0]["id"], &lines[0]["worst"]), (&Value::Null, &json!("opaque")), "{line}");
        assert!(lines[0]["error"].is_string(), "{line}");
        assert_eq!((&lines[1]["id"], &lines[1]["worst"]), (&json!(2), &json!("read")), "{line}");
        assert!(ended.any_malformed, "{line}");
    };
    check("");
    check("DROP TABLE orders");
    check("{\"id\":1}");
    check("{\"id\":1,\"request\":7}");
    check("{\"id\":1,\"request\":\"SELECT 1\",\"request\":\"DROP TABLE t\"}");
    check("[1,\"SELECT 1\"");
    check(&format!("\"{}\"", "x".repeat(8 * REQUEST_BYTES_MAX)));
}

#[test]
fn what_is_too_long_is_opaque() {
    let request = format!("SELECT '{}'", "x".repeat(REQUEST_BYTES_MAX));
    assert_eq!(way(Protocol::Sql).explain(request.as_bytes()).acts.worst().as_str(), "opaque");
    let (lines, ended) =
        answers(&format!("{}\n", json!({ "id": 1, "request": request })), usize::MAX, 2);
    assert_eq!((&lines[0]["id"], &lines[0]["worst"]), (&json!(1), &json!("opaque")));
    assert!(!ended.any_malformed);
    assert_eq!(way(Protocol::Sql).explain(b"SELECT '\xff'").acts.worst().as_str(), "opaque");
}

#[test]
fn a_reader_that_leaves_ends_the_stream() {
    struct Gone;
    impl std::io::Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let input = "{\"id\":1,\"request\":\"SELECT 1\"}\n".repeat(2_000);
    let ended = explain_lines(&way(Protocol::Sql), &mut Slowly(input.as_bytes(), 32), &mut Gone, 2);
    let failure = Failure::from(ended.expect_err("nobody reads"));
    assert_eq!(failure.exit(), Exit::Done);
}

/// Every operation of the table is known, in each of the forms that a request can have.
#[test]
fn requests_to_aws() {
    let check = |request: &str, expect: &str| {
        let explained = way(Protocol::Aws).explain(request.as_bytes());
        let acts = explained.acts.iter().map(|act| format!("{} {}", act.effect, act.resource));
        assert_eq!(acts.collect::<Vec<_>>().join(", "), expect, "{request}");
    };
    let stack = "destroy object:arn:aws:cloudformation:eu-west-1:111122223333:stack/a/*";
    check("cloudformation:DeleteStack {\"StackName\": \"a\"}", stack);
    check(
        "POST https://cloudformation.eu-west-1.amazonaws.com/ | Action=DeleteStack&Version=2010-05-15&StackName=a",
        stack,
    );
    check(
        "POST / HTTP/1.1\r\nHost: cloudformation.eu-west-1.amazonaws.com\r\n\r\nAction=DeleteStack&Version=2010-05-15&StackName=a",
        stack,
    );
    check(
        "POST https://cloudformation.cn-north-1.amazonaws.com.cn/ | Action=DeleteStack&Version=2010-05-15&StackName=a",
        "destroy object:arn:aws-cn:cloudformation:cn-north-1:111122223333:stack/a/*",
    );
    check("s3:EatBucket {}", "opaque upstream");
    check("nonsense", "opaque upstream");
    check("s3:DeleteBucket {", "opaque upstream");
    for operation in aws::table::apis().flat_map(aws::table::Api::operations) {
        let request = format!("{}:{}", operation.api().folder(), operation.name());
        let explained = way(Protocol::Aws).explain(request.as_bytes());
        let why = explained.acts.iter().next().map(|act| act.why.clone()).unwrap_or_default();
        assert!(why.contains(operation.name()) || why.contains("plan"), "{request}: {why}");
    }
}
