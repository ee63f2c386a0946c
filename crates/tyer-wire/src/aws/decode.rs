//! What a request asks of AWS: the operation and its parameters, the same in whichever protocol it comes.
//!
//! The service is the one of the signature's scope; the protocol is what the request says, since a service may speak
//! several. Decoding is total: where two readers could differ about a request (a name twice, an operation in two places,
//! a path that some would shorten, a number that some would round) no operation is known, and the reason is.
//!
//! Follows the AWS protocols of Smithy: `awsQuery`, `ec2Query`, `awsJson1_0` and `1_1`, `restJson1`, `restXml`,
//! `rpcv2Cbor`.

mod cbor;
mod content;
mod form;
mod gzip;
mod identity;
mod json;
mod names;
mod number;
mod rest;
mod shown;
mod typed;
mod uri;
mod xml;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use thiserror::Error;
use tyer_core::intent::Digest;

use super::protocol::Protocol;
use super::request::Head;
use super::table::{self, Api, Operation};
pub(super) use cbor::read as read_cbor;
use content::Content;
pub use identity::Whither;
use names::named;
pub(super) use shown::is_identifying;
use uri::Pair;
pub(super) use uri::{Plus, decoded};
pub(super) use xml::{Element, read as read_xml};

/// How deep values may stand in each other.
pub(super) const DEPTH_MAX: usize = 64;

/// Names that no model knows, with those that they stand below.
type Extra = Vec<String>;

/// Where a signature says that a request goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// What it is signed for, such as `monitoring`.
    pub service: &'a str,
    /// Such as `eu-west-1`.
    pub region: &'a str,
}

/// What a request asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// What it is signed for.
    pub service: String,
    /// The region of its signature.
    pub region: String,
    /// The operation.
    pub call: Call,
    /// How it came, or seems to have come; `None` if not even that is clear.
    pub protocol: Option<Protocol>,
    /// An object: the parameters by the names of the model, whichever way each travelled. Bytes are base64; a body that
    /// is a stream is not in it. Empty where the operation is unknown.
    pub parameters: Value,
    /// Names in it that the model does not know, in its names and with dots; in a JSON or CBOR body those at its top, since
    /// what may stand below them is not in the table.
    pub extra: Vec<String>,
    /// Of what was sent, where the parameters don't say it all.
    sent: Option<Digest>,
}

/// Which operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// One of the table.
    Known(Operation),
    /// None that is known.
    Unknown {
        /// What it calls itself, as it was sent.
        name: Option<String>,
        /// What is unclear about it.
        why: Unclear,
    },
}

/// Why a request is not understood.
#[expect(missing_docs, reason = "each says it in its message")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unclear {
    #[error("no service that is signed for by that name is known")]
    NoService,
    #[error("the service has no such operation")]
    NoOperation,
    #[error("it can be read as two operations")]
    TwoOperations,
    #[error("it speaks a protocol that the service does not")]
    Protocol,
    #[error("it is for another version of the service")]
    Version,
    #[error("its content type says something else than the rest of it")]
    ContentType,
    #[error("its body is compressed in a way that is not read")]
    Encoding,
    #[error("its host is another service's")]
    Host,
    #[error("a header asks for another method")]
    Override,
    #[error("its path has `.` or `..` as a segment")]
    Dots,
    #[error("its path means something else where an encoded slash is one")]
    Slash,
    #[error("a part of its path is empty")]
    EmptyLabel,
    #[error("its query has a name that the operation does not have")]
    UnknownQuery,
    #[error("a name stands in it twice")]
    Twice,
    #[error("the items of a list are not numbered from one without gaps")]
    Gap,
    #[error("a value is not of the type that it must be")]
    Value,
    #[error("a number cannot be kept exactly")]
    Number,
    #[error("text comes in pieces")]
    Pieces,
    #[error("percent-encoding that readers differ about")]
    Percent,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("values stand too deep in each other")]
    TooDeep,
    #[error("it is not well-formed")]
    Malformed,
}

/// What came of one protocol.
type Found = (Operation, Map<String, Value>, Protocol);

