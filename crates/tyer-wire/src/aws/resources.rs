//! Which resources a request names, as ARNs.
//!
//! The reference of IAM says which types of resources an operation is about and how their ARNs are made; the table says
//! which members stand in them. Where it names none, members that look like identifiers are taken by their own names.

use std::collections::BTreeSet;

use serde_json::Value;

use super::decode::{Call, Decoded, is_identifying};
use super::table::{Named, Operation};

/// A resource that a request names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// Its ARN, as far as the request says it; `*` stands for what it doesn't.
    pub arn: String,
    /// The service of the ARN, such as `ec2`.
    pub service: String,
    /// IAM's name of the type, such as `instance`, or the name of the member.
    pub kind: String,
    /// What the request calls it, such as `i-0a1b2c`.
    pub name: String,
}

impl Resource {
    /// The one of an ARN. What it is called is the last piece that is known of it, or `*` if only its type is.
    #[must_use]
    pub fn of_arn(arn: &str) -> Self {
        let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
        let mut pieces = resource.split(['/', ':']).filter(|piece| !piece.is_empty());
        let kind = pieces.clone().next().filter(|_| pieces.clone().nth(1).is_some());
        let known = pieces.rfind(|piece| *piece != "*").filter(|piece| Some(*piece) != kind);
        Self {
            arn: arn.to_owned(),
            service: home_of(arn),
            kind: kind.unwrap_or_default().to_owned(),
            name: known.unwrap_or("*").to_owned(),
        }
    }
}

/// The account that a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Such as `111122223333`.
    pub account: &'a str,
    /// Such as `aws` or `aws-cn`.
    pub partition: &'a str,
}

/// More of them in one request are not told apart.
const RESOURCES_MAX: usize = 10_000;

impl Decoded {
    /// Every resource that the request names, each once. One that names none, or is not understood, is about all of its
    /// service. The keys of `DeleteObjects` are in its parameters; it names its bucket.
    #[must_use]
    pub fn resources(&self, owner: Owner<'_>) -> Vec<Resource> {
        let mut found = BTreeSet::new();
        if let Call::Known(operation) = &self.call {
            for named in operation.resources() {
                found.extend(self.of(named, owner));
            }
            if found.is_empty() {
                found.extend(self.by_name(*operation, owner));
            }
        }
        if found.is_empty() || found.len() > RESOURCES_MAX {
            return vec![self.whole(owner)];
        }
        found.into_iter().collect()
    }

    /// The resources of one type.
    pub(super) fn of(&self, named: Named, owner: Owner<'_>) -> Vec<Resource> {
        let members: Vec<&str> = named.members.split(',').collect();
        let Some(last) = members.iter().rfind(|member| **member != "*") else { return Vec::new() };
        let values = self.values(last);
        let fixed = |member: &str| match self.values(member).as_slice() {
            [one] => self.own_name(one),
            _ => "*".to_owned(),
        };
        let made = values.into_iter().map(|value| {
            if value.starts_with("arn:") {
                return named_by(&value, named.kind);
            }
            let name = self.own_name(&value);
            let mut parts = named.template.split("${");
            let mut arn = parts.next().unwrap_or_default().to_owned();
            let mut fills = members.iter();
            for part in parts {
                let (placeholder, rest) = part.split_once('}').unwrap_or((part, ""));
                match placeholder {
                    "Partition" => arn.push_str(owner.partition),
                    "Region" => arn.push_str(&self.region),
                    "Account" => arn.push_str(owner.account),
                    _ => match fills.next() {
                        Some(member) if member == last => arn.push_str(&name),
                        Some(member) => arn.push_str(&fixed(member)),
                        None => arn.push('*'),
                    },
                }
                arn.push_str(rest);
            }
            Resource { service: home_of(&arn), arn, kind: named.kind.to_owned(), name }
        });
        made.collect()
    }

    /// What a service calls what a request calls so: the name in the URL of a queue, without what only some requests
    /// add, and in lower case where the service takes it so.
    pub(super) fn own_name(&self, value: &str) -> String {
        let Call::Known(operation) = &self.call else { return value.to_owned() };
        match operation.api().folder() {
            "rds" | "docdb" | "neptune" | "redshift" | "elasticache" | "memorydb" => {
                value.to_ascii_lowercase()
            }
            // NAME, NAME:VERSION, or ACCOUNT:function:NAME.
            "lambda" => {
                let name = value.split_once(":function:").map_or(value, |(_, name)| name);
                name.split(':').next().unwrap_or(name).to_owned()
            }
            "ssm" => value.strip_prefix('/').unwrap_or(value).to_owned(),
            _ => tail(value),
        }
    }

