//! What an SDK reads from each answer, and that nothing is tried again in vain.

use super::*;

const ALL: [Protocol; 8] = [
    Protocol::Query,
    Protocol::Ec2,
    Protocol::Json10,
    Protocol::Json11,
    Protocol::RestJson,
    Protocol::RestXml,
    Protocol::S3,
    Protocol::Cbor,
];

const KINDS: [Kind; 13] = [
    Kind::Denied,
    Kind::NotSigned,
    Kind::Malformed,
    Kind::Signature,
    Kind::UnknownKey,
    Kind::Ended,
    Kind::Expired,
    Kind::Skewed,
    Kind::Body,
    Kind::NoLength,
    Kind::TooLarge,
    Kind::NotImplemented,
    Kind::Unavailable,
];

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.iter().find(|(is, _)| *is == name).map(|(_, value)| value.as_str())
}

#[test]
fn each_protocol_has_its_own_form() {
    let check = |protocol: Protocol, content_type: &str, id: &str, body: &str| {
        let answer = Answer::new(protocol, Kind::Denied, "held <as> \"H-1\" & 'so'\non", "r-1");
        assert_eq!(answer.status, 403);
        assert_eq!(header(&answer, "content-type"), Some(content_type));
        assert_eq!(header(&answer, id), Some("r-1"), "{protocol:?}");
        assert_eq!(String::from_utf8(answer.body).expect("text"), body, "{protocol:?}");
    };
    let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    let message = "<Message>held &lt;as&gt; &quot;H-1&quot; &amp; &apos;so&apos;\\non</Message>";
    let wrapped = format!(
        "{start}<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code>{message}</Error>\
         <RequestId>r-1</RequestId></ErrorResponse>"
    );
    check(Protocol::Query, "text/xml", "x-amzn-requestid", &wrapped);
    check(Protocol::RestXml, "text/xml", "x-amzn-requestid", &wrapped);
    let listed = format!(
        "{start}<Response><Errors><Error><Code>UnauthorizedOperation</Code>{message}</Error></Errors>\
         <RequestID>r-1</RequestID></Response>"
    );
    check(Protocol::Ec2, "text/xml;charset=UTF-8", "x-amzn-requestid", &listed);
    let bare =
        format!("{start}<Error><Code>AccessDenied</Code>{message}<RequestId>r-1</RequestId></Error>");
    check(Protocol::S3, "application/xml", "x-amz-request-id", &bare);
    let json = r#"{"__type":"AccessDeniedException","message":"held <as> \"H-1\" & 'so'\\non"}"#;
    check(Protocol::Json10, "application/x-amz-json-1.0", "x-amzn-requestid", json);
    check(Protocol::Json11, "application/x-amz-json-1.1", "x-amzn-requestid", json);
    check(Protocol::RestJson, "application/json", "x-amzn-requestid", json);
    for protocol in [Protocol::Json10, Protocol::Json11, Protocol::RestJson] {
        let answer = Answer::new(protocol, Kind::Denied, "", "");
        assert_eq!(header(&answer, "x-amzn-errortype"), Some("AccessDeniedException"));
    }
}

#[test]
fn cbor_is_a_map_of_two_texts() {
    let answer = Answer::new(Protocol::Cbor, Kind::Denied, "held", "r-1");
    assert_eq!(header(&answer, "smithy-protocol"), Some("rpc-v2-cbor"));
    assert_eq!(header(&answer, "content-type"), Some("application/cbor"));
    let expected =
        [b"\xa2\x66__type\x75".as_slice(), b"AccessDeniedException", b"\x67message\x64held"].concat();
    assert_eq!(answer.body, expected);
}

#[test]
fn head_has_no_body_and_says_it_in_headers() {
    let answer = Answer::to_head(Protocol::S3, Kind::Denied, "held\r\nx: ü", "r\r\n1");
    assert!(answer.body.is_empty());
    assert_eq!(header(&answer, "x-amz-error-code"), Some("AccessDenied"));
    assert_eq!(header(&answer, "x-amz-error-message"), Some("held\\u{d}\\nx: ?"));
    assert_eq!(header(&answer, "x-amz-request-id"), Some("r??1"));
}

/// Codes on which SDKs send a request again: those for throttling and for what passes by itself (the lists of
/// botocore's `retries.standard` and of smithy's `service-error-classification`), whatever the status is.
const RETRIED: [&str; 18] = [
    "RequestTimeout",
    "RequestTimeoutException",
    "PriorRequestNotComplete",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "TransactionInProgressException",
    "RequestLimitExceeded",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "RequestThrottled",
    "SlowDown",
    "EC2ThrottledException",
    "TimeoutError",
    "InternalError",
];

#[test]
fn only_what_may_pass_later_is_tried_again() {
    for protocol in ALL {
        for kind in KINDS {
            let (status, code) = code(protocol, kind);
            let is_retried =
                matches!(status, 429 | 500 | 502 | 503 | 504 | 509) || RETRIED.contains(&code);
            assert_eq!(is_retried, kind == Kind::Unavailable, "{protocol:?} {kind:?}");
            assert!((400..600).contains(&status));
        }
    }
}

/// By these codes SDKs set their clocks by the `Date` of the answer.
#[test]
fn a_clock_that_is_wrong_is_corrected() {
    for protocol in ALL {
        assert_eq!(code(protocol, Kind::Skewed), (403, "RequestTimeTooSkewed"));
    }
}

#[test]
fn no_text_breaks_out_of_its_form() {
    for text in
        ["</Message><Code>OK</Code>", "\u{0}\u{b}\u{fffe}\u{ffff}", "\"}", "]]>", "\u{202e}&#10;"]
    {
        for protocol in [Protocol::Query, Protocol::Ec2, Protocol::S3] {
            let answer = Answer::new(protocol, Kind::Denied, text, text);
            let body = String::from_utf8(answer.body).expect("text");
            let inside =
                body.split_once("<Message>").and_then(|(_, rest)| rest.split_once("</Message>"));
            let (message, rest) = inside.expect("a message");
            assert!(
                !message.contains(['<', '>', '"', '\u{fffe}', '\u{ffff}', '\0', '\u{202e}']),
                "{body}"
            );
            assert!(!rest.contains("<Code>OK"), "{body}");
        }
        let answer = Answer::new(Protocol::Json10, Kind::Denied, text, text);
        let document: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(document["message"], one_line(text));
        assert!(answer.headers.iter().all(|(_, value)| value.is_ascii()));
    }
}
