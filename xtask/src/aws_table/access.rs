//! The published reference of IAM: which access level an operation has, and which resources it is about.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::models::{members, text};
use super::{TableError, json, read};

/// Operations whose action has another name, each with the reason: service, operation, action, reason.
const NAMES: &str = include_str!("names.tsv");

/// Placeholders that no rule finds the member for: action's service, placeholder, member.
const PLACEHOLDERS: [(&str, &str, &str); 6] = [
    ("s3", "ObjectName", "Key"),
    ("iam", "PolicyNameWithPath", "PolicyArn"),
    ("logs", "LogGroupName", "logGroupName"),
    ("sns", "TopicName", "TopicArn"),
    ("states", "StateMachineName", "stateMachineArn"),
    ("secretsmanager", "SecretId", "SecretId"),
];

/// The whole reference.
#[derive(Debug)]
pub(super) struct Access {
    document: Value,
    /// Names of actions in lower case, by service.
    actions: BTreeMap<String, BTreeMap<String, String>>,
}

/// Where in the reference a service's actions are looked for.
#[derive(Debug)]
pub(super) struct Listed<'a> {
    access: &'a Access,
    services: Vec<&'a str>,
    /// Its endpoint prefix and botocore's name of it.
    own: [String; 2],
}

/// The action of one operation, if it is published.
#[derive(Debug)]
pub(super) struct Privilege<'a> {
    action: Option<(&'a str, &'a Value, &'a Value)>,
    is_by_method: bool,
}

impl Access {
    pub(super) fn read(path: &Path) -> Result<Self, TableError> {
        let document = json(path, &read(path)?)?;
        let mut actions = BTreeMap::new();
        for (name, about) in document.as_object().into_iter().flatten() {
            let own =
                members(about, "privileges").map(|(action, _)| (action.to_lowercase(), action.clone()));
            actions.insert(name.clone(), own.collect());
        }
        Ok(Self { document, actions })
    }

    /// The service that signs with that name, has that endpoint prefix and that name in botocore.
    pub(super) fn of(&self, signing: &str, own: [&str; 2]) -> Listed<'_> {
        let [prefix, folder] = own;
        let names = [signing, prefix, folder];
        let mut services: Vec<&str> = Vec::new();
        for name in names.iter().flat_map(|name| [*name, name.rsplit('.').next().unwrap_or(name)]) {
            if let Some((own, _)) = self.actions.get_key_value(name)
                && self.document.get(name).is_some_and(Value::is_object)
                && !services.contains(&own.as_str())
            {
                services.push(own);
            }
        }
        Listed { access: self, services, own: own.map(str::to_owned) }
    }
}

impl<'a> Listed<'a> {
    /// What the service is called in actions; empty if it is not published.
    pub(super) fn prefix(&self) -> &'a str {
        self.services.first().copied().unwrap_or_default()
    }

    /// The action that a call of this operation needs.
    pub(super) fn privilege(&self, operation: &str, http: &Value) -> Privilege<'a> {
        if let Some(action) = self.named(operation).and_then(|(of, name)| self.access.action(of, name))
        {
            return Privilege { action: Some(action), is_by_method: false };
        }
        let lower = operation.to_lowercase();
        let found = self.services.iter().find_map(|of| {
            let action = self.access.actions.get(*of)?.get(&lower)?;
            self.access.action(of, action)
        });
        if found.is_some() {
            return Privilege { action: found, is_by_method: false };
        }
        let by_method = self.named("*").filter(|(_, name)| *name == "METHOD");
        let action = by_method.and_then(|(of, _)| self.access.action(of, text(http, "method")));
        Privilege { action, is_by_method: true }
    }

    /// What the list of other names says: the action's service, and its name there.
    fn named(&self, operation: &str) -> Option<(&'static str, &'static str)> {
        let rows = NAMES.lines().filter(|row| !row.starts_with('#'));
        rows.map(|row| row.split('\t')).find_map(|mut row| {
            let (of, name, action) = (row.next()?, row.next()?, row.next()?);
            let is_ours = name == operation && self.own.iter().any(|own| own == of);
            is_ours.then(|| action.split_once(':').unwrap_or((of, action)))
        })
    }
}

impl Access {
    fn action(&self, of: &str, action: &str) -> Option<(&str, &Value, &Value)> {
        let (name, _) = self.actions.get_key_value(of)?;
        let about = self.document.get(of)?;
        Some((name, about, about.get("privileges")?.get(action)?))
    }
}