    /// The texts under a parameter's name.
    pub(super) fn values(&self, member: &str) -> Vec<String> {
        match self.parameters.get(member) {
            Some(Value::String(text)) if !text.is_empty() => vec![text.clone()],
            Some(Value::Number(number)) => vec![number.to_string()],
            Some(Value::Array(items)) => items
                .iter()
                .filter_map(Value::as_str)
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What looks like an identifier.
    fn by_name(&self, operation: Operation, owner: Owner<'_>) -> Vec<Resource> {
        let parameters = self.parameters.as_object().into_iter().flatten();
        let is_token = |name: &str| operation.member(name).is_some_and(|member| member.is_token);
        let named = parameters.filter(|(name, _)| is_identifying(name) && !is_token(name));
        let made = named.flat_map(|(member, _)| {
            let values = self.values(member).into_iter();
            values.map(move |value| {
                if value.starts_with("arn:") {
                    return named_by(&value, member);
                }
                let service = operation.api().name().to_owned();
                let (region, Owner { partition, account }) = (&self.region, owner);
                let name = self.own_name(&value);
                let arn = format!("arn:{partition}:{service}:{region}:{account}:{member}/{name}");
                Resource { arn, service, kind: member.clone(), name }
            })
        });
        made.collect()
    }

    /// All of a service.
    fn whole(&self, owner: Owner<'_>) -> Resource {
        let service = match &self.call {
            Call::Known(operation) => operation.api().name(),
            Call::Unknown { .. } => &self.service,
        };
        let (region, Owner { partition, account }) = (&self.region, owner);
        let arn = format!("arn:{partition}:{service}:{region}:{account}:*");
        Resource { arn, service: service.to_owned(), kind: "*".to_owned(), name: "*".to_owned() }
    }
}

/// What people know a resource by, of its ARN: the bucket that an object is in, else itself.
pub(super) fn holder(arn: &str) -> &str {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    let pieces = match home_of(arn).as_str() {
        // An object is behind a slash; of an access point, behind its name and `object`.
        "s3" if resource.starts_with("accesspoint/") => 2,
        "s3" if arn.contains(":s3:::") => 1,
        _ => return arn,
    };
    let (start, kept) = (arn.len() - resource.len(), resource.match_indices('/').nth(pieces - 1));
    kept.and_then(|(at, _)| arn.get(..start + at)).unwrap_or(arn)
}

/// The resource that a request names by its ARN.
pub(super) fn named_by(arn: &str, kind: &str) -> Resource {
    let arn = &plain(arn);
    Resource { arn: arn.to_owned(), service: home_of(arn), kind: kind.to_owned(), name: last_of(arn) }
}

/// The ARN without what only some requests add: the version of a function, or that all streams of a group of logs are
/// meant; in lower case where the service takes it so.
fn plain(arn: &str) -> String {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        [_, _, "lambda", _, _, "function", _, ..] => {
            parts.get(..7).map_or(arn.to_owned(), |it| it.join(":"))
        }
        [_, _, "rds" | "redshift" | "elasticache" | "memorydb", ..] => arn.to_ascii_lowercase(),
        [_, _, "logs", _, _, "log-group", .., "*"] => arn.strip_suffix(":*").unwrap_or(arn).to_owned(),
        _ => arn.to_owned(),
    }
}

fn home_of(arn: &str) -> String {
    arn.split(':').nth(2).unwrap_or_default().to_owned()
}

/// What an ARN calls its resource.
fn last_of(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    resource.split_once(['/', ':']).map_or(resource, |(_, name)| name).to_owned()
}

/// The name in the URL of a queue; any other text is itself.
fn tail(value: &str) -> String {
    let is_url = value.starts_with("https://") || value.starts_with("http://");
    let name = value.rsplit('/').next().filter(|name| is_url && !name.is_empty());
    name.unwrap_or(value).to_owned()
}
