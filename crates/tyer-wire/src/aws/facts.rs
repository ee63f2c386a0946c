//! What AWS itself is asked about a request's consequences: what a stack holds, which backups there are, what is in use.
//!
//! [`questions`] says what to ask, and [`Question::read`] what the answer comes to; whoever asks signs with Tyer's own
//! credentials, only reads, and has a limit of time. What no question finds out is said. Answers that decide what a request
//! does (what a change set replaces, whether a snapshot is the last) are looked at before anything is decided: [`decides`].

mod ask;
mod backups;
mod databases;
mod machines;
mod recent;
mod stacks;
mod stores;

use std::collections::BTreeSet;

use tyer_core::facts::Thing;
use tyer_core::intent::{Act, Acts, Effect, Kind, Resource, Reversibility, Tie, Timestamp};

use super::decode::{Call, Decoded};
use super::own::Doc;
use super::request::Head;
use super::resources::Owner;
use super::tags::Tag;
use super::understand::{Change, Terms, carried_out};
use crate::line::one_line;

/// Something to ask AWS.
#[derive(Debug)]
pub struct Question {
    /// What it is signed for.
    pub service: &'static str,
    /// The request, to be signed.
    pub head: Head,
    /// Its body.
    pub body: Vec<u8>,
    /// What it is about, in words.
    about: String,
    /// What reading the answer needs to know.
    context: String,
    read: ask::Read,
    /// How often the answer had a next page.
    pages: usize,
}

/// What an answer says.
#[derive(Debug)]
pub enum Found {
    /// What is so; people agree to it, and it is looked at again.
    Is(String),
    /// What is so just now, and changes by itself.
    Now(String),
    /// What it did not say.
    Unknown(String),
    /// A part of a change set.
    Change(Change),
    /// It is a copy of this resource, by its ARN.
    CopyOf(String),
    /// A copy is of this resource, by its ARN, of which so many others are left.
    Copy {
        /// Of what.
        of: String,
        /// How many more there are.
        left: usize,
    },
    /// It has this tag.
    Tag(Tag),
    /// There is more to ask.
    More(Box<Question>),
}

/// What to ask about a request in an account at that moment.
#[must_use]
pub fn questions(decoded: &Decoded, owner: Owner<'_>, now: Timestamp) -> Vec<Question> {
    let Call::Known(operation) = &decoded.call else { return Vec::new() };
    let about = About { decoded, owner, now };
    let (folder, name) = (operation.api().folder(), operation.name());
    if !backups::removes(decoded).is_empty() {
        return backups::questions(&about, (folder, name));
    }
    let mut questions = match folder {
        "cloudformation" => stacks::questions(&about, name),
        "rds" | "dynamodb" => databases::questions(&about, name),
        "ec2" | "autoscaling" | "ecs" | "lambda" => machines::questions(&about, name),
        "s3" | "sqs" | "logs" | "secretsmanager" | "kms" | "iam" => stores::questions(&about, name),
        _ => Vec::new(),
    };
    questions.extend(recent::questions(&about, *operation));
    questions
}

/// Whether what AWS says decides what the request does, so that it is asked before anything else.
#[must_use]
pub fn decides(decoded: &Decoded) -> bool {
    let Call::Known(operation) = &decoded.call else { return false };
    let asked = (operation.api().folder(), operation.name());
    asked == ("cloudformation", "ExecuteChangeSet") || !backups::removes(decoded).is_empty()
}

