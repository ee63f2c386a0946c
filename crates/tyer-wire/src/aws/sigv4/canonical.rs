//! What a signature is over: the canonical request and the string to sign ("Create a signed AWS API request"
//! in the AWS documentation).

use ring::digest::{SHA256, digest};

use super::{ALGORITHM, Scope, percent};
use crate::aws::request::Head;

/// The query parameter that a presigned request's signature is not over, since it is the signature.
const SIGNATURE: &str = "X-Amz-Signature";

/// Services whose paths are signed as they stand; those of all others are made plain and encoded once more.
const PLAIN_PATHS: [&str; 4] = ["s3", "s3-object-lambda", "s3-outposts", "s3express"];

/// Whether requests to that service are signed by the rules of S3.
pub(super) fn is_s3(service: &str) -> bool {
    PLAIN_PATHS.contains(&service)
}

/// What of a request is signed.
pub(super) struct Canonical<'a> {
    pub(super) head: &'a Head,
    pub(super) scope: &'a Scope,
    /// Names of the signed headers, sorted, divided by semicolons.
    pub(super) signed: &'a str,
    /// What stands for the body.
    pub(super) payload: &'a str,
}

impl Canonical<'_> {
    /// The string to sign at that moment.
    pub(super) fn string_to_sign(&self, moment: &str) -> String {
        let request = self.request();
        let mut out = String::with_capacity(200);
        push_lines(&mut out, &[ALGORITHM, moment]);
        self.scope.push(&mut out);
        out.push('\n');
        push_hex(&mut out, digest(&SHA256, request.as_bytes()).as_ref());
        out
    }

    /// The canonical request.
    pub(super) fn request(&self) -> String {
        let mut out = String::with_capacity(1024);
        push_lines(&mut out, &[&self.head.method]);
        self.push_path(&mut out);
        out.push('\n');
        push_query(&mut out, &self.head.query);
        out.push('\n');
        for name in self.signed.split(';') {
            self.push_header(&mut out, name);
        }
        out.push('\n');
        push_lines(&mut out, &[self.signed]);
        out.push_str(self.payload);
        out
    }

    fn push_path(&self, out: &mut String) {
        if is_s3(&self.scope.service) {
            percent::push_single(out, &self.head.path);
            return;
        }
        let start = out.len();
        let mut segments: Vec<&str> = Vec::new();
        for segment in self.head.path.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                segment => segments.push(segment),
            }
        }
        for segment in segments {
            out.push('/');
            percent::push_double(out, segment);
        }
        // What goes nowhere at the end leaves its slash (RFC 3986, section 5.2.4).
        let last = self.head.path.rsplit('/').next().unwrap_or_default();
        if out.len() == start || matches!(last, "" | "." | "..") {
            out.push('/');
        }
    }

    /// Every value of that name in order, with single spaces.
    fn push_header(&self, out: &mut String, name: &str) {
        out.push_str(name);
        out.push(':');
        for (at, value) in self.head.headers(name).enumerate() {
            if at > 0 {
                out.push(',');
            }
            for (at, word) in value.split_ascii_whitespace().enumerate() {
                if at > 0 {
                    out.push(' ');
                }
                out.push_str(word);
            }
        }
        out.push('\n');
    }
}

/// The parameters but the signature, by name and then value.
fn push_query(out: &mut String, query: &str) {
    if query.is_empty() {
        return;
    }
    let mut parameters: Vec<_> = query
        .split('&')
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
        .map(|(name, value)| (percent::canonical(name), percent::canonical(value)))
        .filter(|(name, _)| !name.eq_ignore_ascii_case(SIGNATURE))
        .collect();
    parameters.sort_unstable();
    for (at, (name, value)) in parameters.iter().enumerate() {
        if at > 0 {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        out.push_str(value);
    }
}

/// Each text with a line end.
pub(super) fn push_lines(out: &mut String, lines: &[&str]) {
    for line in lines {
        out.push_str(line);
        out.push('\n');
    }
}

/// The bytes in lower-case hexadecimal digits.
pub(super) fn push_hex(out: &mut String, bytes: &[u8]) {
    let digit = |nibble: u8| char::from(if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 });
    for byte in bytes {
        out.push(digit(byte >> 4));
        out.push(digit(byte & 15));
    }
}
