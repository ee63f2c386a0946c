//! What makes two requests the same one, and what makes them of one shape.

use std::collections::BTreeSet;

use serde_json::Value;
use tyer_core::intent::{Acts, Digest};

use super::{Call, Decoded};
use crate::aws::resources::{Resource, holder};
use crate::aws::table::{Member, Operation, Place};

/// Where a request is for, by the operator's names.
#[derive(Clone, Copy, Debug)]
pub struct Whither<'a> {
    /// The account.
    pub account: &'a str,
    /// Where what it touches stands.
    pub environment: &'a str,
}

impl Decoded {
    /// Equal for requests that ask the same, in whichever protocol and however often they are sent: of the service, the
    /// region, the operation and its parameters but those that clients make up for each attempt or work out of the body.
    /// Of a request that is not understood: of all that was sent, but signature and attempt. A body that is a stream and
    /// was not given to be decoded is not in it.
    #[must_use]
    pub fn identity(&self) -> Digest {
        let sent = self.sent.map(|digest| digest.0);
        let sent = sent.as_ref().map_or([].as_slice(), |digest| digest.as_slice());
        let name = match &self.call {
            Call::Known(operation) => format!("{}:{}", operation.api().name(), operation.name()),
            Call::Unknown { .. } => format!("{}?", self.service),
        };
        let parameters = match &self.call {
            Call::Known(operation) => meant(*operation, &self.parameters).to_string(),
            Call::Unknown { .. } => String::new(),
        };
        let parts = ["aws", &self.service, &self.region, &name, &parameters].map(str::as_bytes);
        let [kind, service, region, name, parameters] = parts;
        Digest::of_parts(&[kind, service, region, name, parameters, sent])
    }

    /// The same with a body that is a stream, which is known by this.
    #[must_use]
    pub(in crate::aws) fn over(self, content: Digest) -> Self {
        Self { sent: Some(content), ..self }
    }

    /// Equal for requests for one operation with the same members, whatever their values, which do the same to the same
    /// resources in one place. What is kept within a bucket is a value, as the key of an item is; whatever else has a name
    /// is not.
    #[must_use]
    pub fn shape(&self, acts: &Acts, touched: &[Resource], to: Whither<'_>) -> Digest {
        let mut names: BTreeSet<String> = touched.iter().map(|it| holder(&it.arn).to_owned()).collect();
        names.extend(acts.iter().map(|act| {
            let (effect, resource) = (act.effect.as_str(), &act.resource);
            format!("{effect} {} {}", resource.kind.as_str(), holder(&resource.name))
        }));
        let own = self.members().0;
        let place = [to.account, to.environment, &self.region].map(str::as_bytes);
        let parts = [b"aws shape of".as_slice(), &own].into_iter().chain(place);
        let parts: Vec<&[u8]> = parts.chain(names.iter().map(String::as_bytes)).collect();
        Digest::of_parts(&parts)
    }

    /// Equal for requests for one operation with the same members, whatever their values. One that is not understood
    /// is equal to itself alone.
    pub(in crate::aws) fn members(&self) -> Digest {
        let Call::Known(operation) = &self.call else {
            return Digest::of_parts(&[b"aws shape", &self.identity().0]);
        };
        let mut paths = Vec::new();
        collect(&meant(*operation, &self.parameters), "", &mut paths);
        paths.sort_unstable();
        paths.dedup();
        let name = format!("{}:{}", operation.api().name(), operation.name());
        let paths = paths.join("\n");
        Digest::of_parts(&[b"aws shape", name.as_bytes(), paths.as_bytes()])
    }
}

/// The parameters that an attempt to do the same again would have too.
fn meant(operation: Operation, parameters: &Value) -> Value {
    let is_made_up =
        |member: &Member| member.is_token || member.place == Place::Header && is_derived(member.wire);
    let made_up: Vec<&str> = operation.members().filter(is_made_up).map(|member| member.name).collect();
    let kept = parameters
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !made_up.contains(&name.as_str()));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// Whether a header follows from the body and from how it is sent.
fn is_derived(wire: &str) -> bool {
    let wire = wire.to_ascii_lowercase();
    const NAMES: [&str; 8] = [
        "content-length",
        "content-md5",
        "x-amz-content-sha256",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-sha256-tree-hash",
        "x-amz-decoded-content-length",
        "x-amz-trailer",
        "expect",
    ];
    NAMES.contains(&wire.as_str())
        || wire.starts_with("x-amz-checksum-") && wire != "x-amz-checksum-mode"
}

/// The paths of all names in a value; items of a list share one.
fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let path = format!("{path}.{name}");
                collect(inner, &path, paths);
                paths.push(path);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, path, paths)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
