//! A request from when it was verified to when it is sent: what people decided about is what goes out.
//!
//! INVARIANT: the head that is sent and the digest that was decided belong together, because neither can be changed.

use tyer_core::intent::Digest;

use super::decode::{Call, DEPTH_MAX, Decoded, Scope, decode};
use super::request::Head;
use super::table::{self, Trait};

/// What is known of a body before it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// All of it, with its SHA-256.
    Whole {
        /// Without the chunks that it came in.
        bytes: bytes::Bytes,
        /// Of these bytes.
        digest: Digest,
    },
    /// It is a stream, and the client has signed that it has this SHA-256.
    Declared {
        /// What was signed.
        digest: Digest,
        /// How long it is.
        length: u64,
    },
    /// It is a stream of this length, and nobody knows what is in it.
    Unseen {
        /// How long it is.
        length: u64,
    },
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    /// The account, by its id.
    pub account: &'a str,
    /// What it is signed for, such as `s3`.
    pub service: &'a str,
    /// Such as `eu-west-1`.
    pub region: &'a str,
}

/// A verified request.
#[derive(Clone, Debug)]
pub struct Asked {
    head: Head,
    content: Content,
    decoded: Decoded,
    digest: Digest,
}

impl Asked {
    /// Understands which operation that is. `head` is without the client's signature, with S3's buckets in the path.
    #[must_use]
    pub fn new(head: Head, content: Content, to: Destination<'_>) -> Self {
        let Destination { account, service, region } = to;
        let body: &[u8] = match &content {
            Content::Whole { bytes, .. } => bytes,
            Content::Declared { .. } | Content::Unseen { .. } => &[],
        };
        let mut decoded = decode(&head, body, &Scope { service, region });
        match &content {
            Content::Whole { .. } => {}
            // As `decode` has it where the body is there, so that sending it either way is the same request.
            Content::Declared { digest, .. } => decoded = decoded.over(*digest),
            Content::Unseen { length } => {
                decoded =
                    decoded.over(Digest::of_parts(&[b"not seen, of length", &length.to_be_bytes()]));
            }
        }
        let digest = Digest::of_parts(&[b"aws request", account.as_bytes(), &decoded.identity().0]);
        Self { head, content, decoded, digest }
    }

    /// What is sent, but for the signature.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Its body, as far as it is known.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Which operation with which parameters.
    #[must_use]
    pub fn decoded(&self) -> &Decoded {
        &self.decoded
    }

    /// The identity of the request: of its account and of everything that [`Decoded::identity`] covers.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The request as people are shown it.
    #[must_use]
    pub fn text(&self) -> String {
        let text = self.decoded.text();
        match &self.content {
            Content::Whole { bytes, digest } if self.is_stream() && !bytes.is_empty() => {
                format!("{text}\nbody: {} bytes with the SHA-256 {digest}", bytes.len())
            }
            Content::Whole { .. } => text,
            Content::Declared { digest, length } => {
                format!("{text}\nbody: {length} bytes with the SHA-256 {digest}")
            }
            Content::Unseen { length } => {
                format!("{text}\nbody: {length} bytes that nobody has seen before they are sent")
            }
        }
    }

    /// Bytes that [`Asked::text`] has at most; reckoned, not counted.
    #[must_use]
    pub fn bytes_max(&self) -> usize {
        if self.head.headers("content-encoding").next().is_some() {
            // What is packed says nothing of how long it is.
            return usize::MAX;
        }
        let body = match &self.content {
            Content::Whole { bytes, .. } if !self.is_stream() => bytes.len(),
            Content::Whole { .. } | Content::Declared { .. } | Content::Unseen { .. } => 0,
        };
        let headers = self.head.headers.iter().map(|(name, value)| name.len() + value.len());
        let sent = self.head.path.len() + self.head.query.len() + headers.sum::<usize>() + body;
        // Of one byte at most a line, as far in as values may stand, or an escape.
        sent.saturating_mul(2 * DEPTH_MAX + 16)
    }

