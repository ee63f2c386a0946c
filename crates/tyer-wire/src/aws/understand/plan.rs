//! Change sets: what writing one down does, and what carrying one out would do once that is known.

use serde_json::Value;
use tyer_core::intent::{Act, Acts, Effect, Reversibility};

use super::acts::object;
use super::rules::Said;
use super::stacked::STACKED;
use super::subject::Asked;
use super::tags::says_where;
use crate::line::one_line;

/// How many changes are told one by one.
const CHANGES_MAX: usize = 50;
/// How many characters of a name stand in words.
const NAME_CHARS_MAX: usize = 80;
/// How many properties are named together.
const NAMED_MAX: usize = 5;
/// What tags are called among what is altered; one whose key is known is `Tags.KEY`.
pub(in crate::aws) const TAGS: &str = "Tags";

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
    /// The properties that are altered, `Metadata`, and `Tags` or `Tags.KEY` for each; empty if that was not said.
    pub alters: Vec<String>,
}

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
/// act that says that something may be replaced gives way; whatever else the request does stays. Tags with one of these
/// keys say where something stands.
#[must_use]
pub fn carried_out(acts: &Acts, changes: &[Change], environment_tags: &[String]) -> Acts {
    let Some(whole) = acts.iter().find(|act| act.effect == Effect::Replace) else {
        return acts.clone();
    };
    let stack = &whole.resource;
    let others = acts.iter().filter(|act| act.effect != Effect::Replace).cloned();
    let of = |change: &Change| change.acts(environment_tags);
    let mut found: Vec<Act> = changes.iter().take(CHANGES_MAX).flat_map(of).collect();
    if let Some(rest) = changes.get(CHANGES_MAX..).filter(|rest| !rest.is_empty()) {
        let gravest = rest.iter().flat_map(of).max_by_key(|act| act.effect);
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

/// One effect of a change, its reversibility where a rule says it, and the words on both sides of what it is of.
type Told = (Effect, Option<Reversibility>, String, &'static str);

impl Change {
    /// What it does: one act for each rule that says so.
    fn acts(&self, environment_tags: &[String]) -> Vec<Act> {
        let plain = |effect, words: &str| vec![(effect, None, words.to_owned(), "")];
        let told = match (self.action.as_str(), self.replacement.as_str()) {
            ("Add", _) => vec![self.added()],
            ("Import", _) => plain(Effect::Change, "takes over"),
            ("Remove", _) if self.policy == "Retain" => plain(Effect::Change, "lets go of"),
            ("Remove", _) => plain(Effect::Destroy, "removes"),
            ("Modify", "False") if self.alters.is_empty() => {
                plain(Effect::Replace, "alters something of")
            }
            ("Modify", "False") => self.altered(environment_tags),
            ("Modify", "True") => plain(Effect::Replace, "replaces"),
            _ => plain(Effect::Replace, "may replace"),
        };
        told.into_iter().map(|told| self.act(told)).collect()
    }

    fn added(&self) -> Told {
        let said = STACKED.adds(&self.kind);
        let more = "of which it is not known what it may do";
        said.map_or((Effect::Replace, None, "adds".to_owned(), more), |said| {
            let words = if said.effect == Effect::Create { "" } else { said.words };
            (said.effect, Some(said.reversibility), "adds".to_owned(), words)
        })
    }

    /// What altering its properties in place does, the plain ones only where there are no others.
    fn altered(&self, environment_tags: &[String]) -> Vec<Told> {
        let mut groups: Vec<(Option<Said>, Vec<&str>)> = Vec::new();
        for property in &self.alters {
            let said = self.said(property, environment_tags);
            match groups.iter_mut().find(|(own, _)| *own == said) {
                Some((_, names)) => names.push(property),
                None => groups.push((said, vec![property])),
            }
        }
        let is_plain = |said: &Option<Said>| said.is_some_and(|said| said.effect <= Effect::Change);
        if !groups.iter().all(|(said, _)| is_plain(said)) {
            groups.retain(|(said, _)| !is_plain(said));
        }
        let told = |(said, names): (Option<Said>, Vec<&str>)| {
            let more = if names.len() > NAMED_MAX { ", …" } else { "" };
            let names: Vec<String> = names.into_iter().take(NAMED_MAX).map(short).collect();
            let words = format!("alters {}{more} of", names.join(", "));
            match said {
                Some(said) if said.effect <= Effect::Change => (said.effect, None, words, ""),
                Some(said) => (said.effect, Some(said.reversibility), words, said.words),
                None => (Effect::Replace, None, words, "of which it is not known what it may do"),
            }
        };
        groups.into_iter().map(told).collect()
    }

    /// What altering one property in place does, if that is known.
    fn said(&self, property: &str, environment_tags: &[String]) -> Option<Said> {
        let tags =
            |effect, words| Some(Said { effect, reversibility: Reversibility::Reversible, words });
        match property.strip_prefix(TAGS) {
            Some("") if environment_tags.is_empty() => tags(Effect::Change, "changes its tags"),
            Some("") => tags(Effect::Disarm, "changes tags, which may say where it stands"),
            Some(rest) => match rest.strip_prefix('.') {
                Some(key) if says_where(key, environment_tags) => {
                    tags(Effect::Disarm, "changes a tag that says where it stands")
                }
                Some(_) => tags(Effect::Change, "changes its tags"),
                None => STACKED.alters(&self.kind, property),
            },
            None => STACKED.alters(&self.kind, property),
        }
    }

    fn act(&self, (effect, said, words, reason): Told) -> Act {
        let (kind, logical) = (short(&self.kind), short(&self.logical));
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
        let is_raised = floor > effect;
        let effect = effect.max(floor);
        let reversibility = match (effect, self.policy.as_str()) {
            (Effect::Create, _) => Reversibility::Reversible,
            (Effect::Change, _) | (_, "Snapshot" | "RetainExceptOnCreate" | "Retain") => {
                Reversibility::Recoverable
            }
            _ => Reversibility::Irreversible,
        };
        let reversibility = said.filter(|_| !is_raised).unwrap_or(reversibility);
        let name = if self.physical.is_empty() { &self.logical } else { &self.physical };
        let resource =
            object(&if name.starts_with("arn:") { name.clone() } else { format!("{kind}/{name}") });
        let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        let why = format!("{words} {logical}, {kind}{reason}");
        Act { effect, resource, reversibility, local: false, why, tie: None }
    }
}

fn short(text: &str) -> String {
    one_line(text).chars().take(NAME_CHARS_MAX).collect()
}