impl Privilege<'_> {
    /// `L`ist, `R`ead, `W`rite, `T`agging, `P`ermissions management, or empty if none is published.
    pub(super) fn level(&self) -> &'static str {
        let level = self.action.map_or("", |(_, _, action)| text(action, "access_level"));
        match level {
            "List" => "L",
            "Read" => "R",
            "Write" => "W",
            "Tagging" => "T",
            "Permissions management" => "P",
            _ => "",
        }
    }

    /// The resources that the operation is about: `TYPE=MEMBER,MEMBER`, where the type is a number in `kinds` and there
    /// is a member, or `*`, for each placeholder of its ARN but partition, region and account.
    pub(super) fn resources(
        &self,
        members_of: &[(&str, bool)],
        kinds: &mut Vec<(String, String)>,
    ) -> String {
        let Some((of, about, action)) = self.action.filter(|_| !self.is_by_method) else {
            return String::new();
        };
        let mut tokens = Vec::new();
        for (kind, _) in members(action, "resource_types") {
            let template =
                about.get("resources").and_then(|all| all.get(kind)).map_or("", |it| text(it, "arn"));
            let placeholders = placeholders(template);
            let Some((last, rest)) = placeholders.split_last() else { continue };
            let mut filled: Vec<&str> =
                rest.iter().map(|name| fill(of, name, "", members_of).unwrap_or("*")).collect();
            let is_filled = |name: &&str| *name != "*";
            let is_new = |name: &&str| !filled.contains(name);
            match fill(of, last, kind, members_of).filter(is_new) {
                Some(own) if filled.iter().all(is_filled) => filled.push(own),
                // A stack is named without the id that its ARN ends with.
                None if filled.iter().any(is_filled) => filled.push("*"),
                _ => continue,
            }
            tokens.push(token(kind, template, &filled, kinds));
        }
        tokens.join(" ")
    }
}

fn token(kind: &str, template: &str, filled: &[&str], kinds: &mut Vec<(String, String)>) -> String {
    let row = (kind.to_owned(), template.to_owned());
    let number = kinds.iter().position(|other| *other == row).unwrap_or_else(|| {
        kinds.push(row);
        kinds.len() - 1
    });
    format!("{number}={}", filled.join(","))
}

/// The names in `${...}` of a template, without those that the caller's account says.
fn placeholders(template: &str) -> Vec<&str> {
    let names = template.split("${").skip(1).filter_map(|part| part.split('}').next());
    names.filter(|name| !matches!(*name, "Partition" | "Region" | "Account")).collect()
}

/// The member that says what stands for a placeholder.
fn fill<'a>(
    of: &str,
    placeholder: &str,
    kind: &str,
    members_of: &[(&'a str, bool)],
) -> Option<&'a str> {
    let find =
        |is: &dyn Fn(&str) -> bool| members_of.iter().map(|(name, _)| *name).find(|name| is(name));
    let named = PLACEHOLDERS.iter().find(|(own, name, _)| *own == of && *name == placeholder);
    if let Some(found) = named.and_then(|(_, _, member)| find(&|name| name == *member)) {
        return Some(found);
    }
    let (whole, stem_of) = (placeholder.to_lowercase(), stem(placeholder));
    let kind = kind.replace(['-', '_', ' ', '/'], "").to_lowercase();
    find(&|name| name.to_lowercase() == whole)
        .or_else(|| find(&|name| !stem_of.is_empty() && stem(name) == stem_of))
        .or_else(|| find(&|name| !kind.is_empty() && stem(name) == kind))
        .or_else(|| {
            const BARE: [&str; 8] = [
                "arn",
                "resourcearn",
                "name",
                "id",
                "identifier",
                "resourceid",
                "resourceidentifier",
                "resource",
            ];
            let is_bare = |name: &str| BARE.contains(&name.to_lowercase().as_str());
            find(&|name| !kind.is_empty() && is_bare(name))
        })
}

/// `dbinstance` of `DBInstanceIdentifier`, `InstanceId` and its plural alike.
fn stem(name: &str) -> String {
    let mut name = name.to_lowercase();
    name = name.strip_suffix("withpath").map(str::to_owned).unwrap_or(name);
    for _ in 0..2 {
        for suffix in
            ["identifiers", "identifier", "names", "name", "ids", "id", "arns", "arn", "url", "list"]
        {
            if let Some(rest) = name.strip_suffix(suffix).filter(|rest| rest.len() > 1) {
                name = rest.to_owned();
                break;
            }
        }
    }
    name.strip_suffix('s').filter(|rest| !rest.ends_with('s')).map(str::to_owned).unwrap_or(name)
}
