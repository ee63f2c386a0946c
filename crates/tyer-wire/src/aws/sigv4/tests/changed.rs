//! Requests that are not as they were signed, or not signed in a way that counts.

use std::borrow::Cow;

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

/// A request to S3 that has everything that a request can have.
fn full() -> Head {
    let request = head(
        "PUT",
        "/bucket/a%20key?partNumber=1&uploadId=x%2Fy&empty",
        &[
            ("host", "tyer.example"),
            ("content-type", "text/plain"),
            ("content-md5", "XrY7u+Ae7tCTyyK7j1rNww=="),
            ("x-amz-acl", "private"),
            ("x-amz-meta-a", "one"),
            ("x-amz-meta-a", "two words"),
        ],
    );
    signed(&request, "s3", Outgoing::Hash(Digest::of(b"body")))
}

fn set(head: &mut Head, name: &str, value: &str) {
    let header = head.headers.iter_mut().find(|(is, _)| is == name).expect("the header");
    header.1 = value.to_owned();
}

fn replace(head: &mut Head, name: &str, from: &str, to: &str) {
    let value = head.header(name).expect("the header").to_owned();
    assert!(value.contains(from), "{value}");
    set(head, name, &value.replacen(from, to, 1));
}

#[test]
fn nothing_that_was_signed_can_be_changed() {
    let body = Digest::of(b"body");
    let check = |what: &str, change: &dyn Fn(&mut Head), expect: &str| {
        let mut request = full();
        change(&mut request);
        let error = verified(&request, Some(&body), NOW).err().unwrap_or_default();
        assert!(error.contains(expect), "{what}: `{error}`");
    };
    assert!(verified(&full(), Some(&body), NOW).is_ok());
    let wrong = "does not match";
    check("method", &|it| it.method = "GET".into(), wrong);
    check("method in lower case", &|it| it.method = "put".into(), wrong);
    check("path", &|it| it.path = "/bucket/b%20key".into(), wrong);
    check("case of the path", &|it| it.path = "/Bucket/a%20key".into(), wrong);
    check("a slash more", &|it| it.path = "/bucket//a%20key".into(), wrong);
    check("a segment that goes nowhere", &|it| it.path = "/bucket/./a%20key".into(), wrong);
    check("a slash that is part of a name", &|it| it.path = "/bucket%2Fa%20key".into(), wrong);
    check("query", &|it| it.query = "partNumber=2&uploadId=x%2Fy&empty".into(), wrong);
    check("no query", &|it| it.query = String::new(), wrong);
    check("a parameter more", &|it| it.query.push_str("&acl"), wrong);
    check("an empty parameter more", &|it| it.query.push('&'), wrong);
    check("a parameter twice", &|it| it.query.push_str("&partNumber=1"), wrong);
    check("host", &|it| set(it, "host", "other.example"), wrong);
    check("content-type", &|it| set(it, "content-type", "text/html"), wrong);
    check("content-md5", &|it| set(it, "content-md5", "AAAA"), wrong);
    check("x-amz-acl", &|it| set(it, "x-amz-acl", "public-read"), wrong);
    check("order of values", &|it| it.headers.reverse(), wrong);
    check("a value more", &|it| it.headers.push(("x-amz-acl".into(), "a".into())), wrong);
    check("a header gone", &|it| it.headers.retain(|(name, _)| name != "x-amz-acl"), "not there");
    let added = "x-amz-copy-source";
    check("a header of AWS's more", &|it| it.headers.push((added.into(), "/b/k".into())), added);
    check("moment", &|it| set(it, "x-amz-date", "20150830T123601Z"), wrong);
    check("day", &|it| set(it, "x-amz-date", "20150831T123600Z"), "another day");
    check(
        "two moments",
        &|it| it.headers.push(("x-amz-date".into(), "20150830T123600Z".into())),
        "once",
    );
    let other = Digest::of(b"other").to_string();
    check("declared body", &|it| set(it, "x-amz-content-sha256", &other), wrong);
    check("body that is not signed", &|it| set(it, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"), wrong);
    check("kind of body", &|it| set(it, "x-amz-content-sha256", "SIGNED"), "neither a SHA-256");
    for (from, to) in [("/s3/", "/s3express/"), ("eu-west-1", "eu-west-2")] {
        check("scope", &|it| replace(it, "authorization", from, to), wrong);
    }
    check(
        "day of the scope",
        &|it| replace(it, "authorization", "/20150830/", "/20150829/"),
        "another day",
    );
    check("host not signed", &|it| replace(it, "authorization", "host;", ""), "host is not signed");
    check(
        "acl not signed",
        &|it| replace(it, "authorization", "x-amz-acl;", ""),
        "x-amz-acl is not signed",
    );
    check(
        "date not signed",
        &|it| replace(it, "authorization", "x-amz-date;", ""),
        "x-amz-date is not",
    );
    check(
        "order of names",
        &|it| replace(it, "authorization", "host;x-amz-acl", "x-amz-acl;host"),
        "in order",
    );
    check("a name twice", &|it| replace(it, "authorization", "host;", "host;host;"), "in order");
}

#[test]
fn the_body_is_the_one_that_was_signed() {
    let other = Digest::of(b"other");
    assert_eq!(verified(&full(), Some(&other), NOW).err(), Some(Mismatch::Body.to_string()));
    // Whoever has not read it yet is told what it must be.
    let later = verified(&full(), None, NOW).map(|it| it.payload());
    assert_eq!(later, Ok(Payload::Hash(Digest::of(b"body"))));
    let request = head("POST", "/", &[("host", "tyer.example")]);
    let request = signed(&request, "sts", Outgoing::Hash(Digest::of(b"Action=x")));
    assert!(verified(&request, Some(&Digest::of(b"Action=x")), NOW).is_ok());
    assert_eq!(verified(&request, Some(&other), NOW).err(), Some(Mismatch::Signature.to_string()));
    assert_eq!(verified(&request, None, NOW).err(), Some(Mismatch::BodyNotKnown.to_string()));
}

#[test]
fn another_secret_and_another_day_are_refused() {
    let request = full();
    let claim = Claim::read(&request).expect("a claim");
    let check = |secret: &str, scope: &Scope| {
        claim.verify(&request, None, &SigningKey::derive(secret, scope), NOW).err()
    };
    assert_eq!(check(SECRET, claim.scope()), None);
    assert_eq!(check("wJalrXUtnFEMI", claim.scope()), Some(Mismatch::Signature));
    let yesterday = Scope { date: "20150829".into(), ..claim.scope().clone() };
    assert_eq!(check(SECRET, &yesterday), Some(Mismatch::Signature));
}

#[test]
fn a_request_is_of_now() {
    let skewed = Mismatch::Skewed { signed: "20150830T123600Z".into() };
    for (ms, expect) in [
        (0, None),
        (300_000, None),
        (-300_000, None),
        (300_001, Some(&skewed)),
        (-300_001, Some(&skewed)),
        (i64::MAX / 2, Some(&skewed)),
    ] {
        let error = verified(&full(), None, NOW.plus(ms)).err();
        assert_eq!(error, expect.map(ToString::to_string), "{ms}");
    }
}

/// A presigned request, as clients make it.
fn presigned(target: &str, expires: &str) -> Head {
    let scope = Scope::on(NOW, "eu-west-1", "s3").expect("a day");
    let credential = "AKIDEXAMPLE%2F20150830%2Feu-west-1%2Fs3%2Faws4_request";
    let mut request = head("GET", target, &[("host", "tyer.example")]);
    let separator = if request.query.is_empty() { "" } else { "&" };
    request.query.push_str(&format!(
        "{separator}X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date=20150830T123600Z\
         &X-Amz-Expires={expires}&X-Amz-SignedHeaders=host"
    ));
    let canonical = canonical::Canonical {
        head: &request,
        scope: &scope,
        signed: "host",
        payload: "UNSIGNED-PAYLOAD",
    };
    let text = canonical.string_to_sign("20150830T123600Z");
    let signature = hmac::sign(&SigningKey::derive(SECRET, &scope).key, text.as_bytes());
    let mut hex = String::new();
    canonical::push_hex(&mut hex, signature.as_ref());
    request.query.push_str(&format!("&X-Amz-Signature={hex}"));
    request
}

#[test]
fn a_presigned_request_lasts_as_long_as_it_says_and_no_longer_than_a_week() {
    let check = |expires: &str, ms: i64, expect: &str| {
        let error = verified(&presigned("/b/k", expires), None, NOW.plus(ms)).err();
        assert!(error.as_deref().unwrap_or("ok").contains(expect), "{expires} {ms}: {error:?}");
    };
    check("900", 0, "ok");
    check("900", 900_000, "ok");
    check("900", 900_001, "has expired");
    check("604800", 604_800_000, "ok");
    check("604800", 604_800_001, "has expired");
    check("900", -300_001, "five minutes");
    for bad in ["604801", "0", "-1", "", "9e2", "%2B900", "99999999999"] {
        check(bad, 0, "X-Amz-Expires");
    }
}

#[test]
fn nothing_of_a_presigned_request_can_be_changed() {
    let check = |from: &str, to: &str, expect: &str| {
        let mut request = presigned("/b/k?x-id=GetObject&x-amz-checksum-mode=ENABLED", "900");
        assert!(request.query.contains(from), "{from}");
        request.query = request.query.replacen(from, to, 1);
        let error = verified(&request, None, NOW).err();
        assert!(error.as_deref().unwrap_or("ok").contains(expect), "{from} -> {to}: {error:?}");
    };
    check("x-id", "x-id", "ok");
    check("X-Amz-Expires=900", "X-Amz-Expires=901", "does not match");
    check("T123600Z", "T123601Z", "does not match");
    check("x-id=GetObject", "x-id=PutObject", "does not match");
    check("x-id=GetObject&", "", "does not match");
    check("ENABLED", "enabled", "does not match");
    check("AKIDEXAMPLE", "AKIDEXAMPLF", "does not match");
    check("SignedHeaders=host", "SignedHeaders=", "in order");
    check("&X-Amz-Expires=900", "", "no X-Amz-Expires");
    check("&X-Amz-Date=20150830T123600Z", "", "no X-Amz-Date");
    check("X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", "not AWS4-HMAC-SHA256");
    check("&X-Amz-Expires=900", "&X-Amz-Expires=900&x-amz-expires=9000", "more than once");
    check("&X-Amz-Date", "&X-Amz-Signature=00&X-Amz-Date", "more than once");
    check("&X-Amz-Date", "&X-Amz-Security-Token=a&X-Amz-Date", "does not match");
}

#[test]
fn what_was_moved_into_the_query_is_a_header_again() {
    type Plain<'a> = (&'a str, &'a [(&'a str, &'a str)]);
    let check = |target: &str, expect: Result<Plain<'_>, &str>| {
        let request = presigned(target, "900");
        let claim = Claim::read(&request).expect("a claim");
        let expect = expect.map(|(query, headers)| {
            let headers = [&[("host", "tyer.example")], headers].concat();
            head("GET", &format!("/b/k?{query}"), &headers)
        });
        assert_eq!(
            claim.plain(&request).map(Cow::into_owned).map_err(|it| it.to_string()),
            expect.map_err(str::to_owned)
        );
    };
    check("/b/k", Ok(("", &[])));
    check("/b/k?x-id=GetObject&a", Ok(("x-id=GetObject&a", &[])));
    check("/b/k?x-amz-acl=private&a=b", Ok(("a=b", &[("x-amz-acl", "private")])));
    check("/b/k?X-Amz-Meta-A=b+c%2Bd", Ok(("", &[("x-amz-meta-a", "b c+d")])));
    check("/b/k?x%2Damz-copy-source=%2Fb%2Fk", Ok(("", &[("x-amz-copy-source", "/b/k")])));
    let malformed = "the signature cannot be read: ";
    check("/b/k?x-amz-acl=a%0d%0ab", Err(&format!("{malformed}a parameter that cannot be a header")));
    check("/b/k?x-amz-acl=%ff", Err(&format!("{malformed}a parameter that cannot be a header")));
    check("/b/k?x-amz-acl=a&X-Amz-Acl=b", Err(&format!("{malformed}a parameter that is a header too")));
}

#[test]
fn a_claim_is_made_once_and_in_a_way_that_counts() {
    let check = |headers: &[(&str, &str)], target: &str, expect: &str| {
        let headers = [&[("host", "a"), ("x-amz-date", "20150830T123600Z")], headers].concat();
        let error = Claim::read(&head("GET", target, &headers)).err().map(|it| it.to_string());
        assert!(error.as_deref().unwrap_or("ok").contains(expect), "{headers:?} {target}: {error:?}");
    };
    let digits = "0".repeat(64);
    let parts = |credential: &str, signed: &str, signature: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={signature}"
        )
    };
    let good = parts("AKID/20150830/eu-west-1/s3/aws4_request", "host;x-amz-date", &digits);
    let one = |text: &str, expect: &str| check(&[("authorization", text)], "/", expect);
    one(&good, "ok");
    one(&good.replace(", ", ","), "ok");
    check(&[], "/", "not signed");
    check(&[("authorization", &good), ("authorization", &good)], "/", "more than once");
    check(&[("authorization", &good)], "/?X-Amz-Signature=0", "more than once");
    check(&[("authorization", &good)], "/?x-amz-credential=AKID", "more than once");
    check(&[("authorization", &good)], "/?AWSAccessKeyId=AKID&Signature=x", "more than once");
    check(&[("authorization", &good)], "/?x-amz-acl=private", "stands for an x-amz- header");
    check(&[], "/?AWSAccessKeyId=AKID&Signature=x&Expires=1", "signature_version='s3v4'");
    check(&[], "/?Action=ListUsers&SignatureVersion=2&AWSAccessKeyId=AKID", "signature_version='s3v4'");
    one("AWS AKID:c2lnbmF0dXJl", "signature_version='s3v4'");
    one("AWS4-ECDSA-P256-SHA256 Credential=a", "multi-region access points");
    check(
        &[],
        "/?X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256&X-Amz-Signature=0",
        "multi-region access points",
    );
    one("Bearer ABSK", "not AWS4-HMAC-SHA256");
    one("Basic QUtJRDpzZWNyZXQ=", "not AWS4-HMAC-SHA256");
    one("aws4-hmac-sha256 Credential=a", "not AWS4-HMAC-SHA256");
    one("AWS4-HMAC-SHA256", "a part without a value");
    one("", "not AWS4-HMAC-SHA256");
    one(&good.replace("Signature=0", "signature=0"), "a part of the Authorization");
    one(&format!("{good}, Signature={digits}"), "more than once");
    one(&format!("{good}, Region=a"), "a part of the Authorization");
    for (credential, expect) in [
        ("AKID/20150830/eu-west-1/s3", "the Credential is not"),
        ("AKID/20150830/eu-west-1/s3/aws4_request/x", "the Credential is not"),
        ("A/KID/20150830/eu-west-1/s3/aws4_request", "the Credential is not"),
        ("AKID/20150830/eu-west-1/s3/aws5_request", "the Credential is not"),
        ("AKID/20150830//s3/aws4_request", "the Credential is not"),
        ("/20150830/eu-west-1/s3/aws4_request", "the Credential is not"),
        ("AKID/2015083/eu-west-1/s3/aws4_request", "the Credential is not"),
        ("AKID/20150830/eu west/s3/aws4_request", "the Credential is not"),
        ("AKID/20150829/eu-west-1/s3/aws4_request", "another day"),
    ] {
        one(&parts(credential, "host;x-amz-date", &digits), expect);
    }
    let credential = "AKID/20150830/eu-west-1/s3/aws4_request";
    for signed in ["", "Host;x-amz-date", "x-amz-date;host", "host;;x-amz-date", "host;host", "ho st"] {
        one(&parts(credential, signed, &digits), "the SignedHeaders");
    }
    for signature in ["", "0", &digits.replace('0', "A"), &format!("{digits}0")] {
        one(&parts(credential, "host;x-amz-date", signature), "the Signature is not");
    }
    let tokens: [(&str, &str); 2] = [("x-amz-security-token", "a"), ("x-amz-security-token", "b")];
    check(&[("authorization", good.as_str()), tokens[0], tokens[1]], "/", "more than once");
    let body = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD";
    check(&[("authorization", good.as_str()), ("x-amz-content-sha256", body)], "/", "multi-region");
    let body = "STREAMING-AWS4-HMAC-SHA256-EVENTS";
    check(
        &[("authorization", good.as_str()), ("x-amz-content-sha256", body)],
        "/",
        "neither a SHA-256",
    );
}