/// What a request asks. `body` is the whole body, decoded from `aws-chunked`; for an operation whose body is a stream
/// it may be empty.
#[must_use]
pub fn decode(head: &Head, body: &[u8], scope: &Scope<'_>) -> Decoded {
    let mut extra = Extra::new();
    let (service, region) = (scope.service.to_owned(), scope.region.to_owned());
    match found(head, body, scope, &mut extra) {
        Ok((operation, parameters, protocol)) => {
            let is_stream = [table::Trait::Streams, table::Trait::EventsIn].map(|it| operation.is(it));
            let sent = (is_stream.contains(&true) && !body.is_empty()).then(|| Digest::of(body));
            let (call, parameters) = (Call::Known(operation), sorted(Value::Object(parameters)));
            Decoded { service, region, call, protocol: Some(protocol), parameters, extra, sent }
        }
        Err(why) => {
            let call = Call::Unknown { name: own_name(head, body), why };
            let parameters = Value::Object(Map::new());
            let sent = Some(sent(head, body));
            Decoded {
                service,
                region,
                call,
                protocol: protocol(head, scope),
                parameters,
                extra: Vec::new(),
                sent,
            }
        }
    }
}

impl Decoded {
    /// A request for an operation with these parameters, which nobody sent.
    #[must_use]
    pub fn asked(operation: Operation, parameters: Map<String, Value>, region: &str) -> Self {
        Self {
            service: operation.api().signing_name().to_owned(),
            region: region.to_owned(),
            call: Call::Known(operation),
            protocol: operation.api().protocols().next(),
            parameters: sorted(Value::Object(parameters)),
            extra: Vec::new(),
            sent: None,
        }
    }
}

/// The value with its names in order, however a map keeps them.
fn sorted(mut value: Value) -> Value {
    value.sort_all_objects();
    value
}

/// A digest of everything that could matter in a request that is not understood.
fn sent(head: &Head, body: &[u8]) -> Digest {
    const SIGNED_ANEW: [&str; 8] = [
        "authorization",
        "x-amz-date",
        "date",
        "x-amz-security-token",
        "user-agent",
        "x-amz-user-agent",
        "amz-sdk-invocation-id",
        "amz-sdk-request",
    ];
    let query = uri::unsigned(&head.query);
    let mut parts: Vec<&[u8]> =
        vec![head.method.as_bytes(), head.path.as_bytes(), query.as_bytes(), body];
    let mut headers: Vec<(&str, &str)> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .filter(|(name, _)| !SIGNED_ANEW.contains(name))
        .collect();
    headers.sort_unstable();
    parts.extend(headers.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]));
    Digest::of_parts(&parts)
}

fn found(head: &Head, body: &[u8], scope: &Scope<'_>, extra: &mut Extra) -> Result<Found, Unclear> {
    const OVERRIDES: [&str; 4] =
        ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url"];
    if head.headers.iter().any(|(name, _)| OVERRIDES.contains(&name.as_str())) {
        return Err(Unclear::Override);
    }
    if !body.is_empty() && matches!(head.method.as_str(), "GET" | "HEAD") {
        return Err(Unclear::Malformed);
    }
    let unpacked;
    let body = match head.headers("content-encoding").collect::<Vec<_>>().as_slice() {
        [] | ["aws-chunked" | "identity"] => body,
        ["gzip"] if table::signed_for(scope.service).all(|api| api.folder() != "s3") => {
            unpacked = gzip::unpacked(body)?;
            &unpacked
        }
        // S3 keeps it as the encoding of an object.
        _ if table::signed_for(scope.service).any(|api| api.folder() == "s3") => body,
        _ => return Err(Unclear::Encoding),
    };
    let (apis, endpoint) = apis(head, scope)?;
    let has_target = head.headers("x-amz-target").next().is_some();
    let has_cbor = head.headers("smithy-protocol").next().is_some();
    let content = Content::of(head)?;
    match (has_cbor, has_target) {
        (true, true) => Err(Unclear::TwoOperations),
        (true, false) => rpc(&apis, head, body, content, extra),
        (false, true) => targeted(&apis, head, body, content, extra),
        (false, false) => {
            let is_form = |api: &Api| api.speaks(Protocol::Query) || api.speaks(Protocol::Ec2);
            let is_rest = |api: &Api| api.speaks(Protocol::RestJson) || api.speaks(Protocol::RestXml);
            let is_root = head.path == "/" && head.method == "POST";
            let is_action = content == Content::Form || head.query.contains("Action=") || is_root;
            if apis.iter().any(is_rest) && !(is_action && apis.iter().any(is_form)) {
                let bucket = endpoint.and_then(|it| it.bucket);
                return by_path(
                    &apis,
                    head,
                    body,
                    (content, bucket, scope.service == "s3express"),
                    extra,
                );
            }
            if apis.iter().any(is_form) {
                return by_action(&apis, head, body, content, extra);
            }
            Err(Unclear::Protocol)
        }
    }
}