    fn is_stream(&self) -> bool {
        match &self.decoded.call {
            Call::Known(operation) => operation.is(Trait::Streams) || operation.is(Trait::EventsIn),
            Call::Unknown { .. } => true,
        }
    }

    /// The host that AWS has for it. An operation that is not known belongs to what it is signed for; `None` if that
    /// stands for nothing, or for services at several hosts, or if a parameter that is a part of the host cannot be one.
    /// What the request says of its host is not asked.
    #[must_use]
    pub fn host(&self) -> Option<String> {
        let region = &self.decoded.region;
        match &self.decoded.call {
            Call::Known(operation) => table::at(*operation, region, &self.decoded.parameters),
            Call::Unknown { .. } => {
                let mut hosts =
                    table::signed_for(&self.decoded.service).map(|api| table::host(api, region));
                let first = hosts.next()??;
                hosts.all(|other| other.as_ref() == Some(&first)).then_some(first)
            }
        }
    }
}

/// Whether the body of a request with that head is a stream, which does not have to be seen whole to know what is asked.
#[must_use]
pub fn is_stream(head: &Head, service: &str, region: &str) -> bool {
    match decode(head, &[], &Scope { service, region }).call {
        Call::Known(operation) => operation.is(Trait::Streams),
        Call::Unknown { .. } => false,
    }
}

/// Any host that is S3's for whole accounts.
const CONTROL: &str = "s3-control.us-east-1.amazonaws.com";

/// The same head with S3's bucket in the path, where the host has it: the bucket of an endpoint of AWS, or what stands
/// before one of the door's own `names`. The account stands there where it is asked of, which says so itself.
#[must_use]
pub fn path_style(head: Head, service: &str, names: &[String]) -> Head {
    if service != "s3" {
        return head;
    }
    let Some(host) = head.header("host").map(str::to_ascii_lowercase) else { return head };
    let name = host.rsplit_once(':').map_or(host.as_str(), |(name, port)| {
        if port.bytes().all(|byte| byte.is_ascii_digit()) { name } else { host.as_str() }
    });
    let below = |own: &String| name.strip_suffix(own.as_str())?.strip_suffix('.').map(str::to_owned);
    let bucket = match table::endpoint(name) {
        Some(endpoint) => endpoint.bucket,
        None => names.iter().find_map(below),
    };
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    let is_name = |it: &String| !it.is_empty() && it.bytes().all(is_letter);
    let Some(bucket) = bucket.filter(is_name) else { return head };
    if head.header("x-amz-account-id") == Some(bucket.as_str()) {
        return at(head, CONTROL);
    }
    let path = if head.path == "/" { format!("/{bucket}") } else { format!("/{bucket}{}", head.path) };
    // Decoding would find the bucket in the host once more.
    at(Head { path, ..head }, "s3")
}