#[test]
fn a_date_header_serves_where_there_is_no_other_and_must_be_signed() {
    let text = "Sun, 30 Aug 2015 12:36:00 GMT";
    let mut request = head("GET", "/", &[("date", text), ("host", "a")]);
    let scope = Scope::on(NOW, "eu-west-1", "sts").expect("a day");
    let payload = Digest::of(b"").to_string();
    let authorize = |request: &mut Head, signed: &str| {
        let canonical =
            canonical::Canonical { head: request, scope: &scope, signed, payload: &payload };
        let text = canonical.string_to_sign("20150830T123600Z");
        let mut hex = String::new();
        let signature = hmac::sign(&SigningKey::derive(SECRET, &scope).key, text.as_bytes());
        canonical::push_hex(&mut hex, signature.as_ref());
        let credential = "AKID/20150830/eu-west-1/sts/aws4_request";
        let value = format!(
            "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={signed}, Signature={hex}"
        );
        request.headers.push(("authorization".into(), value));
    };
    let bare = request.clone();
    authorize(&mut request, "date;host");
    assert!(verified(&request, Some(&Digest::of(b"")), NOW).is_ok());
    let mut request = bare;
    authorize(&mut request, "host");
    let error = verified(&request, Some(&Digest::of(b"")), NOW).expect_err("refused");
    assert!(error.contains("date is not signed"), "{error}");
}