/// The services that a request can be for: those that are signed for so, or the one whose host it names.
fn apis(head: &Head, scope: &Scope<'_>) -> Result<(Vec<Api>, Option<table::Endpoint>), Unclear> {
    let apis: Vec<Api> = table::signed_for(scope.service).collect();
    if apis.is_empty() {
        return Err(Unclear::NoService);
    }
    let host = head.header("host").unwrap_or_default().to_ascii_lowercase();
    let host = host
        .rsplit_once(':')
        .filter(|(_, port)| port.bytes().all(|it| it.is_ascii_digit()))
        .map_or(host.as_str(), |(host, _)| host);
    let Some(endpoint) = table::endpoint(host) else { return Ok((apis, None)) };
    let at: Vec<Api> =
        apis.iter().copied().filter(|api| api.endpoint_prefix() == endpoint.prefix).collect();
    // A host of a service by another name than its model has is one of all that are signed for so.
    let is_foreign = at.is_empty() && table::apis().any(|api| api.endpoint_prefix() == endpoint.prefix);
    match (at.is_empty(), is_foreign) {
        (_, true) => Err(Unclear::Host),
        (true, false) => Ok((apis, Some(endpoint))),
        (false, false) => Ok((at, Some(endpoint))),
    }
}

/// RPC v2: `POST /service/SERVICE/operation/OPERATION`.
fn rpc(
    apis: &[Api],
    head: &Head,
    body: &[u8],
    content: Content,
    extra: &mut Extra,
) -> Result<Found, Unclear> {
    if head.header("smithy-protocol") != Some("rpc-v2-cbor") || head.method != "POST" || asks(head)? {
        return Err(Unclear::Protocol);
    }
    if !matches!(content, Content::Cbor | Content::Open) {
        return Err(Unclear::ContentType);
    }
    let segments = table::split(&head.path);
    let [.., "service", of, "operation", name] = segments.as_slice() else {
        return Err(Unclear::NoOperation);
    };
    if segments.len() != 4 {
        return Err(Unclear::NoOperation);
    }
    let is_own = |api: &&Api| api.target_prefix() == *of && api.speaks(Protocol::Cbor);
    let operation = apis.iter().filter(is_own).find_map(|api| api.operation(name));
    let operation = operation.ok_or(Unclear::NoOperation)?;
    Ok((operation, named(operation, cbor::read(body)?, extra)?, Protocol::Cbor))
}

/// JSON, with the operation in `X-Amz-Target`.
fn targeted(
    apis: &[Api],
    head: &Head,
    body: &[u8],
    content: Content,
    extra: &mut Extra,
) -> Result<Found, Unclear> {
    let protocol = match content {
        Content::Json10 => Protocol::Json10,
        Content::Json11 | Content::Open => Protocol::Json11,
        Content::Form | Content::Cbor => return Err(Unclear::ContentType),
    };
    let target = head.header("x-amz-target").ok_or(Unclear::Twice)?;
    if head.method != "POST" || head.path != "/" || asks(head)? {
        return Err(Unclear::Protocol);
    }
    if !apis.iter().any(|api| api.speaks(protocol)) {
        return Err(Unclear::Protocol);
    }
    let (prefix, name) = target.rsplit_once('.').ok_or(Unclear::NoOperation)?;
    // Some models have the whole name of a package before it, and some clients do not.
    let is_own = |api: &&Api| {
        let own = api.target_prefix();
        api.speaks(protocol) && (own == prefix || own.rsplit('.').next() == Some(prefix))
    };
    let found = apis.iter().filter(is_own).find_map(|api| api.operation(name));
    let operation = found.ok_or(Unclear::NoOperation)?;
    Ok((operation, named(operation, json::read(body)?, extra)?, protocol))
}

/// Whether the query asks anything; a signature does not.
fn asks(head: &Head) -> Result<bool, Unclear> {
    Ok(!uri::pairs(&uri::unsigned(&head.query), Plus::Space)?.is_empty())
}

