//! Requests to AWS: whatever comes is decoded, the same each time, and what is known is of the service that was signed
//! for.

use tyer_core::intent::Effect;
use tyer_wire::aws::decode::{Call, Decoded, Scope, decode};
use tyer_wire::aws::request::Head;
use tyer_wire::aws::resources::Owner;
use tyer_wire::aws::table;
use tyer_wire::aws::understand::{Terms, understand};

/// What decodes.
pub(crate) type Decodes = fn(&Head, &[u8], &Scope<'_>) -> Decoded;

/// The real one.
pub(crate) fn real(head: &Head, body: &[u8], scope: &Scope<'_>) -> Decoded {
    decode(head, body, scope)
}

/// What stands before random bytes, so that they get anywhere: service, method, path, header, and a beginning of a body.
const STARTS: [[&str; 5]; 8] = [
    ["ec2", "POST", "/", "", "Action=TerminateInstances&Version=2016-11-15&InstanceId."],
    [
        "rds",
        "POST",
        "/",
        "content-type: application/x-www-form-urlencoded",
        "Action=DeleteDBInstance&Version=2014-10-31&",
    ],
    ["dynamodb", "POST", "/", "x-amz-target: DynamoDB_20120810.DeleteTable", "{\"TableName\":"],
    [
        "monitoring",
        "POST",
        "/service/GraniteServiceVersion20100801/operation/PutMetricAlarm",
        "smithy-protocol: rpc-v2-cbor",
        "",
    ],
    ["s3", "POST", "/b?delete", "", "<Delete><Object><Key>"],
    ["s3", "DELETE", "/b/", "host: b.s3.eu-west-1.amazonaws.com", ""],
    ["lambda", "DELETE", "/2015-03-31/functions/", "", ""],
    ["eks", "POST", "/tags/", "", "{\"tags\":"],
];

/// Pieces that collide with each other.
const PIECES: [&str; 16] =
    ["&", "&", "=", "a", "a", "1", ".", "\"", "{", "}", "</Key>", "<Key>", ":", ",", "%41", "true"];

/// Any bytes as path, query, header and body, behind what makes them likely to be read.
pub(crate) fn any_request(decodes: Decodes, start: u8, target: &[u8], header: &[u8], body: &[u8]) {
    let [service, method, path, own, begins] = STARTS[usize::from(start) % STARTS.len()];
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let target = format!("{path}{}", text(target));
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (name, value) = own.split_once(": ").unwrap_or(("x-amz-acl", ""));
    let headers = vec![(name.to_owned(), value.to_owned()), ("x-amz-meta-a".to_owned(), text(header))];
    let head = Head { method: method.into(), path: path.into(), query: query.into(), headers };
    let whole = [begins.as_bytes(), body].concat();
    let pieces: String =
        body.iter().filter_map(|byte| PIECES.get(usize::from(*byte) % PIECES.len())).copied().collect();
    let pieces = format!("{begins}{pieces}");
    for body in [body, &whole, pieces.as_bytes()] {
        let scope = Scope { service, region: "eu-west-1" };
        let decoded = decodes(&head, body, &scope);
        assert_eq!(decoded, decodes(&head, body, &scope));
        assert_eq!(decoded.identity(), decodes(&head, body, &scope).identity());
        let owner = Owner { account: "111122223333", partition: "aws" };
        assert!(!decoded.resources(owner).is_empty());
        let acts = understand(&decoded, &Terms { owner, environment_tags: &[] });
        let is_known = matches!(decoded.call, Call::Known(_));
        assert!(is_known || acts.worst() == Effect::Opaque, "{acts:?}");
        let (shown, redacted) = (decoded.text(), decoded.redacted());
        assert!(
            shown.chars().chain(redacted.chars()).all(|c| c == '\n' || !c.is_control()),
            "{shown:?}"
        );
        if let Call::Known(operation) = decoded.call {
            assert!(table::signed_for(service).any(|api| api == operation.api()), "{operation:?}");
            assert!(decoded.parameters.is_object());
            // Nothing of the body is passed over: what was sent twice is not read.
            let is_stream = operation.is(table::Trait::Streams);
            assert!(is_stream || body.is_empty() || !names_twice(body), "{}", text(body));
        }
    }
}

/// Whether a form has a name twice, told by something else than the decoder.
fn names_twice(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(body);
    if !text.starts_with("Action=") {
        return false;
    }
    let mut names: Vec<&str> = text
        .split('&')
        .filter(|part| !part.is_empty())
        .map(|part| part.split('=').next().unwrap_or(""))
        .collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    names.len() < count
}

/// Reads the first of what comes twice.
pub(crate) fn takes_the_first(head: &Head, body: &[u8], scope: &Scope<'_>) -> Decoded {
    let text = String::from_utf8_lossy(body).into_owned();
    let mut seen = Vec::new();
    let mut kept = Vec::new();
    for part in text.split('&') {
        let name = part.split('=').next().unwrap_or("");
        if !seen.contains(&name) {
            seen.push(name);
            kept.push(part);
        }
    }
    decode(head, kept.join("&").as_bytes(), scope)
}
