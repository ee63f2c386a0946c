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

/// The code of an error, with the status before it; `None` if the answer is none. `kind` is the header
/// `x-amzn-errortype`, `body` the answer or its beginning.
#[must_use]
pub fn error(status: u16, kind: Option<&str>, body: &[u8]) -> Option<String> {
    let body = body.get(..LOOKED_AT_BYTES).unwrap_or(body);
    let text = String::from_utf8_lossy(body);
    // What is elsewhere was not done.
    let is_error = status >= 400 || (300..400).contains(&status) && status != 304;
    if !is_error && !is_hidden(&text) {
        return None;
    }
    let code = kind.and_then(|kind| plain(kind.split(':').next()?)).or_else(|| named(&text));
    Some(code.map_or_else(|| status.to_string(), |code| format!("{status} {code}")))
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
            assert_eq!(error(status, kind, body.as_bytes()).as_deref(), expect, "{body}");
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
}
