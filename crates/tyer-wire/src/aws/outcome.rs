//! What an answer of AWS says about whether something was done.
//!
//! Follows the error sections of the Smithy protocol definitions, and "Error Responses" of S3, which answers some
//! requests with 200 and an error in the body. Others answer with 200 and a list of what was not done: [`undone`].

mod undone;

pub use undone::{looked_at, undone};

/// Characters of a code that are kept.
const CODE_CHARS_MAX: usize = 80;
/// Bytes of an answer's beginning in which an error is looked for.
const LOOKED_AT_BYTES: usize = 4 * 1024;

/// Codes by which AWS turns a request away before it does anything, whatever the status.
const TURNED_AWAY: [&str; 8] = [
    "SlowDown",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "Throttling",
    "ThrottlingException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
];

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its code, with the status before it.
    pub code: String,
    /// Whether nothing was done. What broke inside of AWS, or between its parts, may have been done all the same.
    pub is_certain: bool,
}

/// What failed; `None` if the answer is no error. `kind` is the header `x-amzn-errortype`, `body` the answer or its
/// beginning.
#[must_use]
pub fn error(status: u16, kind: Option<&str>, body: &[u8]) -> Option<Failure> {
    let body = body.get(..LOOKED_AT_BYTES).unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    // What is elsewhere was not done.
    let is_error = status >= 400 || (300..400).contains(&status) && status != 304;
    if !is_error && !is_hidden(&text) {
        return None;
    }
    let code = kind.and_then(|kind| plain(kind.split(':').next()?)).or_else(|| named(&text));
    let is_certain = match (status, code.as_deref()) {
        (_, Some(code)) if TURNED_AWAY.contains(&code) => true,
        (500 | 502..=599, _) | (200..=299, Some("InternalError")) => false,
        _ => true,
    };
    let code = code.map_or_else(|| status.to_string(), |code| format!("{status} {code}"));
    Some(Failure { code, is_certain })
}

/// Whether a document is an error whatever the status says.
fn is_hidden(text: &str) -> bool {
    let text = text.trim_start();
    let root = match text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        Some((_, root)) => root.trim_start(),
        None => text,
    };
    root.starts_with("<Error>") || root.starts_with("<Error ")
}

/// The code that stands in a document.
fn named(text: &str) -> Option<String> {
    if let Some((_, rest)) = text.split_once("<Code>") {
        return plain(rest.split('<').next()?);
    }
    ["\"__type\"", "\"code\"", "\"Code\""].iter().find_map(|name| {
        let (_, rest) = text.split_once(name)?;
        let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
        plain(value.split('"').next()?.rsplit('#').next()?)
    })
}

/// A code that is one: letters, digits, dots and the like.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    let is_code = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fits = !text.is_empty() && text.len() <= CODE_CHARS_MAX && text.bytes().all(is_code);
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_found_in_every_form() {
        let check = |status, kind, body: &str, expect: Option<&str>| {
            let found = error(status, kind, body.as_bytes()).map(|failure| failure.code);
            assert_eq!(found.as_deref(), expect, "{body}");
        };
        check(200, None, "<ListBucketResult/>", None);
        check(200, None, "{\"code\": \"x\"}", None);
        check(404, None, "<Error><Code>NoSuchKey</Code></Error>", Some("404 NoSuchKey"));
        check(
            200,
            None,
            "\n<?xml version=\"1.0\"?>\n\n<Error><Code>InternalError</Code></Error>",
            Some("200 InternalError"),
        );
        check(400, Some("ValidationException:http://x"), "", Some("400 ValidationException"));
        check(400, None, "{\"__type\":\"com.amazonaws#NotFound\"}", Some("400 NotFound"));
        check(
            400,
            None,
            "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code>",
            Some("400 Throttling"),
        );
        check(500, None, "oops", Some("500"));
        check(
            307,
            None,
            "<Error><Code>TemporaryRedirect</Code></Error>",
            Some("307 TemporaryRedirect"),
        );
        check(304, None, "", None);
        check(403, None, "<Code>\u{202e}x</Code>", Some("403"));
    }

    #[test]
    fn what_broke_inside_may_have_been_done() {
        let check = |status, code: &str, expect| {
            let body = format!("<Error><Code>{code}</Code></Error>");
            let found = error(status, None, body.as_bytes()).expect("an error");
            assert_eq!(found.is_certain, expect, "{status} {code}");
        };
        for status in [500, 502, 503, 504, 507] {
            for code in ["", "InternalError", "InternalFailure", "SomethingElse"] {
                check(status, code, false);
            }
        }
        check(200, "InternalError", false);
        check(200, "NoSuchKey", true);
        for (status, code) in
            [(503, "SlowDown"), (503, "ServiceUnavailable"), (500, "ThrottlingException")]
        {
            check(status, code, true);
        }
        for status in [307, 400, 403, 404, 408, 409, 412, 413, 429, 501] {
            check(status, "InternalError", true);
        }
    }
}
