//! One HTTP request as a door has read it: nothing is decoded yet, because a signature is over what was sent.
//!
//! Follows RFC 9110 for the head of a request and RFC 3986 for its target.

use std::fmt;

/// What precedes the body. Names of headers are in lower case; everything else is as it was sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Head {
    /// Such as `POST`.
    pub method: String,
    /// The target's path, still percent-encoded; at least `/`.
    pub path: String,
    /// What stands after the first `?`, still percent-encoded; empty if there is none.
    pub query: String,
    /// Names and values in the order they came in, `host` among them.
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The value of the header of that lower-case name; `None` if it is absent or there are several, because
    /// what counts must not depend on who reads it.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers(name);
        values.next().filter(|_| values.next().is_none())
    }

    /// The values of every header of that lower-case name.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(is, _)| is == name).map(|(_, value)| value.as_str())
    }
}

/// Never with the values: a signature and a session token are among them.
impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Head")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("headers", &names)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_comes_twice_is_none_and_values_are_not_for_logs() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let head = Head {
            method: "GET".into(),
            path: "/".into(),
            query: "X-Amz-Signature=c0ffee".into(),
            headers: vec![pair("host", "a"), pair("x-amz-date", "b"), pair("x-amz-date", "s3cret")],
        };
        assert_eq!(head.header("host"), Some("a"));
        assert_eq!(head.header("x-amz-date"), None);
        assert_eq!(head.headers("x-amz-date").count(), 2);
        let debug = format!("{head:?}");
        assert!(!debug.contains("s3cret") && !debug.contains("c0ffee"), "{debug}");
    }
}