/// The acts of a request after AWS was asked. Only answers that are whole make anything less grave; a backup of which
/// AWS has said nothing counts as the last of whatever it may be of.
#[must_use]
pub fn decided((decoded, terms): (&Decoded, &Terms<'_>), acts: &Acts, found: &[Found]) -> Acts {
    let is_whole = !found.iter().any(|it| matches!(it, Found::Unknown(_)));
    let changes: Vec<Change> = found.iter().filter_map(Found::change).cloned().collect();
    let acts = match is_whole && !changes.is_empty() {
        true => carried_out(acts, &changes, terms.environment_tags),
        false => acts.clone(),
    };
    // Unless others are known to be left, it counts as the last.
    let is_left =
        |of: &str| found.iter().any(|it| matches!(it, Found::Copy { of: own, left: 1.. } if own == of));
    let copies = found.iter().filter_map(|it| match it {
        Found::CopyOf(of) | Found::Copy { of, .. } => Some(of.clone()),
        _ => None,
    });
    let mut copies: BTreeSet<String> = copies.collect();
    if copies.is_empty() {
        copies.extend(backups::removed_of(decoded, terms.owner));
    }
    let more: Vec<Act> = copies.iter().filter(|of| !is_left(of)).map(|of| last_copy(of)).collect();
    let mut all = acts.iter().cloned();
    match all.next() {
        Some(first) => Acts::new(first, all.chain(more)),
        None => acts,
    }
}

fn last_copy(of: &str) -> Act {
    let why = if of.contains('*') {
        format!("removes a backup, which may be the last of {of}: AWS did not say")
    } else {
        format!("removes the last backup of {of} that is known to be there")
    };
    Act {
        effect: Effect::Destroy,
        resource: Resource::new(Kind::Object, format!("{of}:backups")),
        reversibility: Reversibility::Irreversible,
        local: false,
        why,
        tie: Some(Tie::CopiesOf(Resource::new(Kind::Object, of))),
    }
}

/// What was found of each thing, and what was not.
#[must_use]
pub fn told(found: &[(String, Vec<Found>)]) -> (Vec<Thing>, Vec<String>) {
    let (mut things, mut unknown): (Vec<Thing>, Vec<String>) = (Vec::new(), Vec::new());
    for (about, found) in found {
        let place = things.iter().position(|thing| thing.name == *about);
        let place = place.unwrap_or_else(|| {
            things.push(Thing { name: about.clone(), ..Thing::default() });
            things.len() - 1
        });
        let Some(thing) = things.get_mut(place) else { continue };
        for it in found {
            match it {
                Found::Is(what) => thing.is.push(what.clone()),
                Found::Now(what) => thing.now.push(what.clone()),
                Found::Unknown(what) => unknown.push(format!("{about}: {what}")),
                Found::Change(change) => thing.is.push(in_words(change)),
                Found::Copy { of, left: 0 } => {
                    thing.is.push(format!("it is the last backup of {of}"));
                }
                Found::Copy { of, left } => thing.now.push(format!("{left} more backups of {of}")),
                Found::CopyOf(of) => thing.is.push(format!("it is a copy of {of}")),
                // They say where it stands, which is told of the request.
                Found::Tag(_) | Found::More(_) => {}
            }
        }
    }
    things.retain(|thing| !thing.is.is_empty() || !thing.now.is_empty());
    (things, unknown)
}

fn in_words(change: &Change) -> String {
    let Change { action, replacement, policy, kind, logical, physical, alters } = change;
    let replacement = match replacement.as_str() {
        "True" => ", which replaces it",
        "False" => ", in place",
        "" => "",
        _ => ", which may replace it",
    };
    let policy = if policy.is_empty() { String::new() } else { format!(" (policy {policy})") };
    let alters = if alters.is_empty() { String::new() } else { format!(": {}", alters.join(", ")) };
    one_line(&format!("{action} {logical} {physical}, {kind}{replacement}{policy}{alters}"))
}

impl Found {
    fn change(&self) -> Option<&Change> {
        match self {
            Self::Change(change) => Some(change),
            _ => None,
        }
    }
}

impl Question {
    /// What it is about, in words.
    #[must_use]
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What the answer says; what can't be read is unknown.
    #[must_use]
    pub fn read(&self, answer: &[u8]) -> Vec<Found> {
        match Doc::of(answer) {
            Some(document) => {
                let tags = document.tags().into_iter().map(Found::Tag);
                (self.read)(self, &document).into_iter().chain(tags).collect()
            }
            None => vec![Found::Unknown("AWS's answer is not understood".to_owned())],
        }
    }
}

/// What questions are made of.
struct About<'a> {
    decoded: &'a Decoded,
    owner: Owner<'a>,
    now: Timestamp,
}

impl About<'_> {
    /// The text of a parameter.
    fn text(&self, name: &str) -> Option<&str> {
        self.decoded.parameters.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// The same, as the service calls what is called so.
    fn name(&self, parameter: &str) -> Option<String> {
        self.text(parameter).map(|text| self.decoded.own_name(text))
    }

    /// The texts of one that is a list.
    fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.decoded.parameters.get(name).and_then(serde_json::Value::as_array);
        list.into_iter().flatten().filter_map(serde_json::Value::as_str).collect()
    }
}

#[cfg(test)]
mod tests;