/// The same head for another host.
fn at(mut head: Head, host: &str) -> Head {
    head.headers.retain(|(name, _)| name != "host");
    head.headers.push(("host".to_owned(), host.to_owned()));
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(host: &str, path: &str) -> Head {
        Head {
            method: "PUT".into(),
            path: path.into(),
            query: String::new(),
            headers: vec![("host".into(), host.into())],
        }
    }

    #[test]
    fn buckets_of_hosts_stand_in_the_path() {
        let check = |host: &str, path: &str, expect: &str| {
            let names = ["localhost".to_owned()];
            let styled = path_style(head(host, path), "s3", &names);
            assert_eq!(styled.path, expect, "{host}");
        };
        check("orders.s3.eu-west-1.amazonaws.com", "/a/b", "/orders/a/b");
        check("orders.s3.amazonaws.com:443", "/", "/orders");
        check("s3.eu-west-1.amazonaws.com", "/orders/a", "/orders/a");
        check("a.b.localhost:7443", "/k", "/a.b/k");
        check("localhost:7443", "/k", "/k");
        check("127.0.0.1:7443", "/b/k", "/b/k");
        check("xlocalhost", "/b/k", "/b/k");
        check("orders?acl&x=.localhost:7443", "/b/k", "/b/k");
    }

    #[test]
    fn an_account_before_the_name_is_no_bucket() {
        let names = ["localhost".to_owned()];
        let check = |account: &str, path: &str, expect: (&str, &str)| {
            let mut head = head("111122223333.localhost:7443", path);
            head.headers.push(("x-amz-account-id".into(), account.into()));
            let styled = path_style(head, "s3", &names);
            let decoded = decode(&styled, &[], &Scope { service: "s3", region: "eu-west-1" });
            let Call::Known(operation) = &decoded.call else { panic!("{decoded:?}") };
            assert_eq!((styled.path.as_str(), operation.api().folder()), expect, "{account}");
        };
        let policy = "/v20180820/bucket/b/policy";
        check("111122223333", policy, (policy, "s3control"));
        check("444455556666", "/k", ("/111122223333/k", "s3"));
    }

    #[test]
    fn a_stream_is_the_same_request_seen_or_declared() {
        let to = Destination { account: "111122223333", service: "s3", region: "eu-west-1" };
        let asked = |content| Asked::new(head("s3", "/orders/key"), content, to);
        let bytes = bytes::Bytes::from_static(b"content");
        let (digest, length) = (Digest::of(&bytes), 7);
        let whole = asked(Content::Whole { bytes, digest });
        let declared = asked(Content::Declared { digest, length });
        assert_eq!(whole.decoded().name(), "s3:PutObject");
        assert_eq!(whole.digest(), declared.digest());
        assert!(whole.text().contains(&digest.to_string()), "{}", whole.text());
        assert!(whole.text().len() <= whole.bytes_max());
        let other = asked(Content::Declared { digest: Digest::of(b"other"), length });
        assert_ne!(whole.digest(), other.digest());
        let unseen = |length| asked(Content::Unseen { length });
        assert_ne!(unseen(7).digest(), declared.digest());
        assert_ne!(unseen(7).digest(), unseen(8).digest());
        let elsewhere = Destination { account: "444455556666", ..to };
        let there = Asked::new(head("s3", "/orders/key"), Content::Unseen { length }, elsewhere);
        assert_ne!(unseen(7).digest(), there.digest(), "another account is another request");
        assert_eq!(whole.host().as_deref(), Some("s3.eu-west-1.amazonaws.com"));
        assert!(is_stream(&head("s3", "/orders/key"), "s3", "eu-west-1"));
        assert!(!is_stream(&head("s3", "/orders"), "s3", "eu-west-1"));
    }

    #[test]
    fn no_text_is_longer_than_is_reckoned() {
        let check = |body: &str| {
            let bytes = bytes::Bytes::copy_from_slice(body.as_bytes());
            let digest = Digest::of(&bytes);
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let headers = vec![
                pair("host", "localhost"),
                pair("content-type", "application/x-amz-json-1.0"),
                pair("x-amz-target", "DynamoDB_20120810.GetItem"),
            ];
            let (path, query) = ("/".to_owned(), String::new());
            let head = Head { method: "POST".into(), path, query, headers };
            let to = Destination { account: "1", service: "dynamodb", region: "eu-west-1" };
            let asked = Asked::new(head, Content::Whole { bytes, digest }, to);
            assert_eq!(asked.decoded().name(), "dynamodb:GetItem");
            assert!(asked.text().len() <= asked.bytes_max(), "{body}");
        };
        check(r#"{"TableName":"t"}"#);
        let deep = format!("{}0{}", "[".repeat(60), "]".repeat(60));
        check(&format!(r#"{{"Key":[{}]}}"#, vec![deep; 50].join(",")));
        check(&format!(r#"{{"Key":"{}"}}"#, "\u{202e}".repeat(5_000)));
        check(&format!(r#"{{"Key":"{}"}}"#, "\\u0001".repeat(5_000)));
    }
}
