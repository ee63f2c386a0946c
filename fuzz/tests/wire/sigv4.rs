//! Signed requests to AWS: whatever comes, only what was signed with the secret is verified.

use bolero::TypeGenerator;
use tyer_core::intent::{Digest, Timestamp};
use tyer_wire::aws::request::Head;
use tyer_wire::aws::sigv4::{Claim, Outgoing, Scope, Signer, SigningKey, sign};

/// Whether a request whose body is empty was signed with [`SECRET`].
pub(crate) type Verifies = fn(&Head) -> bool;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 30 August 2015, 12:36:00 UTC.
const NOW: Timestamp = Timestamp(1_440_938_160_000);
const CREDENTIAL: &str = "AKIDEXAMPLE/20150830/eu-west-1/s3/aws4_request";

/// The real one.
pub(crate) fn real(head: &Head) -> bool {
    Claim::read(head).is_ok_and(|claim| {
        let key = SigningKey::derive(SECRET, claim.scope());
        drop((claim.plain(head), format!("{claim:?}")));
        claim.verify(head, Some(&Digest::of(b"")), &key, NOW).is_ok()
    })
}

/// Nothing that a client makes up is verified.
pub(crate) fn any_bytes(verifies: Verifies, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut texts = text.split('\0').map(str::to_owned);
    let mut next = || texts.next().unwrap_or_default();
    let (authorization, path, query) = (next(), format!("/{}", next()), next());
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut head = Head {
        method: next(),
        path,
        query,
        headers: vec![pair("host", "a"), pair("x-amz-date", "20150830T123600Z"), (next(), next())],
    };
    assert!(!verifies(&head), "{head:?}");
    head.headers.push(pair("authorization", &authorization));
    assert!(!verifies(&head), "{head:?}");
    let signature = Digest::of(bytes);
    head.headers.pop();
    head.headers.push(pair(
        "authorization",
        &format!(
            "AWS4-HMAC-SHA256 Credential={CREDENTIAL}, SignedHeaders=host;x-amz-date, Signature={signature}"
        ),
    ));
    assert!(!verifies(&head), "{head:?}");
    head.headers.truncate(2);
    head.query.push_str(&format!(
        "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={CREDENTIAL}&X-Amz-Date=20150830T123600Z\
         &X-Amz-Expires=900&X-Amz-SignedHeaders=host;x-amz-date&X-Amz-Signature={signature}"
    ));
    assert!(!verifies(&head), "{head:?}");
}

/// What somebody does to a request that was signed.
#[derive(Clone, Debug, PartialEq, Eq, TypeGenerator)]
pub(crate) enum Change {
    Nothing,
    Method,
    /// That letter of the path.
    Path(u8),
    /// Another parameter, or one more.
    Query(u8),
    Parameter,
    /// Another value of that signed header.
    Value(u8),
    /// That header twice.
    Twice(u8),
    /// That header not at all.
    Without(u8),
    /// A header that decides what the request does, and is not signed.
    Header(u8),
    /// That digit of the signature.
    Signature(u8),
    /// That name not among the signed ones.
    NotSigned(u8),
}

/// What a request may have besides.
const UNSIGNED: [&str; 4] = ["x-amz-copy-source", "x-amz-acl", "x-amz-target", "x-amz-security-token"];

/// A request is verified if it is as it was signed, and only then.
pub(crate) fn changed(verifies: Verifies, change: &Change) {
    let mut head = signed();
    // The host, the moment, the digest of the body and a value of AWS's own are all signed.
    let signed = ["host", "x-amz-content-sha256", "x-amz-date", "x-amz-meta-a"];
    let name = |at: u8| signed[usize::from(at) % signed.len()];
    let place = |head: &Head, at: u8| head.headers.iter().position(|(is, _)| is == name(at)).unwrap();
    let other = |text: &mut String, at: usize| {
        let with = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
        text.replace_range(at..=at, with);
    };
    match *change {
        Change::Nothing => {}
        Change::Method => head.method = "DELETE".into(),
        Change::Path(at) => {
            let at = 1 + usize::from(at) % (head.path.len() - 1);
            other(&mut head.path, at);
        }
        Change::Query(at) => {
            let at = usize::from(at) % head.query.len();
            other(&mut head.query, at);
        }
        Change::Parameter => head.query.push_str("&acl"),
        Change::Value(at) => {
            let at = place(&head, at);
            head.headers[at].1.push('x');
        }
        Change::Twice(at) => {
            let twice = head.headers[place(&head, at)].clone();
            head.headers.push(twice);
        }
        Change::Without(at) => drop(head.headers.remove(place(&head, at))),
        Change::Header(at) => {
            let name = UNSIGNED[usize::from(at) % UNSIGNED.len()];
            head.headers.push((name.into(), "a".into()));
        }
        Change::Signature(at) => {
            let text = &mut head.headers.last_mut().unwrap().1;
            let at = text.len() - 1 - usize::from(at) % 64;
            other(text, at);
        }
        Change::NotSigned(at) => {
            let text = &mut head.headers.last_mut().unwrap().1;
            let names = signed.into_iter().filter(|is| *is != name(at)).collect::<Vec<_>>().join(";");
            *text = text.replace(&signed.join(";"), &names);
        }
    }
    assert_eq!(verifies(&head), *change == Change::Nothing, "{change:?}: {head:?}");
}

fn signed() -> Head {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let head = Head {
        method: "PUT".into(),
        path: "/bucket/key".into(),
        query: "tagging&versionId=7".into(),
        headers: vec![pair("x-amz-meta-a", "b")],
    };
    let key = SigningKey::derive(SECRET, &Scope::on(NOW, "eu-west-1", "s3").unwrap());
    let signer = Signer { access_key: "AKIDEXAMPLE", token: None, key: &key };
    sign(&head, "a", Outgoing::Hash(Digest::of(b"")), &signer, NOW).unwrap()
}

/// Whatever has a claim that can be read is verified.
pub(crate) fn takes_what_can_be_read(head: &Head) -> bool {
    Claim::read(head).is_ok()
}

/// What is not signed is not looked at.
pub(crate) fn forgets_what_is_not_signed(head: &Head) -> bool {
    let names = head.header("authorization").unwrap_or_default().to_owned();
    let mut head = head.clone();
    head.headers.retain(|(name, _)| !name.starts_with("x-amz-") || names.contains(name.as_str()));
    real(&head)
}

/// Nothing is verified, and a request that is right is not either.
pub(crate) fn takes_nothing(_: &Head) -> bool {
    false
}
