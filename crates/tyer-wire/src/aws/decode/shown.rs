//! A request as text for people: `ec2:TerminateInstances {"InstanceIds": ["i-0a"]}`.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Call, Decoded};
use crate::line::is_disguise;

/// What stands for a value that is left out.
const LEFT_OUT: &str = "…";

impl Decoded {
    /// `service:Operation`, as IAM has it; of an operation that is not known what it calls itself, or `?`.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.call {
            Call::Known(operation) => format!("{}:{}", operation.api().name(), operation.name()),
            Call::Unknown { name, .. } => {
                format!("{}:{}", self.service, name.as_deref().unwrap_or("?"))
            }
        }
    }

    /// The whole request: its name, and its parameters as JSON. What does not show, or shows as something else, is
    /// escaped.
    #[must_use]
    pub fn text(&self) -> String {
        self.written(&self.parameters)
    }

    /// The request with only those values that say which resources it is about.
    #[must_use]
    pub fn redacted(&self) -> String {
        self.written(&kept(&self.parameters, false))
    }

    fn written(&self, parameters: &Value) -> String {
        escaped(&format!("{} {parameters:#}", self.name()))
    }
}

/// The value, with what is not below the name of an identifier left out.
fn kept(value: &Value, is_identifier: bool) -> Value {
    match value {
        Value::Object(map) => {
            let members = map.iter();
            members.map(|(name, inner)| (name.clone(), kept(inner, is_identifying(name)))).collect()
        }
        Value::Array(items) => items.iter().map(|item| kept(item, is_identifier)).collect(),
        Value::String(_) if !is_identifier => Value::from(LEFT_OUT),
        // A number says little, and whether something is on is what people are asked about.
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Whether what stands under a name says which resource is meant. Keys open things more often than they are names, and
/// URLs carry signatures, so of those only the ones here do.
pub(in crate::aws) fn is_identifying(name: &str) -> bool {
    const ENDS: [&str; 10] =
        ["Id", "Ids", "Arn", "Arns", "ARN", "ARNs", "Name", "Names", "Identifier", "Identifiers"];
    const WHOLE: [&str; 18] = [
        "id",
        "arn",
        "name",
        "identifier",
        "cluster",
        "service",
        "services",
        "Bucket",
        "CopySource",
        "resource",
        "Resource",
        "function",
        "alias",
        "taskDefinition",
        "Key",
        "S3Key",
        "TagKey",
        "QueueUrl",
    ];
    let is_known = ENDS.iter().any(|end| name.ends_with(end)) || WHOLE.contains(&name);
    is_known && !name.to_ascii_lowercase().ends_with("accesskeyid")
}

/// Text in which every character shows as what it is; still JSON, so escaped as JSON has it.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\n' || is_disguise(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string cannot fail.
                let _written = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out
}
