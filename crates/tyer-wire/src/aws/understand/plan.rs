//! Change sets: what writing one down does, and what carrying one out would do once that is known.

use serde_json::Value;
use tyer_core::intent::{Act, Acts, Effect, Reversibility};

use super::acts::object;
use super::subject::Asked;
use crate::line::one_line;

/// How many changes are told one by one.
const CHANGES_MAX: usize = 50;
/// How many characters of a name stand in words.
const NAME_CHARS_MAX: usize = 80;

/// One change of a change set, in the words of `DescribeChangeSet`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// `Add`, `Modify`, `Remove`, `Import`, `Dynamic`.
    pub action: String,
    /// `True`, `False`, `Conditional`; empty if it was not said.
    pub replacement: String,
    /// What becomes of what is removed or replaced: `Delete`, `Retain`, `Snapshot`; empty if it was not said.
    pub policy: String,
    /// Such as `AWS::RDS::DBInstance`.
    pub kind: String,
    /// The template's name of it.
    pub logical: String,
    /// The service's name of it; empty if there is none yet.
    pub physical: String,
    /// The properties that are altered; empty if that was not said.
    pub alters: Vec<String>,
}

/// Properties that are safeguards, or say who may do what.
const GUARDS: [&str; 26] = [
    "BackupRetentionPeriod",
    "BucketEncryption",
    "DeletionProtection",
    "DeletionProtectionEnabled",
    "DeleteAutomatedBackups",
    "DisableApiTermination",
    "EnableKeyRotation",
    "EnableTerminationProtection",
    "Environment",
    "IsLogging",
    "KeyPolicy",
    "LifecycleConfiguration",
    "LoggingConfiguration",
    "ObjectLockConfiguration",
    "ObjectLockEnabled",
    "PointInTimeRecoverySpecification",
    "Policy",
    "PolicyDocument",
    "PublicAccessBlockConfiguration",
    "PubliclyAccessible",
    "RetentionInDays",
    "SecurityGroupEgress",
    "SecurityGroupIngress",
    "SnapshotRetentionLimit",
    "StorageEncrypted",
    "VersioningConfiguration",
];

/// A plan that changes nothing until it is carried out, and runs nothing while it is made, touches nothing.
pub(super) fn eased(asked: Asked<'_>, acts: Vec<Act>) -> Vec<Act> {
    let operation = asked.operation;
    if operation.api().folder() != "cloudformation" || operation.name() != "CreateChangeSet" {
        return acts;
    }
    let parameters = &asked.decoded.parameters;
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    let is_there = |name: &str| parameters.get(name).is_some_and(|value| !value.is_null());
    // A plan for a stack that is not there yet makes it; macros run while a plan is made.
    let is_only_plan = matches!(text("ChangeSetType"), "" | "UPDATE")
        && !["TemplateURL", "ResourcesToImport", "ImportExistingResources"].into_iter().any(is_there)
        && !text("TemplateBody").contains("Transform");
    let ease = |act: Act| match act.effect {
        Effect::Create => Act {
            local: true,
            why: "writes down a plan, which changes nothing until it is carried out \
                  (cloudformation:CreateChangeSet)"
                .to_owned(),
            ..act
        },
        _ => act,
    };
    if is_only_plan { acts.into_iter().map(ease).collect() } else { acts }
}

/// What carrying out a change set would do, where `changes` is all of it, instead of what its name alone says. Only the
/// act that says that something may be replaced gives way; whatever else the request does stays.
#[must_use]
pub fn carried_out(acts: &Acts, changes: &[Change]) -> Acts {
    let Some(whole) = acts.iter().find(|act| act.effect == Effect::Replace) else {
        return acts.clone();
    };
    let stack = &whole.resource;
    let others = acts.iter().filter(|act| act.effect != Effect::Replace).cloned();
    let mut found: Vec<Act> = changes.iter().take(CHANGES_MAX).map(Change::act).collect();
    if let Some(rest) = changes.get(CHANGES_MAX..).filter(|rest| !rest.is_empty()) {
        let gravest = rest.iter().map(Change::act).max_by_key(|act| act.effect);
        let why = format!("and {} more changes, none graver than this", rest.len());
        found.extend(gravest.map(|act| Act { resource: stack.clone(), why, tie: None, ..act }));
    }
    let updated = Act {
        effect: Effect::Change,
        reversibility: Reversibility::Recoverable,
        why: format!("updates the stack by {} changes that were looked at", changes.len()),
        tie: None,
        ..whole.clone()
    };
    Acts::new(updated, others.chain(found))
}

impl Change {
    fn is_guard(&self) -> bool {
        self.alters.iter().any(|own| GUARDS.contains(&own.as_str()))
    }

    fn act(&self) -> Act {
        let short = |text: &str| one_line(text).chars().take(NAME_CHARS_MAX).collect::<String>();
        let (kind, logical) = (short(&self.kind), short(&self.logical));
        let is_kept = self.policy == "Retain";
        let (effect, words) = match (self.action.as_str(), self.replacement.as_str()) {
            ("Add", _) => (Effect::Create, "adds"),
            ("Import", _) => (Effect::Change, "takes over"),
            ("Remove", _) if is_kept => (Effect::Change, "lets go of"),
            ("Remove", _) => (Effect::Destroy, "removes"),
            ("Modify", "False") if self.alters.is_empty() => (Effect::Replace, "alters something of"),
            ("Modify", "False") if self.is_guard() => (Effect::Disarm, "alters a safeguard of"),
            ("Modify", "False") => (Effect::Change, "alters"),
            ("Modify", "True") => (Effect::Replace, "replaces"),
            _ => (Effect::Replace, "may replace"),
        };
        // What is in it is not said here, or it is code.
        let is_nested = self.kind == "AWS::CloudFormation::Stack";
        let is_code = self.kind.starts_with("Custom::")
            || ["AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Macro"]
                .contains(&self.kind.as_str());
        let is_grant = self.kind.starts_with("AWS::IAM::")
            || ["Policy", "Permission"].iter().any(|word| self.kind.contains(word));
        let floor = match (is_nested, is_code, is_grant) {
            (true, ..) => Effect::Replace,
            (_, true, _) => Effect::Execute,
            (_, _, true) => Effect::Grant,
            _ => Effect::Read,
        };
        let effect = effect.max(floor);
        let reversibility = match (effect, self.policy.as_str()) {
            (Effect::Create, _) => Reversibility::Reversible,
            (Effect::Change, _) | (_, "Snapshot" | "RetainExceptOnCreate" | "Retain") => {
                Reversibility::Recoverable
            }
            _ => Reversibility::Irreversible,
        };
        let name = if self.physical.is_empty() { &self.logical } else { &self.physical };
        let resource =
            object(&if name.starts_with("arn:") { name.clone() } else { format!("{kind}/{name}") });
        let why = format!("{words} {logical}, {kind}");
        Act { effect, resource, reversibility, local: false, why, tie: None }
    }
}
