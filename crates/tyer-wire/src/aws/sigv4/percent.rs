//! Percent-encoding as signatures want it: unreserved characters (RFC 3986, section 2.3) as they are, every
//! other byte as `%XX` with upper-case digits.

use std::borrow::Cow;

/// A name or value of a query in its one canonical form, however it was written. A `+` is a space, as in forms.
pub(super) fn canonical(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_unreserved) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = next(rest) {
        rest = tail;
        push(&mut out, if byte == Byte::Plain(b'+') { b' ' } else { byte.value() });
    }
    Cow::Owned(out)
}

/// A path whose segments are in canonical form. A slash that was written as `%2F` stays apart from one that
/// divides segments.
pub(super) fn push_single(out: &mut String, path: &str) {
    let mut rest = path.as_bytes();
    while let Some((byte, tail)) = next(rest) {
        rest = tail;
        match byte {
            Byte::Plain(b'/') => out.push('/'),
            Byte::Plain(byte) | Byte::Escaped(byte) => push(out, byte),
        }
    }
}

/// A path as it stands, encoded once more.
pub(super) fn push_double(out: &mut String, path: &str) {
    for byte in path.bytes() {
        if byte == b'/' { out.push('/') } else { push(out, byte) }
    }
}

/// What an encoded text means; `None` if that is no text.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = next(rest) {
        rest = tail;
        out.push(if byte == Byte::Plain(b'+') { b' ' } else { byte.value() });
    }
    String::from_utf8(out).ok()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Byte {
    Plain(u8),
    Escaped(u8),
}

impl Byte {
    fn value(self) -> u8 {
        match self {
            Self::Plain(byte) | Self::Escaped(byte) => byte,
        }
    }
}

/// The first byte that a text stands for, and the rest. A `%` without two digits stands for itself.
fn next(text: &[u8]) -> Option<(Byte, &[u8])> {
    if let [b'%', high, low, tail @ ..] = text
        && let (Some(high), Some(low)) = (nibble(*high), nibble(*low))
    {
        return Some((Byte::Escaped(high << 4 | low), tail));
    }
    text.split_first().map(|(byte, tail)| (Byte::Plain(*byte), tail))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

fn push(out: &mut String, byte: u8) {
    if is_unreserved(byte) {
        out.push(char::from(byte));
    } else {
        out.push('%');
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}

fn digit(nibble: u8) -> char {
    char::from(if nibble < 10 { b'0' + nibble } else { b'A' + nibble - 10 })
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, query: &str, single: &str, double: &str) {
        assert_eq!(canonical(text), query, "{text} in a query");
        let pushed = |push: fn(&mut String, &str)| {
            let mut out = String::new();
            push(&mut out, text);
            out
        };
        assert_eq!(pushed(push_single), single, "{text} in a path of S3");
        assert_eq!(pushed(push_double), double, "{text} in another path");
        assert_eq!(canonical(query), query, "{text}: canonical twice");
    }

    #[test]
    fn each_text_has_one_canonical_form() {
        check("a-Z_0.~", "a-Z_0.~", "a-Z_0.~", "a-Z_0.~");
        check("a/b", "a%2Fb", "a/b", "a/b");
        check("a%2fb", "a%2Fb", "a%2Fb", "a%252fb");
        check("%7e%41", "~A", "~A", "%257e%2541");
        check("a+b", "a%20b", "a%2Bb", "a%2Bb");
        check("%2B", "%2B", "%2B", "%252B");
        check("%", "%25", "%25", "%25");
        check("%zz%a", "%25zz%25a", "%25zz%25a", "%25zz%25a");
        check("ሴ", "%E1%88%B4", "%E1%88%B4", "%E1%88%B4");
    }

    #[test]
    fn what_is_no_text_is_not_decoded() {
        assert_eq!(decoded("a%20b+%2Bc"), Some("a b +c".into()));
        assert_eq!(decoded("%ff"), None);
    }
}