/// A form, in the body or in the query.
fn by_action(
    apis: &[Api],
    head: &Head,
    body: &[u8],
    content: Content,
    extra: &mut Extra,
) -> Result<Found, Unclear> {
    if !matches!(content, Content::Form | Content::Open) {
        return Err(Unclear::ContentType);
    }
    // A queue may be called at its own path.
    if head.path != "/" && !apis.iter().any(|api| api.folder() == "sqs") {
        return Err(Unclear::NoOperation);
    }
    let form = std::str::from_utf8(body).map_err(|_| Unclear::NotUtf8)?;
    let query = uri::unsigned(&head.query);
    let text = match (form.trim().is_empty(), query.is_empty()) {
        (false, false) => return Err(Unclear::TwoOperations),
        (false, true) => form.trim(),
        (true, _) => &query,
    };
    if !matches!(head.method.as_str(), "GET" | "POST") {
        return Err(Unclear::Protocol);
    }
    let mut pairs = uri::pairs(text, Plus::Space)?;
    let action = take(&mut pairs, "Action")?.ok_or(Unclear::NoOperation)?;
    let version = take(&mut pairs, "Version")?;
    let named: Vec<Operation> = apis.iter().filter_map(|api| api.operation(&action)).collect();
    let is_version = |it: &&Operation| Some(it.api().version()) == version.as_deref();
    let is_home = |it: &&&Operation| it.api().folder() == it.api().signing_name();
    let versions: Vec<&Operation> = named.iter().filter(is_version).collect();
    let why = if named.is_empty() { Unclear::NoOperation } else { Unclear::Version };
    let operation = **versions.iter().find(|it| is_home(it)).or(versions.first()).ok_or(why)?;
    let protocol = match operation.api().speaks(Protocol::Ec2) {
        true => Protocol::Ec2,
        false => Protocol::Query,
    };
    if head.path != "/" {
        // The queue of the path is a parameter by another way.
        extra.push("path".into());
        pairs.push(("path".into(), Some(head.path.clone())));
    }
    Ok((operation, form::read(operation.members(), pairs, extra)?, protocol))
}

/// Takes what stands under that name.
fn take(pairs: &mut Vec<Pair>, name: &str) -> Result<Option<String>, Unclear> {
    let taken: Vec<Pair> = pairs.extract_if(.., |(own, _)| own == name).collect();
    match taken.as_slice() {
        [] => Ok(None),
        [(_, value)] => Ok(value.clone()),
        _ => Err(Unclear::Twice),
    }
}

/// Method and path.
fn by_path(
    apis: &[Api],
    head: &Head,
    body: &[u8],
    (content, bucket, is_express): (Content, Option<String>, bool),
    extra: &mut Extra,
) -> Result<Found, Unclear> {
    if !body.is_empty() && matches!(content, Content::Json10 | Content::Json11 | Content::Cbor) {
        return Err(Unclear::ContentType);
    }
    let path = match bucket {
        Some(bucket) => format!("/{bucket}{}", head.path),
        None => head.path.clone(),
    };
    let identified = rest::identify(apis, head, &path, is_express)?;
    let operation = identified.0;
    let (parameters, protocol) = rest::parameters(identified, head, body, extra)?;
    let protocol = if operation.api().folder() == "s3" { Protocol::S3 } else { protocol };
    Ok((operation, parameters, protocol))
}

/// Bytes as text.
fn bytes(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The protocol that a request that is not understood seems to speak; else the one that its service does.
fn protocol(head: &Head, scope: &Scope<'_>) -> Option<Protocol> {
    let content = Content::of(head).ok()?;
    match (content, head.header("smithy-protocol"), head.header("x-amz-target")) {
        (_, Some(_), None) => Some(Protocol::Cbor),
        (Content::Json10, None, Some(_)) => Some(Protocol::Json10),
        (Content::Json11 | Content::Open, None, Some(_)) => Some(Protocol::Json11),
        _ => {
            let api = table::signed_for(scope.service).next()?;
            if api.folder() == "s3" { Some(Protocol::S3) } else { api.protocols().next() }
        }
    }
}

/// What a request that is not understood calls itself.
fn own_name(head: &Head, body: &[u8]) -> Option<String> {
    if let Some(target) = head.header("x-amz-target") {
        return target.rsplit('.').next().map(str::to_owned);
    }
    if head.header("smithy-protocol").is_some() {
        return head.path.rsplit('/').next().map(str::to_owned);
    }
    let form = std::str::from_utf8(body).unwrap_or_default();
    [form, &head.query].iter().find_map(|text| {
        let mut pairs = uri::pairs(text, Plus::Space).ok()?;
        take(&mut pairs, "Action").ok().flatten()
    })
}

#[cfg(test)]
mod tests;
