//! What AWS's test suite and botocore have signed.

use serde::Deserialize;

use super::super::canonical::Canonical;
use super::*;

#[derive(Deserialize)]
struct Case {
    name: String,
    req: String,
    creq: String,
    sts: String,
    authz: String,
}

fn suite() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../../testdata/aws/suite.json")).expect("the suite")
}

/// A request as the suite writes it: lines that begin with a space go on with the value before them.
fn parsed(case: &Case) -> (Head, Digest) {
    let (text, body) = case.req.split_once("\n\n").unwrap_or((case.req.trim_end(), ""));
    let mut lines = text.lines();
    let first = lines.next().expect("a request line");
    let (method, rest) = first.split_once(' ').expect("a method");
    let target = rest.strip_suffix(" HTTP/1.1").expect("a version");
    let mut head = head(method, target, &[]);
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if !line.starts_with(' ') => {
                head.headers.push((name.to_ascii_lowercase(), value.to_owned()));
            }
            _ => head.headers.last_mut().expect("a header").1.push_str(line),
        }
    }
    // The suite's runner adds the token of the credentials.
    if let Some((_, token)) = case.creq.split_once("\nx-amz-security-token:")
        && head.header("x-amz-security-token").is_none()
    {
        let token = token.lines().next().expect("a token");
        head.headers.push(("x-amz-security-token".into(), token.into()));
    }
    (head, Digest::of(body.as_bytes()))
}

#[test]
fn the_suite_of_aws_is_verified() {
    let cases = suite();
    assert_eq!(cases.len(), 34);
    for case in cases {
        let (mut request, body) = parsed(&case);
        request.headers.push(("authorization".into(), case.authz.clone()));
        let claim = Claim::read(&request).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let payload = body.to_string();
        let canonical = Canonical {
            head: &request,
            scope: claim.scope(),
            signed: &claim.signed,
            payload: &payload,
        };
        assert_eq!(canonical.request(), case.creq, "{}", case.name);
        assert_eq!(canonical.string_to_sign(&claim.moment), case.sts, "{}", case.name);
        let verified = claim.verify(&request, Some(&body), &key(&claim), NOW);
        assert_eq!(verified.map(|it| it.payload()), Ok(Payload::OfBody), "{}", case.name);
    }
}

#[test]
fn a_token_that_is_added_after_signing_is_refused() {
    let case = suite().into_iter().find(|case| case.name.ends_with("post-sts-header-after"));
    let (mut request, body) = parsed(case.as_ref().expect("the case"));
    request.headers.push(("x-amz-security-token".into(), "AQoDYXdzEPT".into()));
    request.headers.push(("authorization".into(), case.expect("the case").authz));
    let refused = Mismatch::NotCovered("x-amz-security-token".into());
    assert_eq!(verified(&request, Some(&body), NOW).err(), Some(refused.to_string()));
}

#[derive(Deserialize)]
struct Signed {
    now: String,
    key: String,
    secret: String,
    token: String,
    requests: Vec<Request>,
}

#[derive(Deserialize)]
struct Request {
    name: String,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

#[test]
fn what_botocore_signs_is_verified() {
    let text = include_str!("../../../../testdata/aws/signed_by_botocore.json");
    let signed: Signed = serde_json::from_str(text).expect("the requests");
    let now = moment::read(&signed.now).expect("a moment");
    let (mut seen, mut tokens) = (Vec::new(), 0);
    for request in signed.requests {
        let name = request.name;
        let body: Vec<u8> = request.body.chars().map(|c| u8::try_from(c).expect("a byte")).collect();
        let head = Head {
            method: request.method,
            path: request.path,
            query: request.query,
            headers: request.headers,
        };
        let claim = match Claim::read(&head) {
            Err(Unsigned::VersionTwo) if name.ends_with("version 2") => continue,
            read => read.unwrap_or_else(|error| panic!("{name}: {error}")),
        };
        assert_eq!(claim.access_key(), signed.key, "{name}");
        assert_eq!(claim.is_presigned(), name.contains("presigned"), "{name}");
        if let Some(token) = claim.token() {
            assert_eq!(token, signed.token, "{name}");
            tokens += 1;
        }
        let key = SigningKey::derive(&signed.secret, claim.scope());
        let digest = Digest::of(&body);
        let verified = claim.verify(&head, Some(&digest), &key, now);
        let verified = verified.unwrap_or_else(|error| panic!("{name}: {error}"));
        let kind = match verified.payload() {
            Payload::Hash(declared) => {
                assert_eq!(declared, digest, "{name}");
                "hash"
            }
            Payload::OfBody => "of body",
            Payload::Unsigned => "unsigned",
            Payload::StreamingUnsignedTrailer => "trailer",
            other => panic!("{name}: {other:?}"),
        };
        seen.push(kind);
    }
    let count = |wanted: &str| seen.iter().filter(|kind| **kind == wanted).count();
    assert_eq!(["hash", "of body", "unsigned", "trailer"].map(count), [10, 17, 4, 3]);
    assert_eq!(tokens, 5);
}

#[derive(Deserialize)]
struct BySdk {
    service: String,
    token: Option<String>,
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
    authorization: String,
}

#[test]
fn the_sdk_for_rust_signs_the_same() {
    let text = include_str!("../../../../testdata/aws/signed_by_sdk.json");
    let cases: Vec<BySdk> = serde_json::from_str(text).expect("the requests");
    assert_eq!(cases.len(), 200);
    for case in cases {
        let head =
            Head { method: case.method, path: case.path, query: case.query, headers: case.headers };
        let body: Vec<u8> = case.body.chars().map(|c| u8::try_from(c).expect("a byte")).collect();
        let scope = Scope::on(NOW, "eu-west-1", &case.service).expect("a day");
        let key = SigningKey::derive(SECRET, &scope);
        let signer = Signer { access_key: "AKIDEXAMPLE", token: case.token.as_deref(), key: &key };
        let signed = sign(&head, "tyer.example", Outgoing::Hash(Digest::of(&body)), &signer, NOW);
        let signed = signed.expect("it can be signed");
        assert_eq!(signed.header("authorization"), Some(case.authorization.as_str()), "{head:?}");
    }
}