fn any_head() -> impl Strategy<Value = Head> {
    let name = prop_oneof![Just("content-type".to_owned()), "x-amz-[a-z]{1,6}"];
    let headers = prop::collection::vec((name, "[ -~]{0,12}"), 0..5);
    let query = "([a-zA-Z%20=&+/~é]{0,20})";
    ("[A-Z]{1,6}", "(/[a-zA-Z0-9%./ +~é-]{0,8}){1,3}", query, headers).prop_map(
        |(method, path, query, headers)| {
            let mut headers = headers;
            headers.push(("host".into(), "tyer.example".into()));
            Head { method, path, query, headers }
        },
    )
}

fn services() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("s3"), Just("dynamodb"), Just("s3express")]
}

/// What a header means for its signature.
fn words(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

proptest! {
    #[test]
    fn what_is_signed_is_verified(head in any_head(), service in services(), body: Vec<u8>) {
        let digest = Digest::of(&body);
        let request = signed(&head, service, Outgoing::Hash(digest));
        prop_assert!(verified(&request, Some(&digest), NOW).is_ok());
    }

    /// One character of what was signed is another one, and not only another way to write the same.
    #[test]
    fn what_is_changed_is_refused(
        head in any_head(), service in services(), at: Index, letter in "[a-zA-Z0-9]", place: Index,
    ) {
        let digest = Digest::of(b"");
        let request = signed(&head, service, Outgoing::Hash(digest));
        let mut changed = request.clone();
        let texts = 3 + changed.headers.len();
        let text = match place.index(texts) {
            0 => &mut changed.method,
            1 => &mut changed.path,
            2 => &mut changed.query,
            place => &mut changed.headers[place - 3].1,
        };
        let mut letters: Vec<char> = text.chars().collect();
        prop_assume!(!letters.is_empty());
        let at = at.index(letters.len());
        prop_assume!(letters[at].is_ascii_alphanumeric() && !letter.contains(letters[at]));
        letters[at] = letter.chars().next().expect("a letter");
        *text = letters.into_iter().collect();
        let same = |one: &Head, other: &Head| {
            let canonical = |head: &Head| {
                let mut out = (String::new(), String::new());
                let scope = Scope { date: String::new(), region: String::new(), service: service.into() };
                let canonical = canonical::Canonical { head, scope: &scope, signed: "host", payload: "" };
                out.0.push_str(&canonical.request());
                out.1 = head.headers.iter().map(|(name, value)| format!("{name}:{}\n", words(value))).collect();
                out
            };
            canonical(one) == canonical(other)
        };
        prop_assume!(!same(&request, &changed));
        // The access key decides whose secret is asked for, and is no part of what is signed with it.
        let of_another = Claim::read(&changed).is_ok_and(|claim| claim.access_key() != "AKIDEXAMPLE");
        prop_assert!(of_another || verified(&changed, Some(&digest), NOW).is_err(), "{changed:?}");
    }
}
